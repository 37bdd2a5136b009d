"""`memjax.stats` `dependent`, `partial`, and `memjax.metrics.lowlevel`: published examples, regression, plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm

from memjax.checks import InputError
from memjax.metrics.lowlevel import colourfulness, contrast, edge_density, lowlevel
from memjax.stats.dependent import meng, williams
from memjax.stats.partial import one_hot, partial_correlation, within_category


def test_williams_published_example() -> None:
    """Steiger 1980, case A, as documented for psych::r.test(103, .4, .5, .1): t = -.89, p = .37."""
    found = williams(0.4, 0.5, 0.1, 103)
    assert found.statistic == pytest.approx(-0.89, abs=0.005)
    assert found.p == pytest.approx(0.37, abs=0.005)
    swapped = williams(0.5, 0.4, 0.1, 103)
    assert swapped.statistic == pytest.approx(-found.statistic)


def test_meng_published_example() -> None:
    """Meng, Rosenthal & Rubin 1992, p. 173: r 0.63 and -0.03, -0.19 between them, n 15: Z = 1.68."""
    found = meng(0.63, -0.03, -0.19, 15)
    assert found.statistic == pytest.approx(1.68, abs=0.005)
    assert found.ci_low < 0 < found.ci_high


def test_dependent_tests_keep_their_size(rng: np.random.Generator) -> None:
    rejected = np.zeros(2)
    for _ in range(400):
        y, common = rng.normal(size=(2, 60))
        a, b = (0.6 * y + 0.5 * common + 0.6 * rng.normal(size=60) for _ in range(2))
        r = np.corrcoef([a, b, y])
        rejected += [test(r[0, 2], r[1, 2], r[0, 1], 60).p < 0.05 for test in (williams, meng)]
    assert ((rejected > 4) & (rejected < 40)).all()


@pytest.mark.parametrize("bad", [(1.0, 0.2, 0.1, 50), (0.9, -0.9, 0.9, 50), (0.1, 0.1, 0.1, 3)])
def test_impossible_correlations(bad: tuple) -> None:
    for test in (williams, meng):
        with pytest.raises(InputError, match="dependent correlations"):
            test(*bad)


def test_partial_correlation_is_the_t_of_a_regression(rng: np.random.Generator) -> None:
    controls = np.column_stack([one_hot(rng.choice(list("abc"), 80)), rng.normal(size=80)])
    y = controls @ [1.0, -1.0, 0.5] + rng.normal(size=80)
    x = controls @ [0.5, 1.0, 0.5] + 0.5 * y + rng.normal(size=80)
    found = partial_correlation(x[:, None], y, np.column_stack([controls, 2 * controls[:, 0] + 3]), "pearson")
    fit = sm.OLS(y, sm.add_constant(np.column_stack([x, controls]))).fit()
    assert found.rho[0] == pytest.approx(fit.tvalues[1] / np.sqrt(fit.tvalues[1] ** 2 + fit.df_resid))
    assert found.p[0] == pytest.approx(fit.pvalues[1])
    assert found.ci_low[0] < found.rho[0] < found.ci_high[0]


def test_semi_partial_and_spearman_are_residual_correlations(rng: np.random.Generator) -> None:
    c, x, y = rng.normal(size=(3, 50))
    x, y = x + c, y + c
    residual = x - np.polyval(np.polyfit(c, x, 1), c)
    semi = partial_correlation(x[:, None], y, c[:, None], "pearson", semi=True)
    assert semi.rho[0] == pytest.approx(np.corrcoef(residual, y)[0, 1])
    a, b, d = (scipy.stats.rankdata(v) for v in (x, y, c))
    r_ab, r_ad, r_bd = (np.corrcoef(*pair)[0, 1] for pair in ((a, b), (a, d), (b, d)))
    wanted = (r_ab - r_ad * r_bd) / np.sqrt((1 - r_ad**2) * (1 - r_bd**2))
    assert partial_correlation(x[:, None], y, c[:, None]).rho[0] == pytest.approx(wanted)


def test_partial_policy(rng: np.random.Generator) -> None:
    c, x, y = rng.normal(size=(3, 30))
    control = np.array(c)
    control[0] = np.nan
    columns = np.column_stack([x, 2 * np.nan_to_num(control) - 1, np.ones(30)])
    found = partial_correlation(columns, y, control[:, None], "pearson")
    assert found.n_images.tolist() == [29, 29, 29]
    assert np.isfinite(found.rho).tolist() == [True, False, False]
    with pytest.raises(InputError, match="controls"):
        partial_correlation(columns, y, c)
    with pytest.raises(InputError, match="kendall"):
        partial_correlation(columns, y, c[:, None], "kendall")


def test_within_category_tells_categories_from_images(rng: np.random.Generator) -> None:
    """A measure that only knows the category: a large rho over all, none within."""
    names = np.repeat(["cat", "dog"], 200)
    offset = (names == "dog") * 3.0
    found = within_category((offset + rng.normal(size=400))[:, None], offset + rng.normal(size=400), names, n_boot=0)
    assert list(found) == ["all", "cat", "dog", "pooled"]
    assert found["all"].rho[0] > 0.5
    assert abs(found["pooled"].rho[0]) < 0.15
    z = np.arctanh([found["cat"].rho[0], found["dog"].rho[0]])
    assert found["pooled"].rho[0] == pytest.approx(np.tanh(z.mean()))
    assert found["pooled"].n_images[0] == 400


def test_lowlevel_statistics_of_known_images(rng: np.random.Generator) -> None:
    grey = np.full((9, 11, 3), 128, np.uint8)
    assert {name: float(v) for name, v in lowlevel(jnp.asarray(grey)).items()} == pytest.approx(
        {"contrast": 0, "colourfulness": 0, "edge_density": 0}, abs=1e-6
    )
    halves = np.zeros((8, 8, 3), np.uint8)
    halves[:, 4:] = 255
    assert float(contrast(jnp.asarray(halves))) == pytest.approx(0.5, abs=1e-6)
    assert float(edge_density(jnp.asarray(halves))) == pytest.approx(2 / 6)
    assert float(edge_density(jnp.asarray(halves.transpose(1, 0, 2)))) == pytest.approx(2 / 6)

    image = rng.integers(0, 256, size=(7, 9, 3)).astype(np.uint8)
    r, g, b = image.astype(float).transpose(2, 0, 1)
    rg, yb = r - g, (r + g) / 2 - b
    wanted = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert float(colourfulness(jnp.asarray(image))) == pytest.approx(wanted, rel=1e-5)
    batch = jax.vmap(colourfulness)(jnp.asarray(np.stack([image, image[:, ::-1]])))
    np.testing.assert_allclose(batch, wanted, rtol=1e-5)
