"""config.json of timm's and open_clip_config.json, every value replaced by what nobody expects: one line, or a description."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

import memjax
from memjax.models.folders import describe
from tests.foreign_folders import open_clip_folder, timm_folder

NUMBERS = [0, -1, 1, 7, 10**12, 0.5, 1e308, float("nan"), float("inf")]
VALUES = [*NUMBERS, None, True, False, "", "x\ny", "24", [], [1], [1, 2], [3, 8, 8], [[[]]], {}, {"a": {"b": 1}}]


def paths(value: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Of every value in an object, those inside objects too."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*before, name)
            yield from paths(inner, (*before, name))


def replaced(config: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    name, *rest = path
    return {**config, name: replaced(config[name], tuple(rest), value) if rest else value}


@pytest.mark.parametrize("kind", ["vit", "dinov3", "open_clip", "tower"])
def test_one_line_or_a_description(kind, tmp_path):
    if kind in ("vit", "dinov3"):
        full = {"no_embed_class": True, "qkv_bias": True, "act_layer": "gelu", "fc_norm": False, "pre_norm": False}
        eva = {"rope_temperature": 100.0, "use_fc_norm": False, "swiglu_mlp": True, "swiglu_align_to": 8}
        timm_folder(tmp_path, "vit_small_patch16_dinov3" if kind == "dinov3" else "vit_small_patch16_224",
                    **(eva if kind == "dinov3" else full), init_values=0.1, global_pool="avg", class_token=True)  # fmt: skip
    else:
        tower = {"timm_model_name": "vit_base_patch16_siglip_224", "timm_proj": "none", "timm_pool": "map"}
        preprocess = {
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
            "interpolation": "bicubic",
            "resize_mode": "squash",
            "mode": "RGB",
        }
        open_clip_folder(tmp_path, preprocess, ls_init_value=0.1, pool_type="tok", norm_kwargs={"eps": 1e-6},
                         act_kwargs={"approximate": "tanh"})  # fmt: skip
    file = tmp_path / ("config.json" if kind in ("vit", "dinov3") else "open_clip_config.json")
    config = json.loads(file.read_text())
    if kind == "tower":
        config["model_cfg"]["vision_cfg"] |= tower
    refused = []
    for path in paths(config):
        for value in VALUES:
            file.write_text(json.dumps(replaced(config, path, value)))
            try:
                describe(tmp_path)
            except memjax.InputError as error:
                refused.append(str(error))
    assert len(refused) > 200
    assert not [line for line in refused if "\n" in line or str(file) not in line]
