"""p of a handful of images: against every order tried one by one, and its size under the null."""

import itertools

import numpy as np
import pytest
import scipy.stats

from memjax.report.headline import caveats, headline
from memjax.report.labels import Context
from memjax.stats.correlation import coefficients, correlate
from memjax.stats.exact import MOST_IMAGES, exact_p, of_few_images
from memjax.stats.table import correlation_table, stack

REFERENCE = {"spearman": scipy.stats.spearmanr, "pearson": scipy.stats.pearsonr, "kendall": scipy.stats.kendalltau}


@pytest.mark.parametrize("method", REFERENCE)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [3, 5, 6])
def test_it_is_the_share_of_all_orders(method, ties, n):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 4)), rng.normal(size=n)
    if ties:
        x[1], y[1] = x[0], y[0]
    for column, p in zip(x.T, exact_p(x, y, method), strict=True):
        every = [abs(REFERENCE[method](column, y[list(order)])[0]) for order in itertools.permutations(range(n))]
        observed = abs(REFERENCE[method](column, y)[0])
        assert p == pytest.approx(np.mean([rho >= observed - 1e-9 for rho in every]))


def test_kendall_without_ties_is_scipys_exact_p():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 1)), rng.normal(size=8)
    assert exact_p(x, y, "kendall")[0] == pytest.approx(scipy.stats.kendalltau(x[:, 0], y, method="exact").pvalue)


@pytest.mark.parametrize("n", [4, 6, 8])
def test_under_the_null_it_is_below_alpha_at_most_alpha_often_and_students_is_not(n):
    rng = np.random.default_rng(1)
    y = np.arange(n, dtype=float)
    x = rng.normal(size=(n, 4000))
    students = coefficients(x, y, "spearman")[1]
    p = exact_p(x, y)
    for alpha in (0.01, 0.05, 0.1):
        assert (p <= alpha).mean() <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / 4000)
    assert (students <= 0.05).mean() > (0.055 if n < 8 else 0.05)


def test_columns_with_more_images_keep_their_p():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(MOST_IMAGES + 1, 2)), rng.normal(size=MOST_IMAGES + 1)
    x[:3, 1] = np.nan
    plain = correlate(x, y, n_boot=0)
    exact = of_few_images(plain, x, y)
    assert exact.p[0] == plain.p[0]
    assert exact.p[1] != plain.p[1]


def test_a_perfect_order_of_few_images_is_no_finding_and_has_no_interval():
    scores = np.array([0.2, 0.4, 0.5, 0.7, 0.8])
    table = correlation_table(stack({"m": {"a": scores[:, None], "b": -scores[:, None]}}), scores)
    assert table["p"].tolist() == pytest.approx([2 / 120, 2 / 120])
    assert table["ci_low"].isna().all()
    assert "strongest single correlate" not in headline(table, Context())
    notes = " ".join(caveats(table, synthetic=False))
    assert "5 images are too few" in notes
    assert "120 orders" in notes
    assert "no interval" in notes
