"""Figures as a page holds them: in data URIs, each in the format that is smallest for what it shows; the same bytes each time."""

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from memjax.report.style import style

LARGEST = 150_000
"""Characters of a chart as SVG, from which on it is put into the page as a PNG."""
DPI = 120.0
MOST_PIXELS = 1_000_000
"""Of photographs under attention; a figure with more of them has fewer dots per inch."""
SAVED: Mapping[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "png": {"metadata": {"Software": None}},
    "jpeg": {"pil_kwargs": {"quality": 80, "optimize": True}},
}
"""Format -> how it is saved without a date."""
_UNSEEN = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<\?xml.*?\?>|<!DOCTYPE.*?>", re.DOTALL)
_DIGITS = re.compile(r"(?<![\w.])([1-9]\d*\.\d{3,})(?![\w.])")


@dataclass(frozen=True)
class Shown:
    """A figure as the template shows it. ``alt`` is its first sentence, ``caption`` the whole; a ``chart`` follows the page's
    colours."""

    name: str
    source: str
    alt: str
    caption: str
    chart: bool = True


def embed_chart(name: str, figure: Figure) -> Shown:
    """A chart as an SVG, whose ids cannot meet another chart's; a large one as a PNG of 256 colours, which is smaller then."""
    source = svg_uri(_saved(figure, "svg").decode("utf-8"))
    if len(source) > LARGEST:
        source = bytes_uri("image/png", _few_colours(_saved(figure, "png")))
    return _shown(name, figure, source)


def embed_photographs(name: str, figure: Figure) -> Shown:
    """A figure that is mostly photographs, as a JPEG."""
    width, height = figure.get_size_inches()
    dots = min(DPI, (MOST_PIXELS / (width * height)) ** 0.5)
    return _shown(name, figure, bytes_uri("image/jpeg", _saved(figure, "jpeg", dots)), chart=False)


def svg_uri(svg: str) -> Markup:
    """An SVG as text in a data URI that stands as it is between double quotes of an HTML attribute.

    Comments, metadata and a hundredth of a point are left out.

    Example:
        >>> svg_uri('<svg><!-- rho --><path d="M 10.23456 0.015625" fill="#fff"/></svg>')
        Markup('data:image/svg+xml,<svg><path d=%22M 10.23 0.015625%22 fill=%22%23fff%22/></svg>')
    """
    text = _DIGITS.sub(lambda found: f"{float(found[1]):.2f}", _UNSEEN.sub("", svg))
    text = " ".join(text.split()).replace("> <", "><")
    for sign, escaped in (("%", "%25"), ("#", "%23"), ('"', "%22"), ("&", "%26"), ("(", "%28")):
        text = text.replace(sign, escaped)
    return Markup("data:image/svg+xml," + text)


def _saved(figure: Figure, kind: str, dots: float = DPI) -> bytes:
    target = io.BytesIO()
    with style():
        figure.savefig(target, format=kind, dpi=dots, **SAVED[kind])
    return target.getvalue()


def _few_colours(png: bytes) -> bytes:
    target = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        target, "PNG", optimize=True
    )
    return target.getvalue()


def bytes_uri(mime: str, data: bytes) -> str:
    """A file's bytes as a data URI."""
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def _shown(name: str, figure: Figure, source: str, chart: bool = True) -> Shown:
    caption = str(figure.get_label()) or name
    return Shown(name, source, f"Chart. {caption.split('. ')[0].rstrip('.')}.", caption, chart)
