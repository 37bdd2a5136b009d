"""Visual towers that OpenCLIP makes, in the layout of its hub folders, against OpenCLIP itself: inside, output, pixels."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.timm import made

pytest.importorskip("open_clip", reason="OpenCLIP is not installed (.ci/run makes an environment with it)")

import open_clip
from open_clip.transform import image_transform
from PIL import Image
from safetensors.torch import save_file

import memjax
from memjax.models import port
from memjax.models.open_clip_models import read_open_clip
from tests.inside import relative

TEXT = {"context_length": 8, "vocab_size": 40, "width": 16, "heads": 2, "layers": 1}
TOWER = {"image_size": 64, "layers": 3, "width": 32, "patch_size": 16, "head_width": 16}
TIMM = {"image_size": 160, "timm_model_name": "test_vit3", "timm_pool": "map", "timm_proj": "none"}
CASES = {
    "laion": {"vision_cfg": TOWER},
    "quick": {"vision_cfg": TOWER, "quick_gelu": True},
    "clipa": {"vision_cfg": {**TOWER, "no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True,
                             "pos_embed_type": "sin_cos_2d", "norm_kwargs": {"eps": 1e-6},
                             "act_kwargs": {"approximate": "tanh"}}},
    "scaled": {"vision_cfg": {**TOWER, "ls_init_value": 0.1, "mlp_ratio": 3.5, "image_size": [64, 48]}},
    "timm": {"vision_cfg": TIMM, "embed_dim": 96},
}  # fmt: skip


def saved(case: str, folder, preprocess: dict | None = None) -> torch.nn.Module:
    """A random model of both towers, its weights and its config in ``folder``."""
    config = {"embed_dim": 20, "text_cfg": TEXT, **CASES[case]}
    kind = open_clip.model.CustomTextCLIP if case == "timm" else open_clip.CLIP
    model = made.randomise(kind(**json.loads(json.dumps(config))))
    save_file({name: x.contiguous() for name, x in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    written = {"model_cfg": config, "preprocess_cfg": preprocess or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(written))
    return model


def attention_of(model: torch.nn.Module, hidden: np.ndarray) -> np.ndarray:
    """Probabilities of torch's own attention modules for what enters each block."""
    weights = []
    with torch.no_grad():
        for i, block in enumerate(model.visual.transformer.resblocks):
            x = block.ln_1(torch.from_numpy(hidden[:, i]))
            weights.append(block.attn(x, x, x, need_weights=True, average_attn_weights=False)[1])
    return torch.stack(weights, 1).numpy()


@pytest.mark.parametrize("case", CASES)
def test_inside(case, tmp_path):
    model = saved(case, tmp_path, {"resize_mode": "squash"})
    encoder = memjax.load(str(tmp_path))
    y, x = encoder.preprocessing.image_size
    pixels = np.random.default_rng(3).normal(size=(2, y, x, 3)).astype(np.float32)
    blocks = model.visual.trunk.blocks if case == "timm" else model.visual.transformer.resblocks
    theirs = made.inside(blocks, pixels, model.encode_image)
    ours = memjax.trace(encoder, pixels)
    assert relative(ours.hidden, theirs.hidden) < 1e-5
    assert relative(ours.pooled, theirs.pooled) < 1e-5
    if case != "timm":
        assert relative(ours.attention, attention_of(model, theirs.hidden)) < 1e-5


@pytest.mark.parametrize(
    "given",
    [{}, {"resize_mode": "squash"}, {"interpolation": "bilinear", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}],
    ids=str,
)
def test_pixels(given, tmp_path):
    saved("laion", tmp_path, given)
    transform = image_transform(64, is_train=False, **given)
    images = made.odd_images()
    ours = memjax.read_images(images, memjax.load(str(tmp_path)).preprocessing)
    theirs = np.stack([transform(Image.fromarray(image)).permute(1, 2, 0).numpy() for image in images])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_towers_that_openclip_knows_by_name():
    """Of 144 configs of its own 82 are read, and their tensors fit; the others are refused in one line."""
    read, refused = [], []
    for name in open_clip.list_models():
        model = open_clip.get_model_config(name)
        try:
            config, keys = read_open_clip({"model_cfg": model}, name)
        except memjax.InputError as error:
            refused.append(str(error))
            continue
        read.append(name)
        if config.family == "open_clip":
            vision = {**model["vision_cfg"], "layers": 2}
            with torch.device("meta"):
                tower = open_clip.model._build_vision_tower(model["embed_dim"], vision, model.get("quick_gelu", False))
            held = {f"visual.{key}": x for key, x in made.shapes(tower).items()}
            port.check_fit(dataclasses.replace(config, depth=2), held, keys, name)
    assert (len(read), len(refused)) == (82, 62)
    assert not [line for line in refused if "\n" in line]
