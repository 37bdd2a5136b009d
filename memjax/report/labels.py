"""Plain words and number formats shared by the figures and the page.

Metrics that are not in `METRICS` (an added one, an SAE's) are shown under their own name, without a unit.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable


class Label(NamedTuple):
    """How a metric is called in a title, and its unit."""

    title: str
    unit: str


METRICS: Mapping[str, Label] = {
    "cls_mean": Label("Mean activation of the cls token", "activation units"),
    "cls_sum": Label("Sum of activations of the cls token", "activation units"),
    "cls_max": Label("Largest activation of the cls token", "activation units"),
    "cls_max_abs": Label("Largest absolute activation of the cls token", "activation units"),
    "cls_norm": Label("Length (L2 norm) of the cls token", "activation units"),
    "attention_entropy": Label("Entropy of attention to the patches", "bits"),
    "patch_uniformity": Label("Uniformity of the patch tokens", "mean cosine"),
    "layer_delta": Label("Change of the cls token from the layer before", "1 - cosine"),
    "delta_total": Label("Change of the cls token, summed over layers", "1 - cosine, summed"),
    "delta_first_last": Label("Change of the cls token from first to last layer", "1 - cosine"),
    "mae_loss": Label("Reconstruction loss of the masked autoencoder", "mean squared error"),
}

METHODS: Mapping[str, str] = {"spearman": "Spearman's ρ", "pearson": "Pearson's r", "kendall": "Kendall's τ"}


@runtime_checkable
class Ceiling(Protocol):
    """Split-half consistency of human memory scores: the correlation that no measure is expected to pass."""

    @property
    def rho(self) -> float: ...
    @property
    def ci_low(self) -> float: ...
    @property
    def ci_high(self) -> float: ...


def metric_label(metric: str) -> Label:
    """Title and unit of a metric; an unknown one is shown under its own name."""
    return METRICS.get(metric, Label(metric, ""))


def method_symbol(method: str) -> str:
    """``"spearman"`` -> ``"Spearman's ρ"``; an unknown method is shown as it is."""
    return METHODS.get(method, method)


def is_number(value: Any) -> bool:
    """True for a finite real number; None, NaN, infinities and text are not."""
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def signed(value: Any) -> str:
    """A correlation: sign, three decimals; an en dash where there is none."""
    return f"{value:+.3f}".replace("-", "−") if is_number(value) else "–"


def interval(low: Any, high: Any) -> str:
    """``[+0.270, +0.340]``."""
    return f"[{signed(low)}, {signed(high)}]"


def probability(value: Any) -> str:
    """A p or q value: two significant digits, ``< 0.0001`` below that."""
    if not is_number(value):
        return "–"
    if value < 1e-4:
        return "< 0.0001"
    return f"{value:.2g}" if value >= 1e-3 else f"{value:.4f}"


def count(value: Any) -> str:
    """``2,632``."""
    return f"{int(value):,}" if is_number(value) else "–"


def plain(value: Any) -> str:
    """A value of a metric or a score: three significant digits."""
    return f"{value:.3g}".replace("-", "−") if is_number(value) else "–"


def share(rho: Any, ceiling: Ceiling | None) -> str:
    """``|rho|`` as a percentage of the ceiling."""
    if ceiling is None or not is_number(rho) or not is_number(ceiling.rho) or ceiling.rho <= 0:
        return "–"
    return f"{100 * abs(rho) / ceiling.rho:.0f}\N{NO-BREAK SPACE}%"


def shorten(name: str, width: int = 44) -> str:
    """A long name with its middle left out, so that a legend keeps its place."""
    keep = (width - 1) // 2
    return name if len(name) <= width else f"{name[:keep]}…{name[-keep:]}"
