"""A finished run's folder, damaged in one place: the same command gives the undamaged table and says what was damaged, or one
line; never another table, never a traceback. `inspect_run`, which `memjax doctor` prints, names each.
"""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

import memjax
from memjax.cli import doctor
from memjax.pipelines.inspection import inspect_run
from memjax.store import consolidate, marked_chunks
from tests.command import exit_code
from tests.damage import (
    CHUNK,
    GROUP,
    SETTINGS,
    Damage,
    empty,
    flip,
    run,
    truncate,
    write_images,
)
from tests.damage_cases import AGAIN, LINES, MARKERS, NOTHING_SAID, STORE

pytestmark = pytest.mark.usefixtures("small_chunks")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "photos"
    write_images(folder)
    return folder


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory) -> memjax.Sweep:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memjax.extract.CHUNK", CHUNK)
        patch.setattr("memjax.pipelines.sweep_report.save_figures", lambda folder, drawn, *_: None)
        return run(photos, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def out(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished.out, tmp_path / "out"))


def same_results(found: memjax.Sweep, finished: memjax.Sweep) -> None:
    pd.testing.assert_frame_equal(found.table, finished.table)
    for name in ("correlations.csv", "failures.csv"):
        assert (found.out / name).read_bytes() == (finished.out / name).read_bytes()
    for name, values in finished.features["memjax/tiny"].variables.items():
        np.testing.assert_array_equal(found.features["memjax/tiny"][name], values, err_msg=str(name))
    assert not any(finding.damaged for finding in inspect_run(found.out))


def name_of_case(value: object) -> str:
    return value if isinstance(value, str) else value.__name__


def in_stages(cases: list, every: int) -> list:
    """One case of so many at once, the others in the slow stage."""
    return [pytest.param(*case, marks=[pytest.mark.slow] * (place % every > 0)) for place, case in enumerate(cases)]


@pytest.mark.parametrize(("name", "damage"), in_stages(AGAIN, 4), ids=name_of_case)
def test_damage_is_made_good_and_said(name, damage, photos, finished, out, capsys):
    damage(out / name)
    assert any(finding.damaged for finding in inspect_run(out)) or (name, damage) in NOTHING_SAID
    capsys.readouterr()
    found = run(photos, out, progress=True)
    same_results(found, finished)
    assert not found.recognised
    if (name, damage) not in NOTHING_SAID:
        assert found.run.repaired
        said = capsys.readouterr().out.splitlines()
        assert all(line in said for line in found.run.repaired)


def set_values(name: str, change) -> Damage:
    def damage(out: Path) -> None:
        array = zarr.open_group(str(out / "features.zarr"), path=GROUP, mode="r+", use_consolidated=False)[name]
        array[:] = change(np.asarray(array[:]))

    damage.__name__ = f"{name} {change.__name__}"
    return damage


def one_is_other(values):
    values = values.copy()
    values[(5,) + (1,) * (values.ndim - 1)] += 1e-6
    return values


def lost(values):
    return np.full_like(values, np.nan)


def zero(values):
    return np.zeros_like(values)


def turned_about(values):
    return values[::-1].copy()


def lost_array(out: Path) -> None:
    """With the metadata at the root, as if it had never been."""
    shutil.rmtree(out / STORE / "attention_entropy")
    consolidate(out / "features.zarr")


def markers_exchanged(out: Path) -> None:
    one, other = (out / MARKERS / f"{chunk:06d}.json" for chunk in (0, 1))
    text = one.read_text()
    one.write_text(other.read_text())
    other.write_text(text)


def marker_of_no_chunk(out: Path) -> None:
    shutil.copy(out / MARKERS / "000000.json", out / MARKERS / "000099.json")


def all_metadata(out: Path) -> None:
    for file in (out / "features.zarr").rglob("zarr.json"):
        file.write_text("{}")


def both_identities(out: Path) -> None:
    (out / STORE / "zarr.json").write_text("{}")
    (out / MARKERS / "created").write_text("{}")


def all_files_of_a_group(out: Path) -> None:
    shutil.rmtree(out / STORE)


VALUES = [
    *(set_values("cls_mean", change) for change in (one_is_other, lost, zero, turned_about)),
    *(set_values("cls", change) for change in (one_is_other, turned_about)),
    *(set_values("memorability", change) for change in (lost, zero, turned_about)),
    set_values("image", turned_about),
    set_values("layer", zero),
    lost_array,
    markers_exchanged,
    marker_of_no_chunk,
    all_metadata,
    both_identities,
    all_files_of_a_group,
]


@pytest.mark.parametrize("damage", VALUES, ids=name_of_case)
def test_other_values_are_made_good_and_said(damage, photos, finished, out):
    damage(out)
    assert any(finding.damaged for finding in inspect_run(out)) or damage is marker_of_no_chunk
    found = run(photos, out)
    same_results(found, finished)
    assert found.run.repaired
    assert run(photos, out).recognised, "it is whole again"


@pytest.mark.parametrize(("says", "name", "damage"), LINES, ids=name_of_case)
def test_what_cannot_be_made_good_is_one_line(says, name, damage, photos, out):
    damage(out / name)
    before = sorted(path for path in out.rglob("*"))
    with pytest.raises(memjax.InputError) as caught:
        run(photos, out)
    message = str(caught.value)
    assert "\n" not in message
    assert says in message
    assert Path(name).name in message or says
    assert set(before) <= set(out.rglob("*")), "nothing of it is taken away"


STRAYS = (".nfs000000a1", "000001.json.part", "foo.json", "notes.txt", "1.json", "-00001.json")


@pytest.mark.parametrize("folder", [MARKERS, STORE, f"{STORE}/cls_mean", "features.zarr"])
@pytest.mark.parametrize("name", STRAYS)
def test_stray_files_are_passed_over(name, folder, photos, finished, out):
    (out / folder / name).write_text("not ours")
    found = run(photos, out)
    assert found.recognised
    same_results(found, finished)
    assert (out / folder / name).read_text() == "not ours"
    told = [finding.text for finding in inspect_run(out)]
    assert folder != MARKERS or any(name in text for text in told)


def test_doctor_exits_2_where_something_is_damaged(monkeypatch, out, capsys):
    assert exit_code(monkeypatch, doctor, "--out", out) == 0
    assert "every value and coordinate is as it was written" in capsys.readouterr().out
    flip(out / STORE / "cls" / "c" / "0" / "0" / "0")
    truncate(out / "report.html")
    assert exit_code(monkeypatch, doctor, "--out", out) == 2
    shown = capsys.readouterr()
    assert "images 0 to 3: not as they were written (cls)" in shown.out
    assert "report.html: not as it was written" in shown.out
    assert shown.err.startswith(f"error: --out {out}: 2 parts are damaged")
    assert exit_code(monkeypatch, doctor, "--out", out / "no such") == 2


def test_only_the_damaged_chunk_is_measured_again(photos, out, monkeypatch):
    written = []
    whole = memjax.store.Writer.write
    monkeypatch.setattr(
        memjax.store.Writer, "write", lambda self, chunk, *rest: (written.append(chunk), whole(self, chunk, *rest))
    )
    flip(out / STORE / "attention_entropy" / "c" / "1" / "0")
    assert run(photos, out).run.repaired == (
        f"{out / STORE}: 1 of 3 chunks are not as they were written (attention_entropy); 4 images are measured again",
    )
    assert written == [1]
    truncate(out / "correlations.csv")
    assert run(photos, out).run.repaired == (f"{out / 'correlations.csv'}: not as it was written; made anew",)
    assert written == [1], "statistics come from the store"


def test_readers_refuse_what_is_damaged(out):
    assert memjax.read_sweep(out).recognised
    flip(out / STORE / "cls_mean" / "c" / "0" / "0")
    with pytest.raises(memjax.InputError, match=r"4 images are damaged \(cls_mean\); run the same sweep again"):
        memjax.read_sweep(out)


def test_a_damaged_table_is_not_read(out):
    empty(out / "correlations.parquet")
    with pytest.raises(memjax.InputError, match="not as it was written; run the same sweep again"):
        memjax.read_sweep(out)


def test_autoencoders_refuse_damaged_tokens_and_the_sweep_measures_them(photos, out, finished, monkeypatch):
    flip(out / STORE / "cls" / "c" / "1" / "0" / "0")
    saes = memjax.SAESettings(epochs=1, seeds=(0,), bootstraps=20)
    with pytest.raises(memjax.InputError, match=r"4 images are damaged \(cls\)"):
        memjax.train_saes(out, saes, progress=False)
    monkeypatch.setattr("memjax.store.inspection.LARGE", 0)  # so large that the sweep does not look at them
    assert marked_chunks(out, GROUP) == [0, 2]
    same_results(run(photos, out), finished)
    (out / MARKERS / "000002.json").unlink()
    with pytest.raises(memjax.InputError, match="4 of 12 images are not measured; run that sweep to its end"):
        memjax.train_saes(out, saes, progress=False)


def test_two_encoders_damaged_at_once(photos, tmp_path):
    dataset = memjax.open_folder(photos, photos / "scores.csv")
    tiny = memjax.load("memjax/tiny")
    encoders = [tiny, dataclasses.replace(tiny, name="second/tiny")]
    whole = memjax.sweep(dataset, encoders, tmp_path / "out", SETTINGS, progress=False)
    for file in (tmp_path / "out" / "features.zarr").rglob("zarr.json"):
        file.write_text("{}")
    again = memjax.sweep(dataset, encoders, tmp_path / "out", SETTINGS, progress=False)
    pd.testing.assert_frame_equal(again.table, whole.table)
    assert {"memjax--tiny", "second--tiny"} <= {name for line in again.run.repaired for name in line.split("/")}
    assert memjax.sweep(dataset, encoders, tmp_path / "out", SETTINGS, progress=False).recognised


def test_another_runs_damaged_group_is_one_line_and_stays(photos, out):
    other = out / "features.zarr" / "other--encoder"
    other.mkdir()
    (other / "zarr.json").write_text("{}")
    assert run(photos, out).recognised, "its own group is whole"
    flip(out / STORE / "cls_mean" / "c" / "0" / "0")
    with pytest.raises(
        memjax.InputError, match=r"the metadata of one of its groups are damaged .* move its folder away"
    ):
        run(photos, out)
    assert (other / "zarr.json").read_text() == "{}"
