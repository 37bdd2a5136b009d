"""Figures (one function each) and the report page: what a run found, in one HTML file that needs nothing else.

The public names; each is imported when first used.
"""

from memjax.lazy import attach

_NAMES = {
    # What all figures of a run have in common
    "Context": "memjax.report.labels",
    "Label": "memjax.report.labels",
    # Figures
    "rho_by_layer": "memjax.report.figures",
    "overview": "memjax.report.figures",
    "score_scatter": "memjax.report.figures",
    "attention_over_image": "memjax.report.attention",
    "attention_by_encoder": "memjax.report.attention",
    "rho_by_head": "memjax.report.heads",
    "rho_by_epoch": "memjax.report.epochs",
    "readout_beside": "memjax.report.readout",
    "layer_map": "memjax.report.readout",
    "save_figure": "memjax.report.figures",
    # The page
    "Page": "memjax.report.page",
    "Section": "memjax.report.page",
    "write_report": "memjax.report.page",
    "headline": "memjax.report.headline",
}
_PARTS = ("figures", "labels", "page")
__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, _NAMES, _PARTS)
