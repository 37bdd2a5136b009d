"""What a run shows of itself: bars over images and figures, spinners for the rest, a line of each stage that lasted."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

import memjax
from memjax import progress
from memjax.baselines import kinds as baseline_kinds
from memjax.baselines.proxies import PROXIES
from memjax.checks import InputError
from memjax.cli.main import COMMANDS
from memjax.model_names import check_model_name
from memjax.pipelines import sweep_report
from memjax.progress import progress_of, stage_of
from memjax.sae import kinds as sae_kinds
from memjax.sae.variants import VARIANTS

ROOT = Path(__file__).resolve().parents[1]
HELPED = """
import contextlib, json, sys, io
from memjax.cli.main import main
found = {}
for command in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main([command, "--help"])
    found[command] = sorted({"jax", "flax", "pandas", "scipy", "zarr", "xarray", "matplotlib"} & set(sys.modules))
print(json.dumps(found))
"""


def test_a_stage_that_lasts_leaves_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    for longest, left in ((0.0, "correlations: 0 s\n"), (60.0, "")):
        monkeypatch.setattr(progress, "LONG", longest)
        with stage_of("correlations", True):
            pass
        assert capsys.readouterr().out == left
    monkeypatch.setattr(progress, "LONG", 0.0)
    for quiet in (False, lambda what, done, total: pytest.fail("a stage has no images")):
        with stage_of("correlations", quiet):
            pass
    assert capsys.readouterr().out == ""


def test_a_terminal_shows_what_is_done_before_the_first_image(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("rich._console", Console(file=screen, force_terminal=True, width=100))
    with stage_of("page", True):
        pass
    with progress_of("encoder", 3, True, first="compiling") as advance:
        advance(0)
        advance(3)
    with progress_of("figures", 2, True, unit="figures") as advance:
        advance(1)
        advance(1)
    shown = screen.getvalue()
    assert shown.index("page") < shown.index("compiling") < shown.rindex("3/3") < shown.index("2/2")


def test_the_page_is_there_before_the_figures_files_which_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, saved = [], sweep_report.save_figures

    def save(folder: Path, drawn: dict, advance: progress.Advance) -> None:
        pages.append((folder.parent / "report.html").is_file())
        saved(folder, {name: drawn[name] for name in ("overview", "cls_mean")}, lambda added: pages.append(added))

    monkeypatch.setattr(sweep_report, "save_figures", save)
    settings = memjax.SweepSettings(bootstraps=20, metrics=("cls_mean", "cls_sum"))
    memjax.sweep(memjax.open_dataset("demo", limit=60), "memjax/tiny", tmp_path, settings, progress=False)
    assert pages == [True, 1, 1]
    assert (tmp_path / "figures/cls_sum.png").read_bytes() == (tmp_path / "figures/cls_mean.png").read_bytes()


def test_help_loads_nothing_that_only_a_run_needs() -> None:
    command = [sys.executable, "-c", HELPED, *COMMANDS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {command: [] for command in COMMANDS}


def test_what_help_says_of_rows_is_what_the_tables_hold() -> None:
    assert [name for name in VARIANTS if name != "paper"] == list(sae_kinds.MODERN)
    assert list(PROXIES) == list(baseline_kinds.MEASURES)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dataset", "nope"], "data set 'nope': unknown"),
        (["--models", "memjax/tiny", "nope"], "model 'nope': expected a hub id (owner/name) or a folder"),
    ],
)
def test_a_mistake_in_the_command_is_told_without_jax(words: list[str], said: str) -> None:
    code = (
        "import sys; from memjax.cli.main import main; from memjax.checks import InputError\n"
        f"try: main(['sweep', *{words!r}])\n"
        "except InputError as error: print('jax' in sys.modules, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"False {said}")


@pytest.mark.parametrize("name", ["nope", "/nowhere/encoder", "./encoder", "a/b/c"])
def test_a_name_is_refused_at_once_as_the_loader_refuses_it(name: str) -> None:
    with pytest.raises(InputError) as early:
        check_model_name(name)
    with pytest.raises(InputError) as late:
        memjax.load(name)
    assert str(early.value) == str(late.value)


def test_names_that_may_be_are_left_to_the_loader(tmp_path: Path) -> None:
    for name in ("memjax/tiny", "facebook/dinov2-small@abc", str(tmp_path), "memjax/random:nope"):
        check_model_name(name)
