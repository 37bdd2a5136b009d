"""Typical mistakes of a notebook are told in one line with the remedy, whatever function of the public API they are made in."""

import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import memjax
from memjax.checks import InputError
from memjax.pixels import checked_pixels
from memjax.preprocessing import Preprocessing, normalise_table
from tests.api_mistakes import MISTAKES
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[str, str, str]]:
    """What each mistake gives, in a process where no test looks at types first."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.api_mistakes"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_with_the_remedy(name: str, found: dict[str, tuple[str, str, str]]) -> None:
    kind, message, _ = found[name]
    assert kind in ("InputError", "ImageError"), message
    assert "\n" not in message
    assert MISTAKES[name][1] in message
    assert len(message) < 400


PLAUSIBLE = {
    "zeros": np.zeros((2, 8, 8, 3), np.float32),
    "ones": np.ones((2, 8, 8, 3), np.float32),
    "noise": np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32),
    "far from any image": 20 * np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32),
    "bright, of little contrast": normalise_table(Preprocessing())[[[[130], [150]], [[160], [140]]], np.arange(3)][
        None
    ],
    "double precision": np.random.default_rng(0).normal(size=(2, 8, 8, 3)),
    "half precision": np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float16),
    "a list of images": [np.zeros((8, 8, 3), np.float32)] * 2,
    "on a device": jnp.full((2, 8, 8, 3), 0.5).at[0, 0].set(0.25),
    "three rows": np.zeros((2, 3, 8, 3), np.float32),
}


@pytest.mark.parametrize("name", PLAUSIBLE)
def test_what_can_be_pixels_is_taken_as_it_is(name: str) -> None:
    given = PLAUSIBLE[name]
    taken = checked_pixels(given, Preprocessing())
    assert taken is given or isinstance(given, list)
    assert np.array_equal(np.asarray(taken), np.asarray(given))


def test_pixels_between_0_and_1_are_right_where_nothing_is_normalised() -> None:
    pixels = np.random.default_rng(0).uniform(size=(1, 8, 8, 3)).astype(np.float32)
    with pytest.raises(InputError, match="not normalised"):
        checked_pixels(pixels, Preprocessing())
    assert checked_pixels(pixels, Preprocessing(mean=None, std=None)) is pixels


def test_a_name_misspelt_is_guessed() -> None:
    with pytest.raises(AttributeError) as caught:
        _ = memjax.feature  # type: ignore[attr-defined]
    assert (caught.value.name, caught.value.obj) == ("feature", memjax)
