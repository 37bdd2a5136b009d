"""`memjax.sae.fit`: one array in one call, the same numbers as the parts put together by hand; the public names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax import sae
from memjax.checks import InputError
from memjax.sae.folds import k_folds

N, D = 36, 6


@pytest.fixture
def x(rng):
    return rng.normal(2, 3, size=(N, D)).astype(np.float32)


def small(**changes) -> sae.SAEPreset:
    return sae.modern("topk", D, N, latents=12, epochs=3, batch_size=6, **changes)


def test_each_row_is_scored_by_an_autoencoder_that_did_not_see_it(x):
    fitted = sae.fit(x, small(), seeds=(0, 5), folds=3)
    assert fitted.errors.shape == (2, N)
    assert fitted.explained_variance.shape == fitted.dead_fraction.shape == (2, 3)
    np.testing.assert_array_equal(fitted.fold, k_folds(N, 3))
    by_place = {(one.seed, one.fold): one for one in fitted.saes}
    for e, seed in enumerate((0, 5)):
        for i in range(N):
            one = by_place[seed, int(fitted.fold[i])]
            row = sae.standardise(one.standardiser, jnp.asarray(x[i : i + 1]))
            alone = sae.score_images(one.params, one.state, row, one.config)
            np.testing.assert_allclose(fitted.errors[e, i], alone.error[0], rtol=1e-4)
            np.testing.assert_array_equal(fitted.scores.l0[e, i], alone.l0[0])


def test_a_row_changes_nothing_about_the_autoencoder_that_leaves_it_out(x):
    changed = x.copy()
    first = sae.fit(x, small(), folds=2)
    changed[np.flatnonzero(first.fold == 1)] += 100
    second = sae.fit(changed, small(), folds=2)
    for ours, theirs in zip(*(jax.tree.leaves(found.saes[1].params) for found in (first, second)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(first.saes[0].params.w_dec, second.saes[0].params.w_dec)


def test_without_folds_all_rows_are_trained_on(x):
    fitted = sae.fit(x, "paper", seeds=(3,))
    (one,) = fitted.saes
    assert (one.fold, one.seed, one.config.variant) == (None, 3, "paper")
    np.testing.assert_allclose(one.standardiser.mean, x.mean(0), rtol=1e-5)
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(one.params))
    assert sae.fit(x, "jumprelu").preset.sae.dead_after == 2 * N, "the variant's start for so many rows"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"preset": "vae"}, "vae"),
        ({"folds": N + 1}, "folds"),
        ({"x": np.zeros((4, 2), np.float64)}, "float32"),
        ({"x": np.full((N, D), np.nan, np.float32)}, "NaN"),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, given, named):
    with pytest.raises(InputError, match=named):
        sae.fit(**{"x": x, **given})


@pytest.mark.parametrize("package", ["sae", "baselines"])
def test_every_public_name_exists(package):
    module = __import__(f"memjax.{package}", fromlist=["_NAMES"])
    for name in module.__all__:
        found = getattr(module, name)
        assert getattr(found, "__module__", module._NAMES[name]) == module._NAMES[name], name


def test_every_variant_says_what_it_is():
    for name, row in sae.VARIANTS.items():
        assert row.title, name
        assert "20" in row.reference, name
        assert row.nested <= row.shares_budget <= row.budgeted, name


def test_every_epoch_is_told_and_changes_no_number(x, capsys):
    told = []
    fitted = sae.fit(x, small(), progress=lambda *seen: told.append(seen))
    assert told == [("autoencoders", done, 3) for done in (1, 2, 3)]
    assert capsys.readouterr().out == ""
    quiet = sae.fit(x, small(), progress=False)
    assert capsys.readouterr().out == ""
    shown = sae.fit(x, small())
    assert "3/3" in capsys.readouterr().out
    for other in (quiet, shown):
        np.testing.assert_array_equal(fitted.errors, other.errors)
