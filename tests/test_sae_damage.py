"""Damage to the folder of autoencoders in training: one line before anything is trained, nothing unpickled."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

import memjax
from memjax.pipelines.inspection import inspect_run
from tests.damage import OTHER_JSON, TORN, a_file, a_folder, gone
from tests.fake_store import make_store

SMALL = memjax.SAESettings(protocol="modern", variant="topk", latents=8, epochs=3, folds=3, batch_size=4, bootstraps=20)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    make_store(folder / "sweep")
    memjax.train_saes(folder / "sweep", SMALL, folder / "saes", progress=False)
    return folder


@pytest.fixture
def copy(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


class Bomb:
    """Unpickled, it writes a file."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self):
        return Path.write_text, (self.file, "unpickled")


def pickled(file: Path) -> None:
    file.write_bytes(pickle.dumps(Bomb(file.with_name("exploded"))))


def pickled_inside(file: Path) -> None:
    with np.load(file) as found:
        arrays = {name: found[name] for name in found.files}
    np.savez(file, **arrays | {"layers": np.array([Bomb(file.with_name("exploded"))], object)})


def one_array(file: Path) -> None:
    with file.open("wb") as target:
        np.save(target, np.zeros(3))


def without(name: str):
    def damage(file: Path) -> None:
        with np.load(file) as found:
            arrays = {kept: found[kept] for kept in found.files if kept != name}
        np.savez(file, **arrays)

    damage.__name__ = f"without {name}"
    return damage


def other(**changes):
    def damage(file: Path) -> None:
        with np.load(file) as found:
            arrays = {name: found[name] for name in found.files}
        np.savez(file, **arrays | changes)

    damage.__name__ = f"other {', '.join(changes)}"
    return damage


EPOCHS = [*TORN, *OTHER_JSON, pickled, pickled_inside, one_array, a_folder, without("layers"), without("error_raw")]
EPOCHS += [without("score_l0"), other(error_raw=np.zeros((1, 2))), other(run=np.array("another"))]


@pytest.mark.parametrize("damage", EPOCHS, ids=lambda damage: damage.__name__)
def test_an_epochs_file_that_is_damaged_is_one_line_before_training(damage, copy, monkeypatch):
    damage(copy / "saes" / "epochs" / "2.npz")
    monkeypatch.setattr("memjax.pipelines.saes.fit_members", lambda *_: pytest.fail("it trains"))
    assert any(finding.damaged for finding in inspect_run(copy / "saes"))
    with pytest.raises(
        memjax.InputError, match=r"2\.npz: scores of epoch 2 can't be read .*delete the folders"
    ) as caught:
        memjax.train_saes(copy / "sweep", SMALL, copy / "saes", progress=False)
    assert "\n" not in str(caught.value)
    assert not (copy / "saes" / "epochs" / "exploded").exists()
    assert (copy / "saes" / "run.json").exists(), "what was finished before stays recorded"


def newest(copy: Path) -> Path:
    return max((copy / "saes" / "checkpoints").iterdir(), key=lambda path: int(path.name))


@pytest.mark.parametrize("damage", [*TORN, *OTHER_JSON, a_folder], ids=lambda damage: damage.__name__)
def test_a_damaged_record_of_a_checkpoint_is_one_line(damage, copy):
    damage(newest(copy) / "about" / "metadata")
    with pytest.raises(memjax.InputError, match=r"checkpoint .*(damaged|another run|complete)") as caught:
        memjax.train_saes(copy / "sweep", SMALL, copy / "saes", progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [gone, a_file], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("part", ["members", "about"])
def test_a_checkpoint_without_a_part_is_one_line(damage, part, copy):
    damage(newest(copy) / part)
    with pytest.raises(memjax.InputError, match=r"checkpoint .*(damaged|complete)"):
        memjax.train_saes(copy / "sweep", SMALL, copy / "saes", progress=False)


@pytest.mark.parametrize("folder", ["checkpoints", "epochs"])
def test_a_file_where_a_folder_belongs_is_one_line(folder, copy):
    a_file(copy / "saes" / folder)
    with pytest.raises(memjax.InputError, match=f"{folder}: can't be written"):
        memjax.train_saes(copy / "sweep", SMALL, copy / "saes", progress=False)


def test_a_whole_folder_is_whole_and_is_gone_on_with(copy):
    found = inspect_run(copy / "saes")
    assert not any(finding.damaged for finding in found)
    (count,) = (finding.text for finding in found if finding.what == "files")
    assert int(count.split()[1]) > 10, "checkpoints and epochs too"
    (copy / "saes" / "checkpoints" / "notes.txt").write_text("a stray file")
    memjax.train_saes(copy / "sweep", SMALL, copy / "saes", progress=False)


def test_damaged_checkpoints_are_seen_by_the_doctor(copy):
    largest = max((path for path in newest(copy).rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    assert [finding.text for finding in inspect_run(copy / "saes") if finding.damaged] == [
        f"{largest}: not as it was written"
    ]
