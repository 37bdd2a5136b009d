"""SAELens encodes with memjax's folders, and memjax with SAELens': the same latents and reconstructions, each architecture."""

import json
from pathlib import Path

import numpy as np
import pytest

sae_lens = pytest.importorskip("sae_lens", reason="sae-lens is not installed (.ci/run makes an environment with it)")

import torch
from sae_lens import SAE, TrainingSAE

from memjax import sae
from memjax.checks import InputError
from memjax.sae.saelens import CFG, OWN
from memjax.sae.trained import TrainedSAE
from memjax.sae.variants import VARIANTS
from tests.saes_made import OUT, TRANSCODED, D, F, leaves_close, made_sae, made_transcoder, vectors

LATENTS, RECONS = 2e-5, 1e-4
"""Largest differences allowed: in SAELens the standardiser is part of the weights, so float32 rounds otherwise."""


def both(theirs: SAE, ours: TrainedSAE, x: np.ndarray) -> tuple[float, float]:
    """Largest differences of latents and of reconstructions, and that there is something to compare."""
    with torch.no_grad():
        given = torch.from_numpy(x)
        latents, recons = theirs.encode(given).numpy(), theirs(given).numpy()
    found = np.asarray(ours.encode(x))
    assert 0 < (found > 0).mean() < 1
    np.testing.assert_array_equal(found > 0, latents > 0)
    return float(np.abs(found - latents).max()), float(np.abs(np.asarray(ours.reconstruct(x)) - recons).max())


@pytest.mark.parametrize("variant", VARIANTS)
def test_saelens_encodes_with_our_file(variant: str, tmp_path: Path) -> None:
    one = made_sae(variant)
    folder = sae.save(one, tmp_path / "ours")
    theirs = SAE.load_from_disk(folder)
    assert theirs.cfg.metadata.model_name == "someone/encoder"
    x = vectors(one, 200)
    latents, recons = both(theirs, one, x)
    print(f"{variant}, ours in SAELens: latents {latents:.1e}, reconstructions {recons:.1e}")
    assert latents < LATENTS
    assert recons < RECONS
    theirs.save_model(tmp_path / "theirs")  # SAELens writes what it read, and memjax reads that
    again = sae.load(tmp_path / "theirs")
    np.testing.assert_allclose(again.encode(x), one.encode(x), atol=LATENTS)
    assert again.origin.trained_as == variant


def test_saelens_does_not_disturb_what_it_reads(tmp_path: Path) -> None:
    one = made_sae("gated")
    SAE.load_from_disk(sae.save(one, tmp_path))
    leaves_close(sae.load(tmp_path), one, rtol=1e-6)


def theirs_of(architecture: str, **changes: object) -> SAE:
    """An autoencoder of SAELens with random weights, made through its own configuration."""
    cfg = {"architecture": architecture, "d_in": D, "d_sae": F, "dtype": "float32", "device": "cpu", **changes}
    found = SAE.from_dict(cfg)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, values in found.named_parameters():
            drawn = torch.randn(values.shape, generator=generator)
            values.copy_(drawn.abs() * 0.5 if name == "threshold" else drawn * 0.7)
        if architecture == "matching_pursuit":  # longer rows take more off than there is, and grow without end
            found.W_dec /= found.W_dec.norm(dim=1, keepdim=True)
    return found


PLAIN_PURSUIT = {"max_iterations": 3, "residual_threshold": 0.0, "stop_on_duplicate_support": False}
CASES = {
    "standard": {},
    "standard without pre-bias": {"apply_b_dec_to_input": False},
    "standard, layer norm": {"normalize_activations": "layer_norm"},
    "standard, constant norm": {"normalize_activations": "constant_norm_rescale"},
    "topk": {"k": 3},
    "topk, scaled by the decoder": {"k": 3, "rescale_acts_by_decoder_norm": True},
    "jumprelu": {},
    "jumprelu, layer norm": {"normalize_activations": "layer_norm"},
    "gated": {},
    "gated without pre-bias": {"apply_b_dec_to_input": False},
    "matching_pursuit": {},
    "matching_pursuit, three steps": PLAIN_PURSUIT,
    "matching_pursuit, more steps than latents": PLAIN_PURSUIT | {"max_iterations": F + 7, "residual_threshold": 0.4},
    "matching_pursuit, until a latent comes again": {"residual_threshold": 0.0},
    "matching_pursuit without pre-bias": {"apply_b_dec_to_input": False},
    "matching_pursuit, layer norm": {"normalize_activations": "layer_norm"},
}


@pytest.mark.parametrize("case", CASES)
def test_we_encode_with_a_file_of_saelens(case: str, tmp_path: Path) -> None:
    theirs = theirs_of(case.split()[0].strip(","), **CASES[case])
    theirs.save_model(tmp_path)
    ours = sae.load(tmp_path)
    x = np.random.default_rng(0).normal(1, 2, (200, D)).astype(np.float32)
    latents, recons = both(theirs, ours, x)
    print(f"{case}, SAELens' here: latents {latents:.1e}, reconstructions {recons:.1e}")
    assert latents < LATENTS
    assert recons < RECONS
    written = sae.save(ours, tmp_path / "again")  # and back
    assert both(SAE.load_from_disk(written), ours, x)[0] < LATENTS


@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka_batchtopk"])
def test_batchtopk_as_saelens_saves_it_after_training(architecture: str, tmp_path: Path) -> None:
    widths = {"matryoshka_widths": [4, F]} if architecture.startswith("matryoshka") else {}
    training = TrainingSAE.from_dict(
        {"architecture": architecture, "d_in": D, "d_sae": F, "k": 3, "dtype": "float32", "device": "cpu", **widths}
    )
    with torch.no_grad():
        training.W_enc.copy_(torch.randn(D, F, generator=torch.Generator().manual_seed(2)))
        training.W_dec.copy_(torch.randn(F, D, generator=torch.Generator().manual_seed(3)))
        training.topk_threshold.fill_(0.6)
    training.save_inference_model(tmp_path / "inference")
    ours, theirs = sae.load(tmp_path / "inference"), SAE.load_from_disk(tmp_path / "inference")
    latents, recons = both(theirs, ours, np.random.default_rng(1).normal(size=(200, D)).astype(np.float32))
    print(f"{architecture}, SAELens' here: latents {latents:.1e}, reconstructions {recons:.1e}")
    assert latents < LATENTS
    assert recons < RECONS
    assert ours.config.variant == "jumprelu"
    assert ours.origin.trained_as == architecture
    training.save_model(tmp_path / "training")
    with pytest.raises(InputError, match="save it with SAELens' save_inference_model"):
        sae.load(tmp_path / "training")


def test_the_record_says_whose_file_it_was(tmp_path: Path) -> None:
    theirs_of("standard").save_model(tmp_path)
    assert sae.load(tmp_path).origin.format == f"SAELens {sae_lens.__version__}"


@pytest.mark.parametrize("variant", TRANSCODED)
def test_saelens_transcodes_with_our_file(variant: str, tmp_path: Path) -> None:
    one = made_transcoder(variant)
    folder = sae.save(one, tmp_path / "ours")
    if one.config.saelens in OWN:
        with pytest.raises(KeyError, match=one.config.saelens):
            SAE.load_from_disk(folder)
        return
    theirs = SAE.load_from_disk(folder)
    assert (theirs.cfg.d_out, theirs.cfg.metadata.hook_name_out) == (OUT, "blocks.4.hook_mlp_out")
    x = vectors(one, 200)
    latents, recons = both(theirs, one, x)
    print(f"{variant}, our transcoder in SAELens: latents {latents:.1e}, outputs {recons:.1e}")
    assert latents < LATENTS
    assert recons < RECONS
    theirs.save_model(tmp_path / "theirs")
    again = sae.load(tmp_path / "theirs")
    np.testing.assert_allclose(again.encode(x), one.encode(x), atol=LATENTS)
    np.testing.assert_allclose(again.reconstruct(x), one.reconstruct(x), atol=RECONS)
    assert (again.origin.trained_as, again.origin.target_place) == (variant, "blocks.4.hook_mlp_out")


@pytest.mark.parametrize("scaled", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("architecture", ["transcoder", "jumprelu_transcoder"])
def test_we_transcode_with_a_file_of_saelens(architecture: str, scaled: str, tmp_path: Path) -> None:
    theirs = theirs_of(architecture, d_out=OUT, apply_b_dec_to_input=False, normalize_activations=scaled)
    theirs.cfg.metadata.hook_name, theirs.cfg.metadata.hook_name_out = "blocks.3.ln2.hook_normalized", "mlp"
    theirs.save_model(tmp_path)
    ours = sae.load(tmp_path)
    assert (ours.config.target_width, ours.layer, ours.origin.target_place) == (OUT, 4, "mlp")
    latents, recons = both(theirs, ours, np.random.default_rng(0).normal(1, 2, (200, D)).astype(np.float32))
    print(f"{architecture}, {scaled}, SAELens' here: latents {latents:.1e}, outputs {recons:.1e}")
    assert latents < LATENTS
    assert recons < RECONS
    written = sae.save(ours, tmp_path / "again")  # and back
    assert (
        both(SAE.load_from_disk(written), ours, np.random.default_rng(1).normal(size=(9, D)).astype(np.float32))[0]
        < LATENTS
    )


@pytest.mark.parametrize("architecture", ["skip_transcoder", "jumprelu_skip_transcoder"])
def test_a_skip_transcoder_is_refused_by_name(architecture: str, tmp_path: Path) -> None:
    theirs_of(architecture, d_out=OUT, apply_b_dec_to_input=False).save_model(tmp_path)
    with pytest.raises(InputError, match=f"architecture: expected one of standard, .*, got '{architecture}'"):
        sae.load(tmp_path)


@pytest.mark.parametrize("architecture", ["temporal", "abstopk"])
def test_architectures_that_encode_otherwise_are_refused_by_name(architecture: str, tmp_path: Path) -> None:
    theirs_of("standard").save_model(tmp_path)
    cfg = json.loads((tmp_path / CFG).read_text()) | {"architecture": architecture}
    (tmp_path / CFG).write_text(json.dumps(cfg))
    with pytest.raises(
        InputError, match=f"expected one of standard, topk, jumprelu, gated, matching_pursuit, .* got '{architecture}'"
    ):
        sae.load(tmp_path)
