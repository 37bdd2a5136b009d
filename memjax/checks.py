"""One voice for errors: what was expected, what came, and the likely fix.

Everything that a user can get wrong (a path, a table, a checkpoint, a setting) is raised as `InputError`, whose message
is one line and names no flag of a command: `memjax.cli.arguments` adds that. Our own invariants are `assert`s.
"""

import tempfile
from pathlib import Path
from typing import Literal


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


def check_folder(path: str | Path, what: str, fix: str = "", argument: str = "") -> Path:
    """``path`` as a `Path` if it is a folder that exists.

    Raises:
        InputError: naming ``what`` and the path.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    raise expected(f"{what} {folder}", "a folder", "a file" if folder.exists() else "nothing there", fix, argument)


def check_file(path: str | Path, what: str, fix: str = "", argument: str = "") -> Path:
    """``path`` as a `Path` if it is a regular file that exists.

    Raises:
        InputError: naming ``what`` and the path.
    """
    file = Path(path).expanduser()
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
