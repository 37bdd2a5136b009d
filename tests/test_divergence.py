"""Training that leaves the finite numbers ends in one line that names epoch and autoencoder, and earlier scores stay."""

import jax.numpy as jnp
import numpy as np
import pytest

from memjax import sae
from memjax.checks import InputError
from memjax.pipelines.sae_settings import SAESettings
from memjax.pipelines.saes import train_saes
from memjax.sae.divergence import DivergedError, check_finite
from memjax.sae.presets import SAEPreset, modern, paper
from memjax.store import open_features
from tests.fake_store import make_store
from tests.test_sae_training import setting


@pytest.mark.parametrize("variant", ["relu", "topk", "gated", "paper"])
@pytest.mark.parametrize("rate", [1e20, 1e30])
def test_a_fit_that_diverges_is_refused_by_epoch_and_seed(variant, rate):
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    start = paper(6) if variant == "paper" else modern(variant, 6, 40, latents=8, epochs=2, batch_size=10)
    with pytest.raises(
        DivergedError, match=r"diverged in epoch [12].*autoencoder 1 of 1, of seed 7.*learning rate"
    ) as told:
        sae.fit(x, SAEPreset(start.sae, start.fit, rate, start.sparsity), seeds=(7,))
    assert told.value.argument == "learning_rate"
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_each_kind_of_number_that_is_none_is_seen(bad):
    members = setting(members=3)[3]
    losses = np.array([0.5, bad, bad])
    with pytest.raises(
        DivergedError, match=r"epoch 4: the loss of autoencoder 2 of 3, of seed 1 and number 2 .* of 1 more"
    ):
        check_finite(losses, members, 4)
    check_finite(np.zeros((3, 5)), members, 4)


def test_scores_of_an_earlier_training_stay(tmp_path):
    store = make_store(tmp_path / "sweep")
    train_saes(store, SAESettings(epochs=1, seeds=(0,), bootstraps=20), tmp_path / "good", progress=False)
    before = open_features(store)["enc"]["sae_error"].values
    with pytest.raises(InputError, match="diverged in epoch 1"):
        train_saes(
            store,
            SAESettings(epochs=2, seeds=(0,), bootstraps=20, learning_rate=1e25),
            tmp_path / "bad",
            progress=False,
        )
    np.testing.assert_array_equal(open_features(store)["enc"]["sae_error"].values, before)
    assert np.isfinite(before[:, 2]).any()
    assert not (tmp_path / "bad" / "run.json").exists()


def test_no_checkpoint_of_a_diverged_segment_is_written(tmp_path):
    from memjax.devices import data_mesh
    from memjax.sae.checkpoint import Checkpoints, open_manager
    from memjax.sae.training import fit_members

    _, recipe, stream, members = setting("relu", epochs=2)
    members = members.replace(hyper=members.hyper.replace(learning_rate=jnp.full(3, 1e25)))
    with open_manager(tmp_path) as manager:
        with pytest.raises(DivergedError):
            fit_members(members, stream, recipe, data_mesh(), Checkpoints(manager))
        assert manager.latest_step() is None
