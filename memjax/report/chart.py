"""A figure that any name can stand in: no text is read as a formula, and what no font has is left out, not drawn as a box."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import font_manager
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.layout_engine import LayoutEngine
from matplotlib.text import Text

from memjax.report.labels import shorten
from memjax.report.style import families, style

LEFT_OUT = "…"
"""Stands for characters that no font of the figure has."""

PNG_DPI = 200
"""Dots per inch of a figure's PNG file."""


class Chart(Figure):
    """A matplotlib figure of the report, drawn in its style wherever it is shown or saved."""

    legible = False
    """Its texts have been made legible, and nothing is added to it (see `laid_out_once`)."""

    def draw(self, renderer: RendererBase | MixedModeRenderer) -> None:
        """Draw, once every text has been made legible."""
        with style():
            if not self.legible:
                self.make_legible()
            super().draw(renderer)

    def heading(self, text: str) -> None:
        """Left-aligned title, wrapped to the figure's width; of a very long one the middle is left out."""
        width = int(self.get_figwidth() * 10.5)
        lines = textwrap.wrap(shorten(text, 3 * width), width)
        self.suptitle("\n".join(lines), x=0.02, ha="left", fontsize=11, fontweight="bold")

    def make_legible(self) -> None:
        """Every text as it is meant: no formula, no character that no font has."""
        for text in self.findobj(Text):
            assert isinstance(text, Text)
            text.set_parse_math(False)
            text.set_text(legible(text.get_text()))


@contextmanager
def laid_out_once(figures: Iterable[Figure]) -> Iterator[None]:
    """A block in which figures keep one layout for all the files that they are drawn into; it is found once, for `PNG_DPI`.

    Else matplotlib finds it anew, in a drawing of its own, for each file. After the block the figures are as they were.

    Example:
        >>> import io
        >>> figure = Chart(layout="constrained")
        >>> axes = figure.add_subplot()
        >>> with laid_out_once([figure]):
        ...     figure.savefig(io.BytesIO(), format="png")
        ...     figure.savefig(io.BytesIO(), format="pdf")
        ...     figure.get_layout_engine() is None
        True
        >>> figure.get_layout_engine() is None
        False
    """
    engines = {figure: engine for figure in figures if (engine := figure.get_layout_engine()) is not None}
    try:
        for figure, engine in engines.items():
            _lay_out(figure, engine)
        yield
    finally:
        for figure, engine in engines.items():
            figure.set_layout_engine(engine)
            if isinstance(figure, Chart):
                figure.legible = False


def _lay_out(figure: Figure, engine: LayoutEngine) -> None:
    dpi = figure.get_dpi()
    figure.set_dpi(PNG_DPI)
    with style():
        if isinstance(figure, Chart):
            figure.make_legible()
            figure.legible = True
        engine.execute(figure)
    figure.set_dpi(dpi)
    figure.set_layout_engine(None)


def legible(text: str) -> str:
    """A text without the characters that no font of the figures has; a run of them becomes `LEFT_OUT`.

    The fonts are matplotlib's own and, of `memjax.report.style.OTHER_SCRIPTS`, those that are installed.

    Example:
        >>> legible("Entropy · layer 3\\nn = 60"), legible("\\U0010fffd.png")
        ('Entropy · layer 3\\nn = 60', '….png')
    """
    if text.isascii() and (text.isprintable() or "\n" in text):
        return text
    missing = "".join(sorted({c for c in text if c != "\n" and ord(c) not in _drawable()}))
    return re.sub(f"[{re.escape(missing)}]+", LEFT_OUT, text) if missing else text


@cache
def _drawable() -> frozenset[int]:
    """Every character that a font of the figures has."""
    files = map(font_manager.findfont, families())
    return frozenset(code for file in files for code in FT2Font(file).get_charmap())
