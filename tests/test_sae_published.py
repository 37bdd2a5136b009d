"""Published vision autoencoders in the layouts that Prisma and saev document: made here, without torch."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from memjax import sae
from memjax.checks import InputError
from memjax.sae.layouts import Tensors, assembled_sae
from memjax.sae.saev import plan_of_saev

D, F = 6, 18

PRISMA = {
    "model_class_name": "HookedViT", "model_name": "wkcn/TinyCLIP-ViT-40M-32-Text-19M-LAION400M", "vit_model_cfg": None,
    "model_path": None, "hook_point_layer": 9, "layer_subtype": "hook_resid_post", "hook_point_head_index": None,
    "context_size": 50, "use_cached_activations": False, "use_patches_only": False, "cached_activations_path": "activations",
    "d_in": D, "activation_fn_str": "relu", "activation_fn_kwargs": {}, "cls_token_only": False, "max_grad_norm": 1.0,
    "initialization_method": "encoder_transpose_decoder", "normalize_activations": "layer_norm", "n_batches_in_buffer": 20,
    "store_batch_size": 32, "num_workers": 16, "num_epochs": 5, "total_training_images": 13000000,
    "total_training_tokens": 650000000, "image_size": 224, "device": {"__type__": "torch.device", "value": "cuda:0"},
    "seed": 42, "dtype": {"__type__": "torch.dtype", "value": "torch.float32"}, "architecture": "standard", "verbose": False,
    "b_dec_init_method": "geometric_median", "expansion_factor": 3, "from_pretrained_path": None, "d_sae": F,
    "l1_coefficient": 0.0002, "lp_norm": 1, "lr": 0.001, "lr_scheduler_name": "cosineannealingwarmup",
    "lr_warm_up_steps": 500, "train_batch_size": 4096, "is_transcoder": False, "transcoder_with_skip_connection": False,
    "out_hook_point_layer": 9, "layer_out_subtype": "hook_mlp_out", "d_out": 768, "dataset_name": "imagenet1k",
    "dataset_path": "data", "dataset_train_path": "data/train", "dataset_val_path": "data/val", "use_ghost_grads": True,
    "feature_sampling_window": 1000, "dead_feature_window": 5000, "dead_feature_threshold": 1e-08, "log_to_wandb": True,
    "wandb_project": "vanilla", "wandb_entity": None, "wandb_log_frequency": 10, "n_validation_runs": 100,
    "n_checkpoints": 10, "checkpoint_path": "models/sae",
}  # fmt: skip
"""A config.json of Prisma: every field of its VisionModelSAERunnerConfig."""


def drawn(rng: np.random.Generator, **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def standard(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return drawn(rng, W_enc=(D, F), b_enc=(F,), W_dec=(F, D), b_dec=(D,))


def gated(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return standard(rng) | drawn(rng, b_gate=(F,), r_mag=(F,), b_mag=(F,))


def prisma_folder(folder: Path, tensors: Mapping[str, np.ndarray], **changes: object) -> Path:
    (folder / "config.json").write_text(json.dumps(PRISMA | changes))
    save_file(dict(tensors), folder / "weights.safetensors")
    return folder


def by_layer_norm(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, std = x.mean(1, keepdims=True), x.std(1, keepdims=True, ddof=1)
    return (x - mean) / (std + 1e-5), mean, std


def test_a_standard_one_of_prisma(rng: np.random.Generator, tmp_path: Path) -> None:
    t, x = standard(rng), rng.normal(2, 3, (20, D)).astype(np.float32)
    found = sae.load(prisma_folder(tmp_path, t))
    scaled, mean, std = by_layer_norm(x)
    latents = np.maximum((scaled - t["b_dec"]) @ t["W_enc"] + t["b_enc"], 0)
    np.testing.assert_allclose(found.encode(x), latents, atol=1e-5)
    np.testing.assert_allclose(found.reconstruct(x), (latents @ t["W_dec"] + t["b_dec"]) * std + mean, atol=1e-4)
    assert (found.layer, found.encoder, found.origin.dataset) == (10, PRISMA["model_name"], "imagenet1k")
    assert (found.origin.format, found.origin.place) == ("Prisma", "blocks.9.hook_resid_post")
    again = sae.load(sae.save(found, tmp_path / "again"))
    np.testing.assert_array_equal(again.encode(x), found.encode(x))
    assert again.origin == found.origin


def test_a_gated_and_a_topk_one_of_prisma(rng: np.random.Generator, tmp_path: Path) -> None:
    t, x = gated(rng), rng.normal(size=(20, D)).astype(np.float32)
    given = {"architecture": "gated", "normalize_activations": "none", "cls_token_only": True, "hook_point_layer": [3]}
    found = sae.load(prisma_folder(tmp_path, t, **given))
    into = x - t["b_dec"]
    magnitude = np.maximum(into @ (t["W_enc"] * np.exp(t["r_mag"])) + t["b_mag"], 0)
    np.testing.assert_allclose(found.encode(x), magnitude * (into @ t["W_enc"] + t["b_gate"] > 0), rtol=1e-4, atol=1e-4)
    assert (found.layer, found.origin.token) == (4, "cls")
    (tmp_path / "topk").mkdir()
    k = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 4}, "normalize_activations": None}
    found = sae.load(prisma_folder(tmp_path / "topk", standard(rng), **k, layer_subtype="hook_resid_pre"))
    assert (np.asarray(found.encode(x)) > 0).sum(1).max() <= 4
    assert found.layer == 9


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"use_magic": 1, "b": 2}, "config.json: unknown fields b, use_magic; they may change the autoencoder"),
        ({"activation_fn_str": "tanh-relu"}, "activation_fn_str: expected one of relu, topk, got 'tanh-relu'"),
        ({"architecture": "jumprelu"}, "architecture: expected one of standard, vanilla, gated, got 'jumprelu'"),
        ({"architecture": "gated"}, "no b_gate, b_mag, r_mag; expected W_enc"),
        ({"architecture": "gated", "activation_fn_str": "topk"}, "expected relu in a gated autoencoder, got topk"),
        ({"activation_fn_str": "topk"}, "activation_fn_kwargs, k: expected a whole number"),
        (
            {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 99}},
            "config.json, SAE k: expected between 1 and the 18",
        ),
        ({"is_transcoder": True}, "is_transcoder: expected false, got true; only autoencoders are read"),
        ({"d_sae": None}, "d_sae: expected a whole number"),
        ({"d_sae": 2**50}, "d_sae: expected a whole number from 1 to 2097152"),
        ({"d_in": D + 1}, r"tensor W_enc: expected the shape \[7, 18\], got \[6, 18\]"),
        ({"hook_point_layer": [1, 2]}, "hook_point_layer: expected a whole number"),
        ({"normalize_activations": "whiten"}, "normalize_activations: expected one of none"),
        ({"cls_token_only": "no"}, "cls_token_only: expected true or false"),
    ],
)
def test_what_is_not_known_of_prisma_is_refused_by_name(
    changes: dict[str, object], match: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=match) as caught:
        sae.load(prisma_folder(tmp_path, standard(rng), **changes))
    assert "\n" not in str(caught.value)


def test_folders_that_only_look_like_prismas(rng: np.random.Generator, tmp_path: Path) -> None:
    folder = prisma_folder(tmp_path, standard(rng))
    save_file(standard(rng), folder / "other.safetensors")
    with pytest.raises(InputError, match="expected one safetensors file, got 2 of them"):
        sae.load(folder)
    for file in folder.glob("*.safetensors"):
        file.unlink()
    with pytest.raises(InputError, match="expected one safetensors file, got 0 of them"):
        sae.load(folder)
    (folder / "weights.pt").write_bytes(b"torch's")
    with pytest.raises(
        InputError, match=r"got weights\.pt; convert it: memjax\.sae\.convert_torch\('.*weights\.pt', NEW"
    ):
        sae.load(folder)
    (folder / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(InputError, match=r"expected cfg.json and sae_weights.safetensors, or Prisma's config.json"):
        sae.load(folder)


BATCHTOPK = {
    "cls": "BatchTopK",
    "params": {
        "key": "batch-top-k",
        "top_k": 4,
        "sparsity": {"cls": "NoSparsity", "params": {}},
        "momentum": 0.1,
        "aux": {},
    },
}
CFG4 = {"d_model": D, "d_sae": F, "reinit_blend": 0.8, "reinit_enc_dec_tranpose": True, "remove_parallel_grads": True,
        "normalize_w_dec": True, "activation": {"cls": "Relu", "params": {}}}  # fmt: skip
BEFORE = {
    "d_vit": D,
    "exp_factor": 3,
    "n_reinit_samples": 0,
    "remove_parallel_grads": True,
    "normalize_w_dec": True,
    "seed": 1,
}
SAEV: dict[str, tuple[dict[str, object], str, bool]] = {
    "before schemas": (BEFORE | {"sparsity_coeff": 4e-4, "ghost_grads": False}, "relu", True),
    "schema 2": (
        {"schema": 2, "cfg": BEFORE | {"activation": CFG4["activation"]}, "commit": "a", "lib": "0.1"},
        "relu",
        False,
    ),
    "schema 4": ({"schema": 4, "cfg": CFG4}, "relu", False),
    "topk": ({"schema": 5, "cfg": CFG4 | {"activation": {"cls": "TopK", "params": {"top_k": 4}}}}, "topk", False),
    "batchtopk": ({"schema": 5, "cfg": CFG4 | {"activation": BATCHTOPK}}, "batchtopk", False),
}
"""First lines of files of saev: the variant that each is, and whether the decoder's bias is subtracted first."""


def from_saev(
    header: Mapping[str, object], t: Mapping[str, np.ndarray], pre_bias: bool | None = None
) -> sae.TrainedSAE:
    """As `memjax.sae.convert_torch` reads a file, its tensors given."""
    tensors = Tensors("sae.pt", {name: array.shape for name, array in t.items()}, lambda name: t[name])
    return assembled_sae(plan_of_saev(header, frozenset(t), "sae.pt", pre_bias), tensors)


@pytest.mark.parametrize("name", SAEV)
def test_a_file_of_saev(name: str, rng: np.random.Generator, tmp_path: Path) -> None:
    header, variant, subtracted = SAEV[name]
    t, x = standard(rng), rng.normal(size=(20, D)).astype(np.float32)
    t |= {"activation.threshold": np.float32(0.7)} if variant == "batchtopk" else {}
    found = from_saev(header, t)
    pre = (x - t["b_dec"] * subtracted) @ t["W_enc"] + t["b_enc"]
    least = {"relu": 0.0, "batchtopk": 0.7, "topk": np.maximum(np.sort(pre, axis=1)[:, -5:-4], 0)}[variant]
    latents = np.where(pre > least, pre, 0)
    np.testing.assert_allclose(found.encode(x), latents, atol=1e-5)
    np.testing.assert_allclose(found.reconstruct(x), latents @ t["W_dec"] + t["b_dec"], atol=1e-4)
    assert found.config.variant == variant
    again = sae.load(sae.save(found, tmp_path))
    np.testing.assert_allclose(again.encode(x), found.encode(x), atol=1e-6)


def test_schema_1_does_not_say_all(rng: np.random.Generator) -> None:
    header, t = {"schema": 1, "cls": "Relu", "cfg": BEFORE}, standard(rng)
    with pytest.raises(
        InputError, match="schema 1 does not say whether the decoder's bias is subtracted first; say it"
    ):
        from_saev(header, t)
    assert from_saev(header, t, pre_bias=True).config.pre_bias
    assert not from_saev({**header, "cls": "SparseAutoencoderConfig", "cfg": CFG4}, t, pre_bias=False).config.pre_bias
    topk = from_saev({"schema": 1, "cls": "TopK", "cfg": BEFORE | {"top_k": 5}}, t, pre_bias=False)
    assert (topk.config.variant, topk.config.k) == ("topk", 5)
    with pytest.raises(InputError, match=r"pre_bias: expected False or none, as the schema of sae.pt says, got True"):
        from_saev({"schema": 4, "cfg": CFG4}, t, pre_bias=True)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda h: h | {"schema": 6}, "schema: expected one of 1, 2, 3, 4, 5, or none, got 6"),
        (lambda h: h | {"schema": [5]}, "schema: expected one of"),
        (lambda h: h | {"cfg": None}, "cfg: expected an object, got None"),
        (lambda h: h | {"cfg": CFG4 | {"use_magic": 1}}, "unknown fields use_magic"),
        (lambda h: h | {"cfg": CFG4 | {"activation": {"cls": "AbsBatchTopK", "params": {}}}}, "got 'AbsBatchTopK'"),
        (lambda h: h | {"cfg": CFG4 | {"activation": {"cls": "TopK", "params": {}}}}, "top_k: expected a whole number"),
        (
            lambda h: h | {"cfg": CFG4 | {"activation": {"cls": "TopK", "params": {"b": 1}}}},
            "activation: unknown fields b",
        ),
        (lambda h: h | {"cfg": CFG4 | {"activation": BATCHTOPK}}, "BatchTopK without the tensor activation.threshold"),
        (
            lambda h: h | {"cfg": {k: v for k, v in CFG4.items() if k != "activation"}},
            "activation: expected one of Relu",
        ),
        (lambda h: h | {"cfg": {k: v for k, v in CFG4.items() if k != "d_sae"}}, "expected d_sae or exp_factor"),
        (lambda h: h | {"cfg": CFG4 | {"d_model": "6"}}, "d_model: expected a whole number"),
        (lambda h: h | {"cfg": CFG4 | {"d_sae": 2**40}}, "d_sae: expected a whole number from 1 to 2097152"),
        (lambda h: h | {"cfg": CFG4 | {"d_sae": F + 1}}, r"tensor W_enc: expected the shape \[6, 19\], got \[6, 18\]"),
    ],
)
def test_what_is_not_known_of_saev_is_refused_by_name(change: Callable, match: str, rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match=match) as caught:
        from_saev(change({"schema": 5, "cfg": CFG4}), standard(rng))
    assert "\n" not in str(caught.value)
