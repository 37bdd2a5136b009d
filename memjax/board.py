"""What the processes of a run tell each other: that they agree, that one has failed, that one is still alive.

It stands on the key-value store of the coordination service (`jax.distributed`), which process 0 runs; no array is exchanged.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from memjax.checks import InputError, ProcessLostError
from memjax.waiting import interruptible

SLICE = 1.0
"""Seconds between two looks at what the others tell."""
SAYING = 10.0
"""Seconds of waiting after which a process says what it waits for."""
LINGERING = 10.0
"""Seconds that process 0 stays, so that the others can read why the run ends."""

FAILED, BEAT, GONE, DONE = "memjax/failed", "memjax/beat", "memjax/gone", "done"


@runtime_checkable
class KeyValues(Protocol):
    """The part of JAX's distributed client that is used here."""

    def key_value_set(self, key: str, value: str, allow_overwrite: bool = False) -> None:
        """Raises an error if the key is there, unless it may be overwritten."""

    def blocking_key_value_get(self, key: str, timeout_in_ms: int) -> str:
        """Waits for a key; raises an error when the time is over."""

    def key_value_dir_get(self, key: str) -> list[tuple[str, str]]:
        """All keys below one, with their values."""

    def wait_at_barrier(self, barrier_id: str, timeout_in_ms: int) -> None:
        """Waits for all."""


def complain(line: str) -> None:
    """A line on the standard error output."""
    print(line, file=sys.stderr, flush=True)


@dataclass
class Board:
    """One process's access to what all of them tell each other.

    Attributes:
        client: of the coordination service.
        index, count: which process this is, and how many there are.
        lost: why the run has to end, once another process has failed or is gone.
        done, leaving: this process has come to its end, or ends early.
        say: tells what is waited for.
    """

    client: KeyValues
    index: int
    count: int
    lost: str = ""
    done: bool = False
    leaving: bool = False
    say: Callable[[str], None] = complain
    _rounds: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def me(self) -> str:
        return f"process {self.index} of {self.count}"

    def fail(self, reason: str, whose: int | None = None) -> None:
        """Tell all others that a process (by default this one) has failed; the first to fail is the one that is told."""
        process = self.index if whose is None else whose
        told = {"process": process, "by": self.index, "reason": " ".join(reason.split())[:300]}
        try:
            self.client.key_value_set(f"{FAILED}/first", json.dumps(told))
        except RuntimeError:
            return  # another was first, or nobody is left to be told

    def failure(self) -> str:
        """Which process has failed and why; empty if none has."""
        found = self.client.key_value_dir_get(f"{FAILED}/")
        if not found:
            return ""
        told = json.loads(found[0][1])
        mine = told["process"] == told["by"] == self.index
        return "" if mine else f"process {told['process']} has ended: {told['reason']}"

    def check(self) -> None:
        """Raises `ProcessLostError` if another process has failed, or if none can be asked any more."""
        try:
            self.lost = self.lost or self.failure()
        except RuntimeError as error:
            self.lost = f"process 0 can't be reached any more ({' '.join(str(error).split())[:160]})"
        if self.lost:
            raise ProcessLostError(f"{self.me}: {self.lost}")

    def value(self, key: str, whom: str) -> str:
        """The value of a key, once it is there; meanwhile it is looked whether another process has failed.

        Raises:
            ProcessLostError: one has.
        """
        begun, said = time.monotonic(), False
        while True:
            try:
                return self.client.blocking_key_value_get(key, int(SLICE * 1000))
            except RuntimeError:
                try:
                    self.check()
                except ProcessLostError:  # the one that is gone may have set the value and ended since the last look
                    if (left := self._set_already(key)) is None:
                        raise
                    return left
            if not said and time.monotonic() - begun > SAYING:
                said = True
                self.say(f"{self.me} waits for {whom}")

    def _set_already(self, key: str) -> str | None:
        try:
            return self.client.blocking_key_value_get(key, 1)
        except RuntimeError:
            return None

    def agree(self, facts: Mapping[str, str]) -> None:
        """Go on if every process has the same facts; all have to call it in the same order.

        Raises:
            InputError: they differ; in every process, naming the first that differs from process 0, and in what.
            ProcessLostError: a process has failed.
        """
        here = f"memjax/agree/{next(self._rounds)}"
        if self.index:
            self.client.key_value_set(f"{here}/{self.index}", json.dumps(dict(facts)))
            verdict = self.value(f"{here}/verdict", "process 0, to compare the settings")
        else:
            verdict = ""
            for other in range(1, self.count):
                theirs = json.loads(self.value(f"{here}/{other}", f"process {other}, to compare the settings"))
                verdict = verdict or difference(other, facts, theirs)
            self.client.key_value_set(f"{here}/verdict", verdict or "the same")
        if verdict not in ("", "the same"):
            raise InputError(f"{verdict}; start all processes with the same command and data", argument="distributed")

    def shared(self, value: str = "") -> str:
        """What process 0 gives here, in every process."""
        key = f"memjax/shared/{next(self._rounds)}"
        if self.index:
            return self.value(key, "process 0")
        self.client.key_value_set(key, value)
        return value

    def barrier(self, what: str, timeout: int) -> None:
        """Wait for all processes; one that waits long says for which.

        Args:
            what: comes before, for messages.
            timeout: seconds.

        Raises:
            ProcessLostError: a process has failed.
        """
        name = f"memjax/barrier/{next(self._rounds)} {what}"

        def wait() -> None:
            self.client.key_value_set(f"{name}/{self.index}", "here")
            self.client.wait_at_barrier(name, int(timeout * 1000))

        try:
            interruptible(wait, lambda: self.say(f"{self.me} waits for {self._missing(name)} ({what})"), SAYING)
        except RuntimeError as error:
            raise self.gone(what, error) from error

    def gone(self, what: str, error: RuntimeError) -> ProcessLostError:
        """The error of a process that waited for all the others, one of which is gone. Raise what it returns.

        Raises:
            ProcessLostError: it is known which, and why.
        """
        self.check()
        reason = " ".join(str(error).split())[:300]
        return ProcessLostError(f"{self.me} waited for the others ({what}): {reason}")

    def _missing(self, name: str) -> str:
        try:
            there = {key.rpartition("/")[2] for key, _ in self.client.key_value_dir_get(f"{name}/")}
        except RuntimeError:
            return "the others"
        return by_number(i for i in range(self.count) if str(i) not in there)

    def beat(self, sign: str) -> None:
        """A sign of life; any that differs from the last, or `DONE` for the last of all."""
        self.done = self.done or sign == DONE
        self.client.key_value_set(f"{BEAT}/{self.index}", sign, allow_overwrite=True)

    def beats(self) -> dict[int, str]:
        """The last sign of every process that has given one."""
        return {int(key.rpartition("/")[2]): sign for key, sign in self.client.key_value_dir_get(f"{BEAT}/")}

    def leave(self) -> None:
        """The last word of a process that ends early; process 0 waits until the others have read why."""
        self.leaving = True
        try:
            self.client.key_value_set(f"{GONE}/{self.index}", "", allow_overwrite=True)
            end = time.monotonic() + LINGERING
            while self.index == 0 and time.monotonic() < end and len(self._gone()) < self.count:
                time.sleep(SLICE / 4)
        except RuntimeError:
            return  # nobody is left

    def _gone(self) -> set[str]:
        done = {str(process) for process, sign in self.beats().items() if sign == DONE}
        gone = {key.rpartition("/")[2] for key, _ in self.client.key_value_dir_get(f"{GONE}/")}
        return (
            done | gone | {str(json.loads(told)["process"]) for _, told in self.client.key_value_dir_get(f"{FAILED}/")}
        )


def by_number(numbers: Iterable[int], most: int = 5) -> str:
    """Processes by their numbers, the first few.

    Example:
        >>> by_number(range(1, 8))
        'processes 1, 2, 3, 4, 5 and 2 more'
    """
    found = list(numbers)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return f"process{'es' if len(found) > 1 else ''} {', '.join(map(str, found[:most]))}{more}"


def difference(other: int, ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """In what the facts of process ``other`` differ from those of process 0; empty if in nothing.

    Example:
        >>> difference(1, {"models": "a, b", "seed": "0"}, {"models": "b, a", "seed": "0"})
        'process 1 differs from process 0: models are b, a, not a, b'
    """
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    if not names:
        return ""
    told = [f"{name} are {_short(theirs.get(name))}, not {_short(ours.get(name))}" for name in names[:3]]
    more = [f"and {len(names) - 3} more"] if len(names) > 3 else []
    return f"process {other} differs from process 0: {'; '.join([*told, *more])}"


def _short(value: str | None) -> str:
    text = " ".join((value or "none").split())
    return text if len(text) <= 300 else f"{text[:300]}.."
