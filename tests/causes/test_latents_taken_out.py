"""Latents of autoencoders taken out of the stream: against streams from which they were subtracted by hand."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import memjax
from memjax.causes import CausesSettings, measure_latents
from memjax.causes.latent_measuring import editable
from memjax.causes.table import latent_effects_table
from memjax.checks import InputError
from memjax.cli import causes
from memjax.edits import EditLatent
from memjax.sae.origin import SAEOrigin
from memjax.sae.trained import TrainedSAE
from tests.causes.made import IMAGES, score_of_streams
from tests.page_words import words


@pytest.fixture(scope="module")
def pixels(dataset: memjax.Dataset) -> jnp.ndarray:
    encoder = memjax.load("memjax/tiny")
    return jnp.asarray(memjax.read_images([dataset.records[i].data for i in range(IMAGES)], encoder.preprocessing))


@pytest.fixture(scope="module")
def hidden(pixels: jnp.ndarray) -> np.ndarray:
    """Streams ``[image, layer, token, width]``."""
    return np.asarray(memjax.trace(memjax.load("memjax/tiny"), pixels).hidden)


def fitted(hidden: np.ndarray, token: str, layer: int) -> TrainedSAE:
    """A small autoencoder of a layer's vectors."""
    prefix = memjax.load("memjax/tiny").config.layout.prefix
    vectors = hidden[:, layer, :1] if token == "cls" else hidden[:, layer, prefix:]
    vectors = vectors.reshape(-1, hidden.shape[-1])
    vectors = np.concatenate([vectors, vectors * 1.1, vectors * 0.9])
    how = memjax.sae.modern("topk", width=vectors.shape[1], rows=len(vectors), latents=12, epochs=2, batch_size=6)
    one = memjax.sae.fit(vectors, how).saes[0]
    return one.replace(layer=layer, encoder="memjax/tiny", origin=SAEOrigin(token=token))


@pytest.mark.parametrize(("token", "layer"), [("cls", 3), ("patches", 0), ("patches", 5)])
def test_a_latent_is_taken_out_of_the_tokens_that_are_read(predictor, dataset, pixels, hidden, token, layer):
    scored, sae = predictor.scored()[0], fitted(hidden, token, layer)
    found = measure_latents(scored, sae, dataset, CausesSettings(latents=3))
    encoder, prefix = scored.encoder, scored.encoder.config.layout.prefix
    read = slice(0, 1) if token == "cls" else slice(prefix, None)
    rows = np.asarray(sae.params.w_dec) * np.asarray(sae.standardiser.std)
    values = np.stack([np.asarray(sae.encode(x[layer, read])) for x in hidden])
    sizes = values.max(axis=1).mean(axis=0) * np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(found.sizes, np.sort(sizes)[::-1][:3], rtol=1e-4)
    place, block = ("before", 1) if layer == 0 else ("after", layer)
    moved = 0.0
    for k, latent in enumerate(found.latents):
        np.testing.assert_allclose(sizes[latent], found.sizes[k], rtol=1e-4)
        assert found.fires[:, k].tolist() == (values[:, :, latent].max(axis=1) > 0).tolist()
        for i in range(IMAGES):
            stream = hidden[i, layer].copy()
            stream[read] -= values[i, :, latent, None] * rows[latent]
            edit = memjax.edits.patch(place, block, jnp.asarray(stream))
            scores = [score_of_streams(predictor, encoder, pixels[i], one) for one in (None, edit)]
            np.testing.assert_allclose(found.effects[i, k], scores[1] - scores[0], atol=3e-5)
            moved = max(moved, abs(scores[1] - scores[0]))
    assert moved > 1e-3


def test_an_image_without_the_latent_keeps_its_score(predictor, dataset, hidden):
    found = measure_latents(predictor.scored()[0], fitted(hidden, "cls", 3), dataset, CausesSettings(latents=12))
    silent = found.effects[~found.fires]
    assert len(silent)
    np.testing.assert_allclose(silent, 0.0, atol=1e-6)
    table = latent_effects_table([found], found.score)
    np.testing.assert_allclose(table["rate"], found.fires.mean(axis=0))
    np.testing.assert_allclose(table["effect"], found.effects.mean(axis=0))
    assert (table["size"].diff().dropna() <= 0).all(), "the largest first"


@pytest.mark.parametrize("kind", ["layer_norm", "constant_norm_rescale"])
def test_a_latent_is_edited_in_the_scale_of_its_vector(hidden, kind):
    """Of autoencoders that take each vector's own scale off: as decoding changed latents does."""
    sae = fitted(hidden, "cls", 2).replace(normalisation=kind)
    stream = jnp.asarray(hidden[0, 2])
    latents = sae.encode(stream)
    latent = int(np.argmax(np.asarray(latents)[0]))
    wanted = sae.decode(latents.at[:, latent].set(0.0), stream) - sae.decode(latents, stream)
    edited = EditLatent(sae, latent, times=0.0)(jnp.int32(2), "after", stream)
    np.testing.assert_allclose(edited - stream, wanted, atol=2e-5)
    assert float(jnp.abs(wanted).max()) > 1e-3


def test_autoencoders_that_cannot_be_edited_are_one_line(predictor, hidden):
    sae, scored = fitted(hidden, "cls", 3), predictor.scored()
    assert editable([sae], scored)[0][1] is sae
    with pytest.raises(InputError, match="its vectors: expected cls or patches, got mean"):
        editable([sae.replace(origin=SAEOrigin(token="mean"))], scored)
    with pytest.raises(InputError, match="its encoder: expected one of memjax/tiny, got other"):
        editable([sae.replace(encoder="other")], scored)
    with pytest.raises(InputError, match=r"weights of its encoder: expected .*, got 000000000000"):
        editable([sae.replace(origin=SAEOrigin(token="cls", encoder_sha256="0" * 64))], scored)
    with pytest.raises(InputError, match="layer 9, seed 0: expected a layer up to 5"):
        editable([sae.replace(layer=9)], scored)
    with pytest.raises(InputError, match="nowhere: expected a folder"):
        memjax.measure_causes(predictor, [b""], settings=CausesSettings(saes=(Path("nowhere"),)), progress=False)


def test_a_run_has_them_in_a_table_and_on_the_page(tmp_path, predictor, hidden, undrawn, capsys):
    predictor.save(tmp_path / "predictor")
    one = fitted(hidden, "cls", 3)
    for layer in (2, 3):
        memjax.sae.save(one.replace(layer=layer), tmp_path / "saes" / f"layer_{layer}")
    given = ["--predictor", str(tmp_path / "predictor"), "--dataset", "demo", "--limit", "5", "--ablation", "zero"]
    given += ["--saes", str(tmp_path / "saes"), "--latents", "2"]
    assert causes.main([*given, "--out", str(tmp_path / "out")]) == 0
    table = pd.read_csv(tmp_path / "out" / "latent_effects.csv")
    assert table[["layer", "token", "n"]].drop_duplicates().to_numpy().tolist() == [[2, "cls", 5], [3, "cls", 5]]
    assert len(table) == 4
    assert "Latents taken out" in words(tmp_path / "out" / "report.html")
    assert "latents without which the images' order changes most" in capsys.readouterr().out
