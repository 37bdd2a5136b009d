"""Folders that timm saves, against timm itself: every row of the table, hidden states, attention, pooled output and pixels."""

import functools
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.timm import made

pytest.importorskip("timm", reason="timm is not installed (.ci/run makes an environment with it)")

import timm
from PIL import Image
from timm.data import create_transform, resolve_data_config
from timm.models import deit, eva, save_for_hf, vision_transformer

import memjax
from memjax.models import port
from memjax.models.timm_models import read_timm
from memjax.models.timm_table import EVA, VIT
from memjax.models.torchvision_pixels import timm_pixels
from memjax.preprocessing import preprocessing_from_config
from tests.inside import relative

SMALL = {"embed_dim": 32, "depth": 3, "num_heads": 2, "img_size": 64, "patch_size": 16}
CASES = {
    "vit_small_patch16_224": {}, "deit3_small_patch16_224": {}, "deit_tiny_distilled_patch16_224": {},
    "vit_base_patch14_dinov2": {}, "vit_small_patch14_reg4_dinov2": {}, "vit_giant_patch14_dinov2": {"patch_size": 8},
    "vit_base_patch32_clip_quickgelu_224": {}, "vit_base_patch16_siglip_224": {},
    "vit_base_patch32_siglip_gap_256": {}, "vit_so150m2_patch16_reg1_gap_256": {}, "vit_so150m_patch16_reg4_map_256": {},
    "test_vit2": {}, "eva_large_patch14_196": {},
    "vit_base_patch16_224_miil": {"proj_bias": False, "mlp_ratio": 2.5}, "vit_intern300m_patch14_448": {},
    "vit_small_patch16_dinov3": {}, "vit_small_plus_patch16_dinov3_qkvb": {},
    "vit_7b_patch16_dinov3": {"swiglu_align_to": 0},
}  # fmt: skip


@pytest.fixture(autouse=True)
def unfused(monkeypatch):
    """Attention in steps, so that hooks see its probabilities."""
    before = timm.layers.use_fused_attn()
    timm.layers.set_fused_attn(False)
    yield
    timm.layers.set_fused_attn(bool(before))


def saved(name: str, folder, **args) -> torch.nn.Module:
    """A random model in ``folder``, as timm saves it."""
    model = made.randomise(timm.create_model(name, num_classes=7, **{**SMALL, **args}))
    save_for_hf(model, str(folder), safe_serialization=True)
    return model


def pixels_of(y: int, x: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(2, y, x, 3)).astype(np.float32)


def compare(encoder, model, pixels) -> None:
    theirs = made.inside(model.blocks, pixels, lambda x: model.forward_head(model.forward_features(x), pre_logits=True))
    ours = memjax.trace(encoder, pixels)
    assert relative(ours.hidden, theirs.hidden) < 1e-5
    assert relative(ours.attention, theirs.attention) < 1e-5
    if encoder.config.has_output:
        assert relative(ours.pooled, theirs.pooled) < 1e-5
    else:
        assert ours.pooled is None


@pytest.mark.parametrize("name", CASES)
def test_inside(name, tmp_path):
    model = saved(name, tmp_path, **CASES[name])
    compare(memjax.load(str(tmp_path)), model, pixels_of(64, 64))


@pytest.mark.parametrize("name", ["vit_small_patch16_224", "vit_small_patch14_reg4_dinov2"])
@pytest.mark.parametrize("side", [48, 96])
def test_positions_of_another_grid(name, side, tmp_path):
    """timm resamples them when it loads a checkpoint for images of another size; so do we for the size in its config."""
    saved(name, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_args"]["img_size"] = [side, side]
    config["pretrained_cfg"]["input_size"] = [3, side, side]
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert model.patch_embed.grid_size == (side // 16, side // 16)
    encoder = memjax.load(str(tmp_path))
    assert encoder.preprocessing.image_size == (side, side)
    compare(encoder, model, pixels_of(side, side))


def recorded() -> dict[str, dict]:
    """Every entry of the three modules, by the arguments that it gives its class; with words of our table for classes."""
    rows: dict[str, dict] = {}
    with pytest.MonkeyPatch.context() as patched:
        for module, maker in (
            (vision_transformer, "_create_vision_transformer"),
            (deit, "_create_deit"),
            (eva, "_create_eva"),
        ):

            def note(variant, pretrained=False, distilled=False, **args):
                rows[variant] = args | ({"distilled": True} if distilled else {})

            patched.setattr(module, maker, note)
            for name in timm.list_models(module=module.__name__.rpartition(".")[2]):
                getattr(module, name)()
    return {name: in_words(args) for name, args in rows.items()}


def in_words(args: dict) -> dict:
    """Classes among the arguments as the table has them, or as they are."""
    args = {"patch_size": 16, **args}
    norm = args.get("norm_layer")
    if isinstance(norm, functools.partial) and norm.func is timm.layers.LayerNorm:
        args["eps"] = args.pop("norm_layer").keywords["eps"]
    if args.get("mlp_layer") is timm.layers.SwiGLUPacked:
        args["swiglu"] = bool(args.pop("mlp_layer"))
    if args.get("act_layer") is torch.nn.SiLU:
        args["act_layer"] = "silu"
    return args


def test_every_row_says_what_timm_says():
    theirs = recorded()
    for name, row in {**VIT, **EVA}.items():
        assert theirs[name] == row, name
    for name in sorted(theirs.keys() - VIT.keys() - EVA.keys()):
        with pytest.raises(memjax.InputError, match=name):
            read_timm({"architecture": name}, "config.json")


@pytest.mark.parametrize(
    "name", ["swin_tiny_patch4_window7_224", "convnext_atto", "resnet18", "vit_pwee_patch16_reg1_gap_256"]
)
def test_others_are_refused_by_name(name, tmp_path):
    save_for_hf(timm.create_model(name, num_classes=2), str(tmp_path), safe_serialization=True)
    with pytest.raises(memjax.InputError, match=name):
        memjax.load(str(tmp_path))


@pytest.mark.parametrize(
    "cfg",
    [
        {}, {"crop_pct": 1.0}, {"crop_pct": 0.95, "interpolation": "bilinear"}, {"crop_mode": "squash"},
        {"crop_mode": "squash", "crop_pct": 1.0}, {"crop_pct": 0.7, "interpolation": "lanczos"},
        {"crop_pct": 0.5, "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]},
    ],
    ids=str,
)  # fmt: skip
def test_pixels(cfg, tmp_path):
    saved("vit_small_patch16_224", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["pretrained_cfg"] |= cfg
    (tmp_path / "config.json").write_text(json.dumps(config))
    transform = create_transform(**resolve_data_config(pretrained_cfg=config["pretrained_cfg"]))
    images = made.odd_images()
    ours = memjax.read_images(images, memjax.load(str(tmp_path)).preprocessing)
    theirs = np.stack([transform(Image.fromarray(image)).permute(1, 2, 0).numpy() for image in images])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_the_config_of_every_published_checkpoint():
    """timm's registry: each of an architecture that is a row is read, and its images are resized and cropped as timm does."""
    published = [name for name in timm.list_pretrained() if name.partition(".")[0] in VIT | EVA]
    assert len(published) == 325
    for name in published:
        cfg = timm.get_pretrained_cfg(name).to_dict()
        architecture = name.partition(".")[0]
        config, _ = read_timm({"architecture": architecture, "pretrained_cfg": cfg}, name)
        pre = preprocessing_from_config(timm_pixels(cfg, name), name)
        resize, crop, *_ = create_transform(**resolve_data_config(pretrained_cfg=cfg)).transforms
        assert pre.resize == (tuple(resize.size) if isinstance(resize.size, (list, tuple)) else resize.size), name
        assert pre.crop == tuple(crop.size), name
        assert config.position == "rotary" or min(config.grid) > 1, name


def test_tensors_of_every_row_fit():
    """Two blocks of each, made by timm without values; rows that say the same are made once."""
    rows = {json.dumps(row, sort_keys=True): name for name, row in {**VIT, **EVA}.items()}
    assert len(rows) > 60
    for name in rows.values():
        with torch.device("meta"):
            model = timm.create_model(name, depth=2, img_size=4 * int((VIT | EVA)[name]["patch_size"]))
        args = {"depth": 2, "img_size": list(model.patch_embed.img_size)}
        config, keys = read_timm({"architecture": name, "model_args": args}, name)
        port.check_fit(config, made.shapes(model), keys, name)
