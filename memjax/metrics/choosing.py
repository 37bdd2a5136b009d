"""Which metrics are measured: built-in ones by name, and a user's own."""

from collections.abc import Iterable, Mapping, Sequence

from memjax.checks import InputError, check_kind, expected
from memjax.metrics.metric import Metric
from memjax.metrics.table import DEFAULT_METRICS, METRICS

GROUPS: dict[str, tuple[str, ...]] = {"default": DEFAULT_METRICS, "all": tuple(METRICS)}
"""Words that stand for several metrics."""

_OF_A_STORE = (
    "cls", "mean", "pooled", "patches", "image", "memorability", "layer", "head", "width", "pooled_width", "patch",
    "patch_layer",
)  # fmt: skip
RESERVED = frozenset((*GROUPS, *_OF_A_STORE))
"""Names that a user's metric may not take beside those of built-in ones: groups, and what a store calls other things."""
RESERVED_STARTS = ("sae_", "nn_distance_", "sparse_coding_error_")
"""Starts of the names under which autoencoders and baselines put their scores beside a sweep's metrics."""

Request = None | str | Mapping[str, Metric] | Sequence[str | Mapping[str, Metric]]
"""How a caller asks for metrics, see `requested`."""


def choose(names: Sequence[str] = ("default",), own: Mapping[str, Metric] | None = None) -> dict[str, Metric]:
    """The rows that are measured: built-in ones in the order of `METRICS`, then a user's own.

    Args:
        names: of `METRICS`, or the words ``"default"`` and ``"all"``.
        own: name -> a user's metric.

    Raises:
        InputError: an unknown name, no metric at all, or an own one whose name or row cannot be used.

    Example:
        >>> peak = Metric(lambda block, layout: block.attention.max(), at="block")
        >>> list(choose(("cls_norm", "cls_mean"), {"peak": peak}))
        ['cls_mean', 'cls_norm', 'peak']
    """
    wanted = {name for word in names for name in GROUPS.get(word, (word,))}
    if unknown := sorted(wanted - METRICS.keys()):
        known = f"one of {', '.join((*GROUPS, *METRICS))}"
        raise expected("metrics", known, ", ".join(map(repr, unknown)), argument="metrics")
    if not wanted and not own:
        raise expected("metrics", "at least one", "none", argument="metrics")
    for name, metric in (own or {}).items():
        _check_own(name, metric)
    return {name: row for name, row in METRICS.items() if name in wanted} | dict(own or {})


def requested(metrics: Request = None) -> dict[str, Metric]:
    """`choose`, as a caller asks for it: names, own metrics, or both.

    Args:
        metrics: a name or names; a mapping of own metrics, to be measured beside the default ones; a list of names and
            mappings; None for the default ones.

    Example:
        >>> list(requested(["cls_norm", {"peak": Metric(lambda block, layout: block.attention.max(), at="block")}]))
        ['cls_norm', 'peak']
    """
    if metrics is None or isinstance(metrics, Mapping):
        return choose(own=metrics)
    fix = "write {'name': metric}" if isinstance(metrics, Metric) else ""
    check_kind(metrics, (str, Iterable), "metrics", "names of memjax.METRICS, or a mapping name -> Metric", fix)
    parts = [metrics] if isinstance(metrics, str) else list(metrics)
    own = {name: row for part in parts if isinstance(part, Mapping) for name, row in part.items()}
    return choose([part for part in parts if isinstance(part, str)], own)


def _check_own(name: str, metric: Metric) -> None:
    if not isinstance(metric, Metric):
        raise expected(f"metrics, {name}", "a memjax.Metric", type(metric).__name__, argument="metrics")
    if name in METRICS or name in RESERVED or name.startswith(RESERVED_STARTS):
        raise InputError(f"metrics: {name!r} is taken; give your metric another name", "metrics")
    if not name.isidentifier():
        raise expected("metrics", "a name of letters, digits and _ (an identifier)", repr(name), argument="metrics")
    try:
        hash(metric)
    except TypeError as error:
        fix = "wrap it in a def"
        raise expected(f"metrics, {name}", "a hashable function", str(error), fix, argument="metrics") from error
