"""Progress over images: a bar in a terminal or a notebook, a caller's own function, or nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from memjax.naming import printable

ProgressCallback = Callable[[str, int, int], None]
"""Called as ``(what, done, total)``, e.g. ``("facebook/dinov2-small", 512, 2632)``."""

Advance = Callable[[int], None]
"""Called with how many more images are done."""


def tell(line: str, progress: bool | ProgressCallback) -> None:
    """A line for whoever watches: printed where there is a bar, nothing otherwise."""
    if progress is True:
        print(line, flush=True)


@contextmanager
def progress_of(what: str, total: int, progress: bool | ProgressCallback) -> Iterator[Advance]:
    """Yields the function that advances the progress of one piece of work.

    Args:
        what: its name.
        total: images in all.
        progress: True for a bar, False for nothing, or a function that is told.
    """
    if progress is True:
        with _bar(what, total) as advance:
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
def _bar(what: str, total: int) -> Iterator[Advance]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.text import Text

    class Rate(ProgressColumn):
        """Images a second, of this run alone."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f} images/s" if task.speed else "")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), Rate(), Remaining())
    with Progress(*columns) as bar:
        task = bar.add_task(printable(what), total=total)
        yield lambda added: bar.advance(task, added)
