"""Several data sets in one table: the mean against statsmodels and by simulation, and sweeps of made-up data."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

import memjax
from memjax.checks import InputError
from memjax.cli import compare as command
from memjax.pipelines.compare import MEASURES, VECTORS, means_of
from memjax.report.compare import compare_figure, compare_sentences, shown_of
from memjax.stats.across_datasets import errors_of, mean_over_sets
from tests.conftest import leave_undrawn


@pytest.mark.parametrize("rho", [(0.1, 0.3, 0.2), (0.2, 0.21, 0.19, 0.2), (-0.3, 0.3), (0.05, 0.4, 0.41, 0.5, -0.2)])
def test_the_mean_is_statsmodels(rho: tuple[float, ...]) -> None:
    error = np.linspace(0.02, 0.1, len(rho))
    found = mean_over_sets(np.array(rho), error)
    assert found is not None
    wanted = combine_effects(np.arctanh(rho), error**2, method_re="iterated", use_t=True)
    assert np.arctanh(found.rho) == pytest.approx(wanted.mean_effect_re)
    assert found.tau**2 == pytest.approx(max(wanted.tau2, 0))
    assert found.p_same == pytest.approx(wanted.test_homogeneity().pvalue)
    _, _, _, (low, high) = (np.tanh(ends) for ends in wanted.conf_int())
    assert found.low <= low + 1e-9
    assert found.high >= high - 1e-9
    if wanted.scale_hksj_re >= 1:
        assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_errors_are_those_of_the_intervals() -> None:
    z, error = np.arctanh([0.1, -0.6, 0.9]), np.array([0.02, 0.1, 0.3])
    low, high = np.tanh(z - 1.959964 * error), np.tanh(z + 1.959964 * error)
    np.testing.assert_allclose(errors_of(low, high), error, rtol=1e-6)


def test_one_data_set_or_none_has_no_mean() -> None:
    assert mean_over_sets(np.array([0.3]), np.array([0.1])) is None
    assert mean_over_sets(np.array([0.3, np.nan]), np.array([0.1, 0.1])) is None
    assert mean_over_sets(np.array([0.3, 0.2]), np.array([0.1, np.nan])) is None


@pytest.mark.parametrize(("sets", "tau"), [(2, 0.1), (3, 0.0), (3, 0.1), (6, 0.05)])
def test_the_interval_holds_the_mean(sets: int, tau: float, rng: np.random.Generator) -> None:
    held = 0
    for _ in range(300):
        error = np.exp(rng.uniform(np.log(0.01), np.log(0.13), sets))
        found = mean_over_sets(np.tanh(0.2 + tau * rng.normal(size=sets) + error * rng.normal(size=sets)), error)
        assert found is not None
        held += found.low <= np.tanh(0.2) <= found.high
    assert held / 300 > 0.885, "95 % less five standard errors"


def rows(rho: dict[str, float]) -> pd.DataFrame:
    found = []
    for name, value in rho.items():
        row = {"dataset": name, "model": "m", "rho": value, "ci_low": value - 0.05, "ci_high": value + 0.05, "n": 900}
        found += [row | {"reads": MEASURES, "what": "cls_norm", "layer": layer} for layer in range(3)]
        found += [
            row | {"reads": VECTORS, "what": what, "layer": layer} for what in ("cls", "all") for layer in (-1, 1)
        ]
    table = pd.DataFrame(found)
    return table.assign(error=errors_of(table["ci_low"].to_numpy(), table["ci_high"].to_numpy()))


def test_rows_that_two_data_sets_have() -> None:
    given = rows({"a": 0.2, "b": 0.3, "c": 0.25})
    lonely = given.iloc[:1].assign(what="delta_total")
    table = means_of(pd.concat([given, lonely], ignore_index=True))
    assert "delta_total" not in set(table["what"])
    assert (table["datasets"] == 3).all()
    assert table["everywhere"].all()
    assert not means_of(rows({"a": 0.2, "b": 0.02}))["everywhere"].any()
    assert not means_of(rows({"a": 0.2, "b": -0.2}))["everywhere"].any()
    assert (table["q"] >= table["p"]).all()
    assert shown_of(table, "m") == (VECTORS, "cls")
    assert shown_of(table[table["reads"] == MEASURES], "m") == (MEASURES, "cls_norm")
    figure = compare_figure(given, table, "spearman", synthetic=True)
    assert [line.get_label() for line in figure.axes[0].lines][1:] == ["a", "b", "c", "mean over data sets"]
    said = compare_sentences(table)
    assert said[0] == "3 of 3 means of measures over data sets differ from 0 (q < 0.05)."
    assert "4 of 4 means of token vectors over data sets" in said[3]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[memjax.Sweep]:
    demo, folder = memjax.open_dataset("demo"), tmp_path_factory.mktemp("compared")
    settings = memjax.SweepSettings(bootstraps=50, metrics=("cls_norm", "layer_delta"))
    with pytest.MonkeyPatch.context() as patched:
        leave_undrawn(patched)
        found = []
        for place, name in enumerate(("one", "two")):
            part = slice(40 * place, 40 * place + 40)
            images = [demo.records[i].data for i in range(240)[part]]
            dataset = memjax.open_table(demo.table[["memorability"]].iloc[part], images, name=name)
            found.append(memjax.sweep(dataset, "memjax/tiny", folder / name, settings, progress=False))
        return found


def test_the_command(runs: list[memjax.Sweep], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--runs", *(str(run.out) for run in runs), "--out", str(tmp_path)]) == 0
    assert "means of measures over data sets" in capsys.readouterr().out
    assert {"compare.csv", "by_dataset.csv", "compare.png", "compare.pdf", "run.json"} <= {
        p.name for p in tmp_path.iterdir()
    }
    given = pd.read_csv(tmp_path / "by_dataset.csv")
    for run in runs:
        assert run.table is not None
        own = given[given["dataset"] == run.run.dataset.name]
        np.testing.assert_allclose(own["rho"], run.table["rho"])
    found = memjax.compare_datasets(runs)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "compare.csv"), found.table, check_dtype=False)


def test_sweeps_that_cannot_be_compared(runs: list[memjax.Sweep]) -> None:
    one, two = runs
    with pytest.raises(InputError, match="runs: expected two or more, got 1"):
        memjax.compare_datasets([one])
    with pytest.raises(InputError, match="of different names"):
        memjax.compare_datasets([one, one])
    with pytest.raises(InputError, match="expected one of data with scores, got one without"):
        memjax.compare_datasets([one, dataclasses.replace(two, table=None)])
    other = dataclasses.replace(two, run=dataclasses.replace(two.run, method="pearson"))
    with pytest.raises(InputError, match="method: expected spearman, got pearson"):
        memjax.compare_datasets([one, other])
