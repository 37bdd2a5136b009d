"""Checkpoints as people have them: heads of fine-tuning, wrappers of torch, exports of other libraries, odd types, files that
lie about their tensors, weights that are no numbers."""

import json
import struct

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import memjax
from memjax.models import hub
from tests import tiny_families

HEADS = {
    "clip": ["classifier.weight", "classifier.bias", "text_model.embeddings.token_embedding.weight", "logit_scale"],
    "clip_vision_model": ["classifier.weight", "classifier.bias"],
    "siglip": ["classifier.weight", "classifier.bias", "logit_bias"],
    "siglip_vision_model": ["classifier.weight"],
    "dinov2": ["classifier.weight", "embeddings.mask_token"],
    "dinov2_with_registers": ["classifier.weight", "classifier.bias"],
    "dinov3_vit": ["classifier.weight", "classifier.bias", "embeddings.mask_token"],
    "vit": ["classifier.weight", "decoder.0.weight", "decoder.0.bias", "embeddings.mask_token"],
    "deit": ["cls_classifier.weight", "distillation_classifier.bias", "classifier.bias", "decoder.0.weight"],
    "vit_mae": [],
}
"""Tensors over or beside the encoder, which change no hidden state."""
WRAPPERS = ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module.",
            "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."]  # fmt: skip


@pytest.fixture(scope="module", params=tiny_families.CONFIGS)
def family(request, tmp_path_factory):
    return request.param, tiny_families.write(tmp_path_factory.mktemp("models") / request.param, request.param)


@pytest.fixture
def vit(tmp_path):
    return tiny_families.write(tmp_path / "vit", "vit")


def refusal(folder) -> str:
    with pytest.raises(memjax.InputError) as caught:
        memjax.load(str(folder))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def same_params(one: memjax.Encoder, other: memjax.Encoder) -> None:
    assert one.config == other.config
    jax.tree.map(np.testing.assert_array_equal, one.params, other.params)


def test_heads_are_passed_over_and_other_tensors_are_named(family):
    model_type, folder = family
    plain, weights = memjax.load(str(folder)), tiny_families.state(tiny_families.config_of(model_type))
    more = {name: np.ones((3, 5), np.float32) for name in HEADS[model_type]}
    save_file(weights | more, folder / "model.safetensors")
    same_params(memjax.load(str(folder)), plain)
    save_file(weights | more | {"adapter.down.weight": np.ones(2, np.float32)}, folder / "model.safetensors")
    assert "1 tensors do not fit" in refusal(folder)
    assert "unexpected adapter.down.weight" in refusal(folder)
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrappers_of_torch_are_taken_off(wrapper, family):
    model_type, folder = family
    plain, weights = memjax.load(str(folder)), tiny_families.state(tiny_families.config_of(model_type))
    save_file({wrapper + name: array for name, array in weights.items()}, folder / "model.safetensors")
    same_params(memjax.load(str(folder)), plain)
    save_file(weights, folder / "model.safetensors")


def test_a_part_that_is_wrapped(vit):
    plain, weights = memjax.load(str(vit)), tiny_families.state(tiny_families.config_of("vit"))
    some = {name.replace("blocks.0.", "blocks.0._checkpoint_wrapped_module."): x for name, x in weights.items()}
    save_file(some, vit / "model.safetensors")
    same_params(memjax.load(str(vit)), plain)
    half = {f"module.{name}" if "blocks.1." in name else name: x for name, x in weights.items()}
    save_file(half, vit / "model.safetensors")
    assert "DataParallel" in refusal(vit)
    twice = weights | {"_orig_mod.cls": weights["cls"]}
    save_file(twice, vit / "model.safetensors")
    assert "are the same parameter" in refusal(vit)


TIMM = {
    "architecture": "swin_tiny_patch4_window7_224",
    "num_classes": 10,
    "num_features": 192,
    "pretrained_cfg": {"tag": "x"},
}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": json.dumps(TIMM), "model.safetensors": ""}, "a timm export"),
        ({"open_clip_config.json": "{}", "open_clip_model.safetensors": ""}, "an OpenCLIP export"),
        ({"adapter_config.json": "{}", "adapter_model.safetensors": ""}, "a PEFT adapter"),
        ({"model_index.json": "{}"}, "a diffusers pipeline"),
        ({"modules.json": "[]"}, "a sentence-transformers model"),
        ({"config.json": None, "model.fp16.safetensors": ""}, "got model.fp16.safetensors; rename"),
        ({"config.json": None, "model.bf16.safetensors": ""}, "got model.bf16.safetensors; rename"),
        ({"config.json": None, "pytorch_model.safetensors": ""}, "got pytorch_model.safetensors; rename"),
        ({"config.json": None, "adapter_config.json": "{}", "adapter_model.safetensors": ""}, "a PEFT adapter"),
        ({"config.json": None, "pytorch_model.bin": ""}, "pickled, which can run code"),
        ({"config.json": None}, "got no weights"),
    ],
)
def test_exports_of_others_are_called_by_their_names(files, words, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(tiny_families.config_of("vit")) if content is None else content)
    assert words in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("blocks.0.attn.qkv.weight", "timm"),
        ("visual.transformer.resblocks.0.ln_1.weight", "OpenCLIP"),
        ("base_model.model.vit.layers.0.lora_A.weight", "PEFT"),
        ("teacher.backbone.norm.weight", "a teacher"),
    ],
)
def test_tensors_of_others_are_called_by_their_names(name, words, vit):
    save_file({name: np.ones((7, 7), np.float32)}, vit / "model.safetensors")
    line = refusal(vit)
    assert words in line
    assert f"unexpected {name}" in line
    assert "missing cls" in line, "both what is missing and what is there instead"


def test_types_of_weights(vit):
    weights = tiny_families.state(tiny_families.config_of("vit"))
    for kind, reads in (("float16", True), ("float64", True), ("int8", False), ("uint8", False), ("bool", False)):
        save_file({name: x.astype(kind) for name, x in weights.items()}, vit / "model.safetensors")
        if reads:
            assert memjax.load(str(vit)).dtype == "float32"
        else:
            assert f"has dtype {kind}, not a float" in refusal(vit)


def raw_file(path, header: dict | bytes, data: bytes = b"", length: int | None = None) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


HEADERS = {
    "float8": {"cls": entry("F8_E4M3", [8], 0, 8)},
    "float8 of the other kind": {"cls": entry("F8_E5M2", [8], 0, 8)},
    "complex": {"cls": entry("C64", [1], 0, 8)},
    "no such type": {"cls": entry("Q4_K", [8], 0, 8)},
    "twenty axes": {"cls": entry("F32", [1] * 20 + [2], 0, 8)},
    "more than there is": {"cls": entry("F32", [10**12], 0, 4 * 10**12)},
    "another size": {"cls": entry("F32", [3], 0, 8)},
    "negative": {"cls": entry("F32", [-2], 0, 8)},
    "overlapping": {"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 0, 8)},
    "empty and huge": {"cls": entry("F32", [0, 2**62, 2**62], 0, 0), "b": entry("F32", [2], 0, 8)},
    "no object": b"[1, 2]",
    "no JSON": b"{x",
    "deep": b'{"a":' * 10**5 + b"1" + b"}" * 10**5,
    "many tensors": json.dumps({f"t{i}": entry("F32", [0], 0, 0) for i in range(80_000)}).encode(),
}


@pytest.mark.parametrize("name", HEADERS)
def test_files_that_lie_about_their_tensors(name, vit):
    raw_file(vit / "model.safetensors", HEADERS[name], bytes(8))
    assert "vit" in refusal(vit)


@pytest.mark.parametrize("length", [0, 1, 2**20, 2**40, 2**63, 2**64 - 1])
def test_headers_of_a_wrong_length(length, vit):
    raw_file(vit / "model.safetensors", {"cls": entry("F32", [2], 0, 8)}, bytes(8), length)
    assert "model.safetensors" in refusal(vit)


def test_a_list_of_tensors_that_is_too_long_is_not_read(vit):
    text = json.dumps({"__metadata__": {"x": "y" * hub.MOST_HEADER}}).encode()
    raw_file(vit / "model.safetensors", text)
    assert f"longer than {hub.MOST_HEADER} bytes" in refusal(vit)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("whole", [True, False])
def test_weights_that_are_no_numbers(value, whole, vit):
    weights = load_file(vit / "model.safetensors")
    last = weights["blocks.1.up.weight"]
    last[... if whole else (3, 2)] = value
    save_file(weights, vit / "model.safetensors")
    assert "blocks.1.up.weight holds NaN or infinity" in refusal(vit)


def test_numbers_that_no_encoder_uses_may_be_anything(vit):
    plain, weights = memjax.load(str(vit)), load_file(vit / "model.safetensors")
    save_file(weights | {"classifier.weight": np.full((2, 2), np.nan, np.float32)}, vit / "model.safetensors")
    same_params(memjax.load(str(vit)), plain)
