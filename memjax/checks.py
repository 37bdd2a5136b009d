"""One voice for errors: what was expected, what came, and the likely fix.

Everything that a user can get wrong (a path, a table, a checkpoint, a setting) is raised as `InputError`, whose message
is one line and names no flag of a command: `memjax.cli.arguments` adds that. Our own invariants are `assert`s.
"""

import os
import tempfile
from pathlib import Path
from typing import Literal, TypeVar

Settings = TypeVar("Settings")


class InputError(ValueError):
    """Something given to memjax cannot be used; the message is one line: what, where, what to do.

    Attributes:
        argument: the parameter or setting that is wrong, or that would help, by its name in Python; may be empty.
        value: what it should be, where that is one word; may be empty.
    """

    def __init__(self, message: str, argument: str = "", value: str = ""):
        super().__init__(message)
        self.argument, self.value = argument, value


class ProcessLostError(RuntimeError):
    """Another process of a distributed run has ended; what it and this one had finished stays."""


def expected(what: str, wanted: object, came: object, fix: str = "", argument: str = "", value: str = "") -> InputError:
    """An `InputError` in the common form. Raise what it returns.

    Args:
        what: the thing that is wrong, e.g. ``"scores.csv, column 'memorability'"``.
        wanted: what was expected there.
        came: what was found.
        fix: the likely remedy, a sentence without its full stop; may be empty.
        argument, value: see `InputError`.

    Example:
        >>> str(expected("limit", "a positive number", 0, "leave it out to use every image", argument="limit"))
        'limit: expected a positive number, got 0; leave it out to use every image'
    """
    line = f"{what}: expected {wanted}, got {came}"
    return InputError(" ".join((f"{line}; {fix}" if fix else line).split()), argument, value)


def check_kind(
    value: object, kinds: type | tuple[type, ...], what: str, wanted: str, fix: str = "", argument: str = ""
) -> None:
    """Refuse an argument of another kind than a function takes, before anything is made of it.

    Args:
        value: what was given.
        kinds: what may be.
        what, wanted, fix: see `expected`.
        argument: the parameter, where it is not ``what``.

    Raises:
        InputError: naming what came.

    Example:
        >>> check_kind("demo", Path, "dataset", "a data set", "memjax.open_dataset opens one")
        Traceback (most recent call last):
        memjax.checks.InputError: dataset: expected a data set, got the text 'demo'; memjax.open_dataset opens one
    """
    if not isinstance(value, kinds):
        raise expected(what, wanted, what_is(value), fix, argument or what)


def what_is(value: object) -> str:
    """What something is, in a few words.

    Example:
        >>> what_is(None), what_is(3.5), what_is({"a": 1}), what_is(InputError)
        ('None', '3.5', 'a dict', 'the class InputError')
    """
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if isinstance(value, (str, os.PathLike)):
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        short = text if len(text) <= 60 else f"{text[:60]}.."
        return f"the {'text' if isinstance(value, str) else 'path'} {short!r}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def is_torch(value: object) -> bool:
    """Whether something is torch's, which is not imported for it."""
    return type(value).__module__.partition(".")[0] == "torch"


def settings_of(given: Settings | None, kind: type[Settings]) -> Settings:
    """Settings that were given, or those of the default.

    Raises:
        InputError: something else was given.

    Example:
        >>> import memjax
        >>> settings_of({"seed": 1}, memjax.SweepSettings)
        Traceback (most recent call last):
        memjax.checks.InputError: settings: expected SweepSettings(...), got a dict; write SweepSettings(**settings)
    """
    if given is not None:
        how = f"{kind.__name__}({'**settings' if isinstance(given, dict) else '...'})"
        check_kind(given, kind, "settings", f"{kind.__name__}(...)", f"write {how}")
    return kind() if given is None else given


def of_settings(value: object) -> str:
    """What to do about settings where something else belongs; empty for anything else."""
    return "write settings=.. for it" if type(value).__name__.endswith("Settings") else ""


def path_of(path: object, what: str, argument: str = "") -> Path:
    """The path that a text or a path names, its ``~`` expanded.

    Raises:
        InputError: it is neither.
    """
    check_kind(path, (str, os.PathLike), what, "a path", of_settings(path), argument)
    return Path(path).expanduser()  # type: ignore[arg-type]


def check_folder(path: str | Path, what: str, fix: str = "", argument: str = "") -> Path:
    """``path`` as a `Path` if it is a folder that exists.

    Raises:
        InputError: naming ``what`` and the path.
    """
    folder = path_of(path, what, argument)
    if folder.is_dir():
        return folder
    raise expected(f"{what} {folder}", "a folder", "a file" if folder.exists() else "nothing there", fix, argument)


def check_file(path: str | Path, what: str, fix: str = "", argument: str = "") -> Path:
    """``path`` as a `Path` if it is a regular file that exists.

    Raises:
        InputError: naming ``what`` and the path.
    """
    file = path_of(path, what, argument)
    if file.is_file():
        return file
    raise expected(f"{what} {file}", "a file", "a folder" if file.is_dir() else "nothing there", fix, argument)


def make_folder(folder: Path, what: str, argument: str = "") -> Path:
    """``folder``, made where it is missing, if it can be written: to be asked before the work, not after it.

    Raises:
        InputError: naming ``what`` and the path.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise unwritable(what, folder, error, argument) from error


def unwritable(what: str, path: Path, error: OSError, argument: str = "") -> InputError:
    """An `InputError` for a folder that refuses to be written. Raise what it returns."""
    return InputError(f"{what} {path}: can't be written ({error.strerror}); choose another folder", argument)


def unreadable(where: object, error: Exception, argument: str = "out") -> InputError:
    """An `InputError` for something that the system, or an object store, does not let us read. Raise what it returns."""
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
    return InputError(f"{where}: can't be read ({reason}); put that right and run again", argument)


def misplaced(path: object, wanted: Literal["file", "folder"]) -> InputError:
    """An `InputError` for a file where a folder belongs, or the reverse: it is somebody's. Raise what it returns."""
    there = "folder" if wanted == "file" else "file"
    return InputError(f"{path}: a {there} where a {wanted} belongs; move it away and run again", "out")
