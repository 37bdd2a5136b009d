"""What a notebook shows of an object by its name alone fits on a screen, and tab completion knows the public names."""

import dataclasses
import importlib
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import memjax
from memjax import sae
from memjax.showing import in_short, short_repr
from tests import fake_run

WIDE, HIGH = 240, 26
"""Characters of a line that a notebook folds once, and lines of a terminal."""


@dataclasses.dataclass(frozen=True)
class Found:
    """A result."""

    table: pd.DataFrame
    arrays: tuple[np.ndarray, ...]
    named: Mapping[str, np.ndarray]
    text: str
    nothing: pd.DataFrame | None = None
    hidden: int = dataclasses.field(default=3, repr=False)

    __repr__ = short_repr


@pytest.fixture(scope="module")
def shown() -> dict[str, object]:
    encoder, data = memjax.load("memjax/tiny"), memjax.open_dataset("demo", limit=60)
    kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20, metrics=("cls_norm",))
    run = memjax.sweep(data, encoder, settings=kept, progress=False)
    saes = memjax.train_saes(run, memjax.SAESettings(epochs=1, seeds=(0,), bootstraps=20), progress=False)
    pixels = memjax.read_images([data.records[0].data], encoder.preprocessing)
    fitted = sae.fit(np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32))
    return {
        "encoder": encoder, "parameters": encoder.params, "config": encoder.config, "data set": data, "sweep": run,
        "record": run.run, "autoencoders": saes, "autoencoder": saes.saes[0], "its parameters": saes.saes[0].params,
        "fitted": fitted, "scores": fitted.scores, "predictor": memjax.fit_predictor(run, progress=False),
        "trace": memjax.trace(encoder, pixels), "block": memjax.encode(encoder.params, jnp.asarray(pixels[0]), encoder.config),
        "many runs": dataclasses.replace(fake_run.RUN, notes=("note",) * 40), "settings": memjax.SweepSettings(),
    }  # fmt: skip


NAMES = (
    "encoder", "parameters", "config", "data set", "sweep", "record", "autoencoders", "autoencoder", "its parameters",
    "fitted", "scores", "predictor", "trace", "block", "many runs", "settings",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_on_a_screen(name: str, shown: dict[str, object]) -> None:
    lines = repr(shown[name]).splitlines()
    assert len(lines) <= HIGH
    assert max(map(len, lines)) <= WIDE or name in ("config", "settings"), lines
    assert sum(map(len, lines)) <= 1000
    assert set(shown) == set(NAMES)


def test_it_says_what_it_is(shown: dict[str, object]) -> None:
    assert repr(shown["encoder"]).startswith("<Encoder memjax/tiny (vit_mae): 5 layers, width 128, 4 heads")
    assert "images of 64 x 64, 1,236,576 parameters, float32>" in repr(shown["encoder"])
    assert repr(shown["data set"]).startswith(
        "<Dataset demo (synthetic): 60 images, scores 0.199 to 0.913, also category"
    )
    assert "5 correlations, the largest " in repr(shown["sweep"])
    assert "5 to" not in repr(shown["autoencoder"])
    assert repr(shown["autoencoder"]).endswith("paper, 128 to 100 latents>")
    assert "hidden: float32 [1, 6, 65, 128]" in repr(shown["trace"])


def test_a_dataclass_in_short() -> None:
    one = Found(pd.DataFrame({"a": [1], "b": [2]}), (np.zeros(3),) * 20, {"x": np.zeros(2)}, "long " * 100)
    assert repr(one).splitlines()[:4] == ["Found", "  table: 1 rows: a, b", "  arrays: 20 x ndarray", "  named: x"]
    assert "nothing" not in repr(one)
    assert "hidden" not in repr(one)
    assert in_short(one) == "Found of 60 values"


@pytest.mark.parametrize("package", ["memjax", "memjax.sae", "memjax.stats", "memjax.metrics"])
def test_tab_completion_shows_the_public_names(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))
    assert "__doc__" in dir(module)
