"""Groups of images: correlations within them, models with an intercept for each, and a sweep that holds whole groups out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm

import memjax
from memjax.checks import InputError
from memjax.pipelines.controls import groups_of
from memjax.report.groups import group_sections, group_sentences
from memjax.report.labels import Context
from memjax.report.lowlevel import lowlevel_sections
from memjax.stats.given_covariates import given_covariates
from memjax.stats.group_models import group_models
from memjax.stats.random_intercept import fit_random_intercept
from memjax.stats.table import Columns, stack
from memjax.stats.within_groups import WithinGroups, strongest_columns, within_groups

SIZES = {"beach": 40, "city": 55, "forest": 70, "street": 35}
LABELS = np.repeat(list(SIZES), list(SIZES.values()))
LEVELS = np.unique(LABELS, return_inverse=True)[1] * 3.0


@pytest.fixture(scope="module")
def made() -> tuple[Columns, np.ndarray]:
    """Measure a tells groups apart and nothing else, b tells images of a group apart too, c is b and 2."""
    rng = np.random.default_rng(4)
    inner = rng.normal(size=len(LABELS))
    y = LEVELS + inner + 0.5 * rng.normal(size=len(LABELS))
    a, b = LEVELS + rng.normal(size=len(LABELS)), -inner + 0.5 * rng.normal(size=len(LABELS))
    return stack({"m": {"a": a[:, None], "b": b[:, None], "c": 2 * b[:, None]}, "k": {"flat": np.ones((len(a), 1))}}), y


@pytest.fixture(scope="module")
def found(made: tuple[Columns, np.ndarray]) -> WithinGroups:
    return within_groups(*made, LABELS, bootstraps=50)


def test_what_only_tells_groups_apart_has_nothing_within_them(found: WithinGroups) -> None:
    a, b, _, flat = found.table.to_dict("records")
    assert a["rho"] > 0.7
    assert a["within_low"] < 0 < a["within_high"]
    assert a["within_q"] > 0.05
    assert b["within_high"] < -0.5
    assert b["across_high"] < 0
    assert b["given"] < b["rho"] < 0, "the groups hide it"
    assert np.isnan(flat["within"])
    assert (a["n"], a["groups"]) == (len(LABELS), 4)


def test_rho_within_groups_is_the_weighted_mean_of_theirs(
    made: tuple[Columns, np.ndarray], found: WithinGroups
) -> None:
    x, y = made[0].values[:, 1], made[1]
    rho = [scipy.stats.spearmanr(x[g == LABELS], y[g == LABELS]).statistic for g in SIZES]
    np.testing.assert_allclose(found.table["within"][1], np.average(rho, weights=[n - 1 for n in SIZES.values()]))
    own = found.by_group[found.by_group["metric"] == "b"]
    assert own["group"].tolist() == list(SIZES)
    np.testing.assert_allclose(own["rho"], rho)
    np.testing.assert_allclose(found.table["rho"][1], scipy.stats.spearmanr(x, y).statistic)


def test_multiples_of_a_measure_are_not_among_the_strongest(made: tuple[Columns, np.ndarray]) -> None:
    rho = np.array([0.2, -0.5, -0.5, np.nan])
    assert strongest_columns(made[0], rho) == [1, 0]


def test_groups_too_small_for_an_order_are_left_out(made: tuple[Columns, np.ndarray]) -> None:
    columns, y = made
    names = LABELS.copy()
    names[:2] = "alone"
    table = within_groups(columns, y, names, bootstraps=0).table
    assert table["n"][0] == len(LABELS) - 2
    assert table["groups"][0] == 4


@pytest.mark.parametrize(("groups", "images", "between"), [(6, 15, 1.0), (25, 8, 0.5)])
def test_random_intercepts_are_those_of_statsmodels(groups: int, images: int, between: float) -> None:
    rng = np.random.default_rng(groups)
    labels = np.repeat(np.arange(groups), rng.integers(images // 2, 2 * images, size=groups))
    x = np.column_stack([np.ones(len(labels)), rng.normal(size=len(labels))])
    y = x @ [1.0, 0.3] + between * rng.normal(size=groups)[labels] + rng.normal(size=len(labels))
    own, known = fit_random_intercept(x, y, labels), sm.MixedLM(y, x, labels).fit(reml=True)
    np.testing.assert_allclose(own.coef, known.fe_params, rtol=1e-4)
    np.testing.assert_allclose([own.between, own.within], [known.cov_re[0, 0], known.scale], rtol=1e-3)
    np.testing.assert_allclose(own.se[0], known.bse_fe[0], rtol=1e-2)


def test_without_a_difference_between_groups_it_is_least_squares() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 20)
    x = np.column_stack([np.ones(100), rng.normal(size=100)])
    noise = rng.normal(size=100)
    y = noise - np.bincount(labels, noise)[labels] / 20 + x[:, 1]
    own, known = fit_random_intercept(x, y, labels), sm.OLS(y, x).fit()
    assert own.icc == 0
    np.testing.assert_allclose(own.coef, known.params)
    np.testing.assert_allclose(own.se, known.bse)
    with pytest.raises(InputError, match="two groups or more"):
        fit_random_intercept(x, y, np.zeros(100, np.int64))


def test_models_tell_what_a_measure_adds_to_groups(made: tuple[Columns, np.ndarray], found: WithinGroups) -> None:
    columns, y = made
    table = group_models(columns, y, LABELS, found.table["rho"].to_numpy()).set_index("metric")
    assert table.loc["a", "increment"] < 0.01 < table.loc["b", "increment"]
    assert table.loc["a", "icc"] > 0.8
    z = (columns.values[:, 1] - columns.values[:, 1].mean()) / columns.values[:, 1].std()
    fit = sm.OLS((y - y.mean()) / y.std(), np.column_stack([pd.get_dummies(LABELS).to_numpy(float), z])).fit()
    np.testing.assert_allclose(
        table.loc["b", ["coef_fixed", "coef_fixed_se"]].astype(float), [fit.params[-1], fit.bse[-1]]
    )
    np.testing.assert_allclose(table.loc["b", "r2_both"], fit.rsquared)
    assert table.loc["b", "coef_fixed"] == pytest.approx(table.loc["b", "coef_random"], abs=0.01)


def test_covariates_are_held_constant_with_groups_and_without(made: tuple[Columns, np.ndarray]) -> None:
    columns, y = made
    level = pd.DataFrame({"level": LEVELS, "other": np.where(np.arange(len(y)) == 3, np.nan, 1.0)})
    table = given_covariates(columns, y, level, LABELS)
    assert table["n"][0] == len(y) - 1
    assert abs(table["given"][0]) < 0.2 < table["rho"][0]
    np.testing.assert_allclose(table["given_groups"][1], table["given"][1], atol=0.2)
    assert (
        lowlevel_sections(table, Context())[0].paragraphs[0].startswith("With contrast, colourfulness and edge density")
    )


def test_the_page_says_what_is_left(found: WithinGroups) -> None:
    sentences = group_sentences("category", found.table)
    assert "2 of 3 correlations have q < 0.05" in sentences[0]
    assert "The strongest over all images, a at layer 0 of m" in sentences[1]
    assert "The strongest within groups is b at layer 0 of m" in sentences[2]
    (part,) = group_sections("category", (found.table, found.by_group, None), Context())
    assert "beach (n = 40)" in part.table.columns
    assert list(part.figures) == ["within_groups"]
    assert group_sections("category", (None, None, None), Context()) == ()


def of_labels(labels: list[str]) -> memjax.Dataset:
    frame = pd.DataFrame({"image": [np.zeros((4, 4), np.uint8)] * len(labels), "memorability": np.arange(len(labels))})
    return memjax.open_table(frame.assign(category=labels))


WRONG = {
    "no such column": (["a", "b", "c"] * 4, "subcategory", "one of its columns category, got 'subcategory'"),
    "no label": (
        [*["a", "b", "c"] * 4, ""],
        "category",
        "a label of every image, got 1 without one, such as row-000012",
    ),
    "two labels": (["a", "b"] * 6, "category", "three labels or more"),
    "a label an image": (list("abcdefghij"), "category", "three images each or more, got 10 labels of 10 images"),
}


@pytest.mark.parametrize(("labels", "column", "said"), WRONG.values(), ids=WRONG.keys())
def test_columns_that_are_no_groups_are_one_line(labels: list[str], column: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        groups_of(of_labels(labels), column)
    assert said in str(error.value)
    assert error.value.argument == "groups"


def test_a_sweep_holds_whole_groups_out(tmp_path: Path, undrawn: None) -> None:
    dataset = memjax.open_dataset("demo", limit=60)
    settings = memjax.SweepSettings(bootstraps=20, groups="category", lowlevel=True)
    run = memjax.sweep(dataset, "memjax/tiny", tmp_path / "out", settings, progress=False)
    assert run.readouts is not None
    assert run.readouts["within"].tolist() == ["group"]
    held = run.controlled
    assert sorted(held.tables()) == ["by_group", "group_models", "lowlevel", "within_groups"]
    pd.testing.assert_frame_equal(
        held.within_groups[["model", "metric", "layer"]], run.table[["model", "metric", "layer"]]
    )
    np.testing.assert_allclose(held.within_groups["rho"], run.table["rho"], atol=1e-6)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Within category" in page
    assert "With low-level statistics held constant" in page
    again = memjax.sweep(dataset, "memjax/tiny", tmp_path / "out", settings, progress=False)
    assert again.recognised
    pd.testing.assert_frame_equal(again.controlled.within_groups, held.within_groups)
    plain = memjax.sweep(dataset, "memjax/tiny", tmp_path / "out", memjax.SweepSettings(bootstraps=20), progress=False)
    assert not plain.recognised
    assert not plain.controlled.tables()
    assert not memjax.sweep(dataset, "memjax/tiny", tmp_path / "out", settings, progress=False).recognised
    pd.testing.assert_frame_equal(plain.table, run.table)
