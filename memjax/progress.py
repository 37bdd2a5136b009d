"""Progress: over images a bar in a terminal or a notebook, a caller's own function, or nothing; of other work a spinner."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from memjax.naming import printable

ProgressCallback = Callable[[str, int, int], None]
"""Called as ``(what, done, total)``, e.g. ``("facebook/dinov2-small", 512, 2632)``."""

Advance = Callable[[int], None]
"""Called with how many more images are done."""

LONG = 2.0
"""Seconds of a stage from which its line stays, with the time that it took."""


def tell(line: str, progress: bool | ProgressCallback) -> None:
    """A line for whoever watches: printed where there is a bar, nothing otherwise."""
    if progress is True:
        print(line, flush=True)


@contextmanager
def stage_of(what: str, progress: bool | ProgressCallback) -> Iterator[None]:
    """A block of work that is not counted in images: a spinner where there is a bar, nothing otherwise.

    Args:
        what: its name.
        progress: as of the images.
    """
    if progress is not True:
        yield
        return
    from rich import get_console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    begun, console = time.monotonic(), get_console()
    seen = console.is_terminal or console.is_jupyter  # a file of output gets the line at the end alone
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, transient=True, disable=not seen) as shown:
        shown.add_task(printable(what), total=None)
        yield
    if (took := time.monotonic() - begun) >= LONG:
        tell(f"{printable(what)}: {took:.0f} s", progress)


@contextmanager
def progress_of(
    what: str, total: int, progress: bool | ProgressCallback, first: str = "", unit: str = "images"
) -> Iterator[Advance]:
    """Yields the function that advances the progress of one piece of work.

    Args:
        what: its name.
        total: images in all.
        progress: True for a bar, False for nothing, or a function that is told.
        first: what is done before the first of them, said beside the bar.
        unit: what is counted, where it is not images.
    """
    if progress is True:
        with _bar(what, total, first, unit) as advance:
            yield advance
        return
    done = 0

    def tell(added: int) -> None:
        nonlocal done
        done += added
        if callable(progress):
            progress(what, done, total)

    yield tell


@contextmanager
def _bar(what: str, total: int, first: str, unit: str) -> Iterator[Advance]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.text import Text

    class Rate(ProgressColumn):
        """Images a second, of this run alone; until there is one, what is done first."""

        def render(self, task: Task) -> Text:
            if not task.completed and first:
                return Text(first)
            return Text(f"{task.speed:.1f} {unit}/s" if task.speed else "")

    words = TextColumn("{task.description}", markup=False)
    with Progress(
        words, BarColumn(), MofNCompleteColumn(), SpinnerColumn(finished_text=""), Rate(), Remaining()
    ) as bar:
        task = bar.add_task(printable(what), total=total)
        yield lambda added: bar.advance(task, added)
