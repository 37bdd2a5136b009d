"""A figure that any name can stand in: no text is read as a formula, and what no font has is left out, not drawn as a box."""

import re
from functools import cache

from matplotlib import font_manager
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from memjax.report.style import families, style

LEFT_OUT = "…"
"""Stands for characters that no font of the figure has."""


class Chart(Figure):
    """A matplotlib figure of the report, drawn in its style wherever it is shown or saved."""

    def draw(self, renderer: RendererBase | MixedModeRenderer) -> None:
        """Draw, once every text has been made legible."""
        with style():
            for text in self.findobj(Text):
                assert isinstance(text, Text)
                text.set_parse_math(False)
                text.set_text(legible(text.get_text()))
            super().draw(renderer)


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
