"""Every example in a docstring runs, and gives what it says."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import memjax

MODULES = [found.name for found in pkgutil.walk_packages(memjax.__path__, "memjax.")]
CHECKED = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, tmp_path, monkeypatch, undrawn) -> None:
    monkeypatch.chdir(tmp_path)
    with np.printoptions(legacy=False):
        found = doctest.testmod(importlib.import_module(name), optionflags=CHECKED)
    assert found.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    counts = [len([t for t in finder.find(importlib.import_module(name)) if t.examples]) for name in MODULES]
    assert sum(counts) > 70
