"""Banded ridge regression against sklearn's, and against one penalty; a readout of two encoders with a penalty each."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from memjax.report.encoder_pairs import pair_sentences
from memjax.report.representations import representation_sentences
from memjax.stats.banded import MOST_BANDS, Banded, banded, penalties_near, weights_to_try
from memjax.stats.encoder_pairs import PENALTIES_COMPARED, encoder_pairs
from memjax.stats.left_out import from_products
from memjax.stats.out_of_fold import PENALTIES, of_vectors
from memjax.stats.repeats import ReadoutSettings, Study
from memjax.stats.representations import ALL_LAYERS, BANDED, EVERY, read_representations
from memjax.stats.ridge import PENALTIES as FINE
from memjax.stats.table import stack
from tests.test_representations import made

QUICK = ReadoutSettings(folds=4, repeats=2, permutations=49, shuffles=0)


def problem(n: int, widths: tuple[int, ...], rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """Bands of columns, of which the first alone has to do with the scores."""
    bands = [rng.normal(size=(n, width)) / np.sqrt(width) for width in widths]
    return bands, 3 * bands[0] @ rng.normal(size=widths[0]) + rng.normal(size=n)


def read(bands: list[np.ndarray], scores: list[np.ndarray], partitions: list[np.ndarray]) -> Banded:
    products = [x @ x.T for x in bands]
    known = [from_products(one, scores, partitions) for one in (np.sum(products, axis=0), *products)]
    return banded(products, scores, partitions, known)


def ridge_errors(
    x: np.ndarray, y: np.ndarray, folds: np.ndarray, outer: int, penalties: tuple[float, ...]
) -> np.ndarray:
    """Of each penalty, by sklearn: the sum of squares over the folds but one, each left out by turns."""
    errors, count = np.zeros(len(penalties)), int(folds.max()) + 1
    for held in set(range(count)) - {outer}:
        rest, here = (folds != outer) & (folds != held), folds == held
        for place, penalty in enumerate(penalties):
            model = Ridge(alpha=penalty * len(y) * (count - 2) / count).fit(x[rest], y[rest])
            errors[place] += ((model.predict(x[here]) - y[here]) ** 2).sum()
    return errors


@pytest.mark.parametrize(("n", "widths"), [(60, (6, 9)), (80, (120, 4)), (64, (5, 7, 3))])
def test_a_band_s_penalty_is_a_scale_of_its_columns(n: int, widths: tuple[int, ...], rng: np.random.Generator) -> None:
    bands, y = problem(n, widths, rng)
    folds = rng.permutation(np.arange(n) % 4)
    found = read(bands, [y[:, None]], [folds])
    near = penalties_near([x @ x.T for x in bands])
    for f in range(4):
        errors = []
        for place, own in enumerate(found.weights):
            x = np.concatenate([np.sqrt(w) * band for w, band in zip(own, bands, strict=True)], axis=1)
            penalties = FINE if place <= len(bands) else near
            errors.append(ridge_errors(x, y, folds, f, penalties))
        best = int(np.argmin([one.min() for one in errors]))
        assert found.found[0].chosen[f, 0] == best
        assert found.found[0].error[f, 0] == pytest.approx(errors[best].min())
        penalty = (FINE if best <= len(bands) else near)[int(errors[best].argmin())]
        assert found.penalties[0][f, 0] == penalty
        each = [penalty / w if w else np.inf for w in found.weights[best]]
        scaled = np.concatenate([x / np.sqrt(p) for x, p in zip(bands, each, strict=True)], axis=1)
        rest = folds != f
        model = Ridge(alpha=n * 3 / 4).fit(scaled[rest], y[rest])
        wanted = model.predict(scaled[~rest]) - y[rest].mean()
        np.testing.assert_allclose(found.found[0].predicted[~rest, 0], wanted, atol=1e-8)


def test_where_all_penalties_are_equal_it_is_the_ridge_regression_with_one(rng: np.random.Generator) -> None:
    bands, y = problem(70, (8, 8), rng)
    partitions = [rng.permutation(np.arange(70) % 5) for _ in range(2)]
    products, scores = [x @ x.T for x in bands], [y[:, None]] * 2
    one = from_products(products[0] + products[1], scores, partitions)
    alone = [from_products(k, scores, partitions) for k in products]
    preferred = [dataclasses.replace(own, error=np.zeros_like(own.error)) for own in one]
    for own, single in zip(banded(products, scores, partitions, [preferred, *alone]).found, one, strict=True):
        assert not own.chosen.any()
        np.testing.assert_array_equal(own.predicted, single.predicted)
    chosen = banded(products, scores, partitions, [one, *alone])
    for own, single, folds in zip(chosen.found, one, partitions, strict=True):
        assert (own.error <= single.error).all(), "what is chosen does at least as well over the inner folds"
        equal = own.chosen[folds, 0] == 0
        np.testing.assert_array_equal(own.predicted[equal], single.predicted[equal])
    assert any((one.chosen > 0).any() for one in chosen.found)


def test_a_band_of_noise_gets_little_weight(rng: np.random.Generator) -> None:
    bands, y = problem(150, (10, 40), rng)
    partitions = [rng.permutation(np.arange(150) % 5) for _ in range(2)]
    found = read(bands, [y[:, None]] * 2, partitions)
    assert found.shares()[0] > 0.85
    assert found.shares().sum() == pytest.approx(1)
    single = from_products(sum(x @ x.T for x in bands), [y[:, None]], partitions[:1])[0]
    errors = [((one.predicted[:, 0] - (y - y.mean())) ** 2).mean() for one in (found.found[0], single)]
    assert errors[0] < 0.9 * errors[1]


def test_permutations_choose_for_themselves(rng: np.random.Generator) -> None:
    bands, y = problem(60, (5, 6), rng)
    folds = rng.permutation(np.arange(60) % 3)
    other = bands[1] @ rng.normal(size=6)
    both = read(bands, [np.column_stack([y, other])], [folds]).found[0]
    for place, scores in enumerate((y, other)):
        alone = read(bands, [scores[:, None]], [folds]).found[0]
        np.testing.assert_array_equal(both.chosen[:, place], alone.chosen[:, 0])
        np.testing.assert_allclose(both.predicted[:, place], alone.predicted[:, 0], atol=1e-10)
    assert (both.chosen[:, 0] != both.chosen[:, 1]).all()


@pytest.mark.parametrize("bands", range(2, MOST_BANDS + 1))
def test_weights_are_settled_beforehand(bands: int) -> None:
    weights = weights_to_try(bands)
    assert (weights[0] == 1).all()
    np.testing.assert_array_equal(weights[1 : bands + 1], np.eye(bands))
    np.testing.assert_allclose(weights[bands + 1 :].mean(axis=1), 1)
    assert len(np.unique(weights.round(9), axis=0)) == len(weights)


def test_two_encoders_with_a_penalty_each_beside_one_penalty() -> None:
    vectors, y = made()
    vectors["two"] = {token: np.random.default_rng(3).normal(size=x.shape) for token, x in vectors["two"].items()}
    study = Study(y, np.arange(len(y)), None)
    plain = read_representations(vectors, study, QUICK)
    found = read_representations(vectors, study, QUICK, penalties=True)
    banded_rows = found.table["token"] == BANDED
    (last,) = found.table[banded_rows].to_dict("records")
    assert (last["model"], last["layer"]) == (EVERY, ALL_LAYERS)
    others = found.table[~banded_rows].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, plain.table, check_exact=True)
    np.testing.assert_array_equal(found.predicted, plain.predicted)
    assert last["columns"] == plain.table.iloc[-1]["columns"]
    assert found.shares is not None
    assert found.shares["one"] > 0.6
    assert last["p"] <= 0.02
    readouts = of_vectors(found)
    assert [one.reads for one in readouts].count(PENALTIES) == 1
    columns = stack({model: {"a": tokens["cls"][:, 1:3, 0]} for model, tokens in vectors.items()})
    rho = np.full(columns.values.shape[1], 0.1)
    before = encoder_pairs(columns, y, rho, of_vectors(plain))
    pairs = encoder_pairs(columns, y, rho, readouts)
    pd.testing.assert_frame_equal(pairs.iloc[:-1], before, check_exact=True, check_dtype=False)
    row = pairs.iloc[-1]
    assert row["compared"] == PENALTIES_COMPARED
    assert row["p_holm"] == row["p"]
    assert row["difference"] == pytest.approx(last["rho"] - plain.table.iloc[-1]["rho"])
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert "a penalty for each encoder" in pair_sentences(pairs)[-1]
    assert "all layers, a penalty for each encoder" in representation_sentences(found.table, None)[-2]


def test_one_encoder_and_very_many_have_no_such_row() -> None:
    vectors, y = made()
    study = Study(y, np.arange(len(y)), None)
    small = {f"m{place}": {"cls": vectors["two"]["cls"][:, :1]} for place in range(MOST_BANDS + 1)}
    for given in ({"one": vectors["one"]}, small):
        found = read_representations(given, study, QUICK, penalties=True)
        assert found.shares is None
        assert BANDED not in set(found.table["token"])
