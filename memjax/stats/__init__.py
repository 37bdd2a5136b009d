"""Statistics of per-image measures against human scores: plain arrays in, plain arrays out.

The public names; each is imported when first used.
"""

from memjax.lazy import attach

_NAMES = {
    # Measures side by side, and everything that is said of them
    "analyse": "memjax.stats.analysis",
    "Analysis": "memjax.stats.analysis",
    "AnalysisSettings": "memjax.stats.analysis",
    "stack": "memjax.stats.table",
    "Columns": "memjax.stats.table",
    "correlation_table": "memjax.stats.table",
    # Correlations, intervals, corrections for multiplicity
    "correlate": "memjax.stats.correlation",
    "reported": "memjax.stats.exact",
    "benjamini_hochberg": "memjax.stats.correlation",
    "holm": "memjax.stats.correlation",
    "interval": "memjax.stats.intervals",
    "permutation_test": "memjax.stats.permutation",
    # Do two measures differ; controls; categories
    "williams": "memjax.stats.dependent",
    "meng": "memjax.stats.dependent",
    "compare_rivals": "memjax.stats.rivals",
    "Rivals": "memjax.stats.rivals",
    "sum_of_ranks": "memjax.stats.over_layers",
    "nested_choice": "memjax.stats.over_layers",
    "partial_correlation": "memjax.stats.partial",
    "within_category": "memjax.stats.partial",
    "one_hot": "memjax.stats.partial",
    # Many measures together
    "readout": "memjax.stats.readout",
    "readouts": "memjax.stats.readouts",
    "readout_table": "memjax.stats.readouts",
    "weight_table": "memjax.stats.readouts",
    "fit_glm": "memjax.stats.regression",
    # How far people agree
    "Reliability": "memjax.stats.reliability",
    "split_half": "memjax.stats.reliability",
    "spearman_brown": "memjax.stats.reliability",
    "halves_from_counts": "memjax.stats.reliability",
    "simulate_halves": "memjax.stats.reliability",
}
__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, _NAMES)
