"""Configs and processor files that are hand-edited, damaged or hostile: over 2,000, over all families. Each is refused in one
line that names the file and the field, or is read as transformers reads it; nothing else may happen."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import memjax
from memjax.models import families
from memjax.models.attributes import ALLOWED, HARMLESS
from memjax.preprocessing import preprocessing_from_config
from tests import tiny_families
from tests.hostile_configs import (
    CLASSES,
    CONTRADICTIONS,
    HALVES,
    OTHER_SIZES,
    STRUCTURES,
    attacks,
    outcome,
    processor_attacks,
)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", params=tiny_families.CONFIGS)
def family(request, tmp_path_factory) -> tuple[str, Path]:
    return request.param, tiny_families.write(tmp_path_factory.mktemp("models") / request.param, request.param)


def test_every_family_loads(family):
    assert outcome(family[1]) == "loads"


def test_values_that_no_attribute_can_have(family):
    model_type, folder = family
    tried = 0
    for attribute, value in attacks(model_type):
        projection = model_type == "clip" and attribute == "projection_dim"  # of both towers, beside them
        config = tiny_families.config_of(model_type, **({} if projection else {attribute: value}))
        tiny_families.put(folder, "config.json", {**config, attribute: value} if projection else config)
        line = outcome(folder)
        assert f"config.json, {attribute}" in line, (attribute, value, line)
        tried += 1
    tiny_families.put(folder, "config.json", tiny_families.config_of(model_type))
    assert tried >= 100
    assert outcome(folder) == "loads"


def test_there_are_enough_attacks():
    assert sum(len(list(attacks(model_type))) for model_type in tiny_families.CONFIGS) > 1_000
    assert set(ALLOWED) == {a for f in families.FAMILIES.values() for a in dict(f.read.values())}, (
        "a row for each, no more"
    )


def read_by(model_type: str, change: dict[str, Any]) -> bool:
    return set(change) & set(ALLOWED) <= set(dict(families.FAMILIES[model_type].read.values()))


def test_sizes_that_the_weights_do_not_have(family):
    model_type, folder = family
    stretched = model_type == "dinov3_vit"  # it has no table of positions
    tried = 0
    for change in (c for c in OTHER_SIZES if read_by(model_type, c)):
        if stretched and set(change) == {"image_size"}:
            continue
        tiny_families.put(folder, "config.json", tiny_families.config_of(model_type, **change))
        start, line = time.monotonic(), outcome(folder)
        assert "tensors do not fit" in line, (change, line)
        assert time.monotonic() - start < 10, change
        tried += 1
    assert tried >= 8


def test_attributes_that_contradict_each_other_or_are_not_known(family):
    model_type, folder = family
    for change in (c for c in CONTRADICTIONS if read_by(model_type, c)):
        tiny_families.put(folder, "config.json", tiny_families.config_of(model_type, **change))
        assert "config.json" in outcome(folder), change


def test_attributes_without_influence(family):
    """transformers ignores them, whatever they hold: the same architecture, the same weights."""
    model_type, folder = family
    tiny_families.put(folder, "config.json", tiny_families.config_of(model_type))
    plain = memjax.load(str(folder))
    private = ["_attn_implementation", "_attn_implementation_autoset", "_commit_hash", "_name_or_path", "_anything"]
    for number, name in enumerate([*sorted(HARMLESS - {"model_type", "vision_config_dict"}), *private]):
        value = [None, 7, "eager", {"0": "LABEL_0"}, [1, 2], True][number % 6]
        config = tiny_families.config_of(model_type, **{name: value})
        found, _ = families.read_config(config, name)
        assert found == families.read_config(tiny_families.config_of(model_type), name)[0], name
    tiny_families.put(
        folder,
        "config.json",
        tiny_families.config_of(model_type, **dict.fromkeys(private, 1), num_labels=7, use_cache=True),
    )
    assert memjax.load(str(folder)).config == plain.config


@pytest.mark.parametrize("name", STRUCTURES)
def test_files_that_are_no_config(name, tmp_path):
    folder = tiny_families.write(tmp_path / "m", "vit")
    says_nothing = {
        "config.json": False,
        "preprocessor_config.json": name == "no type",  # every field at its default, the class by the family
        "processor_config.json": is_small_object(STRUCTURES[name]),  # of an age that kept images elsewhere
    }
    whole = {file: (folder / file).read_bytes() for file in ("config.json", "preprocessor_config.json")}
    for file, loads in says_nothing.items():
        tiny_families.put(folder, file, STRUCTURES[name])
        start, line = time.monotonic(), outcome(folder)
        assert (line == "loads" or "224 x 224" in line) if loads else (file in line), (file, line)
        assert time.monotonic() - start < 10
        (folder / file).unlink()
        for other, content in whole.items():
            (folder / other).write_bytes(content)


def is_small_object(text: str) -> bool:
    try:
        return len(text) < 2**23 and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


@pytest.mark.parametrize("content", [b"\xff\xfe{\x00", b"\x00" * 100, b"{'model_type': 'vit'}", b"\x80\x04\x95"])
def test_files_that_are_no_text(content, tmp_path):
    folder = tiny_families.write(tmp_path / "m", "vit")
    (folder / "config.json").write_bytes(content)
    assert "not readable as JSON" in outcome(folder)


@pytest.mark.parametrize("model_type", ["clip", "siglip"])
@pytest.mark.parametrize("halves", HALVES, ids=str)
def test_halves_that_are_none(model_type, halves, tmp_path):
    folder = tiny_families.write(tmp_path / "m", model_type)
    tiny_families.put(folder, "config.json", {"model_type": model_type, "projection_dim": 20, **halves})
    assert "config.json" in outcome(folder)


def test_halves_are_read_as_transformers_reads_them():
    """What vision_config_dict leaves out is at its default, whatever vision_config says; SigLIP has no such thing."""
    other = {**tiny_families.MLP, "num_attention_heads": 4, "layer_norm_eps": 0.1}

    def heads(model_type: str, **halves: Any) -> tuple[int, float, str]:
        config, _ = families.read_config({"model_type": model_type, **halves}, "tiny")
        return config.heads, config.eps, config.activation

    small = {**tiny_families.MLP, "hidden_act": "gelu"}
    assert heads("clip", vision_config=small) == (2, 1e-5, "gelu")
    assert heads("clip", vision_config=small, vision_config_dict=None) == (2, 1e-5, "gelu")
    assert heads("clip", vision_config=small, vision_config_dict=other) == (4, 0.1, "quick_gelu")
    assert heads("clip", vision_config=None, vision_config_dict=other) == (4, 0.1, "quick_gelu")
    assert heads("clip", vision_config=small, vision_config_dict={}) == (12, 1e-5, "quick_gelu")
    assert heads("clip", vision_config={}) == heads("clip", vision_config=None) == (12, 1e-5, "quick_gelu")
    assert heads("siglip", vision_config=small, vision_config_dict=other) == (2, 1e-6, "gelu")


def test_sizes_outside_the_vision_half(tmp_path):
    folder = tiny_families.write(tmp_path / "m", "siglip")
    tiny_families.put(folder, "config.json", {"model_type": "siglip", **tiny_families.MLP})
    assert "hidden_size, image_size" in outcome(folder)
    assert "outside vision_config" in outcome(folder)


@pytest.mark.parametrize("kind", CLASSES)
def test_processor_files(kind):
    tried = 0
    for name, value in processor_attacks():
        fields = {"image_processor_type": kind, "do_center_crop": True, "crop_size": 30, name: value}
        with pytest.raises(memjax.InputError) as caught:
            preprocessing_from_config(fields, "FILE")
        line = str(caught.value)
        assert line.startswith("FILE"), line
        assert len(line.splitlines()) == 1, line
        assert len(line) < 1_000
        line.encode()
        tried += 1
    assert tried > 150


SIZES_THAT_DO_NOT_FIT = [8, 31, 33, 48, 224, 16384]


@pytest.mark.parametrize("side", SIZES_THAT_DO_NOT_FIT)
def test_images_that_the_encoder_cannot_take(side, family):
    """Refused when the encoder is loaded, not when it is compiled; positions that stretch take every whole size."""
    model_type, folder = family
    tiny_families.put(folder, "config.json", tiny_families.config_of(model_type))
    wanted = {"height": side, "width": 32}
    fields = {**tiny_families.processor_of(model_type), "size": wanted, "crop_size": wanted}
    tiny_families.put(folder, "preprocessor_config.json", fields)
    line = outcome(folder)
    tiny_families.put(folder, "preprocessor_config.json", tiny_families.processor_of(model_type))
    assert line == "loads" if model_type.startswith("dino") else f"got 32 x {side}" in line


@pytest.mark.parametrize("side", [1, 7])
def test_images_smaller_than_a_patch(side, tmp_path):
    folder = tiny_families.write(tmp_path / "m", "dinov2")
    wanted = {"height": side, "width": 32}
    tiny_families.put(
        folder,
        "preprocessor_config.json",
        {**tiny_families.processor_of("dinov2"), "size": wanted, "crop_size": wanted},
    )
    assert "0 patches" in outcome(folder)


MEMORY = """
import re, time
from pathlib import Path
from tests import tiny_families
from tests.hostile_configs import STRUCTURES, outcome

def refused(folder, content):
    tiny_families.put(folder, "config.json", content)
    start = time.monotonic()
    assert outcome(folder) != "loads"
    assert time.monotonic() - start < 10

largest = {{"hidden_size": 16384, "num_attention_heads": 1024, "num_hidden_layers": 512, "image_size": 16384}}
for model_type in tiny_families.CONFIGS:
    folder = tiny_families.write(Path({folder!r}) / model_type, model_type)
    for patch in (64, 1):
        refused(folder, tiny_families.config_of(model_type, **largest, patch_size=patch))
for text in STRUCTURES.values():
    refused(folder, text)
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of this process alone stands in /proc")
def test_a_refused_model_takes_less_than_a_gigabyte(tmp_path):
    code = MEMORY.format(folder=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, timeout=300, capture_output=True, text=True
    )
    assert int(done.stdout) < 2**20, "kilobytes"
