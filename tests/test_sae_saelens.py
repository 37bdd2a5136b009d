"""Folders in SAELens' layout, made here without SAELens: read, and what is not known refused by name."""

import json
from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from memjax import sae
from memjax.checks import InputError
from memjax.sae.saelens import CFG, WEIGHTS, tensors_of
from tests.saes_made import D, F, made_sae, vectors

PLAIN = {
    "architecture": "standard", "d_in": D, "d_sae": F, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": True,
    "normalize_activations": "none", "reshape_activations": "none",
    "metadata": {"sae_lens_version": "6.54.0", "model_name": "clip-b-32", "hook_name": "blocks.9.hook_resid_pre"},
}  # fmt: skip
"""A cfg.json as SAELens writes it."""
OLD = {
    "architecture": "standard", "d_in": D, "d_sae": F, "dtype": "torch.float32", "device": "cuda", "model_name": "gpt2",
    "hook_name": "blocks.9.hook_resid_pre", "hook_layer": 9, "activation_fn_str": "relu", "normalize_activations": False,
    "context_size": 128, "prepend_bos": True, "finetuning_scaling_factor": False, "apply_b_dec_to_input": True,
}  # fmt: skip
"""One from before version 6."""


def saelens_folder(folder: Path, cfg: Mapping[str, object], variant: str = "relu", **tensors: np.ndarray) -> Path:
    """A folder in SAELens' layout, made without memjax's writer."""
    one = made_sae(variant)
    folder.mkdir(exist_ok=True)
    save_file(tensors_of(one.params, one.state, one.config) | tensors, folder / WEIGHTS)
    (folder / CFG).write_text(json.dumps(cfg))
    return folder


@pytest.mark.parametrize(("cfg", "layer"), [(PLAIN, 9), (OLD, 9), (PLAIN | {"metadata": {}}, 0)])
def test_a_folder_of_saelens_is_read(cfg: dict[str, object], layer: int, tmp_path: Path) -> None:
    one, x = made_sae("relu"), vectors(made_sae("relu"))
    found = sae.load(saelens_folder(tmp_path, cfg))
    assert (found.config.variant, found.layer, found.config.pre_bias) == ("relu", layer, True)
    raw = sae.reconstruct(one.params, jnp.asarray(x), one.state, one.config)
    np.testing.assert_allclose(found.encode(x), raw.latents, atol=1e-6)
    np.testing.assert_allclose(found.reconstruct(x), raw.recons, atol=1e-5)


def test_latents_scaled_by_the_decoders_rows(tmp_path: Path) -> None:
    one = made_sae("topk")
    cfg = PLAIN | {"architecture": "topk", "k": 3, "rescale_acts_by_decoder_norm": True}
    found = sae.load(saelens_folder(tmp_path, cfg, "topk"))
    x = vectors(one)
    norms = np.linalg.norm(one.params.w_dec, axis=1)
    pre = ((x - one.params.b_dec) @ one.params.w_enc + one.params.b_enc) * norms
    latents = np.where(pre >= np.sort(pre, axis=1)[:, -3:-2], np.maximum(pre, 0), 0)
    np.testing.assert_allclose(found.encode(x), latents, atol=1e-4)
    np.testing.assert_allclose(found.reconstruct(x), (latents / norms) @ one.params.w_dec + one.params.b_dec, atol=1e-3)


def test_thresholds_of_zero_and_below(tmp_path: Path) -> None:
    thresholds = np.linspace(-1, 1, F).astype(np.float32)
    cfg = PLAIN | {"architecture": "jumprelu"}
    one = made_sae("jumprelu")
    found = sae.load(saelens_folder(tmp_path, cfg, "jumprelu", threshold=thresholds))
    x = vectors(one)
    pre = (x - one.params.b_dec) @ one.params.w_enc + one.params.b_enc
    np.testing.assert_allclose(found.encode(x), np.maximum(pre, 0) * (pre > thresholds), atol=1e-4)
    again = sae.load(sae.save(found, tmp_path / "again"))
    np.testing.assert_array_equal(again.encode(x), found.encode(x))


@pytest.mark.parametrize(
    ("cfg", "match"),
    [
        ({"use_magic": 1}, "unknown fields use_magic; they may change the autoencoder"),
        (
            {"architecture": "temporal"},
            "architecture: expected one of standard, topk, jumprelu, gated, matching_pursuit, transcoder, .* got 'temporal'",
        ),
        ({"architecture": "batchtopk"}, "that is a training checkpoint; save it with SAELens' save_inference_model"),
        ({"architecture": "topk"}, "k: expected a whole number from 1 to 2097152, got None"),
        ({"architecture": "topk", "k": 14}, "cfg.json, SAE k: expected between 1 and the 13 latents, got 14"),
        ({"architecture": "jumprelu"}, "no threshold; expected W_enc"),
        ({"architecture": "gated"}, "no b_gate, b_mag, r_mag; not known: b_enc; expected"),
        ({"normalize_activations": "expected_average_only_in"}, "fold it into the weights with SAELens"),
        ({"normalize_activations": True}, "fold it into the weights with SAELens"),
        ({"normalize_activations": "whiten"}, "normalize_activations: expected one of none, layer_norm"),
        ({"d_in": "7"}, "d_in: expected a whole number from 1 to 131072, got '7'"),
        ({"d_in": 8}, r"tensor W_enc: expected the shape \[8, 13\], got \[7, 13\]"),
        ({"d_sae": True}, "d_sae: expected a whole number"),
        ({"dtype": "int8"}, "dtype: expected one of float32"),
        ({"apply_b_dec_to_input": "yes"}, "apply_b_dec_to_input: expected true or false"),
        ({"activation_fn_str": "tanh-relu"}, "activation_fn: expected relu or topk, got 'tanh-relu'"),
        ({"activation_fn_str": "topk", "activation_fn_kwargs": {}}, "k: expected a whole number"),
        ({"finetuning_scaling_factor": True}, "finetuning_scaling_factor: expected false, got true"),
        ({"d_sae": None}, "d_sae: expected a whole number"),
        ({"architecture": "matching_pursuit"}, "not known: W_enc, b_enc; expected W_dec, b_dec"),
        ({"architecture": "matching_pursuit", "max_iterations": 0}, "max_iterations: expected a whole number"),
        ({"architecture": "matching_pursuit", "residual_threshold": -1}, "residual_threshold: expected a number"),
        ({"architecture": "matching_pursuit", "stop_on_duplicate_support": 2}, "support: expected true or false"),
    ],
)
def test_what_is_not_known_of_saelens_is_refused_by_name(cfg: dict[str, object], match: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=match) as caught:
        sae.load(saelens_folder(tmp_path, PLAIN | cfg))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tensors", "match"),
    [
        ({"scaling_factor": np.ones(F, np.float32)}, "not known: scaling_factor"),
        ({"b_enc": np.full(F, np.nan, np.float32)}, "tensor b_enc: expected finite numbers"),
        ({"b_enc": np.ones(F, np.int32)}, r"tensor b_enc: expected finite numbers, got others \(int32\)"),
        ({"b_enc": np.ones((F, 1), np.float32)}, r"tensor b_enc: expected the shape \[13\], got \[13, 1\]"),
        ({"a\nb" * 90: np.ones(1, np.float32)}, r"not known: a\\nba"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name(
    tensors: dict[str, np.ndarray], match: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=match) as caught:
        sae.load(saelens_folder(tmp_path, PLAIN, **tensors))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_floats_are_read_as_float32(dtype: str, tmp_path: Path) -> None:
    folder = saelens_folder(tmp_path, PLAIN | {"dtype": dtype})
    state = load_file(folder / WEIGHTS)
    save_file({name: array.astype(dtype) for name, array in state.items()}, folder / WEIGHTS)
    found = sae.load(folder)
    assert found.params.w_enc.dtype == np.float32
    np.testing.assert_allclose(found.params.w_enc, state["W_enc"], atol=1e-3)
