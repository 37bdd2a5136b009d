"""What a compiler says of a program: memory, bytes, gathers, and its **estimate** of the time. Nothing here was measured."""

import dataclasses
import time
from typing import Any

import jax

from benchmarks import hlo
from benchmarks.targets import Chip

MIB = 2.0**20


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Of one compiled program; the fields are the columns of ``--out``.

    Attributes:
        target, encoder, dtype, program, batch: what was compiled.
        compile_s: seconds that the compiler took, on this machine.
        arguments_mib, temp_mib, output_mib: the chip's memory, by ``memory_analysis()``.
        accessed_mib: bytes accessed per image, by ``cost_analysis()``, which counts a loop's body once; None where the
            compiler gives none.
        gathers: gather instructions in the whole program.
        precisions: of the program's products, ``type:precision`` with their number.
        prologue, block, trips, epilogue: estimated cycles before the first loop, once round it, how often it goes round,
            after it; other loops are counted in ``epilogue``. None without estimates.
        images_per_s: what the cycles come to at the chip's clock.
        share: of the chip's peak.
        unpriced: kernels without an estimate, which the cycles lack.
        pieces: the dearest instructions.
    """

    target: str
    encoder: str
    dtype: str
    program: str
    batch: int
    compile_s: float
    arguments_mib: float
    temp_mib: float
    output_mib: float
    accessed_mib: float | None
    gathers: int
    precisions: dict[str, int]
    prologue: float | None
    block: float | None
    trips: int
    epilogue: float | None
    images_per_s: float | None
    share: float | None
    unpriced: int
    pieces: tuple[hlo.Piece, ...]


@dataclasses.dataclass(frozen=True)
class Job:
    """A program that is to be compiled.

    Attributes:
        target, encoder, dtype, program, batch: as in `Estimate`.
        flops: matrix products' of one image, or of one step of an ensemble.
    """

    target: str
    encoder: str
    dtype: str
    program: str
    batch: int
    flops: float


def estimate(job: Job, lowered: jax.stages.Lowered, chip: Chip, pieces: int) -> Estimate:
    """Compile a program and read what its compiler says."""
    start = time.perf_counter()
    compiled = lowered.compile(dict(chip.options))
    seconds = time.perf_counter() - start
    program = hlo.parse(compiled.as_text() or "")
    stats, costs = compiled.memory_analysis(), compiled.cost_analysis() or {}
    accessed = costs.get("bytes accessed")
    named = {name: value for name, value in dataclasses.asdict(job).items() if name != "flops"}
    return Estimate(
        **named,
        compile_s=seconds,
        arguments_mib=stats.argument_size_in_bytes / MIB,
        temp_mib=stats.temp_size_in_bytes / MIB,
        output_mib=stats.output_size_in_bytes / MIB,
        accessed_mib=None if accessed is None else accessed / job.batch / MIB,
        gathers=len(program.of("gather")),
        precisions=precisions(program),
        unpriced=len(program.unpriced()) if chip.products else 0,
        pieces=tuple(program.pieces()[:pieces]),
        **cycles(job, program, chip),
    )


def cycles(job: Job, program: hlo.Program, chip: Chip) -> dict[str, Any]:
    """The fields of `Estimate` that come of estimated cycles; None where the compiler gives none."""
    trips = program.trips(program.loops[0]) if program.loops else 0
    names = ("prologue", "block", "epilogue", "images_per_s", "share")
    if not chip.products:
        return {**dict.fromkeys(names), "trips": trips}
    sections, total = program.sections(), program.total(program.entry)
    before, once = sections.get("prologue", 0.0), sections.get("loop 1", 0.0)
    rate = job.batch * chip.clock / total
    values = (before, once, total - before - trips * once, rate, rate * job.flops / chip.peak)
    return {**dict(zip(names, values, strict=True)), "trips": trips}


def precisions(program: hlo.Program) -> dict[str, int]:
    """``"f32:highest"`` -> how many products there are."""
    found: dict[str, int] = {}
    for product in program.products():
        name = f"{product.dtype}:{'/'.join(sorted(set(product.precision)))}"
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))
