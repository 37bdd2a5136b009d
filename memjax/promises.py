"""The small files that a run writes beside its store: recorded in run.json by their SHA-256, and compared with that.

run.json goes before the first of them is replaced, and comes back when all are there: so a run that is killed in between
leaves a folder that is not finished, whoever's files lie in it.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from memjax.checks import InputError, misplaced, unreadable, unwritable
from memjax.outputs import RUN, Run, write_run
from memjax.seals import file_sum
from memjax.storage import Place

FIGURES = "figures"
SUFFIXES = (".csv", ".parquet", ".html", ".json")
"""Of the files that a run writes."""


@dataclasses.dataclass(frozen=True)
class Writing:
    """Results on their way.

    Attributes:
        folder: where they are written.
        before: file -> size and time of change, of what lay there.
        kept: folders below it whose every file the run promises, written now or before.
    """

    folder: Path
    before: Mapping[str, tuple[int, int]]
    kept: Sequence[str] = ()

    def finish(self, run: Run) -> Run:
        """Write run.json, which marks the end; the record with the checksums of all files of the run."""
        now = {**_files(self.folder, ()), **_files(self.folder, self.kept)}
        new = [
            name for name, state in now.items() if self.before.get(name) != state or name.partition("/")[0] in self.kept
        ]
        record = dataclasses.replace(run, outputs={name: file_sum(self.folder / name) for name in sorted(new)})
        write_run(record, self.folder)
        return record


def start_writing(out: Place, folder: Path, kept: Sequence[str] = ()) -> Writing:
    """Take the record of an earlier run away: from now on nothing in ``out`` is finished.

    Args:
        out: the run's place.
        folder: where its small files are written: ``out`` itself, or one that is copied there.
        kept: see `Writing`.

    Raises:
        InputError: it can't be written.
    """
    if (folder / FIGURES).is_file():
        raise misplaced(folder / FIGURES, "folder")
    for path in folder.iterdir():
        if path.suffix in SUFFIXES and path.is_dir():
            raise misplaced(path, "file")
    unfinish(out)
    return Writing(folder, _files(folder, ()), kept)


def unfinish(out: Place) -> None:
    """Take the record of a run away: nothing in ``out`` is finished any more.

    Raises:
        InputError: it can't be written.
    """
    try:
        (out / RUN).unlink(missing_ok=True)
    except OSError as error:
        raise unwritable("out", Path(str(out)), error, "out") from error


def _files(folder: Path, below: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Name -> state of the files that a run may write: in the folder itself, its figures, and in folders ``below``."""
    found = [*_plain(folder), *_plain(folder / FIGURES)]
    found += [path for name in below for path in (folder / name).rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(found)
    }


def _plain(folder: Path) -> Iterator[Path]:
    """Files, but for the record itself and hidden ones."""
    if folder.is_dir():
        yield from (p for p in folder.iterdir() if p.is_file() and p.name != RUN and not p.name.startswith("."))


def broken_promises(out: Place, run: Run) -> list[str]:
    """The files of a finished run that are gone, or not as they were written, a line each.

    Raises:
        InputError: one can't be read, or lies outside of the run's folder.
    """
    found = []
    for name, total in run.outputs.items():
        file = out / name
        if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise InputError(
                f"{out / RUN}: names a file outside of its folder ({name}); delete it and run again", "out"
            )
        try:
            if not file.is_file():
                found.append(f"{file}: {'a folder where a file belongs' if file.is_dir() else 'has gone'}")
            elif file_sum(file) != total:
                found.append(f"{file}: not as it was written")
        except OSError as error:
            raise unreadable(file, error) from error
    return found
