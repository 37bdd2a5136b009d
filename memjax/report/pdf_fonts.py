"""PDF files share the fonts that are embedded in them, so that a font is cut down once a process and not once a figure.

matplotlib embeds of each font the characters of one file, and reads the whole font for that: about three quarters of the time
that the PDF of one figure takes. Its text stays text, of a kind (TrueType) that editors and journals take.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from io import BytesIO
from typing import NamedTuple

from matplotlib.backends import _backend_pdf_ps
from matplotlib.font_manager import FontPath
from matplotlib.ft2font import FT2Font

LIGATURES = frozenset("ﬀﬁﬂﬃﬄ")
"""Drawn for several characters at once; matplotlib mostly embeds them as a font of their own."""

COMMON = LIGATURES.union(map(chr, range(0x20, 0x7F)), "±·Δρτ–…−≤≥")
"""Characters of nearly every figure."""

LAYOUT = frozenset({"GDEF", "GPOS", "GSUB", "MATH"})
"""Tables of a font that say where glyphs are placed, which in a PDF file has been done."""

_CUT = _backend_pdf_ps.get_glyphs_subset

REPLACEABLE = hasattr(_backend_pdf_ps, "SubsetResults") and [*inspect.signature(_CUT).parameters] == [
    "fontfile",
    "glyphs",
]
"""Whether this matplotlib cuts fonts in the way that is replaced here."""


class CutFont(NamedTuple):
    """A font of few characters, as a file's bytes; matplotlib's writer asks it to save itself."""

    data: bytes

    def save(self, file: BytesIO, reorderTables: bool = False) -> None:
        """Write it; the tables stand in the order that they are in."""
        file.write(self.data)


class Cut(NamedTuple):
    """A font that was cut down, and the place in it of each glyph that it keeps, by the place in the whole font."""

    font: CutFont
    glyph_index_map: Mapping[int, int]


@contextmanager
def shared_fonts() -> Iterator[None]:
    """A block in which PDF files share fonts. matplotlib has no setting for that: its function is replaced, and put back.

    Where that function is another one than matplotlib 3.11's, it stays, and files take longer.
    """
    if not REPLACEABLE:
        yield
        return
    before = _backend_pdf_ps.get_glyphs_subset
    _backend_pdf_ps.get_glyphs_subset = _shared
    try:
        yield
    finally:
        _backend_pdf_ps.get_glyphs_subset = before


def _shared(font: FontPath, glyphs: Iterable[int]) -> AbstractContextManager[Cut]:
    """The font cut down to `LIGATURES` or to `COMMON`; or to the glyphs asked for, where neither has all of them."""
    wanted = frozenset(glyphs)
    for characters in (LIGATURES, COMMON):
        if wanted <= _glyphs(font, characters):
            return nullcontext(_cut_down(font, characters))
    return _CUT(font, set(wanted))


@cache
def _glyphs(font: FontPath, characters: frozenset[str]) -> frozenset[int]:
    places = FT2Font(font).get_charmap()
    return frozenset(places[ord(character)] for character in characters if ord(character) in places)


@cache
def _cut_down(font: FontPath, characters: frozenset[str]) -> Cut:
    with _CUT(font, set(_glyphs(font, characters))) as cut:
        for table in LAYOUT & set(cut.font.keys()):
            del cut.font[table]
        return Cut(CutFont(_backend_pdf_ps.font_as_file(cut.font).getvalue()), dict(cut.glyph_index_map))
