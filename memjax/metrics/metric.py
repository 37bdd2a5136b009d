"""What a metric is: one row, with the function, where it has values, and how it is called in figures and tables."""

import dataclasses
from collections.abc import Callable
from typing import Literal

from memjax.axes import Array
from memjax.checks import expected

At = Literal["hidden", "block", "sum", "image"]
PLACES: dict[str, str] = {
    "hidden": "the tokens of one layer, at layers 0..l",
    "block": "one block, at layers 1..l",
    "sum": "one block, summed over blocks: one value an image, at layer l",
    "image": "the whole image: one value, at layer l",
}
"""What the function of a metric sees, by ``at``; at other layers the metric is NaN."""

NEEDS: dict[str, str] = {"": "nothing", "decoder": "a decoder (ViT-MAE)", "registers": "register tokens"}
"""What an encoder must have, by ``needs``."""


@dataclasses.dataclass(frozen=True)
class Metric:
    """One row: a pure function of one image, `jax.vmap` and the scan over blocks lie outside.

    Attributes:
        function: ``(view, layout) -> []``, a float, or ``[h]`` with ``per_head``. The view is by ``at``: the tokens
            ``[t, d]`` of a layer (``"hidden"``), a `memjax.traces.BlockTrace` (``"block"``, ``"sum"``) or a
            `memjax.traces.ImageTrace` (``"image"``); ``layout`` is a `memjax.traces.Layout`.
        at: where it has values, see `PLACES`.
        title: in figures and tables; where empty, its own name.
        unit: of its values.
        reference: where it comes from.
        per_head: whether there is a value for each attention head.
        needs: what an encoder must have, see `NEEDS`; an encoder without it goes without the metric.

    Raises:
        InputError: another word for ``at`` or ``needs``.

    Example:
        >>> peak = Metric(lambda block, layout: block.attention.max(), at="block", title="Largest attention")
        >>> peak.per_image
        False
    """

    function: Callable[..., Array]
    at: At
    title: str = ""
    unit: str = ""
    reference: str = ""
    per_head: bool = False
    needs: str = ""

    def __post_init__(self) -> None:
        for field, words in (("at", PLACES), ("needs", NEEDS)):
            if getattr(self, field) not in words:
                wanted = f"one of {', '.join(map(repr, words))}"
                raise expected(f"metric, {field}", wanted, repr(getattr(self, field)), argument="metrics")

    @property
    def per_image(self) -> bool:
        """Whether it has one value an image, at the last layer, and not one for each layer."""
        return self.at in ("sum", "image")
