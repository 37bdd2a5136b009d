"""Metrics of a vision encoder's inside: one row each, pure functions of one image; `vmap` and `scan` lie outside.

A user's own is a row too::

    Metric(lambda block, layout: block.attention.max(), at="block", title="Largest attention", unit="probability")
"""

from memjax.metrics.choose import choose, requested
from memjax.metrics.identity import metric_identity
from memjax.metrics.measuring import assemble, at_last_layer, measure_block, measure_hidden
from memjax.metrics.metric import NEEDS, PLACES, Metric
from memjax.metrics.table import DEFAULT_METRICS, METRICS

__all__ = [  # noqa: RUF022 (grouped)
    # Rows
    "DEFAULT_METRICS",
    "METRICS",
    "NEEDS",
    "PLACES",
    "Metric",
    # Choosing
    "choose",
    "metric_identity",
    "requested",
    # Measuring
    "assemble",
    "at_last_layer",
    "measure_block",
    "measure_hidden",
]
