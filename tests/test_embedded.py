"""Figures in data URIs: the same to the eye in fewer bytes."""

import base64
import io
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from memjax.report import embedded, figures
from memjax.report.embedded import embed_chart, embed_photographs, svg_uri
from tests import fake_run


def decoded(source: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


def test_a_chart_is_an_svg_that_can_be_read() -> None:
    figure = figures.rho_by_layer(fake_run.table(), "cls_mean")
    shown = embed_chart("cls_mean", figure)
    start, _, text = str(shown.source).partition(",")
    assert start == "data:image/svg+xml"
    assert '"' not in text
    assert "&" not in text
    root = ElementTree.fromstring(unquote(text))
    assert root.tag.endswith("svg")
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 20
    assert shown.chart
    assert shown.caption == figure.get_label()


def test_what_a_name_holds_is_no_markup_of_the_page() -> None:
    uri = svg_uri('<svg><!-- "><script> --><text>a &amp; "b" 100 % #1</text></svg>')
    assert "script" not in uri
    assert ElementTree.fromstring(unquote(uri.partition(",")[2]))[0].text == 'a & "b" 100 % #1'


def test_small_numbers_keep_their_digits() -> None:
    """Scales of glyphs are below 1; positions are rounded to a hundredth of a point."""
    uri = unquote(svg_uri('<g transform="translate(86.279297 -0.12345) scale(0.015625)" id="m12.3456a"/>'))
    assert uri.endswith('<g transform="translate(86.28 -0.12345) scale(0.015625)" id="m12.3456a"/>')


def test_a_large_chart_is_a_png_of_few_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = figures.overview(fake_run.table())
    monkeypatch.setattr(embedded, "LARGEST", 10)
    small = decoded(embed_chart("overview", figure).source)
    whole = io.BytesIO()
    figure.savefig(whole, format="png", dpi=embedded.DPI)
    wanted = Image.open(whole).convert("RGB")
    assert small.mode == "P"
    assert small.size == wanted.size
    difference = np.abs(np.asarray(small.convert("RGB"), float) - np.asarray(wanted, float))
    assert difference.mean() < 2
    assert np.quantile(difference, 0.99) < 24


@pytest.mark.parametrize(("inches", "dots"), [((5, 4), embedded.DPI), ((10, 40), 50)])
def test_photographs_have_a_bounded_number_of_pixels(inches: tuple[int, int], dots: int) -> None:
    figure = Figure(figsize=inches)
    figure.subplots().imshow(np.zeros((4, 4, 3)))
    shown = embed_photographs("a", figure)
    assert not shown.chart
    assert decoded(shown.source).size == tuple(round(side * dots) for side in inches)
