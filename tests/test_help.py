"""The help of every command: each option once, in groups, within the terminal's width, with values and defaults."""

import dataclasses
import importlib
from pathlib import Path
from typing import Literal

import pytest

from memjax.cli.arguments import read_arguments, several_valued
from memjax.cli.help import Groups, docstrings, help_text, options_of
from memjax.cli.main import COMMANDS

WITH_OPTIONS = [name for name in COMMANDS if hasattr(importlib.import_module(f"memjax.cli.{name}"), "Arguments")]


def command(name: str) -> tuple[type, str, Groups | None]:
    module = importlib.import_module(f"memjax.cli.{name}")
    return module.Arguments, module.__doc__ or "", getattr(module, "GROUPS", None)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_lines_are_no_wider_than_the_terminal(name: str, width: int) -> None:
    kind, description, groups = command(name)
    said = help_text(kind, description, f"memjax {name}", groups, width)
    commands = {line for block in description.split("\n\n") if "\n  " in f"\n{block}" for line in block.splitlines()}
    wide = [line for line in said.splitlines() if len(line) > width and line not in commands]
    assert not [line for line in wide if len(line.split()) > 1 and "{" not in line], wide


@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_every_option_is_there_once_and_says_what_it_does(name: str) -> None:
    kind, description, groups = command(name)
    options = options_of(kind)
    said = help_text(kind, description, f"memjax {name}", groups, 200)
    for option in options:
        assert said.count(f"\n  {option.usage}\n") == 1
        assert len(option.text) > 8, option
        assert "None" not in option.text
    flags = {"--" + option.name.replace("_", "-") for option in options}
    assert several_valued(kind) <= flags
    assert {option.usage.split()[0] for option in options if " ...]" in option.usage} == several_valued(kind)


def test_a_sweep_has_groups(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    from memjax.cli import sweep

    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as left:
        sweep.main(["--help"], "memjax sweep")
    said = capsys.readouterr().out
    assert left.value.code == 0
    assert "other options" not in said
    for title in sweep.GROUPS:
        assert f"\n{title}:\n" in said
    assert "--tokens {cls,mean,pooled} [{cls,mean,pooled} ...]" in said


@dataclasses.dataclass(frozen=True)
class Inner:
    """Settings."""

    kinds: tuple[Literal["a", "b"], ...] = ("a", "b")
    """Which kinds."""


@dataclasses.dataclass(frozen=True)
class Given(Inner):
    """A command's arguments."""

    folder: Path | None = None
    """Where."""
    share: float = 0.5
    """How much."""
    whole: bool = True
    """All of it."""


def test_values_and_defaults_are_readable() -> None:
    assert [(option.usage, option.text) for option in options_of(Given)] == [
        ("--kinds {a,b} [{a,b} ...]", "Which kinds. (default: a b)"),
        ("--folder PATH", "Where."),
        ("--share NUMBER", "How much. (default: 0.5)"),
        ("--whole, --no-whole", "All of it. (default: yes)"),
    ]
    assert docstrings(Given)["kinds"] == "Which kinds."
    assert read_arguments(Given, "", ["--kinds", "a", "--share", "0.1", "--kinds", "b"]) == Given(("a", "b"), None, 0.1)
