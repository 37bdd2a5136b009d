"""Intervals over groups that were held out: the groups are the units, and their models share images."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from memjax.stats.nested import nested
from memjax.stats.readouts import Together, label_table, readouts
from memjax.stats.repeats import ReadoutSettings
from memjax.stats.strata import WithinRho, group_interval, within_rho
from memjax.stats.table import stack

NO_TESTS = ReadoutSettings(repeats=2, permutations=0, shuffles=0)


def test_groups_share_what_their_models_were_fitted_on() -> None:
    of = WithinRho(np.array([0.2]), np.full(9, 0.02), 3, (np.array([0.1, 0.2, 0.3]), np.full(3, 1 / 3)))
    measure, model = group_interval(of, fitted=False), group_interval(of)
    assert model.error**2 == pytest.approx(measure.error**2 + 1.5 * 9 * 0.02**2)
    freedom = 2 * (model.error / measure.error) ** 4
    assert model.high - model.low == pytest.approx(2 * scipy.stats.t.ppf(0.975, freedom) * model.error)
    assert model.p == pytest.approx(2 * scipy.stats.t.sf(0.2 / model.error, freedom))


def test_intervals_over_held_out_groups_hold_what_is_not_there() -> None:
    held, rng, groups = 0, np.random.default_rng(0), np.arange(60) % 6
    for _ in range(120):
        x, y = rng.normal(size=(60, 12)), rng.normal(size=60)
        predicted = nested(x, y[:, None], groups).predicted[:, 0]
        found = group_interval(within_rho([predicted], y, [groups]))
        held += found.low <= 0 <= found.high
    assert 0.92 * 120 <= held <= 0.99 * 120, "Student's t over six groups alone holds 0 in 84 %"


def test_what_is_added_to_labels_within_held_out_groups_is_not_certain() -> None:
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        groups, kind = rng.integers(0, 6, 120).astype(str), rng.integers(0, 4, 120)
        y = kind + 1.5 * rng.normal(size=120)
        columns, together = stack({"m": {"a": rng.normal(size=(120, 3))}}), Together(groups=groups)
        every = label_table(
            readouts(columns, y, together, NO_TESTS), columns, y, {"kind": kind.astype(str)}, (together, NO_TESTS)
        )
        found.append(every.iloc[0])
    table = pd.DataFrame(found)
    mean = table["increment"].mean()
    assert abs(mean) < 0.1
    assert table["increment_low"].le(mean).mul(table["increment_high"].ge(mean)).sum() >= 9, (
        "it was 1 of 10 with images as units"
    )
    assert (table["increment_p"] < 0.05).sum() <= 1
