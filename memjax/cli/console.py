"""What every command writes to the terminal: one line as it is, or a table of rich's."""

from rich.console import Console
from rich.text import Text

from memjax.naming import printable


class _Terminal(Console):
    """A console that leaves it to `memjax.cli.leaving` what happens when nobody reads its output any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


CONSOLE = _Terminal(stderr=False, highlight=False)


def say(text: object = "") -> None:
    """One line as it is: never wrapped, and nothing in it read as markup."""
    CONSOLE.print(unmarked(text), soft_wrap=True)


def unmarked(text: object) -> Text:
    """A text as it is, in one line: nothing in it is markup."""
    return Text(printable(str(text)))
