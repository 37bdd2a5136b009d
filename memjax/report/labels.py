"""Plain words and number formats shared by the figures and the page.

Metrics that are neither in `METRICS` nor a sparse autoencoder's (`SAE_SCORES`) are shown under their own name, without a
unit.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from memjax.stats.reliability import ceiling_of, spearman_brown


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

SAE_SCORES: Mapping[str, Label] = {
    "error": Label("Reconstruction error", "sum of squares"),
    "error_mean": Label("Reconstruction error per unit of width", "mean of squares"),
    "error_normalised": Label("Reconstruction error, share of the input's squared length", "no unit"),
    "l0": Label("Number of active latents", "count"),
    "l1": Label("Sum of the latents", "standardised units"),
    "magnitude": Label("Mean size of the latents before the nonlinearity", "standardised units"),
    "latent_magnitude": Label("Mean size of the latents before the nonlinearity", "standardised units"),
}
"""Scores of a sparse autoencoder by the end of their name: ``sae_error``, or with a variant ``sae_topk_error``."""

SAE_VARIANTS: Mapping[str, str] = {
    "relu": "ReLU",
    "topk": "TopK",
    "batchtopk": "BatchTopK",
    "jumprelu": "JumpReLU",
    "gated": "gated",
    "matryoshka": "Matryoshka",
}

METHODS: Mapping[str, str] = {"spearman": "Spearman's ρ", "pearson": "Pearson's r", "kendall": "Kendall's τ"}


@runtime_checkable
class Ceiling(Protocol):
    """Split-half consistency of human memory scores, from which `bound` gives the correlation that none should pass."""

    @property
    def rho(self) -> float: ...
    @property
    def ci_low(self) -> float: ...
    @property
    def ci_high(self) -> float: ...


def metric_label(metric: str) -> Label:
    """Title and unit of a metric; an unknown one is shown under its own name.

    Example:
        >>> metric_label("sae_topk_l0")
        Label(title='Number of active latents, TopK sparse autoencoder', unit='count')
    """
    if metric in METRICS:
        return METRICS[metric]
    kind, _, rest = metric.partition("_")
    variant, _, score = rest.partition("_") if rest.partition("_")[0] in SAE_VARIANTS else ("", "", rest)
    if kind != "sae" or score not in SAE_SCORES:
        return Label(metric, "")
    name = f"{SAE_VARIANTS[variant]} sparse autoencoder" if variant else "sparse autoencoder"
    return Label(f"{SAE_SCORES[score].title}, {name}", SAE_SCORES[score].unit)


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
    """``|rho|`` as a percentage of the ceiling, `bound`."""
    if ceiling is None or not is_number(rho) or not is_number(ceiling.rho) or ceiling.rho <= 0:
        return "–"
    return f"{100 * abs(rho) / bound(ceiling):.0f}\N{NO-BREAK SPACE}%"


def bound(ceiling: Ceiling) -> float:
    """The ceiling itself: what a measure of the picture can be expected to reach at most, see `memjax.stats.reliability`."""
    return ceiling_of(float(ceiling.rho))


def ceiling_words(ceiling: Ceiling, source: str = "", method: str = "spearman") -> str:
    """In words: the halves' consistency, what it means for all observers, and which number the shares refer to.

    Args:
        ceiling: the halves' consistency, mean over splits.
        source: where the halves come from, e.g. ``"published half-splits"``.
        method: the coefficient.
    """
    half, top, full = float(ceiling.rho), bound(ceiling), spearman_brown(max(float(ceiling.rho), 0.0))
    ends = f" ({interval(ceiling.ci_low, ceiling.ci_high)} over splits)" if is_number(ceiling.ci_low) else ""
    times = f", would be {top / half:.2f} times as large" if half > 0 else ", does not exist"
    return (
        f"Two random halves of the observers agree at {method_symbol(method)} = {signed(half)}{ends}: the split-half "
        f"consistency, mean over splits{f' ({source})' if source else ''}. For all observers together the reliability is "
        f"{full:.3f}, by Spearman-Brown. A measure of the picture is compared with the scores of all observers, so it can be "
        f"expected to reach at most the square root of that, {top:.3f}. This is the ceiling in figures and tables, and "
        f"rho / ceiling divides by it; the share of the split-half consistency itself, which is often given{times}."
    )


def shorten(name: str, width: int = 44) -> str:
    """A long name with its middle left out, so that a legend keeps its place."""
    keep = (width - 1) // 2
    return name if len(name) <= width else f"{name[:keep]}…{name[-keep:]}"
