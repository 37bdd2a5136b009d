"""Is a run's folder whole? Everything in it is read and compared with its checksums; nothing is changed."""

from collections.abc import Iterator
from dataclasses import dataclass

from memjax.checks import InputError, expected
from memjax.outputs import RUN, Run, read_run
from memjax.promises import broken_promises
from memjax.storage import Place, listing, place
from memjax.store import PROGRESS, STORE, inspect_group


@dataclass(frozen=True)
class Finding:
    """One part of a run.

    Attributes:
        what: the record, the tables, figures and page, or a group of the store.
        text: what is known of it.
        damaged: whether it is not as it was written, or was not finished.
    """

    what: str
    text: str
    damaged: bool = False


def inspect_run(out: str | Place) -> list[Finding]:
    """What is whole and what is damaged in the folder of a run: of a sweep, of autoencoders, baselines or the paper.

    Args:
        out: the folder, or its place in an object store.

    Raises:
        InputError: no run there, or something can't be read.

    Example:
        >>> import memjax
        >>> dataset = memjax.open_dataset("demo", limit=12)
        >>> run = memjax.sweep(dataset, "memjax/tiny", settings=memjax.SweepSettings(bootstraps=20), progress=False)
        >>> {finding.what: finding.damaged for finding in inspect_run(run.out)}
        {'record': False, 'files': False, 'store': False}
    """
    where = place(out)
    if not where.is_dir():
        raise expected(f"out {where}", "the folder of a run", "nothing there", argument="out")
    found = [*_record_and_files(where), *_groups(where)]
    if not found:
        raise expected(f"out {where}", "the folder of a run", f"neither {RUN} nor {STORE}", argument="out")
    return found


def _record_and_files(where: Place) -> Iterator[Finding]:
    try:
        run = read_run(where)
    except InputError as error:
        yield Finding("record", str(error), damaged=True)
        return
    if run is None:
        if (where / STORE).exists():
            yield Finding("record", f"no {RUN}: the run has not come to its end", damaged=True)
        return
    yield Finding("record", f"{RUN} of {run.finished or 'a time that is not recorded'}")
    yield from _files(where, run)


def _files(where: Place, run: Run) -> Iterator[Finding]:
    broken = broken_promises(where, run)
    yield from (Finding("file", line, damaged=True) for line in broken)
    if not run.outputs:
        yield Finding("files", "written by a version that kept no checksums: they can't be verified")
    elif not broken:
        yield Finding("files", f"all {len(run.outputs)} tables, figures and other files are as they were written")


def _groups(where: Place) -> Iterator[Finding]:
    homes = [*listing(where / STORE, "*/"), *listing(where / PROGRESS, "*/")]
    for group in sorted({home.name for home in homes if home.is_dir()}):
        damaged, remarks = inspect_group(where, group)
        yield from (Finding("store", f"{group}, {line}", damaged=True) for line in damaged)
        yield from (Finding("store", f"{group}, {line}") for line in remarks)
        if not damaged and not remarks:
            yield Finding("store", f"{group}: every value and coordinate is as it was written")
