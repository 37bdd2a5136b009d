"""Plain words and number formats shared by the figures and the page.

Titles and units come from the rows of `memjax.metrics.METRICS`, `memjax.sae.variants.VARIANTS` and
`memjax.baselines.proxies.PROXIES`, and for a user's own metrics from the store (`Context.labels`). A metric that none of
them knows is shown under its own name, without a unit.
"""

import math
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from memjax.baselines.proxies import PROXIES
from memjax.baselines.rows import EXPOSED
from memjax.metrics import METRICS
from memjax.sae.variants import VARIANTS
from memjax.stats.reliability import Reliability
from memjax.stats.strongest import FEWEST

Number = float | int | np.floating | np.integer | None


class Label(NamedTuple):
    """How a metric is called in a title, and its unit."""

    title: str
    unit: str


@dataclass(frozen=True)
class Context:
    """What all figures and the page of one run have in common.

    Attributes:
        method: the coefficient.
        level: of the intervals.
        synthetic: the data are generated, which every figure then says.
        ceiling: of this coefficient; None where it is not known.
        labels: of metrics that no row of the package knows: the user's own.
    """

    method: str = "spearman"
    level: float = 0.95
    synthetic: bool = False
    ceiling: Reliability | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)

    @property
    def symbol(self) -> str:
        """The coefficient as a sign, see `method_symbol`."""
        return method_symbol(self.method)

    def label(self, metric: str) -> Label:
        """See `metric_label`."""
        return metric_label(metric, self.labels)


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

METHODS: Mapping[str, str] = {"spearman": "Spearman's ρ", "pearson": "Pearson's r", "kendall": "Kendall's τ"}


_HEAD = re.compile(r"(?P<metric>.+_head)_(?P<head>\d+)")
"""A column of a metric that has a value for each attention head."""


def metric_label(metric: str, own: Mapping[str, Label] | None = None) -> Label:
    """Title and unit of a metric; an unknown one is shown under its own name.

    Args:
        metric: its name in the tables.
        own: labels of the user's own metrics.

    Example:
        >>> metric_label("sae_topk_l0")
        Label(title='Number of active latents, TopK sparse autoencoder', unit='count')
        >>> metric_label("nn_distance_cls")
        Label(title='Distance to the nearest neighbour, cls token', unit='activation units')
    """
    if own and metric in own:
        return own[metric]
    if metric in METRICS:
        return Label(METRICS[metric].title, METRICS[metric].unit)
    if found := _HEAD.fullmatch(metric):
        whole = metric_label(found["metric"], own)
        return Label(f"{whole.title}, head {found['head']}", whole.unit)
    if metric in EXPOSED:
        return Label(EXPOSED[metric].title, EXPOSED[metric].unit)
    proxy, _, token = metric.rpartition("_")
    if proxy in PROXIES:
        return Label(f"{PROXIES[proxy].title}, {token} token", PROXIES[proxy].unit)
    return _sae_label(metric)


_SAE_KINDS: Mapping[str, str] = {
    **{name: f"{row.title} sparse autoencoder" for name, row in VARIANTS.items()},
    "unseen": "the paper's sparse autoencoder, trained without the image",
    "split": "the paper's sparse autoencoder, trained on four fifths of the images",
}
_SAE_TOKENS = {"mean": "mean token", "patches": "patches", "pooled": "pooled output"}
_SAE = re.compile(
    rf"sae(_(?P<kind>{'|'.join(_SAE_KINDS)}))?(_(?P<token>{'|'.join(_SAE_TOKENS)}))?_(?P<score>{'|'.join(SAE_SCORES)})"
)
"""A score of a sparse autoencoder: ``sae_error``, ``sae_topk_l0``, ``sae_unseen_pooled_error``."""


def _sae_label(metric: str) -> Label:
    found = _SAE.fullmatch(metric)
    if found is None:
        return Label(metric, "")
    kind = _SAE_KINDS[found["kind"]] if found["kind"] else "sparse autoencoder"
    of = f" of {_SAE_TOKENS[found['token']]}" if found["token"] else ""
    score = SAE_SCORES[found["score"]]
    return Label(f"{score.title}{of}, {kind}", score.unit)


WHOLE_IMAGE = ("sae_latent_magnitude",)
"""Measures of the whole image, beside those of `memjax.metrics.METRICS` that have one value an image."""


def is_per_image(metric: str) -> bool:
    """Whether a measure has one value an image: its layer, the last, is only where tables keep it, and no word names it."""
    return metric in WHOLE_IMAGE or (metric in METRICS and METRICS[metric].per_image)


def place_words(model: str, metric: str, layer: Number) -> str:
    """Where a correlation is from.

    Example:
        >>> place_words("CLIP", "cls_mean", 3), place_words("CLIP", "delta_total", 12)
        ('at layer 3 of CLIP', 'of CLIP')
    """
    return f"of {model}" if is_per_image(metric) else f"at layer {layer} of {model}"


def layer_words(metric: str, layer: Number) -> str:
    """The layer of a measure, to stand behind its name; empty for a measure of the whole image.

    Example:
        >>> layer_words("cls_mean", 3), layer_words("delta_total", 12)
        (', layer 3', '')
    """
    return "" if is_per_image(metric) else f", layer {layer}"


def column_words(name: str) -> str:
    """A column's name as tables have it, without the layer where it is a measure of the whole image.

    Example:
        >>> column_words("cls_mean, layer 3, CLIP"), column_words("delta_total, layer 12, CLIP")
        ('cls_mean, layer 3, CLIP', 'delta_total, CLIP')
    """
    metric, parted, rest = name.partition(", layer ")
    if not (parted and is_per_image(metric)):
        return name
    _, more, model = rest.partition(", ")
    return f"{metric}{more}{model}"


def head_of(metric: str) -> tuple[str, int] | None:
    """The metric and the attention head that a column is of; None where it is not of one head.

    Example:
        >>> head_of("attention_entropy_head_11"), head_of("cls_mean")
        (('attention_entropy_head', 11), None)
    """
    found = _HEAD.fullmatch(metric)
    return (found["metric"], int(found["head"])) if found else None


def method_symbol(method: str) -> str:
    """``"spearman"`` -> ``"Spearman's ρ"``; an unknown method is shown as it is."""
    return METHODS.get(method, method)


def is_number(value: object) -> bool:
    """True for a finite real number; None, NaN, infinities and text are not."""
    return isinstance(value, numbers.Real) and math.isfinite(value)


def signed(value: Number) -> str:
    """A correlation: sign, three decimals; an en dash where there is none."""
    return f"{value:+.3f}".replace("-", "−") if is_number(value) else "–"


MARK = "†"
"""Beside an interval of few images."""


def interval_text(low: Number, high: Number, images: Number = None) -> str:
    """``[+0.270, +0.340]``, with `MARK` where it is of too few images.

    Example:
        >>> interval_text(0.27, 0.34), interval_text(-0.1, 0.9, 12), interval_text(None, None)
        ('[+0.270, +0.340]', '[−0.100, +0.900] †', '[–, –]')
    """
    text = f"[{signed(low)}, {signed(high)}]"
    return f"{text} {MARK}" if images is not None and images < FEWEST and is_number(low) else text


def probability(value: Number) -> str:
    """A p or q value: two significant digits, ``< 0.0001`` below that."""
    if value is None or not is_number(value):
        return "–"
    if value < 1e-4:
        return "< 0.0001"
    return f"{value:.2g}" if value >= 1e-3 else f"{value:.4f}"


def equals(name: str, value: Number) -> str:
    """A p or q value as the end of a list of numbers; empty where there is none.

    Example:
        >>> equals("p", 0.0123), equals("q", 1e-9), equals("p", None)
        (', p = 0.012', ', q < 0.0001', '')
    """
    text = probability(value)
    if text == "–":
        return ""
    return f", {name} {text}" if text.startswith("<") else f", {name} = {text}"


def count(value: Number) -> str:
    """``2,632``."""
    return f"{int(value):,}" if value is not None and is_number(value) else "–"


def plain(value: Number) -> str:
    """A value of a metric or a score: three significant digits."""
    return f"{value:.3g}".replace("-", "−") if is_number(value) else "–"


def share(rho: Number, ceiling: Reliability | None) -> str:
    """``|rho|`` as a percentage of the ceiling; an en dash where either is not known, or the ceiling is 0."""
    if ceiling is None or rho is None or not is_number(rho) or not ceiling.consistency > 0:
        return "–"
    return f"{100 * abs(rho) / ceiling.ceiling:.0f}\N{NO-BREAK SPACE}%"


def of_ceiling(rho: Number, ceiling: Reliability | None) -> str:
    """`share` as the end of a list of numbers; empty where there is none.

    Example:
        >>> of_ceiling(-0.3, Reliability(0.6)), of_ceiling(0.3, None)
        (', 35\\xa0% of the human ceiling', '')
    """
    text = share(rho, ceiling)
    return "" if text == "–" else f", {text} of the human ceiling"


def ceiling_words(found: Reliability, method: str = "spearman") -> str:
    """In words: the halves' consistency, what it means for all observers, and which number the shares refer to."""
    half, top = found.consistency, found.ceiling
    known = is_number(found.consistency_low)
    ends = f" ({interval_text(found.consistency_low, found.consistency_high)} over splits)" if known else ""
    times = f", would be {top / half:.2f} times as large" if half > 0 else ", does not exist"
    whole = found.factor == 2
    whose = "all observers together" if whole else "the mean of these scores"
    worth = f"that mean, which is worth {found.factor:.2f} halves of the observers"
    compared = "the scores of all observers" if whole else worth
    return (
        f"Two random halves of the observers agree at {method_symbol(method)} = {signed(half)}{ends}: the split-half "
        f"consistency, mean over splits{f' ({found.source})' if found.source else ''}. For {whose} the "
        f"reliability is {found.reliability:.3f}, by Spearman-Brown. A measure of the image is compared with {compared}, so it "
        f"can be expected to reach at most the square root of that, {top:.3f}. This is the ceiling in figures "
        f"and tables, and rho / ceiling divides by it; the share of the split-half consistency itself, which is often "
        f"given{times}."
    )


def shorten(name: str, width: int = 44) -> str:
    """A long name with its middle left out, so that a legend keeps its place."""
    keep = (width - 1) // 2
    return name if len(name) <= width else f"{name[:keep]}…{name[-keep:]}"


def legend_name(name: str) -> str:
    """A name as an entry of a legend: short, and never begun by an underscore, by which matplotlib leaves an entry out."""
    return shorten(f"\N{HAIR SPACE}{name}" if name.startswith("_") else name)
