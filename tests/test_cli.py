"""The command line: options given several times, and errors that name the flag."""

import dataclasses
from typing import Literal

import pytest

from memjax.checks import InputError, expected
from memjax.cli.arguments import join_repeated, read_arguments, several_valued, told


@dataclasses.dataclass(frozen=True)
class Inner:
    """Settings."""

    tokens: tuple[Literal["cls", "mean"], ...] = ()
    """Several."""


@dataclasses.dataclass(frozen=True)
class Options:
    """A command."""

    inner: Inner
    models: tuple[str, ...] = ("tiny",)
    """Several."""
    layers: tuple[int, ...] | None = None
    """Several or none."""
    limit: int | None = None
    """One."""


@pytest.mark.parametrize(
    ("words", "models"),
    [
        ([], ("tiny",)),
        (["--models", "a", "b"], ("a", "b")),
        (["--models", "a", "--models", "b"], ("a", "b")),
        (["--models=a", "--limit", "3", "--models", "b", "c", "--models=d"], ("a", "b", "c", "d")),
    ],
)
def test_several_values_are_all_kept(words, models):
    assert read_arguments(Options, "", words).models == models


def test_every_option_of_several_values_is_known():
    assert several_valued(Options) == {"--tokens", "--models", "--layers"}
    assert join_repeated(["--layers", "1", "--limit", "2", "--layers", "-3"], several_valued(Options)) == [
        "--limit", "2", "--layers", "1", "-3",
    ]  # fmt: skip


def test_one_value_keeps_its_last():
    assert read_arguments(Options, "", ["--limit", "3", "--limit", "4"]).limit == 4


def test_errors_name_the_flag():
    assert told(InputError("nothing to add")) == "nothing to add"
    assert (
        told(expected("data_dir", "a folder", "none", argument="data_dir")) == "--data-dir: expected a folder, got none"
    )
    assert told(InputError("data: not there", "data_dir")) == "data: not there (--data-dir)"
    assert told(InputError("limits: too many", "limit", "3")) == "limits: too many (--limit 3)"
