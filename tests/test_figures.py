"""Figures: what they show, that they are the same each time, and that they say when data are synthetic."""

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends import _backend_pdf_ps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from memjax.checks import InputError
from memjax.report import epochs, figures, pdf_fonts, readout
from memjax.report.attention import Looked, attention_by_encoder, attention_over_image
from memjax.report.chart import PNG_DPI, laid_out_once
from memjax.report.labels import Context, Label
from memjax.report.style import COLOURS, encoder_styles
from tests import fake_run


def words(figure: Figure) -> str:
    """Every text of the figure."""
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def line_of(figure: Figure, colour: str) -> np.ndarray:
    """The heights of the line (not the markers) drawn in this colour."""
    lines = [x for x in figure.axes[0].lines if to_hex(x.get_color()) == colour.lower() and x.get_linestyle() != "None"]
    return np.asarray(lines[0].get_ydata())


def test_rho_by_layer_draws_the_numbers_of_the_table() -> None:
    table = fake_run.table()
    figure = figures.rho_by_layer(table, "attention_entropy")
    for model, colour in zip(fake_run.MODELS, COLOURS, strict=False):
        wanted = table[(table.metric == "attention_entropy") & (table.model == model)].rho
        np.testing.assert_array_equal(line_of(figure, colour), wanted)  # NaN at layer 0 included: a gap


def test_encoder_keeps_its_colour_where_another_is_absent() -> None:
    table = fake_run.table()
    only = table[(table.metric != "cls_max") | (table.model == fake_run.MODELS[1])]
    figure = figures.rho_by_layer(only, "cls_max")
    wanted = table[(table.metric == "cls_max") & (table.model == fake_run.MODELS[1])].rho
    np.testing.assert_array_equal(line_of(figure, COLOURS[1]), wanted)
    assert fake_run.MODELS[0] not in words(figure)


def test_styles_of_many_encoders_differ() -> None:
    styles = encoder_styles(pd.DataFrame({"model": [f"m{i}" for i in range(56)]}))
    assert len({(look.colour, look.marker) for look in styles.values()}) == 56


def test_rows_in_any_order_make_the_same_line() -> None:
    table = fake_run.table()
    shuffled = pd.concat([table[table.metric == "cls_sum"].iloc[::-1], table[table.metric != "cls_sum"]])
    shuffled["model"] = pd.Categorical(shuffled.model, categories=fake_run.MODELS)
    line = line_of(figures.rho_by_layer(shuffled, "cls_sum"), COLOURS[0])
    np.testing.assert_array_equal(
        line, table[(table.metric == "cls_sum") & (table.model == shuffled.model.iloc[0])].rho
    )


def test_title_units_method_and_n() -> None:
    text = words(figures.rho_by_layer(fake_run.table(), "attention_entropy", Context(method="kendall")))
    for part in ("(bits)", "Kendall's τ with memorability", "n = 2,632", "95 % bootstrap"):
        assert part in text


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_data_are_labelled_in_every_figure(synthetic: bool) -> None:
    table, values, context = fake_run.table(), np.arange(60.0), Context(synthetic=synthetic)
    made = [
        figures.rho_by_layer(table, "cls_mean", context),
        figures.overview(table, context),
        figures.score_scatter(values, values, ("m", "cls_mean", 3), context),
    ]
    rows = pd.DataFrame({"model": "m", "rho": [0.3], "ci_low": [0.2], "ci_high": [0.4], "n": 60, "columns": 2})
    rows = rows.assign(best_single="cls_mean, layer 1", best_single_rho=-0.1, within="fold", p=0.01, pooled_rho=0.3)
    weights = pd.DataFrame({"model": "m", "metric": "cls_mean", "layer": [1, 2], "weight": [0.1, -0.2]})
    epoch = pd.DataFrame({"model": "m", "epoch": [1, 2], "mean": [0.1, 0.2], "std": 0.0, "best": 0.2, "seeds": 1})
    made += [
        readout.readout_beside(rows, context),
        readout.layer_map(weights, "m", context=context),
        epochs.rho_by_epoch(epoch, synthetic=synthetic),
    ]
    assert [figures.SYNTHETIC in words(figure) for figure in made] == [synthetic] * 6
    assert [figures.SYNTHETIC in figure.get_label() for figure in made[3:]] == [synthetic] * 3
    maps, image = np.full((2, 4, 4), 1 / 16), np.zeros((8, 8, 3), np.uint8)
    attention = attention_over_image(image, maps, synthetic=synthetic)
    assert (figures.SYNTHETIC_IMAGE in words(attention)) is synthetic


def test_ceiling_stands_on_the_side_of_the_strongest_value() -> None:
    table = fake_run.table()
    for sign in (1, -1):
        flipped = table.assign(rho=sign * (table.rho.abs() + 0.4), ci_low=-0.1, ci_high=0.1)
        figure = figures.rho_by_layer(flipped, "cls_mean", fake_run.CONTEXT)
        heights = [np.asarray(x.get_ydata()) for x in figure.axes[0].lines]
        assert any(np.allclose(y, sign * np.sqrt(2 * 0.779 / 1.779)) for y in heights)
        assert "human ceiling ±0.94 (split-half 0.78)" in words(figure)
    assert "ceiling" not in words(figures.rho_by_layer(table, "cls_mean"))


def test_metric_without_a_value_says_so() -> None:
    table = fake_run.table().assign(rho=np.nan)
    assert "no value at any layer" in words(figures.rho_by_layer(table, "cls_mean"))


def test_metric_with_one_layer_shows_a_point_for_each_encoder() -> None:
    figure = figures.rho_by_layer(fake_run.table(), "delta_total")
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["12", "12"]


@pytest.mark.parametrize("which", ["rho_by_layer", "overview"])
def test_no_text_overlaps_another(which: str) -> None:
    table, context = fake_run.table(), fake_run.CONTEXT
    figure = (
        figures.overview(table, context) if which == "overview" else figures.rho_by_layer(table, "cls_sum", context)
    )
    figure.draw_without_rendering()
    texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text().strip()]
    hidden = out_of_view(figure)
    boxes = [t.get_window_extent().shrunk(0.98, 0.9) for t in texts if t not in hidden]
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert not pairs
    assert len(boxes) > 15
    width, height = figure.bbox.size
    assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= width and b.y1 <= height for b in boxes)


def out_of_view(figure: Figure) -> set[matplotlib.text.Text]:
    """Tick labels outside the limits, which matplotlib keeps and does not draw."""
    found = set()
    for axis in [a for axes in figure.axes for a in (axes.xaxis, axes.yaxis)]:
        low, high = sorted(axis.get_view_interval())
        found |= {tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high}
    return found


def test_save_writes_the_same_bytes_each_time(tmp_path: Path) -> None:
    first = figures.save_figure(figures.overview(fake_run.table(), fake_run.CONTEXT), tmp_path / "a", "overview")
    again = figures.save_figure(figures.overview(fake_run.table(), fake_run.CONTEXT), tmp_path / "b", "overview")
    assert [path.suffix for path in first] == [".png", ".pdf"]
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert b"CreationDate" not in one.read_bytes()


def pixels(figure: Figure) -> np.ndarray:
    """The PNG that a figure's file has."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=PNG_DPI)
    return np.asarray(Image.open(file))


def test_one_layout_serves_all_files_and_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = [pixels(figure) for figure in several()]
    found, layouts = several(), []
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", counted(ConstrainedLayoutEngine.execute, layouts))
    with laid_out_once(found):
        again = [pixels(figure) for figure in found]
        for figure in found:
            figure.savefig(io.BytesIO(), format="svg")
            figure.savefig(io.BytesIO(), format="pdf")
    assert len(layouts) == len(found)
    for one, other in zip(alone, again, strict=True):
        np.testing.assert_array_equal(one, other)
    pixels(found[0])
    assert len(layouts) == len(found) + 1, "after the block a figure is laid out anew, as it may have changed"


def several() -> list[Figure]:
    """One figure of each kind that a sweep draws."""
    table, values = fake_run.table(), np.linspace(0, 1, 60)
    weights = pd.DataFrame({"model": "m", "metric": "cls_mean", "layer": [1, 2], "weight": [0.1, -0.2]})
    maps, image = np.linspace(0, 1, 32).reshape(2, 4, 4), np.full((8, 8, 3), 90, np.uint8)
    return [
        figures.overview(table, fake_run.CONTEXT),
        figures.rho_by_layer(table, "cls_mean", fake_run.CONTEXT),
        figures.score_scatter(values, values**2, ("m", "cls_mean", 3)),
        attention_over_image(image, maps, "a.jpg", "enc", synthetic=True),
        readout.layer_map(weights, "m"),
    ]


def counted(function: Callable[..., object], calls: list[object]) -> Callable[..., object]:
    def count(*args: object, **options: object) -> object:
        calls.append(args)
        return function(*args, **options)

    return count


@pytest.mark.skipif(not hasattr(_backend_pdf_ps, "SubsetResults"), reason="an earlier matplotlib cuts fonts otherwise")
def test_pdf_files_share_their_fonts_and_keep_their_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(labels={"a": Label("First fine effect", ""), "b": Label("Zwölfter Џ", "")})
    first, second, foreign = [
        figures.rho_by_layer(fake_run.table().assign(metric=name), name, context) for name in ("cls_max", "a", "b")
    ]
    cuts: list[object] = []
    pdf_fonts._cut_down.cache_clear()
    monkeypatch.setattr(pdf_fonts, "_CUT", counted(pdf_fonts._CUT, cuts))
    original = _backend_pdf_ps.get_glyphs_subset
    files = [figures.save_figure(first, tmp_path, "first")[1]]
    made = len(cuts)
    files.append(figures.save_figure(second, tmp_path, "second")[1])
    assert 2 <= made <= len(cuts) <= 4, "regular and bold, letters and ligatures"
    before = len(cuts)
    files.append(figures.save_figure(foreign, tmp_path, "foreign")[1])
    assert len(cuts) > before, "characters that are not shared get a cut of their own"
    assert _backend_pdf_ps.get_glyphs_subset is original
    for file in files:
        written = file.read_bytes()
        assert [part in written for part in (b"/ToUnicode", b"/FontFile2", b"/Type3")] == [True, True, False]


def test_figures_leave_global_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    figures.rho_by_layer(fake_run.table(), "cls_mean")
    assert dict(matplotlib.rcParams) == before


def test_scatter_leaves_out_nan_and_counts() -> None:
    values, scores = np.arange(100.0), np.linspace(0, 1, 100)
    values[:7], scores[-2:] = np.nan, np.nan
    figure = figures.score_scatter(values, scores, ("m", "cls_mean", 3))
    assert "n = 91" in words(figure)
    assert len(figure.axes[0].collections[0].get_offsets()) == 91


def test_attention_maps_state_their_largest_share(rng: np.random.Generator) -> None:
    maps = np.full((3, 4, 5), 1 / 20)
    maps[1] = 0.0
    maps[1, 0, 0] = 1.0
    image = rng.integers(0, 255, (28, 35, 3), dtype=np.uint8)
    text = words(attention_over_image(image, maps, "a.jpg", "enc"))
    for part in ("layer 1 · max 5.0 %", "layer 2 · max 100.0 %", "layer 3 · max 5.0 %", "a.jpg"):
        assert part in text


def test_bad_input_is_one_line() -> None:
    table = fake_run.table()
    with pytest.raises(InputError, match=r"metric: expected one of cls_mean, .*, got 'nope'"):
        figures.rho_by_layer(table, "nope")
    with pytest.raises(InputError, match="none named q"):
        figures.overview(table.drop(columns="q"))
    with pytest.raises(InputError, match=r"shape \[y, x, 3\]"):
        attention_over_image(np.zeros((4, 4)), np.ones((1, 2, 2)))


def test_encoders_of_different_depth_share_an_axis_of_relative_depth() -> None:
    table = fake_run.table()
    deep = table[(table["model"] == fake_run.MODELS[1]) & (table["metric"] == "cls_mean")]
    both = pd.concat([table[table["metric"] == "cls_mean"], deep.assign(model="deep", layer=deep["layer"] * 2)])
    whole = pd.concat([both, deep.assign(model="deep", layer=deep["layer"] * 2 + 1).query("layer < 24")])
    axes = figures.rho_by_layer(whole, "cls_mean", fake_run.CONTEXT).axes[0]
    assert axes.get_xlabel().startswith("relative depth")
    ends = {float(line.get_xdata()[-1]) for line in axes.lines if len(line.get_xdata()) in (13, 25)}
    assert ends == {1.0}
    every_second = figures.rho_by_layer(both, "cls_mean", fake_run.CONTEXT).axes[
        0
    ]  # what share a layer is, is not known
    assert every_second.get_xlabel().startswith("layer")


def test_a_ceiling_that_would_squeeze_the_values_is_said_and_not_drawn() -> None:
    table = fake_run.table(strength=0.05)
    figure = figures.rho_by_layer(table, "cls_mean", fake_run.CONTEXT)
    assert max(map(abs, figure.axes[0].get_ylim())) < 0.5
    assert "human ceiling ±0.94, off this scale" in words(figure)


def test_attention_of_several_encoders_is_a_line_each(rng: np.random.Generator) -> None:
    image = rng.integers(0, 255, (28, 35, 3), dtype=np.uint8)
    seen = [Looked(name, image, np.full((depth, 4, 5), 1 / 20)) for name, depth in (("deep", 12), ("flat", 3))]
    figure = attention_by_encoder(seen, "a.jpg", synthetic=True)
    text = words(figure)
    assert [part in text for part in ("deep", "flat", "a.jpg", figures.SYNTHETIC_IMAGE)] == [True] * 4
    layers = [axes.get_title().split(" ·")[0] for axes in figure.axes]
    assert [x for x in layers if x.startswith("layer")] == [f"layer {i}" for i in (1, 4, 6, 9, 12, 1, 2, 3)]
    with pytest.raises(InputError, match=r"shape \[y, x, 3\]"):
        attention_by_encoder([Looked("a", np.zeros((4, 4)), np.ones((1, 2, 2)))])
