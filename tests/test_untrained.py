"""Encoders without training: ``memjax/random:<id>``, the architecture of another with weights that are drawn."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

import memjax
from memjax.checks import InputError
from memjax.encoder import Encoder
from memjax.models import port
from memjax.models.presets import PRESETS, Preset
from memjax.models.untrained import PREFIX, UNTRAINED, architecture_of, fresh_params, parse_untrained
from memjax.pipelines.identity import UNTRAINED_NOTE

TINY = f"{PREFIX}memjax/tiny"


def leaves(encoder: Encoder) -> dict[str, np.ndarray]:
    found, _ = jax.tree_util.tree_flatten_with_path(encoder.params)
    return {".".join(part.name for part in path): np.asarray(values) for path, values in found}


@pytest.fixture(scope="module")
def drawn() -> Encoder:
    return memjax.load(TINY)


def test_it_has_the_architecture_and_pixels_of_the_trained_one(drawn: Encoder) -> None:
    trained = memjax.load("memjax/tiny")
    assert drawn.config == trained.config
    assert drawn.preprocessing == trained.preprocessing
    own, its = leaves(drawn), leaves(trained)
    assert {name: x.shape for name, x in own.items()} == {name: x.shape for name, x in its.items()}
    assert not np.array_equal(own["patch.kernel"], its["patch.kernel"])
    assert (drawn.revision, drawn.label, drawn.name) == (UNTRAINED, TINY, TINY)


def test_weights_are_drawn_as_published(drawn: Encoder) -> None:
    for name, x in leaves(drawn).items():
        if name.endswith("position"):
            assert x.std() > 0.1, "MAE's fixed table"
        elif name.endswith("bias"):
            assert not x.any(), name
        elif name.endswith("scale"):
            assert (x == 1).all(), name
        else:
            assert abs(x.std() - 0.02) < 0.02 * 3 / np.sqrt(x.size), name
            assert abs(x.mean()) < 0.02 * 4 / np.sqrt(x.size), name


def test_the_seed_is_in_the_name_and_the_checksum_is_of_the_weights(drawn: Encoder) -> None:
    again, zero, third = (memjax.load(name) for name in (TINY, f"{TINY}#0", f"{TINY}#3"))
    assert drawn.checksum == again.checksum == zero.checksum != third.checksum
    assert (zero.label, third.label) == (TINY, f"{TINY}#3")
    np.testing.assert_array_equal(leaves(drawn)["cls"], leaves(zero)["cls"])
    assert drawn.checksum != memjax.load("memjax/tiny").checksum


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.id)
def test_the_architecture_of_every_published_encoder_is_known_offline(row: Preset) -> None:
    plan, _ = architecture_of(row.id)
    config = plan.config
    assert (config.width, config.depth, config.heads, config.patch) == (row.width, row.depth, row.heads, row.patch)
    extra = int(config.cls) + int(config.distillation) + config.registers
    assert np.prod(config.grid_of((row.image, row.image))) + extra == row.tokens
    assert port.shapes_of(config).blocks.mlp.up.kernel.shape == (row.depth, row.width, config.mlp_width)


def folder_of(tmp_path: Path, **changed: object) -> Path:
    folder = tmp_path / "own-encoder"
    folder.mkdir()
    config = {
        "model_type": "dinov2",
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 28,
    }
    (folder / "config.json").write_text(json.dumps(config | changed))
    return folder


def test_a_folder_with_a_config_alone_is_enough(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, layerscale_value=0.25)
    encoder = memjax.load(f"{PREFIX}{folder}#12")
    assert encoder.label == f"{PREFIX}own-encoder#12"
    assert (leaves(encoder)["blocks.scale1"] == 0.25).all()
    assert encoder.preprocessing.origin == "assumed"


WRONG = {
    "nothing": (PREFIX, "an encoder after the colon"),
    "itself": (f"{PREFIX}{TINY}", "an encoder after the colon"),
    "no seed": (f"{TINY}#", "a whole number up to"),
    "a word": (f"{TINY}#one", "a whole number up to"),
    "below 0": (f"{TINY}#-1", "a whole number up to"),
    "too large": (f"{TINY}#4294967296", "a whole number up to"),
    "no encoder": (f"{PREFIX}./nowhere", "no such folder"),
}


@pytest.mark.parametrize(("name", "said"), WRONG.values(), ids=WRONG.keys())
def test_names_of_nothing_are_one_line(name: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        memjax.load(name)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"layerscale_value": "much"}, "layerscale_value: expected a number"),
        ({"hidden_size": 16384, "num_hidden_layers": 64, "num_attention_heads": 64}, "weights; at most"),
    ],
)
def test_configs_that_cannot_be_drawn_are_one_line(tmp_path: Path, changed: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        memjax.load(f"{PREFIX}{folder_of(tmp_path, **changed)}")


def test_names_of_other_encoders_are_theirs() -> None:
    assert parse_untrained("memjax/tiny") is None
    assert fresh_params(architecture_of("memjax/tiny")[0].config, 0, 1.0)[1] == memjax.load(TINY).checksum


def test_a_sweep_says_that_it_is_untrained(tmp_path: Path, undrawn: None) -> None:
    dataset = memjax.open_dataset("demo", limit=12)
    models = ["memjax/tiny", TINY]
    run = memjax.sweep(dataset, models, tmp_path / "out", memjax.SweepSettings(bootstraps=20), progress=False)
    assert set(run.features) == set(models)
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert [model.get("note", "") for model in record["models"]] == ["", UNTRAINED_NOTE]
    assert record["models"][1]["revision"] == UNTRAINED
    assert UNTRAINED_NOTE in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert memjax.sweep(
        dataset, models, tmp_path / "out", memjax.SweepSettings(bootstraps=20), progress=False
    ).recognised
