"""`memjax.sweep`, the main job as a library: one call, one typed result; a user's own metric; data without scores."""

import html
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import memjax
from memjax.cli import sweep as command
from memjax.metrics import DEFAULT_METRICS, METRICS
from memjax.naming import file_stems
from memjax.pipelines.sweep_report import attention_figure, attention_files
from memjax.report.attention import Looked
from memjax.store import open_features
from tests.command import exit_code

SMALL = memjax.SweepSettings(bootstraps=20)


def demo(limit: int = 12) -> memjax.Dataset:
    return memjax.open_dataset("demo", limit=limit)


def largest(block, layout):
    return block.attention.max()


PEAK = memjax.Metric(largest, at="block", title="Largest attention", unit="probability")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> memjax.Sweep:
    """The one run here whose figures are drawn: the demo's first 60 images, with a metric of one's own and one by head."""
    settings = memjax.SweepSettings(metrics=["default", "attention_entropy_head", {"my_peak": PEAK}], bootstraps=20)
    return memjax.sweep(demo(60), "memjax/tiny", tmp_path_factory.mktemp("whole"), settings, progress=False)


def test_one_call_one_typed_result(whole):
    run = whole
    assert run.table is not None
    assert list(run.table.columns) == ["model", "metric", "layer", "rho", "ci_low", "ci_high", "p", "q", "n"]
    pd.testing.assert_frame_equal(pd.read_parquet(run.out / "correlations.parquet"), run.table)
    assert dict(run.features["memjax/tiny"].sizes) == {"image": 60, "layer": 6, "head": 4}
    assert run.readouts is not None
    assert run.readouts["n"].tolist() == [60]
    assert run.weights is not None
    assert run.failures.empty
    assert run.ceiling is None, "no people, no human ceiling"
    assert run.report == run.out / "report.html"


def test_the_strongest_and_its_rivals_are_told_everywhere(whole):
    found, rivals = whole.run.strongest, whole.rivals
    assert found is not None
    assert rivals is not None
    assert whole.run == memjax.read_sweep(whole.out).run
    for name in ("strongest.csv", "strongest.parquet"):
        assert name in whole.run.outputs
    pd.testing.assert_frame_equal(pd.read_parquet(whole.out / "strongest.parquet"), rivals)
    assert rivals.columns.tolist() == [
        "model", "metric", "layer", "rho", "p_family", "difference", "difference_low", "difference_high", "p", "p_holm", "n",
    ]  # fmt: skip
    assert "cls_sum" not in set(rivals["metric"])
    assert "cls_sum" in found.multiples
    assert len(rivals) == found.correlations < whole.table["rho"].notna().sum()
    page = (whole.out / "report.html").read_text(encoding="utf-8")
    assert f"corrected for all {found.correlations} correlations" in page
    assert f"corrected for all {found.correlations} correlations" in whole._repr_html_()


def test_a_finished_run_is_recognised_and_read_back(whole, undrawn):
    settings = memjax.SweepSettings(metrics=["default", "attention_entropy_head", {"my_peak": PEAK}], bootstraps=20)
    again = memjax.sweep(demo(60), ["memjax/tiny"], whole.out, settings, progress=False)
    assert again.recognised
    assert not whole.recognised
    for found in (again, memjax.read_sweep(str(whole.out))):
        for name in ("table", "readouts", "weights", "failures"):
            theirs, ours = getattr(found, name), getattr(whole, name)
            pd.testing.assert_frame_equal(theirs, ours, check_dtype=name != "failures")
        assert found.run == whole.run


def test_progress_is_told(tmp_path, undrawn):
    told = []
    memjax.sweep(demo(), "memjax/tiny", tmp_path, SMALL, progress=lambda *state: told.append(state))
    assert told[-1] == ("memjax/tiny", 12, 12)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_the_command_gives_the_same_bytes(tmp_path, monkeypatch, undrawn):
    memjax.sweep(demo(), "memjax/tiny", tmp_path / "a", SMALL, progress=False)
    assert exit_code(monkeypatch, command, "--limit", 12, "--bootstraps", 20, "--out", tmp_path / "b") == 0
    for name in ("correlations.csv", "failures.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_run_without_a_folder_lives_as_long_as_its_result(undrawn):
    run = memjax.sweep(demo(), memjax.load("memjax/tiny"), settings=SMALL, progress=False)
    out, page = run.out, run.report
    assert page is not None
    assert page.is_file()
    del run
    assert not out.exists()


def test_a_notebook_shows_headline_table_and_figure(whole):
    shown = whole._repr_html_()
    text = html.unescape(shown)
    assert "memorability" in text.split("<table")[0], "the headline comes first"
    assert "Synthetic data" in text
    assert text.count("<tr") == 9, "a header and eight rows"
    assert "data:image/png;base64," in text


def test_own_metric_is_stored_correlated_drawn_and_reported(whole):
    assert whole.table is not None
    assert whole.table.query("metric == 'my_peak'")["layer"].tolist() == [1, 2, 3, 4, 5]
    assert set(DEFAULT_METRICS) <= set(whole.table["metric"])
    encoder = memjax.load("memjax/tiny")
    pixels = memjax.read_images([demo().records[0].data], encoder.preprocessing)
    wanted = np.asarray(memjax.trace(encoder, pixels).attention[0]).max(axis=(1, 2, 3))
    stored = whole.features["memjax/tiny"]["my_peak"]
    np.testing.assert_allclose(stored.values[0, 1:], wanted, rtol=1e-5)
    assert stored.attrs["title"] == "Largest attention"
    text = (whole.out / "report.html").read_text()
    assert "Largest attention" in text
    assert '{"name":"my_peak","title":"Largest attention","whole":false}' in text, "the page's charts offer it"
    assert (whole.out / "figures" / "my_peak.png").stat().st_size > 5000


def test_another_function_under_the_same_name_is_refused(tmp_path, undrawn):
    def settings(function) -> memjax.SweepSettings:
        return memjax.SweepSettings(metrics={"my_peak": memjax.Metric(function, at="block")}, bootstraps=20)

    memjax.sweep(demo(), "memjax/tiny", tmp_path, settings(largest), progress=False)
    assert memjax.sweep(demo(), "memjax/tiny", tmp_path, settings(largest), progress=False).recognised
    with pytest.raises(memjax.InputError, match="my_peak") as refused:
        memjax.sweep(demo(), "memjax/tiny", tmp_path, settings(lambda block, layout: block.attention.min()))
    assert "\n" not in str(refused.value)
    with pytest.raises(memjax.InputError, match="cls_mean"):
        memjax.SweepSettings(metrics={"cls_mean": memjax.Metric(largest, at="block")}).chosen_metrics()


KILLED = """
import os, sys
import memjax, memjax.extract, memjax.store
from memjax.pipelines import sweep_report
memjax.extract.CHUNK = 8
written = memjax.store.Writer.write
def write(self, chunk, *rest):
    if chunk == 2 and sys.argv[2] == "die":
        os.kill(os.getpid(), 9)
    written(self, chunk, *rest)
memjax.store.Writer.write = write
sweep_report.save_figures = lambda folder, drawn, *_: None
def largest(block, layout):
    return block.attention.max()
settings = memjax.SweepSettings(metrics={"my_peak": memjax.Metric(largest, at="block")}, bootstraps=20)
memjax.sweep(memjax.open_dataset("demo", limit=40), "memjax/tiny", sys.argv[1], settings, progress=False)
"""


def test_a_killed_run_with_an_own_metric_resumes(tmp_path):
    script = tmp_path / "study.py"
    script.write_text(textwrap.dedent(KILLED))

    def study(out: str, how: str) -> int:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        return subprocess.run([sys.executable, script, tmp_path / out, how], env=environment, check=False).returncode

    assert study("a", "die") == -signal.SIGKILL
    assert len(list((tmp_path / "a" / "progress" / "memjax--tiny").glob("*.json"))) == 2
    assert study("a", "live") == 0
    assert study("b", "live") == 0
    (ours,), (theirs,) = (open_features(tmp_path / name).values() for name in "ab")
    for name, values in theirs.data_vars.items():
        np.testing.assert_array_equal(ours[name], values, err_msg=str(name))
    assert (tmp_path / "a" / "correlations.csv").read_bytes() == (tmp_path / "b" / "correlations.csv").read_bytes()


def test_a_metric_by_head_is_a_column_for_each_and_one_map(whole):
    assert whole.table is not None
    heads = [f"attention_entropy_head_{h}" for h in range(4)]
    assert [m for m in dict.fromkeys(whole.table["metric"]) if "head" in m] == heads
    assert (whole.out / "figures" / "attention_entropy_head.png").stat().st_size > 5000
    assert whole.features["memjax/tiny"]["attention_entropy_head"].dims == ("image", "layer", "head")


def test_metrics_are_chosen_by_name(tmp_path, monkeypatch, undrawn, capsys):
    out = tmp_path / "a"
    arguments = ("--limit", 12, "--bootstraps", 20, "--metrics", "cls_norm", "--metrics", "layer_delta", "--out", out)
    assert exit_code(monkeypatch, command, *arguments) == 0
    assert set(pd.read_csv(out / "correlations.csv")["metric"]) == {"cls_norm", "layer_delta"}
    capsys.readouterr()
    assert exit_code(monkeypatch, command, "--metrics", "no_such", "--out", tmp_path / "b") == 2
    assert "--metrics: expected one of default, all, cls_mean" in capsys.readouterr().err


def test_a_multiple_of_another_metric_shares_its_figure(whole):
    figures = whole.out / "figures"
    assert METRICS["cls_sum"].multiple_of == "cls_mean"
    assert (figures / "cls_sum.png").read_bytes() == (figures / "cls_mean.png").read_bytes()
    assert whole.table is not None
    assert "cls_sum" in set(whole.table["metric"])
    text = (whole.out / "report.html").read_text()
    assert '{"name":"cls_mean",' in text
    assert '{"name":"cls_sum",' not in text, "the page's charts have it once"


def test_figures_never_overwrite_each_other_and_have_names_that_files_can_have():
    names = ["attention_entropy", "attention_of_entropy.png", "attention_of_a/1.png", "attention_of_b/1.png"]
    names += ["attention_of_c.png", "attention_of_c.jpg", "attention_of_" + "ü" * 200 + ".png", "readout_owner/name"]
    stems = file_stems(names)
    assert len(set(stems.values())) == len(names)
    assert all(len(stem.encode()) < 240 and "/" not in stem for stem in stems.values())
    assert stems["attention_entropy"] == "attention_entropy"
    assert stems["attention_of_a/1.png"] == "attention_of_a--1"


def test_attention_of_each_encoder_is_a_file_and_of_several_one_figure_on_the_page():
    image, maps = np.zeros((8, 8, 3), np.uint8), np.ones((4, 2, 2))
    seen = [Looked(name, image, maps) for name in ("owner/a", "b")]
    assert list(attention_files({"x.png": seen}, synthetic=False)) == [
        "attention_of_x_by_owner/a.png",  # without the extension in the file's name
        "attention_of_x_by_b.png",
    ]
    assert attention_files({"x.png": seen[:1]}, synthetic=False) == {}, "the page's figure is it"
    alone, both = (attention_figure("x.png", shown, synthetic=False) for shown in (seen[:1], seen))
    assert "by encoder" in both.get_label()
    assert "by encoder" not in alone.get_label()


def test_data_without_scores_give_features_alone(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(3)
    (tmp_path / "photos").mkdir()
    for i in range(5):
        Image.fromarray(rng.integers(0, 255, (70, 80, 3), dtype=np.uint8)).save(tmp_path / "photos" / f"{i}.png")
    run = memjax.sweep(memjax.open_folder(tmp_path / "photos", None), "memjax/tiny", tmp_path / "a", progress=False)
    assert run.table is None
    assert run.report is None
    assert run.readouts is None
    assert np.isfinite(run.features["memjax/tiny"]["cls_norm"]).all()
    assert not (tmp_path / "a" / "correlations.csv").exists()
    assert "no scores" in run._repr_html_()
    assert memjax.sweep(memjax.open_folder(tmp_path / "photos", None), "memjax/tiny", tmp_path / "a").recognised
    arguments = ("--images", tmp_path / "photos", "--features-only", "--out", tmp_path / "b")
    assert exit_code(monkeypatch, command, *arguments) == 0
    assert "no scores" in capsys.readouterr().out


def test_a_table_of_arrays_goes_the_whole_way(tmp_path, undrawn):
    rng = np.random.default_rng(4)
    images = [rng.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(12)]
    frame = pd.DataFrame({"memorability": rng.uniform(size=12)}, index=[f"i{i}" for i in range(12)])
    run = memjax.sweep(memjax.open_table(frame, images), "memjax/tiny", tmp_path, SMALL, progress=False)
    assert run.table is not None
    assert run.table["n"].eq(12).all()
    assert run.features["memjax/tiny"]["image"].values.tolist() == list(frame.index)


def test_wrong_calls_are_one_line(tmp_path):
    for settings, named in (
        ({"bootstraps": 0}, "bootstraps"),
        ({"seed": -1}, "seed"),
        ({"batch_size": 0}, "batch_size"),
    ):
        with pytest.raises(memjax.InputError, match=named) as refused:
            memjax.SweepSettings(**settings)
        assert refused.value.argument == named
    with pytest.raises(memjax.InputError, match="different names"):
        memjax.sweep(demo(), ["memjax/tiny", "memjax/tiny"], tmp_path)
    with pytest.raises(memjax.InputError, match="different names, got none"):
        memjax.sweep(demo(), [], tmp_path)
    with pytest.raises(memjax.InputError, match="expected bfloat16, got float32"):
        memjax.sweep(demo(), memjax.load("memjax/tiny"), tmp_path, memjax.SweepSettings(dtype="bfloat16"))
