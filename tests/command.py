"""Run an experiment as the shell would, but in this process."""

import sys
from types import ModuleType

import pytest

from memjax.cli.arguments import run_main


def exit_code(monkeypatch: pytest.MonkeyPatch, experiment: ModuleType, *arguments: object) -> int:
    """Exit code of ``experiment.main`` with these arguments."""
    monkeypatch.setattr(sys, "argv", [f"{experiment.__name__.rpartition('.')[2]}.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        run_main(experiment.main)
    return int(left.value.code or 0)
