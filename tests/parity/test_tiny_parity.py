"""The packaged encoder loads in transformers, under its current key names, with the same numbers and the same loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import memjax
from memjax.datasets.demo import stimuli
from memjax.models import hub, mae

FOLDER = str(hub.locate(hub.TINY).folder)


@pytest.fixture(scope="module")
def theirs():
    model, info = transformers.ViTMAEForPreTraining.from_pretrained(
        FOLDER, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    return model.eval()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return (stimuli(3, seed=71).astype(np.float32) / 127.5 - 1.0).astype(np.float32)


def test_hidden_states_and_attention(theirs, pixels):
    """Nothing masked: transformers shuffles the patches by the noise, so increasing noise keeps them in order."""
    encoder = memjax.load(hub.TINY)
    ours = memjax.trace(encoder, jnp.asarray(pixels))
    theirs.vit.config.mask_ratio = 0.0
    try:
        with torch.no_grad():
            out = theirs.vit(
                torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()),
                noise=torch.arange(64.0).repeat(3, 1),
                output_hidden_states=True,
                output_attentions=True,
            )
    finally:
        theirs.vit.config.mask_ratio = encoder.config.decoder.mask_ratio
    for i, attention in enumerate(out.attentions):
        np.testing.assert_allclose(ours.attention[:, i], attention.numpy(), rtol=1e-4, atol=1e-6)
    for i in range(encoder.config.depth):  # what follows the last block is normed there
        expected = out.hidden_states[i].numpy()
        np.testing.assert_allclose(ours.hidden[:, i], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_loss_under_one_mask(theirs, pixels):
    encoder = memjax.load(hub.TINY)
    noise = np.random.default_rng(4).permuted(np.tile(np.arange(64, dtype=np.float32), (3, 1)), axis=1)
    each = jax.vmap(lambda x, n: mae.mae_loss(encoder.params, x, n, encoder.config))
    ours = each(jnp.asarray(pixels), jnp.asarray(noise)).mean()
    with torch.no_grad():
        loss = theirs(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()), noise=torch.from_numpy(noise)).loss
    assert float(ours) == pytest.approx(float(loss), rel=1e-4)
