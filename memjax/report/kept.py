"""Which rows of a correlation table are drawn: multiples of a metric repeat it, and single heads have a map of their own."""

import pandas as pd

from memjax.metrics import METRICS
from memjax.report.labels import head_of


def drawn_once(table: pd.DataFrame) -> pd.DataFrame:
    """The rows without those of single heads, and without metrics that are a fixed multiple of another one in the table.

    Example:
        >>> drawn_once(pd.DataFrame({"metric": ["cls_mean", "cls_sum", "attention_entropy_head_3"]}))["metric"].tolist()
        ['cls_mean']
    """
    metrics = set(table["metric"])
    return table[[head_of(name) is None and shared_with(name) not in metrics for name in table["metric"]]]


def shared_with(metric: str) -> str:
    """The metric that this one is a fixed multiple of, so that its correlations are the same; empty for most.

    Example:
        >>> shared_with("cls_sum"), shared_with("cls_norm")
        ('cls_mean', '')
    """
    return METRICS[metric].multiple_of if metric in METRICS else ""
