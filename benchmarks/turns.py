"""Timing that holds on a machine which others use too: the sides take turns, medians with their spread are kept."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Side:
    """One way to do the work: ``run`` does it once, for ``units`` images (or steps, or floating-point operations)."""

    run: Callable[[], Any]
    units: float


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of each turn, by the clock (``wall``) and of this process on all cores (``cpu``), and units a turn."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    units: float

    @property
    def rate(self) -> float:
        """Units a second, the median of the turns."""
        return self.units / float(np.median(self.wall))

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest and the fastest turn's rate."""
        return self.units / max(self.wall), self.units / min(self.wall)

    @property
    def cpu_rate(self) -> float:
        """Units per second of processor time, the median: hardly moved by what others run beside it."""
        return self.units / max(float(np.median(self.cpu)), 1e-9)

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "rate": self.rate, "cpu_rate": self.cpu_rate}


def take_turns(sides: Mapping[str, Side], repeats: int) -> dict[str, Timing]:
    """Every side once in each of ``repeats`` rounds, after one round that is not counted (it compiles and warms up)."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, side in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            side.run()
            spent = (time.perf_counter() - wall, time.process_time() - cpu)
            if turn:
                seconds[name].append(spent)
    return {
        name: Timing(tuple(w for w, _ in spent), tuple(c for _, c in spent), sides[name].units)
        for name, spent in seconds.items()
    }


def fastest(sides: Mapping[str, Side]) -> str:
    """The name of the side with the highest rate in one turn of each: how a setting is chosen before the timed turns."""
    timings = take_turns(sides, 1)
    return max(timings, key=lambda name: timings[name].rate)


def ratio(ours: Timing, theirs: Timing) -> float:
    """How many times as fast ours is: the median over rounds of the ratio within a round, so that slow rounds cancel."""
    rounds = zip(ours.wall, theirs.wall)
    return float(np.median([(ours.units / a) / (theirs.units / b) for a, b in rounds]))
