"""Where it is said how an encoder's pixels are made: which file is read, what is assumed and told, and what is refused."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import memjax
from memjax.cli import sweep as command
from memjax.loader import batches
from memjax.models import hub
from memjax.pipelines.identity import run_identity
from memjax.preprocessing import BY_FAMILY, CLIP_MEAN, HALF, IMAGENET_MEAN, PROCESSORS, Preprocessing
from tests import tiny_families
from tests.command import exit_code

SMALL = memjax.SweepSettings(bootstraps=20)
SIDE = {"height": 32, "width": 32}


def model(folder: Path, model_type: str, *files: str, **processor: Any) -> str:
    """A checkpoint with a processor in some files; ``nested`` is that of transformers 5."""
    tiny_families.write(folder, model_type)
    (folder / "preprocessor_config.json").unlink()
    fields = {**tiny_families.processor_of(model_type), **processor}
    fields = {name: value for name, value in fields.items() if value is not None}
    for file in files:
        nested = file == "processor_config.json"
        tiny_families.put(folder, file, {"image_processor": fields, "processor_class": "X"} if nested else fields)
    return str(folder)


def without_pooler(folder: Path) -> str:
    """A ViT as fine-tuning leaves it."""
    from safetensors.numpy import load_file, save_file

    name = model(folder, "vit")
    weights = load_file(folder / "model.safetensors")
    save_file({key: x for key, x in weights.items() if not key.startswith("head.")}, folder / "model.safetensors")
    return name


@pytest.mark.parametrize("family", BY_FAMILY)
def test_a_nested_processor_is_read(family, tmp_path):
    mean = [0.1, 0.2, 0.3]
    pre = memjax.load(model(tmp_path / "m", family, "processor_config.json", image_mean=mean)).preprocessing
    assert pre.mean == (0.1, 0.2, 0.3)
    assert pre.origin == "stated"


def test_a_nested_processor_comes_before_the_other_file_and_an_old_one_says_nothing(tmp_path):
    name = model(tmp_path / "m", "siglip", "processor_config.json", "preprocessor_config.json")
    nested = {**tiny_families.processor_of("siglip"), "resample": 2}
    tiny_families.put(tmp_path / "m", "processor_config.json", {"image_processor": nested})
    assert memjax.load(name).preprocessing.resample == 2
    for old in ({"processor_class": "SiglipProcessor"}, {"image_processor": None}, {}):
        tiny_families.put(tmp_path / "m", "processor_config.json", old)
        assert memjax.load(name).preprocessing.resample == 3
    for wrong in ([1], "SiglipImageProcessor", 3, True):
        tiny_families.put(tmp_path / "m", "processor_config.json", {"image_processor": wrong})
        with pytest.raises(memjax.InputError, match=r"processor_config\.json, image_processor: expected an object"):
            memjax.load(name)


def test_both_files_are_fetched():
    assert {"preprocessor_config.json", "processor_config.json"} <= set(hub._PATTERNS)


@pytest.mark.parametrize("model_type", tiny_families.CONFIGS)
@pytest.mark.parametrize("file", ["processor_config.json", "preprocessor_config.json"])
def test_a_file_without_a_type_is_read_by_the_family(model_type, file, tmp_path):
    gone = dict.fromkeys(("image_processor_type", "image_mean", "image_std", "resample"))
    pre = memjax.load(model(tmp_path / "m", model_type, file, **gone)).preprocessing
    row = PROCESSORS[BY_FAMILY[model_type.removesuffix("_vision_model")]]
    assert (pre.mean, pre.resample, pre.origin) == (row["image_mean"], row["resample"], "stated")


ASSUMED = {"clip": CLIP_MEAN, "siglip": HALF, "dinov2": IMAGENET_MEAN, "deit": IMAGENET_MEAN, "vit_mae": IMAGENET_MEAN,
           "vit": HALF}  # fmt: skip


@pytest.mark.parametrize("family", ASSUMED)
def test_what_nothing_says_is_assumed_and_marked(family, tmp_path):
    pre = memjax.load(model(tmp_path / "m", family)).preprocessing
    assert (pre.mean, pre.origin) == (ASSUMED[family], "assumed")


def test_the_mark_is_no_part_of_how_pixels_are_made():
    assumed = Preprocessing(origin="assumed")
    assert assumed == Preprocessing()
    assert hash(assumed) == hash(Preprocessing())
    assert assumed.to_json() == Preprocessing().to_json()


def test_an_assumption_is_told_in_terminal_page_and_record(tmp_path, monkeypatch, capsys, undrawn):
    name = model(tmp_path / "mine", "dinov2")
    arguments = ("--limit", 12, "--bootstraps", 20, "--models", name, "--out", tmp_path / "out")
    assert exit_code(monkeypatch, command, *arguments) == 0
    words = "no preprocessor_config.json says how its pixels are made; assumed is the published way of dinov2"
    terminal = capsys.readouterr().out
    assert terminal.count(words) == 1
    assert f"mine: {words}" in terminal
    assert words in (tmp_path / "out" / "report.html").read_text()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["models"][0]["note"].startswith(words)


@pytest.mark.parametrize("family", ["vit", "dinov3_vit"])
def test_checkpoints_that_differ_are_refused_before_an_image_is_read(family, tmp_path, monkeypatch, capsys):
    name = without_pooler(tmp_path / "m") if family == "vit" else model(tmp_path / "m", family)
    encoder, dataset = memjax.load(name), memjax.open_dataset("demo", limit=4)
    for measure in (
        lambda: memjax.sweep(dataset, name, tmp_path / "out", SMALL, progress=False),
        lambda: memjax.sweep(dataset, encoder, tmp_path / "out", SMALL, progress=False),
        lambda: memjax.read_images([dataset.records[0].data], encoder.preprocessing),
        lambda: batches(dataset, encoder.preprocessing, 2),
    ):
        with pytest.raises(memjax.InputError, match=r"^preprocessing: no preprocessor_config\.json says") as caught:
            measure()
        assert caught.value.argument == "preprocessing"
    assert not (tmp_path / "out" / "features.zarr").exists()
    assert exit_code(monkeypatch, command, "--models", name, "--limit", 4, "--out", tmp_path / "out") == 2
    line = capsys.readouterr().err
    assert len(line.splitlines()) == 1
    assert line.startswith("error: --preprocessing: no preprocessor_config.json says")
    assert "encoder m " in line


def test_a_user_states_how_pixels_are_made(tmp_path):
    name = without_pooler(tmp_path / "m")
    assert memjax.load(name, preprocessing="vit").preprocessing.mean == HALF
    as_mae = memjax.load(name, preprocessing="vit_mae").preprocessing
    assert (as_mae.mean, as_mae.resample, as_mae.image_size, as_mae.origin) == (IMAGENET_MEAN, 3, (32, 32), "stated")
    fields = {"image_mean": [0.1] * 3, "image_std": 0.5, "size": SIDE}
    for content in (fields, {"image_processor": fields}):
        tiny_families.put(tmp_path, "own.json", content)
        own = memjax.load(name, preprocessing=tmp_path / "own.json").preprocessing
        assert (own.mean, own.resample, own.origin) == ((0.1,) * 3, 2, "stated"), "what it leaves out is ViT's"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "expected a file, got nothing there; name a file, or one of clip"),
        ("[]", "expected a JSON object"),
        ("{", "not readable as JSON"),
        ('{"size": {"height": 48, "width": 32}}', "got 32 x 48"),
        ('{"image_std": 0}', "own.json, image_std: expected a number from"),
    ],
)
def test_a_statement_that_can_not_be(content, words, tmp_path):
    name, own = without_pooler(tmp_path / "m"), tmp_path / "own.json"
    if content is not None:
        own.write_text(content)
    with pytest.raises(memjax.InputError, match=re.escape(words)):
        memjax.load(name, preprocessing=str(own))


def test_what_a_checkpoint_says_comes_first(tmp_path):
    name = model(tmp_path / "m", "clip", "preprocessor_config.json")
    assert memjax.load(name, preprocessing="vit").preprocessing.mean == CLIP_MEAN


def test_a_run_is_another_when_its_pixels_are(tmp_path):
    """The same images, weights and settings with another mean are not a finished run."""
    dataset, encoder = memjax.open_dataset("demo", limit=4), memjax.load("memjax/tiny")
    other = dataclasses.replace(
        encoder, preprocessing=dataclasses.replace(encoder.preprocessing, mean=HALF, std=(0.1,) * 3)
    )
    identity = run_identity(SMALL, dataset, [encoder])
    assert identity != run_identity(SMALL, dataset, [other])
    stated = dataclasses.replace(SMALL, preprocessing="vit")
    assert identity == run_identity(stated, dataset, [encoder]), "of no influence where the checkpoint says it"


def test_an_encoder_without_one_finite_value_ends_in_a_line(tmp_path):
    from safetensors.numpy import load_file, save_file

    name = model(tmp_path / "m", "vit_mae", "preprocessor_config.json")
    weights = load_file(tmp_path / "m" / "model.safetensors")
    save_file({key: (x * 1e25).astype(np.float32) for key, x in weights.items()}, tmp_path / "m" / "model.safetensors")
    dataset = memjax.open_dataset("demo", limit=12)
    with pytest.raises(
        memjax.InputError, match=r"^encoder m: no metric has one finite value at its last layer, over 12"
    ):
        memjax.sweep(dataset, name, tmp_path / "out", SMALL, progress=False)
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_metric_without_one_finite_value_is_told(tmp_path, undrawn):
    """Nothing is masked: there is no loss to average."""
    name = model(tmp_path / "m", "vit_mae", "preprocessor_config.json")
    tiny_families.put(tmp_path / "m", "config.json", tiny_families.config_of("vit_mae", mask_ratio=0))
    run = memjax.sweep(memjax.open_dataset("demo", limit=12), name, tmp_path / "out", SMALL, progress=False)
    assert [found.note for found in run.run.models] == ["no finite value on any image: mae_loss"]
    assert "no finite value on any image: mae_loss" in (tmp_path / "out" / "report.html").read_text()
