"""Every family against transformers' eager PyTorch, on tiny random models of odd and unequal sizes, stage by stage."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="parity needs torch (CPU build) and transformers")
transformers = pytest.importorskip("transformers")

import jax
import jax.numpy as jnp
from safetensors.numpy import load_file, save_file

import memjax
from memjax.models.mae import mae_loss
from memjax.models.vit import pool
from tests.parity import hf

T = transformers
TINY = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
MLP = {**TINY, "intermediate_size": 36}
DINO = {**TINY, "image_size": 35, "patch_size": 7, "mlp_ratio": 3}

# name: (architecture, config, image size)
CASES = {
    "dinov2": ("Dinov2Model", T.Dinov2Config(**DINO), (35, 35)),
    "dinov2-swiglu": ("Dinov2Model", T.Dinov2Config(**DINO, use_swiglu_ffn=True), (35, 35)),
    "dinov2-interpolated": ("Dinov2Model", T.Dinov2Config(**DINO), (21, 21)),
    "dinov2-oblong": ("Dinov2Model", T.Dinov2Config(**DINO), (28, 49)),
    "dinov2-no-qkv-bias": ("Dinov2Model", T.Dinov2Config(**DINO, qkv_bias=False), (35, 35)),
    "dinov2-registers": (
        "Dinov2WithRegistersModel", T.Dinov2WithRegistersConfig(**DINO, num_register_tokens=3), (35, 35)),
    "dinov2-registers-swiglu": (
        "Dinov2WithRegistersModel",
        T.Dinov2WithRegistersConfig(**DINO, num_register_tokens=3, use_swiglu_ffn=True), (35, 35)),
    "dinov2-registers-enlarged": (
        "Dinov2WithRegistersModel", T.Dinov2WithRegistersConfig(**DINO, num_register_tokens=3), (49, 49)),
    "dinov2-registers-oblong": (
        "Dinov2WithRegistersModel", T.Dinov2WithRegistersConfig(**DINO, num_register_tokens=3), (14, 49)),
    "dinov2-ragged-edge": ("Dinov2Model", T.Dinov2Config(**DINO), (33, 44)),
    "clip": ("CLIPVisionModel", T.CLIPVisionConfig(**MLP, image_size=30, patch_size=10), (30, 30)),
    "clip-gelu": ("CLIPVisionModel", T.CLIPVisionConfig(**MLP, image_size=30, patch_size=10, hidden_act="gelu"), (30, 30)),
    "siglip": ("SiglipVisionModel", T.SiglipVisionConfig(**MLP, image_size=27, patch_size=9), (27, 27)),
    "siglip-no-head": (
        "SiglipVisionModel", T.SiglipVisionConfig(**MLP, image_size=27, patch_size=9, vision_use_head=False), (27, 27)),
    "vit": ("ViTModel", T.ViTConfig(**MLP, image_size=33, patch_size=11), (33, 33)),
    "vit-no-qkv-bias": ("ViTModel", T.ViTConfig(**MLP, image_size=33, patch_size=11, qkv_bias=False), (33, 33)),
    "deit": ("DeiTModel", T.DeiTConfig(**MLP, image_size=33, patch_size=11), (33, 33)),
    "dinov3": ("DINOv3ViTModel", T.DINOv3ViTConfig(**MLP, image_size=32, patch_size=8), (32, 32)),
    "dinov3-no-biases": (
        "DINOv3ViTModel",
        T.DINOv3ViTConfig(**MLP, image_size=32, patch_size=8, query_bias=False, value_bias=False, proj_bias=False,
                          mlp_bias=False, num_register_tokens=4, rope_theta=50.0, hidden_act="silu"), (40, 24)),
    "dinov3-gated-registers": (
        "DINOv3ViTModel",
        T.DINOv3ViTConfig(**MLP, image_size=32, patch_size=8, use_gated_mlp=True, num_register_tokens=4, key_bias=True),
        (24, 40)),
}  # fmt: skip

LEGACY = [(".q_proj", ".attention.query"), (".k_proj", ".attention.key"), (".v_proj", ".attention.value"),
          ("attention.o_proj", "attention.output.dense")]  # fmt: skip


def images(size: tuple[int, int], count: int = 2) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(count, *size, 3)).astype(np.float32)


def check(encoder, model, pixels, tolerance=1e-5, **options) -> None:
    """hidden (each layer), attention, pooled: ours against theirs."""
    theirs = hf.inside(model, pixels, **options)
    ours = memjax.trace(encoder, pixels)
    for layer in range(theirs.hidden.shape[1]):
        error = hf.relative(ours.hidden[:, layer], theirs.hidden[:, layer])
        assert error < tolerance, f"hidden {layer}: {error}"
    assert hf.relative(ours.attention, theirs.attention) < tolerance
    np.testing.assert_allclose(ours.attention.sum(axis=-1), 1.0, rtol=1e-5)
    if theirs.pooled is not None:
        assert hf.relative(ours.pooled, theirs.pooled) < tolerance


@pytest.mark.parametrize("case", CASES)
def test_tiny(case, tmp_path):
    architecture, config, size = CASES[case]
    model = hf.build(architecture, config, tmp_path)
    check(memjax.load(str(tmp_path)), model, images(size))


def test_vit_without_pooler_and_with_classifier(tmp_path):
    config = T.ViTConfig(**MLP, image_size=33, patch_size=11, num_labels=5)
    model = hf.build("ViTForImageClassification", config, tmp_path)
    encoder = memjax.load(str(tmp_path))
    assert encoder.config.pool == "cls"
    check(encoder, model.vit, images((33, 33)))


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_whole_two_tower_checkpoints(family, tmp_path):
    text = {**MLP, "vocab_size": 50, "max_position_embeddings": 12}
    name = {"clip": "CLIP", "siglip": "Siglip"}[family]
    vision = {**MLP, "image_size": 30, "patch_size": 10}
    options = {"projection_dim": 20} if family == "clip" else {}
    config = getattr(T, f"{name}Config")(text_config=text, vision_config=vision, **options)
    model = hf.build(f"{name}Model", config, tmp_path)
    encoder = memjax.load(str(tmp_path))
    pixels = images((30, 30))
    theirs = hf.inside(model, pixels)
    ours = memjax.trace(encoder, pixels)
    assert hf.relative(ours.hidden, theirs.hidden) < 1e-5
    with torch.no_grad():
        features = model.get_image_features(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    pooled = getattr(features, "pooler_output", features).numpy()
    assert hf.relative(ours.pooled, pooled) < 1e-5


@pytest.mark.parametrize("whole", [False, True])
def test_clip_projection_is_the_pooled_output(whole, tmp_path):
    """Also with the names of checkpoints that hold position_ids beside the weights."""
    config = T.CLIPVisionConfig(**MLP, image_size=30, patch_size=10, projection_dim=20)
    model = hf.build("CLIPVisionModelWithProjection", config, tmp_path)
    if whole:
        state = load_file(tmp_path / "model.safetensors")
        ids = np.arange(10, dtype=np.int64)[None]
        save_file(state | {"vision_model.embeddings.position_ids": ids}, tmp_path / "model.safetensors")
    encoder = memjax.load(str(tmp_path))
    pixels = images((30, 30))
    with torch.no_grad():
        theirs = model(torch.from_numpy(pixels).permute(0, 3, 1, 2)).image_embeds.numpy()
    assert encoder.config.pool == "projection"
    assert hf.relative(memjax.trace(encoder, pixels).pooled, theirs) < 1e-5


def test_siglip_pooling_attention(tmp_path):
    """The head's own attention, which transformers computes with torch's MultiheadAttention."""
    architecture, config, size = CASES["siglip"]
    model = hf.build(architecture, config, tmp_path)
    encoder = memjax.load(str(tmp_path))
    pixels = images(size)
    vision = getattr(model, "vision_model", model)
    with torch.no_grad():
        normed = vision(torch.from_numpy(pixels).permute(0, 3, 1, 2)).last_hidden_state
        probe = vision.head.probe.repeat(len(pixels), 1, 1)
        _, theirs = vision.head.attention(probe, normed, normed, average_attn_weights=False)
    last = memjax.trace(encoder, pixels).hidden[:, -1]
    _, ours = jax.vmap(lambda x: pool(encoder.params, x, encoder.config))(last)
    assert hf.relative(ours, theirs.numpy()) < 1e-5


@pytest.mark.parametrize("case", ["dinov2", "vit", "deit"])
def test_names_from_before_transformers_5(case, tmp_path):
    architecture, config, size = CASES[case]
    model = hf.build(architecture, config, tmp_path)
    pairs = list(LEGACY)
    if case != "dinov2":
        pairs = [*pairs, ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense"), ("layers.", "encoder.layer.")]
    hf.rename(tmp_path, pairs)
    assert any("attention.attention.query" in key for key in load_file(tmp_path / "model.safetensors"))
    check(memjax.load(str(tmp_path)), model, images(size))


def test_fused_swiglu_from_before_transformers_5(tmp_path):
    architecture, config, size = CASES["dinov2-swiglu"]
    model = hf.build(architecture, config, tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    for key in [k for k in state if "gate_proj" in k]:
        up = key.replace("gate_proj", "up_proj")
        state[key.replace("gate_proj", "weights_in")] = np.concatenate([state.pop(key), state.pop(up)])
    for key in [k for k in state if "down_proj" in k]:
        state[key.replace("down_proj", "weights_out")] = state.pop(key)
    save_file(state, tmp_path / "model.safetensors")
    check(memjax.load(str(tmp_path)), model, images(size))


def test_sharded_checkpoint(tmp_path):
    architecture, config, size = CASES["vit"]
    model = hf.build(architecture, config, tmp_path / "whole")
    model.save_pretrained(tmp_path / "sharded", max_shard_size="20KB")
    assert (tmp_path / "sharded" / "model.safetensors.index.json").is_file()
    check(memjax.load(str(tmp_path / "sharded")), model, images(size))


MAE = {**MLP, "image_size": 32, "patch_size": 8, "decoder_hidden_size": 20, "decoder_num_hidden_layers": 2,
       "decoder_num_attention_heads": 5, "decoder_intermediate_size": 28}  # fmt: skip


@pytest.mark.parametrize("norm_pix_loss", [False, True])
@pytest.mark.parametrize("mask_ratio", [0.75, 0.6])
def test_mae_loss_under_the_same_mask(norm_pix_loss, mask_ratio, tmp_path):
    config = T.ViTMAEConfig(**MAE, norm_pix_loss=norm_pix_loss, mask_ratio=mask_ratio)
    model = hf.build("ViTMAEForPreTraining", config, tmp_path)
    encoder = memjax.load(str(tmp_path))
    pixels, noise = images((32, 32), 3), np.random.default_rng(2).random((3, 16)).astype(np.float32)
    losses = jax.jit(jax.vmap(lambda x, n: mae_loss(encoder.params, x, n, encoder.config)))(
        jnp.asarray(pixels), jnp.asarray(noise)
    )
    for i in range(3):
        with torch.no_grad():
            image = torch.from_numpy(pixels[i : i + 1]).permute(0, 3, 1, 2)
            theirs = model(image, noise=torch.from_numpy(noise[i : i + 1])).loss.item()
        assert float(losses[i]) == pytest.approx(theirs, rel=1e-5)


def test_mae_encoder_unmasked(tmp_path):
    model = hf.build("ViTMAEForPreTraining", T.ViTMAEConfig(**MAE, mask_ratio=0.0), tmp_path)
    order = torch.arange(16.0)[None].repeat(2, 1)
    check(memjax.load(str(tmp_path)), model.vit, images((32, 32)), noise=order)


FULL = {
    "clip-base-32": ("CLIPVisionModelWithProjection", T.CLIPVisionConfig(), 224),
    "siglip-base-16": ("SiglipVisionModel", T.SiglipVisionConfig(), 224),
    "siglip-so400m-14-384": (
        "SiglipVisionModel",
        T.SiglipVisionConfig(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16,
                             image_size=384, patch_size=14), 384),
    "dinov2-base-14": ("Dinov2Model", T.Dinov2Config(image_size=518, patch_size=14), 224),
    "dinov2-registers-small-14": (
        "Dinov2WithRegistersModel",
        T.Dinov2WithRegistersConfig(hidden_size=384, num_attention_heads=6, image_size=518, patch_size=14), 224),
    "vit-base-16": ("ViTModel", T.ViTConfig(), 224),
    "deit-base-16": ("DeiTModel", T.DeiTConfig(), 224),
    "dinov3-small-16": ("DINOv3ViTModel", T.DINOv3ViTConfig(num_register_tokens=4), 224),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", FULL)
def test_full_size(case, tmp_path):
    architecture, config, size = FULL[case]
    model = hf.build(architecture, config, tmp_path)
    check(memjax.load(str(tmp_path)), model, images((size, size), 1), tolerance=1e-4)


@pytest.mark.slow
def test_full_size_mae_with_decoder(tmp_path):
    model = hf.build("ViTMAEForPreTraining", T.ViTMAEConfig(norm_pix_loss=True), tmp_path)
    encoder = memjax.load(str(tmp_path))
    pixels, noise = images((224, 224), 1), np.random.default_rng(2).random((1, 196)).astype(np.float32)
    ours = jax.jit(mae_loss, static_argnums=3)(encoder.params, pixels[0], noise[0], encoder.config)
    with torch.no_grad():
        theirs = model(torch.from_numpy(pixels).permute(0, 3, 1, 2), noise=torch.from_numpy(noise)).loss.item()
    assert float(ours) == pytest.approx(theirs, rel=1e-5)


def test_preset_sizes_are_those_of_the_library_defaults():
    """The table says what transformers' own default configs say, where a preset is the default."""
    rows = {row.id: row for row in memjax.encoders()}
    row = rows["openai/clip-vit-base-patch32"]
    config = T.CLIPVisionConfig()
    assert (row.width, row.depth, row.heads, row.patch, row.image) == (
        config.hidden_size, config.num_hidden_layers, config.num_attention_heads, config.patch_size, config.image_size
    )  # fmt: skip
    assert dataclasses.is_dataclass(memjax.Encoder)
