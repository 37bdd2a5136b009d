"""Names that may hold anything, at each place that shows or keeps them: terminal, messages, figures, files, groups, pages.

Examples are the names that people reported and that attackers try; hypothesis adds its own.
"""

import dataclasses
import html
import io
import os
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from memjax.checks import InputError
from memjax.cli import terminal
from memjax.cli.arguments import told
from memjax.naming import file_stems, group_name, printable
from memjax.outputs import ModelRecord, plain_json, read_run, write_run, write_table
from memjax.progress import progress_of
from memjax.report import figures, page
from memjax.report.attention import attention_over_image
from memjax.report.chart import LEFT_OUT, legible
from memjax.report.epochs import rho_by_epoch
from memjax.report.style import families
from tests import fake_run

REPORTED = [
    "$5_note.png", "a$b$c", "$\\frac{", "$$", "\\$x$", "100%$", "[/x]", "[bold]x", "[red]", "a[b", "\\[x]", "zarr.json",
    "ZARR.JSON", ".zattrs", "__init__", "..", ".", "写真", "日本.png", "한국어", "العربية", "🙂", "e\u0301", "\u202eabc",
    "a\nb", "a\tb", "a\x1b[31mred", "\x00", "a\u2028b", "\udcff\udcfe", "n" * 255, "写" * 85, "<script>x</script>", "a&b",
    '"quoted"', "'", "a,b;c", "=1+1", "a:b", "C:\\x", "con", "nul.png", "x ", "x.", "-rf", "--help", "{x}", "{0}", "%s",
    "%d", "a/b", "a--b", "a//b", "/", "~", "#1", "?", "*", "|", "\u200f", "\ufeff", "",
]  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(REPORTED),
    st.text(max_size=60),
    st.text(alphabet="$\\{}[]/_^%#&~<>\"'=+-@.写é🙂 \n\x1b\udcff", max_size=30),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=8), st.integers(1, 200)),
)
OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
SELDOM = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))


def every_reported(test):
    """Each name of `REPORTED` as an example of its own."""
    for name in REPORTED:
        test = example(name=name)(test)
    return test


def on_screen(monkeypatch, act) -> str:
    """What a terminal that takes UTF-8 alone would show."""
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict", newline="")
    console = Console(file=screen, highlight=False, width=100, force_terminal=False)
    with monkeypatch.context() as patched:
        patched.setattr("memjax.cli.console.CONSOLE", console)
        act(console)
    screen.flush()
    return screen.buffer.getvalue().decode("utf-8")


@OFTEN
@every_reported
@given(name=NAMES)
def test_one_printable_line(name):
    shown = printable(name)
    shown.encode("utf-8")
    assert not set(shown) & set(map(chr, [*range(32), *range(127, 160), 0x2028, 0x2029]))
    assert shown == name or not name.isprintable()
    assert printable(shown) == shown


def test_the_terminal_shows_a_name_as_it_is(monkeypatch):
    @OFTEN
    @every_reported
    @given(name=NAMES)
    def check(name):
        assert on_screen(monkeypatch, lambda console: terminal.say(name)) == f"{printable(name)}\n"
        table = fake_run.table().assign(model=printable(name))
        shown = on_screen(monkeypatch, lambda console: console.print(terminal.strongest_of_each(table, fake_run.RUN)))
        assert "cls_norm" in shown

    check()


@OFTEN
@every_reported
@given(name=NAMES)
def test_a_message_is_one_line_of_text(name):
    line = told(InputError(f"{name}: no such image", "images", name))
    line.encode("utf-8")
    assert "\n" not in line
    assert "\x1b" not in line


@SELDOM
@every_reported
@given(name=NAMES)
def test_a_progress_bar_can_be_called_anything(name):
    with progress_of(name, 3, progress=True) as advance:
        advance(3)


@SELDOM
@every_reported
@given(name=NAMES)
def test_figures_are_drawn_without_a_warning_or_a_formula(name):
    table = fake_run.table().query("metric == 'cls_mean'").replace(fake_run.MODELS[0], printable(name))
    image = np.zeros((8, 8, 3), np.uint8)
    drawn = (
        figures.rho_by_layer(table, "cls_mean"),
        attention_over_image(image, np.ones((1, 2, 2)), name, name),
    )
    for figure in drawn:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure.savefig(io.BytesIO(), format="png", dpi=40)
        assert not any(
            text.get_parse_math() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_parse_math"))
        )


def test_a_legend_lists_names_that_begin_with_an_underscore():
    table = fake_run.table().replace(fake_run.MODELS[0], "_private")
    epochs = pd.DataFrame({"model": "_x", "epoch": [1, 2], "mean": [0.1, 0.2], "std": 0.0, "best": 0.2, "seeds": 1})
    for figure, entry in ((figures.overview(table), "_private"), (rho_by_epoch(epochs), "_x (mean of 1 seeds)")):
        entries = [text.get_text().strip() for text in figure.legends[0].get_texts()]
        assert entry in entries


def test_every_format_and_every_drawing_takes_them(tmp_path):
    name = "写真 $x$ [/b] 🙂"
    table = fake_run.table().replace(fake_run.MODELS[0], printable(name))
    values = np.linspace(0, 1, 60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i, figure in enumerate([figures.overview(table), figures.score_scatter(values, values, (name, name, 3))]):
            for file in figures.save_figure(figure, tmp_path, f"{i}"):
                assert file.stat().st_size > 1000
            figure.savefig(tmp_path / "x.svg")


def test_what_no_font_has_is_left_out_and_nothing_else():
    assert legible("Entropie é ρ − 95 %\nn = 3") == "Entropie é ρ − 95 %\nn = 3"
    assert legible("a\U0010fffd\U0010fffdb\U0010fffd") == f"a{LEFT_OUT}b{LEFT_OUT}"
    assert families()[0] == "DejaVu Sans"


@OFTEN
@every_reported
@given(name=NAMES)
def test_a_file_can_be_called_after_it(tmp_path_factory, name):
    stem = file_stems([f"attention_of_{name}"])[f"attention_of_{name}"]
    alone = file_stems([name])[name]
    for text in (stem, alone):
        assert "/" not in text
        assert len(text.encode()) <= 160
        file = tmp_path_factory.getbasetemp() / f"{text}.png"
        file.write_bytes(b"x")
        assert file.name in os.listdir(file.parent)


@OFTEN
@given(names=st.lists(NAMES, min_size=2, max_size=6, unique=True))
def test_no_two_names_share_a_file(names):
    stems = [stem.casefold() for stem in file_stems(names).values()]
    assert len(set(stems)) == len(names)


@OFTEN
@every_reported
@given(name=NAMES)
def test_a_store_keeps_a_group_for_it(tmp_path_factory, name):
    group = group_name(name)
    assert "/" not in group
    assert not group.startswith((".", "__"))
    assert group.casefold() != "zarr.json"
    assert 0 < len(group.encode()) <= 160
    root = tmp_path_factory.mktemp("store")
    made = zarr.open_group(str(root), path=group, mode="w")
    made.attrs["model"] = printable(name)
    assert zarr.open_group(str(root), path=group, mode="r").attrs["model"] == printable(name)
    assert zarr.open_group(str(root), mode="r") is not None


def test_usual_names_stay_as_they_are():
    assert group_name("facebook/dinov2-small@abc123") == "facebook--dinov2-small@abc123"
    assert group_name("写真 (1)") == "写真 (1)"
    assert list(file_stems(["cls_mean", "attention_of_a.b.png"]).values()) == ["cls_mean", "attention_of_a.b"]


@SELDOM
@every_reported
@given(name=NAMES)
def test_page_record_and_table_hold_it(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("run")
    shown = printable(name)
    run = dataclasses.replace(
        fake_run.RUN, models=(ModelRecord(model=name, name=name),), settings=plain_json({"x": name})
    )
    write_run(run, folder)
    record = read_run(folder)
    assert record is not None
    assert printable(record.models[0].model) == shown
    table = fake_run.table().replace(fake_run.MODELS[0], shown)
    write_table(table, folder, "correlations")
    back = pd.read_parquet(folder / "correlations.parquet")["model"]
    assert set(back) == {shown, fake_run.MODELS[1]}
    page.write_report(
        folder / "report.html",
        page.Page(run=record, table=table, context=fake_run.CONTEXT, failures=fake_run.FAILURES),
    )
    text = (folder / "report.html").read_text(encoding="utf-8")
    read = html.unescape(re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]+>", " ", text, flags=re.S))
    assert " ".join(shown.split()) in " ".join(read.split())
    assert text.count("<script") == 1


@pytest.mark.parametrize("pair", [("a/b", "a--b"), ("A", "a")])
def test_encoders_that_would_share_a_group_are_refused(pair, monkeypatch):
    import memjax
    from memjax.pipelines import sweep

    one = memjax.load("memjax/tiny")
    encoders = [dataclasses.replace(one, name=name) for name in pair]
    with pytest.raises(InputError, match="in the store"):
        sweep.load_encoders(encoders, memjax.SweepSettings())


def test_a_folder_of_a_model_that_is_no_text(tmp_path):
    import memjax

    one = memjax.load("memjax/tiny")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff[x]$"))
    assert dataclasses.replace(one, name=str(folder), revision="local").label == "m\\udcff[x]$"
