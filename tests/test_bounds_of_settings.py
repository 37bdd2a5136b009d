"""Every number of every kind of settings has bounds, told in one line before any work."""

import dataclasses
import re

import pytest

import memjax
from memjax.cli import sweep as command
from memjax.paper.settings import PaperSettings
from memjax.pipelines import baseline_settings, sae_settings, settings
from memjax.pipelines.baseline_settings import BaselineSettings
from tests.command import exit_code

KINDS = {
    memjax.SweepSettings: settings.BOUNDS,
    memjax.SAESettings: sae_settings.BOUNDS,
    BaselineSettings: baseline_settings.BOUNDS,
}
SEVERAL = ("layers", "patch_layers", "seeds")


def cases():
    for kind, bounds in KINDS.items():
        for name, (least, most) in bounds.items():
            whole = [least - 1, -(10**30), most + 1, 10**30, True]
            outside = whole if isinstance(most, int) else [-1.0, -1e-300, float("nan"), float("-inf")]
            for value in outside:
                yield kind, name, (value,) if name in SEVERAL else value


def test_every_number_has_bounds():
    for kind, bounds in KINDS.items():
        parts = {field.name: re.split(r"\W+", str(field.type)) for field in dataclasses.fields(kind)}
        numbers = {name for name, words in parts.items() if {"int", "float"} & set(words)}
        assert numbers - {"folds"} == set(bounds) - {"folds"}, kind


@pytest.mark.parametrize(("kind", "name", "value"), list(cases()))
def test_numbers_outside_are_refused(kind, name, value):
    with pytest.raises(memjax.InputError) as caught:
        kind(**{name: value})
    assert caught.value.argument == name
    assert str(caught.value).startswith(f"{name}: expected a")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_bounds_themselves_are_allowed(kind):
    for name, ends in KINDS[kind].items():
        for value in ends:
            kind(**{name: (value,) if name in SEVERAL else value})


@pytest.mark.parametrize("folds", [1, 0, -1, 1001, 10**9])
def test_folds(folds):
    with pytest.raises(memjax.InputError, match=r"^folds: expected"):
        memjax.SAESettings(protocol="modern", folds=folds)


@pytest.mark.parametrize(("name", "value"), [("bootstraps", -1), ("bootstraps", 10**9), ("folds", 10**6), ("seed", -1)])
def test_the_reproduction(name, value):
    with pytest.raises(memjax.InputError, match=rf"^{name}: expected a whole number"):
        PaperSettings(**{name: value})


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--bootstraps", 10**9), ("--seed", -1), ("--seed", 2**32), ("--batch-size", 0), ("--workers", 10**6),
     ("--patch-layers", -1), ("--heartbeat", 0), ("--heartbeat", 10**9), ("--processes", 0), ("--process", -1)],
)  # fmt: skip
def test_a_command_calls_it_by_its_flag(flag, value, monkeypatch, capsys):
    assert exit_code(monkeypatch, command, flag, value) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"error: {flag}: expected a whole number from ")
    assert len(line.splitlines()) == 1
