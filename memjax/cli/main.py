"""The command `memjax`: which commands there are, and the one that is asked for."""

import importlib
import sys
from collections.abc import Callable, Sequence

from memjax.cli import guard

guard.stand_guard()

COMMANDS = {
    "sweep": "measure every layer of encoders on images and correlate with memorability (the main job)",
    "saes": "train sparse autoencoders on a sweep's tokens and score their loss against memorability",
    "atlas": "every latent of trained autoencoders against memorability, with the images that it fires for",
    "predict": "a score for new images: fit a predictor on a sweep, save it, and use it",
    "causes": "heads, MLPs and blocks taken out one at a time, and what that does to predicted scores",
    "transfer": "predictors fitted on some sweeps, each held against the scores of the others; official splits",
    "compare": "sweeps of several data sets in one table, with means over data sets",
    "paper": "the paper's tables and figures, ours beside theirs",
    "baselines": "CNN-era measures of a sweep's tokens: sparse coding error, nearest neighbour",
    "encoders": "which encoders there are, with their sizes and pinned revisions",
    "datasets": "which data sets there are, how to get them, their terms",
    "doctor": "versions, devices, memory, caches, access to the hub, what is missing for an extra",
}
"""Command -> what it does. Each is a module of `memjax.cli` with ``main(words, program)``."""

HELP = """usage: memjax COMMAND [options]

What, inside a pretrained vision encoder, makes an image memorable to people?

{commands}

  memjax sweep                          the embedded demo, offline, in about a minute
  memjax sweep --images photos/ --scores scores.csv --models facebook/dinov2-small
  memjax COMMAND --help                 what a command takes

Exit codes: 0 done; 1 done, but some images could not be used; 2 wrong input, or something that the machine refuses (room on the
disk, rights, memory), with one line that says what to do; 3 another process of the run has ended; 70 a mistake of memjax itself:
the line says where the log is; 130 interrupted (Ctrl-C); 141 nobody reads the output any more; 143 terminated (SIGTERM).
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the words name; the exit code.

    Raises:
        InputError: no such command.
    """
    from memjax import __version__

    given = list(sys.argv[1:] if words is None else words)
    if not given or given[0] in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS)) + 2
        print(HELP.format(commands="\n".join(f"  {name:<{width}}{text}" for name, text in COMMANDS.items())), end="")
        return 0
    if given[0] in ("-V", "--version"):
        print(f"memjax {__version__}")
        return 0
    if given[0] not in COMMANDS:
        import difflib

        from memjax.checks import InputError

        near = difflib.get_close_matches(given[0], COMMANDS, n=1)
        fix = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
        raise InputError(f"memjax {given[0]}: no such command; {fix}")
    command = importlib.import_module(f"memjax.cli.{given[0]}")
    return command.main(given[1:], f"memjax {given[0]}")


def named(command: str) -> Callable[[], int]:
    """The ``main`` of a command, which is imported when it runs: an interruption of the import ends in one line too.

    Example:
        >>> named("sweep").__name__
        'sweep'
    """

    def main_of_command() -> int:
        return importlib.import_module(f"memjax.cli.{command}").main()

    main_of_command.__name__ = command
    return main_of_command


def run_and_leave(program: Callable[[], int]) -> None:
    """Run a program, and leave with its exit code; what that needs is imported once Ctrl-C is told in one line."""
    from memjax.cli.leaving import run_main

    run_main(program)


def entry() -> None:
    """The console script: run, and leave with the exit code."""
    run_and_leave(main)


if __name__ == "__main__":
    entry()
