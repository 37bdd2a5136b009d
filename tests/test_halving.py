"""A batch that finds no room on the devices is halved and run again: said in a line, nothing lost, nothing measured twice."""

import functools
import re

import jax
import numpy as np
import pytest
from jax.errors import JaxRuntimeError

import memjax
from memjax import batching, devices, halving
from memjax.checks import InputError
from memjax.datasets import Dataset, open_folder
from memjax.extract import Plan, extract, program_of
from memjax.measure import compiled
from memjax.selection import Selection
from memjax.store import open_features
from tests.damage import CHUNK, GROUP, IMAGES

pytestmark = pytest.mark.usefixtures("small_chunks")

OUT_OF_MEMORY = (
    "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8589934592 bytes.",
    "INTERNAL: Failed to load program: out of memory",
)


class Room:
    """`compiled`'s programs on a device that has room for so many images at once; remembers what it was given.

    Args:
        patch: puts it in place.
        images: that fit.
        late: the want of room is seen when values are fetched, as on a device that is asked and answers later.
        says: the runtime's words.
    """

    def __init__(
        self, patch: pytest.MonkeyPatch, images: int, late: bool = False, says: str = OUT_OF_MEMORY[0]
    ) -> None:
        self.images, self.late, self.says, self.given, self.lost = images, late, says, list[int](), list[jax.Array]()
        fetch = jax.device_get
        patch.setattr("memjax.extract.compiled", self.compiled)
        patch.setattr(jax, "device_get", lambda values: fetch(self.arrived(values)))

    def compiled(self, *args, **kwargs):
        run = compiled(*args, **kwargs)

        def tight(params, levels):
            self.given.append(len(levels))
            values = run(params, levels)
            if len(levels) > self.images:
                if not self.late:
                    raise JaxRuntimeError(self.says)
                self.lost += values.values()
            return values

        tight.lower = run.lower
        return tight

    def arrived(self, values):
        """What is fetched, unless it was lost."""
        if any(leaf is lost for leaf in jax.tree.leaves(values) for lost in self.lost):
            raise JaxRuntimeError(self.says)
        return values


def dataset_of(photos) -> Dataset:
    return open_folder(photos, photos / "scores.csv")


@functools.cache
def encoder() -> memjax.Encoder:
    return memjax.load("memjax/tiny")


def plan_of(size: int) -> Plan:
    """A few metrics, quickly compiled, and the cls tokens."""
    few = tuple((name, memjax.METRICS[name]) for name in ("cls_mean", "attention_entropy"))
    return Plan(batch_size=size, selection=Selection(few, ("cls",)))


def stored(out) -> dict[str, np.ndarray]:
    group = open_features(out)[GROUP]
    return {name: group[name].values for name in group.data_vars}


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("says", OUT_OF_MEMORY)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("asked", "room", "sizes"), [(8, 2, [4, 2]), (12, 6, [6]), (6, 4, [2]), (24, 2, [12, 6, 2])])
def test_a_batch_that_finds_no_room_is_halved_from_the_same_image_on(
    photos, tmp_path, monkeypatch, asked, room, sizes, late, says
):
    extract(dataset_of(photos), encoder(), tmp_path / "small", plan_of(sizes[-1]))
    device, lines, shown = Room(monkeypatch, room, late, says), list[str](), list[int]()
    assert not extract(dataset_of(photos), encoder(), tmp_path / "halved", plan_of(asked), shown.append, lines.append)
    same(stored(tmp_path / "halved"), stored(tmp_path / "small"))
    assert [int(re.search(r"going on with (\d+)$", line).group(1)) for line in lines] == sizes
    assert all("memjax/tiny: " in line and "do not fit in the memory of cpu" in line for line in lines)
    assert sum(shown) == IMAGES, "each image is counted once"
    fitted = [size for size in device.given if size <= room]
    assert set(fitted) == {sizes[-1]}
    assert len(fitted) <= -(-IMAGES // asked) * -(-asked // sizes[-1]), "none is measured twice"


def test_not_even_one_image_is_one_line(photos, tmp_path, monkeypatch):
    device = Room(monkeypatch, 0)
    with pytest.raises(
        InputError, match="memjax/tiny: not even one image a device fits in the memory of cpu"
    ) as caught:
        extract(dataset_of(photos), encoder(), tmp_path, plan_of(8))
    assert "\n" not in str(caught.value)
    assert set(device.given) == {8, 4, 2}, "two devices"


def test_another_error_is_not_taken_for_want_of_room(photos, tmp_path, monkeypatch):
    for late in (False, True):
        Room(monkeypatch, 2, late, "INTERNAL: a core was halted")
        with pytest.raises(JaxRuntimeError, match="a core was halted"):
            extract(dataset_of(photos), encoder(), tmp_path / str(late), plan_of(8))


def test_a_run_that_was_cut_off_goes_on_with_another_size(photos, tmp_path, monkeypatch):
    """Chunks of one size of batch beside those of another: as processes that halve for themselves leave them."""
    plan = plan_of(CHUNK)
    extract(dataset_of(photos), encoder(), tmp_path, plan)
    whole = stored(tmp_path)
    (tmp_path / "progress" / GROUP / "000001.json").unlink()
    device = Room(monkeypatch, 2)
    extract(dataset_of(photos), encoder(), tmp_path, plan)
    assert device.given == [4, 2, 2], "the one chunk alone"
    for name, values in stored(tmp_path).items():
        np.testing.assert_allclose(values, whole[name], rtol=2e-5, atol=1e-6, err_msg=name)


def limit(monkeypatch, images: int) -> None:
    """Free memory in which a program for so many images of the tiny encoder fits, and no larger one."""
    program = program_of(encoder(), plan_of(images))
    each = {size: needed(program, size) for size in (images, 2 * images)}
    assert each[2 * images] > each[images]
    monkeypatch.setattr(devices, "free_bytes", lambda device: int(each[images] / batching.SHARE) + 1)


def needed(program: halving.Program, size: int) -> int:
    levels = devices.split(np.zeros((size, *program.image, 3), np.uint8), program.mesh)
    found = batching.needed_bytes(program.run.lower(program.params, levels).compile())
    return found - sum(leaf.nbytes for leaf in jax.tree.leaves(program.params))


def test_a_program_that_needs_more_than_the_limit_is_halved_before_the_first_image(photos, tmp_path, monkeypatch):
    limit(monkeypatch, 4)
    device, lines = Room(monkeypatch, IMAGES), list[str]()
    extract(dataset_of(photos), encoder(), tmp_path, plan_of(16), tell=lines.append)
    assert set(device.given) == {4}
    assert [line.rpartition(" ")[2] for line in lines] == ["8", "4"]


def test_a_compiler_that_finds_no_room_is_heard(photos, tmp_path, monkeypatch):
    """XLA for TPUs refuses to compile what does not fit."""

    def tight(*args, **kwargs):
        run = compiled(*args, **kwargs)
        lower = run.lower

        def refused(params, levels):
            if levels.shape[0] > 4:
                raise JaxRuntimeError("RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in hbm")
            return lower(params, levels)

        def called(params, levels):
            return run(params, levels)

        called.lower = refused
        return called

    lines: list[str] = []
    monkeypatch.setattr("memjax.extract.compiled", tight)
    extract(dataset_of(photos), encoder(), tmp_path, plan_of(8), tell=lines.append)
    assert len(lines) == 1


def test_the_first_batch_is_not_compiled_again():
    program = program_of(encoder(), Plan(selection=Selection(tokens=("mean",))))
    assert program.fits(6)
    with jax.log_compiles(), pytest.MonkeyPatch.context() as patch:
        seen: list[str] = []
        patch.setattr("jax._src.dispatch.logger.log", lambda level, text, *rest: seen.append(text % rest))
        program(np.zeros((6, *program.image, 3), np.uint8))
    assert not [line for line in seen if "XLA compilation of jit(one)" in line]


def test_a_sweep_says_that_it_halved(photos, tmp_path, monkeypatch, capsys):
    Room(monkeypatch, 2)
    settings = memjax.SweepSettings(metrics=("cls_mean",), batch_size=4, bootstraps=20)
    memjax.sweep(dataset_of(photos), "memjax/tiny", tmp_path / "out", settings, progress=True)
    assert "memjax/tiny: 4 images at once do not fit in the memory of cpu; going on with 2" in capsys.readouterr().out
