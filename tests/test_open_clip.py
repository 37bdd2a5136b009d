"""Visual towers of OpenCLIP's folders: architecture, tensors, pixels, and what is refused; and which of two files is read."""

import json
from fnmatch import fnmatch

import huggingface_hub
import jax
import numpy as np
import pytest

import memjax
from memjax.models import port
from memjax.models.port import Keys
from tests import tiny_families
from tests.foreign_folders import open_clip_folder
from tests.test_timm import refusal

CASES = [
    ({}, {"activation": "gelu", "eps": 1e-5, "pool": "projection", "pool_width": 20, "pre_norm": True, "patch_bias": False}),
    ({"quick_gelu": True}, {"activation": "quick_gelu"}),
    ({"act_kwargs": {"approximate": "tanh"}, "norm_kwargs": {"eps": 1e-6}}, {"activation": "gelu_tanh", "eps": 1e-6}),
    ({"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True, "pos_embed_type": "sin_cos_2d"},
     {"pre_norm": False, "pooled_from": "patches", "norm_last": True}),
    ({"ls_init_value": 0.1, "image_size": [32, 48], "mlp_ratio": 3.5},
     {"layer_scale": True, "image": (32, 48), "mlp_width": 84}),
]  # fmt: skip


@pytest.mark.parametrize(("vision", "fields"), CASES, ids=range(len(CASES)))
def test_architecture_and_tensors(vision, fields, tmp_path):
    made = open_clip_folder(tmp_path, {"resize_mode": "squash"}, **vision)
    encoder = memjax.load(str(tmp_path))
    assert {field: getattr(encoder.config, field) for field in fields} == fields
    assert encoder.config.family == "open_clip"
    wanted = port.fill(encoder.config, made, Keys((), (), ()), "made")
    for ours, kept in zip(jax.tree.leaves(encoder.params), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(ours, kept)


@pytest.mark.parametrize(
    ("given", "resize", "crop"),
    [
        ({}, 32, (32, 32)),
        ({"resize_mode": "squash", "interpolation": "bilinear"}, (32, 32), None),
        ({"size": 224}, 32, (32, 32)),
    ],
)
def test_sizes_of_pixels(given, resize, crop, tmp_path):
    open_clip_folder(tmp_path, given)
    pre = memjax.load(str(tmp_path)).preprocessing
    assert (pre.resize, pre.crop, pre.resample) == (resize, crop, 2 if "interpolation" in given else 3)
    assert pre.mean == (0.48145466, 0.4578275, 0.40821073)


def configured(folder, change, preprocess):
    open_clip_folder(folder)
    config = json.loads((folder / "open_clip_config.json").read_text())
    model = config["model_cfg"]
    for name, value in change.items():
        (model if name in ("embed_dim", "quick_gelu", "vision_cfg") else model["vision_cfg"])[name] = value
    (folder / "open_clip_config.json").write_text(json.dumps({**config, "preprocess_cfg": preprocess}))


REFUSED = [
    ({"vision_cfg": 3}, {}, "vision_cfg: expected an object"),
    ({"layers": [3, 4, 6, 3]}, {}, "a ResNet of OpenCLIP's"),
    ({"attentional_pool": True}, {}, "attentional_pool=True"),
    ({"scale_fc": True, "qk_norm": True}, {}, "qk_norm=True, scale_fc=True"),
    ({"magic": 1}, {}, "magic=1"),
    ({"pool_type": "none"}, {}, "pool_type: expected one of tok, avg"),
    ({"head_width": 13}, {}, "not a multiple of head_width"),
    ({"embed_dim": None}, {}, "embed_dim: expected a whole number"),
    ({"quick_gelu": 1}, {}, "quick_gelu: expected true or false"),
    ({"act_kwargs": {"inplace": True}}, {}, "act_kwargs: expected an object with approximate"),
    ({"norm_kwargs": {"eps": "x"}}, {}, "norm_kwargs, eps"),
    ({"timm_model_name": "convnext_base", "timm_proj": "none"}, {}, "convnext_base"),
    ({"timm_model_name": "swin_base_patch4_window7_224", "timm_proj": "linear"}, {}, "swin_base_patch4_window7_224"),
    ({"timm_model_name": "vit_base_patch16_224", "timm_proj": "linear"}, {}, "timm_proj"),
    ({"image_size": [32, 48]}, {}, "a square where resize_mode is shortest"),
    ({}, {"resize_mode": "longest"}, "resize_mode: expected one of shortest, squash, got 'longest'"),
    ({}, {"interpolation": "random"}, "interpolation"),
    ({}, {"mode": "L"}, "mode: expected one of RGB"),
    ({}, [1], "preprocess_cfg: expected an object"),
]


@pytest.mark.parametrize(("change", "preprocess", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused(change, preprocess, words, tmp_path):
    configured(tmp_path, change, preprocess)
    assert words in refusal(tmp_path)


def test_which_file_is_read(tmp_path):
    """config.json with its weights, else OpenCLIP's two, whatever config.json says."""
    open_clip_folder(tmp_path)
    tiny_families.put(tmp_path, "config.json", tiny_families.config_of("vit"))
    assert memjax.load(str(tmp_path)).config.family == "open_clip"
    tiny_families.write(tmp_path / "vit", "vit")
    (tmp_path / "vit" / "model.safetensors").rename(tmp_path / "model.safetensors")
    assert memjax.load(str(tmp_path)).config.family == "vit"


def test_only_a_pickled_checkpoint(tmp_path):
    open_clip_folder(tmp_path)
    (tmp_path / "open_clip_model.safetensors").rename(tmp_path / "open_clip_pytorch_model.bin")
    line = refusal(tmp_path)
    assert "expected open_clip_model.safetensors" in line
    assert "pickled, which can run code" in line


def test_from_the_hub_its_weights_are_fetched_where_there_are_no_others(tmp_path, monkeypatch):
    asked = []

    def download(hub_id, revision=None, allow_patterns=()):
        asked.append((hub_id, revision, tuple(allow_patterns)))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    folder = tmp_path / "0123456789"
    open_clip_folder(folder)
    encoder = memjax.load("owner/tower@main")
    assert [call[:2] for call in asked] == [("owner/tower", "main"), ("owner/tower", "0123456789")]
    assert asked[1][2] == ("open_clip_model*.safetensors*",)
    assert not any(fnmatch("open_clip_model.safetensors", pattern) for pattern in asked[0][2])
    assert encoder.revision == "0123456789"
