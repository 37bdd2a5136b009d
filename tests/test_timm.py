"""Folders of timm's: architecture, tensors, pixels, and what is refused (`tests/parity` compares with timm itself)."""

import dataclasses
import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import memjax
from memjax.cli import encoders
from memjax.models import port
from memjax.models.port import Keys
from memjax.models.timm_models import read_timm
from memjax.models.timm_table import EVA, VIT
from memjax.models.vit import pool, pooled_token
from tests.foreign_folders import open_clip_folder, timm_config, timm_folder

CASES = [
    ("vit_small_patch16_224", {}, {"cls": True, "registers": 0, "placed": "all", "layer_scale": False, "eps": 1e-6}),
    ("deit3_small_patch16_224", {}, {"placed": "patches", "layer_scale": True, "positions": 16}),
    ("deit_tiny_distilled_patch16_224", {}, {"distillation": True, "positions": 18, "pooled_from": "pair"}),
    ("vit_small_patch14_reg4_dinov2", {}, {"registers": 4, "placed": "patches", "positions": 16}),
    ("vit_giant_patch14_dinov2", {}, {"gated": True, "activation": "silu", "mlp_width": 64}),
    ("vit_base_patch32_clip_quickgelu_224", {}, {"activation": "quick_gelu", "pre_norm": True, "patch_bias": False, "eps": 1e-5}),
    ("vit_base_patch16_siglip_224", {}, {"cls": False, "pool": "attention", "activation": "gelu"}),
    ("vit_base_patch32_siglip_gap_256", {}, {"activation": "gelu_tanh", "pooled_from": "patches", "norm_last": False}),
    ("test_vit2", {"num_heads": 3}, {"registers": 1, "positions": 17, "norm_last": True, "heads": 3}),
    ("vit_base_patch16_224_miil", {"proj_bias": False}, {"query_bias": False, "out_bias": False, "mlp_bias": False}),
    ("vit_small_patch16_dinov3", {}, {"position": "rotary", "query_bias": False, "registers": 4, "rope_theta": 100.0}),
    ("vit_small_plus_patch16_dinov3_qkvb", {}, {"gated": True, "mlp_width": 96, "value_bias": True, "key_bias": False}),
]  # fmt: skip


def refusal(folder) -> str:
    with pytest.raises(memjax.InputError) as told:
        memjax.load(str(folder))
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(("name", "args", "fields"), CASES, ids=[case[0] for case in CASES])
def test_architecture_and_tensors(name, args, fields, tmp_path):
    made = timm_folder(tmp_path, name, **args)
    assert any("qkv" in key for key in load_file(tmp_path / "model.safetensors"))
    encoder = memjax.load(str(tmp_path))
    assert {field: getattr(encoder.config, field) for field in fields} == fields
    wanted = port.fill(encoder.config, made, Keys((), (), ()), "made")
    for ours, kept in zip(jax.tree.leaves(encoder.params), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(ours, kept)


def test_pooled_means_are_of_the_tokens_they_name(tmp_path):
    """Of what leaves the last block: normed and averaged, or averaged and normed."""
    timm_folder(tmp_path, "test_vit2")
    encoder = memjax.load(str(tmp_path))
    last = jax.random.normal(jax.random.key(1), (17, 24))
    scale, bias = (np.asarray(x) for x in (encoder.params.final_norm.scale, encoder.params.final_norm.bias))

    def norm(x):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale + bias

    for of, tokens in (("patches", np.asarray(last[1:])), ("all", np.asarray(last)), ("pair", np.asarray(last[:2]))):
        for first in (True, False):
            config = dataclasses.replace(encoder.config, pooled_from=of, norm_last=first)
            pooled = pooled_token(encoder.params.final_norm, last, config)
            wanted = norm(tokens.mean(0)) if first else norm(tokens).mean(0)
            np.testing.assert_allclose(pooled, wanted, rtol=1e-4, atol=1e-5)


def test_attention_pooling_of_patches_alone(tmp_path):
    """The register of this one is not read by its pooling: with other values there, the output stays."""
    timm_folder(tmp_path, "vit_so150m_patch16_reg4_map_256")
    encoder = memjax.load(str(tmp_path))
    last = jax.random.normal(jax.random.key(2), (20, 24))
    other = last.at[:4].add(jnp.arange(24.0))
    pooled, attention = pool(encoder.params, last, encoder.config)
    np.testing.assert_array_equal(pooled, pool(encoder.params, other, encoder.config)[0])
    assert attention.shape == (2, 1, 16)


def test_images_of_another_size_than_the_positions(tmp_path):
    """The table stands as the weights hold it, and is stretched for the images that config.json names."""
    side = 48
    timm_folder(tmp_path, "vit_small_patch14_reg4_dinov2")
    config = timm_config("vit_small_patch14_reg4_dinov2", {"input_size": [3, side, side]}, img_size=side)
    (tmp_path / "config.json").write_text(json.dumps(config))
    encoder = memjax.load(str(tmp_path))
    assert encoder.config.image == (32, 32)
    assert encoder.preprocessing.image_size == (side, side)
    pixels = memjax.read_images([np.zeros((60, 70, 3), np.uint8)], encoder.preprocessing)
    assert memjax.trace(encoder, pixels).hidden.shape[2] == 5 + (side // 8) ** 2


def test_older_layouts(tmp_path):
    """Fields of the checkpoint at the top, no ``model_args``, and DeiT III's first names of layer scales."""
    name = "deit3_small_patch16_224"
    flat = {
        "architecture": name,
        "num_features": 384,
        "input_size": [3, 384, 384],
        "fixed_input_size": True,
        "crop_pct": 1.0,
    }
    config, keys = read_timm(flat, "flat")
    assert (config.image, config.width, config.depth, config.heads) == ((384, 384), 384, 12, 6)
    assert {"blocks.0.scale1"} == port.canonical({"blocks.0.gamma_1": np.ones(3)}, keys).keys()
    assert {"blocks.0.scale1"} == port.canonical({"blocks.0.ls1.gamma": np.ones(3)}, keys).keys()


def test_a_folder_without_training_keeps_its_architecture(tmp_path):
    timm_folder(tmp_path, "deit3_small_patch16_224")
    encoder = memjax.load(f"memjax/random:{tmp_path}")
    assert (encoder.config.placed, encoder.preprocessing.centre) == ("patches", "even")
    assert float(encoder.params.blocks.scale1[0, 0]) == np.float32(1e-6)


def test_every_row_is_an_architecture():
    for name, row in {**VIT, **EVA}.items():
        config, _ = read_timm({"architecture": name}, name)
        assert (config.width, config.depth, config.patch) == (row["embed_dim"], row["depth"], row["patch_size"]), name


REFUSED = [
    ({"architecture": "swin_tiny_patch4_window7_224"}, "swin_tiny_patch4_window7_224"),
    ({"architecture": "convnext_base"}, "convnext_base"),
    ({"architecture": "eva02_base_patch14_448"}, "eva02_base_patch14_448"),
    ({"architecture": "vit_base_patch16_224_in21k"}, "it knows vit_base_patch16_224"),
    ({"architecture": 3}, "architecture 3"),
    ({"model_args": {"qk_norm": True}}, "qk_norm=True"),
    ({"model_args": {"norm_layer": "rmsnorm", "block_fn": "x"}}, "block_fn='x', norm_layer='rmsnorm'"),
    ({"model_args": {"swiglu": True}}, "swiglu=True"),
    ({"model_args": {"eps": 1.0}}, "eps=1.0"),
    ({"model_args": {"in_chans": 1}}, "in_chans=1"),
    ({"model_args": {"magic\n": 1}}, "magic"),
    ({"model_args": {"global_pool": "avgmax"}}, "global_pool: expected one of"),
    ({"model_args": {"embed_dim": 25}}, "25 is not a multiple of heads 2"),
    ({"model_args": {"embed_dim": "24"}}, "embed_dim: expected a whole number"),
    ({"model_args": {"embed_dim": 10**9}}, "embed_dim: expected a whole number"),
    ({"model_args": {"img_size": 16384, "patch_size": 1}}, "more than 65536 patches"),
    ({"model_args": {"patch_size": [8, 4]}}, "patch_size: expected a square"),
    ({"model_args": {"class_token": False}}, "no class token"),
    ({"model_args": {"mlp_ratio": 0.01}}, "leaves the MLP no width"),
    ({"model_args": []}, "model_args: expected an object"),
    ({"pretrained_cfg": 3}, "pretrained_cfg: expected an object"),
    ({"pretrained_cfg": {"input_size": [1, 32, 32]}}, "input_size: expected [3, y, x]"),
    ({"pretrained_cfg": {"input_size": 32}}, "input_size: expected [3, y, x]"),
    ({"pretrained_cfg": {"input_size": [3, 32, 40]}}, "a square where crop_mode is center"),
    ({"pretrained_cfg": {"crop_mode": "border"}}, "crop_mode: expected one of center, squash, got 'border'"),
    ({"pretrained_cfg": {"crop_pct": 1.5}}, "crop_pct: expected a number"),
    ({"pretrained_cfg": {"interpolation": "random"}}, "interpolation: expected one of nearest"),
    ({"pretrained_cfg": {"mean": [0.5, 0.5]}}, "mean: expected a number for each of 3 channels"),
    ({"pretrained_cfg": {"std": [0.5, 0.5, 0]}}, "std: expected a number"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused(change, words, tmp_path):
    timm_folder(tmp_path, "vit_small_patch16_224")
    config = timm_config("vit_small_patch16_224")
    for name, value in change.items():
        config[name] = {**config[name], **value} if isinstance(value, dict) and value else value
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert words in refusal(tmp_path)


def test_tensors_that_do_not_fit_are_named(tmp_path):
    timm_folder(tmp_path, "vit_small_patch16_224")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["blocks.1.attn.qkv.bias"]
    save_file(weights | {"blocks.0.attn.q_norm.weight": np.ones(12, np.float32)}, tmp_path / "model.safetensors")
    line = refusal(tmp_path)
    assert "missing blocks.1.attn.q.bias" in line
    assert "unexpected blocks.0.attn.q_norm.weight" in line


@pytest.mark.parametrize(
    ("cfg", "resize", "crop"),
    [
        ({}, 35, (32, 32)),
        ({"crop_pct": None}, 36, (32, 32)),
        ({"crop_pct": 0.95}, 33, (32, 32)),
        ({"crop_pct": 1.0}, 32, (32, 32)),
        ({"crop_mode": "squash"}, (35, 35), (32, 32)),
        ({"crop_mode": "squash", "crop_pct": 1.0, "input_size": [3, 32, 48]}, (32, 48), (32, 48)),
        ({"crop_mode": None, "input_size": [3, 48, 48], "crop_pct": 0.875}, 54, (48, 48)),
    ],
)
def test_sizes_of_pixels(cfg, resize, crop, tmp_path):
    timm_folder(tmp_path, "vit_small_patch16_224", cfg)
    pre = memjax.load(str(tmp_path)).preprocessing
    assert (pre.resize, pre.crop, pre.centre, pre.origin) == (resize, crop, "even", "stated")
    assert (pre.mean, pre.std, pre.resample) == ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4), 3)


def test_the_command_lists_them(capsys):
    assert encoders.main(["--family", "timm"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("vit_base_patch14_reg4_dinov2", "deit3_small_patch16_224", *EVA))


def test_the_page_names_what_loads(tmp_path, monkeypatch):
    """docs/encoders.md: every architecture in its table is a row, and its Python runs."""
    page = (Path(__file__).resolve().parents[1] / "docs" / "encoders.md").read_text(encoding="utf-8")
    named = [
        name
        for line in page.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`([a-z0-9]+_\w+_\w+)`", line)
    ]
    named = [name for name in named if "config" not in name and "model" not in name]
    assert len(named) > 20
    assert not [name for name in named if name not in VIT and name not in EVA]
    assert f"{len(VIT) + len(EVA)} of them" in page
    timm_folder(tmp_path / "encoders" / "deit3", "deit3_small_patch16_224")
    open_clip_folder(tmp_path / "encoders" / "tower")
    monkeypatch.chdir(tmp_path)
    found: dict[str, memjax.Encoder] = {}
    exec(re.findall(r"```python\n(.*?)```", page, flags=re.S)[0], found)
    assert (found["encoder"].config.family, found["tower"].config.family) == ("timm", "open_clip")
