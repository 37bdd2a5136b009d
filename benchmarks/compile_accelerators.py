"""What do the compilers for TPUs and GPUs say of memjax's programs? No accelerator is needed, and none is used.

It needs the compilers, which are packages; README.md of this folder has the line that installs them into an environment of
their own:

  python benchmarks/compile_accelerators.py                        the table: bfloat16 on v5e, v6e, v5p and an H100
  python benchmarks/compile_accelerators.py --quick                one encoder on v5e and an H100
  python benchmarks/compile_accelerators.py --encoders clip-b16 --targets v5e --batches 8 16 32 64 --pieces 20

Printed are compile time, the chip's memory, bytes accessed, gathers, and of TPUs the compiler's estimate of cycles: before the
loop over blocks, a block, after it, by named piece. Images a second and the share of the chip's peak follow from them.
**Each of these is the compiler's estimate, never a measurement.** XLA's compiler for GPUs gives no cycles: memory alone.
"""

import csv
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks import targets
from memjax.cli.arguments import read_arguments, run_main

if TYPE_CHECKING:
    import jax

    from benchmarks.estimates import Estimate, Job

Target = Literal["v5e", "v6e", "v5p", "v4", "h100"]
Name = Literal[
    "dinov2-s14", "dinov2-b14", "clip-b32", "clip-b16", "clip-l14-336", "siglip2-b16", "siglip2-so400m-384",
    "vitmae-b16", "tiny",
]  # fmt: skip
Program = Literal["sweep", "tokens", "forward", "sae", "flax"]
LAYERS, SEEDS, WIDTH, LATENTS = 13, 5, 768, 100
"""Of the ensemble of sparse autoencoders."""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is compiled."""

    targets: tuple[Target, ...] = ("v5e", "v6e", "v5p", "h100")
    """Chips."""
    encoders: tuple[Name, ...] = (
        "dinov2-s14", "dinov2-b14", "clip-b32", "clip-b16", "clip-l14-336", "siglip2-so400m-384", "vitmae-b16",
    )  # fmt: skip
    """Architectures of `benchmarks/architectures.py`."""
    dtypes: tuple[Literal["bfloat16", "float32"], ...] = ("bfloat16",)
    """Compute types. A TPU's compiler takes ten times as long over float32 (six passes a product)."""
    programs: tuple[Program, ...] = ("sweep", "tokens", "forward", "sae", "flax")
    """*sweep*: all metrics of all layers; *tokens*: with each layer's cls tokens; *forward*: the encoder alone; *sae*: one step
    of 13 x 5 sparse autoencoders of 768 inputs, float32; *flax*: ViT-B/16's forward pass written with flax.linen."""
    batches: tuple[int, ...] = ()
    """Images on the chip; by default what a sweep takes there."""
    sae_batches: tuple[int, ...] = (1, 4096)
    """Vectors of an ensemble's step."""
    pieces: int = 0
    """Also print so many of the dearest instructions of each program."""
    out: Path | None = None
    """Write every figure here: a CSV file, or JSON with the pieces where the name ends with .json."""
    quick: bool = False
    """CLIP B/16's sweep and forward pass on v5e and an H100, and nothing else."""


QUICK = {"targets": ("v5e", "h100"), "encoders": ("clip-b16",), "programs": ("sweep", "forward")}


def jobs(args: Arguments) -> "Iterator[tuple[Job, jax.stages.Lowered]]":
    """Every program, lowered one at a time."""
    for target in args.targets:
        device = targets.device(target)
        yield from encoder_jobs(args, target, device)
        if "flax" in args.programs:
            yield from flax_jobs(args, target, device)
        if "sae" in args.programs:
            yield from ensemble_jobs(args, target, device)


def encoder_jobs(args: Arguments, target: Target, device: "jax.Device") -> "Iterator[tuple[Job, jax.stages.Lowered]]":
    from benchmarks import programs
    from benchmarks.estimates import Job

    for name in args.encoders:
        encoder = programs.encoder_of(name)
        for dtype in args.dtypes:
            for kind in programs.KINDS:
                for batch in args.batches or (programs.default_batch(encoder, target),):
                    if kind in args.programs:
                        job = Job(target, name, dtype, kind, batch, encoder.flops)
                        yield job, programs.lower(encoder, kind, dtype, batch, device)


def flax_jobs(args: Arguments, target: Target, device: "jax.Device") -> "Iterator[tuple[Job, jax.stages.Lowered]]":
    from benchmarks import flax_vit, programs
    from benchmarks.estimates import Job

    twin = programs.encoder_of("clip-b16")
    for dtype in args.dtypes:
        for batch in args.batches or (programs.default_batch(twin, target),):
            yield Job(target, "flax-b16", dtype, "forward", batch, twin.flops), flax_vit.lower(dtype, batch, device)


def ensemble_jobs(args: Arguments, target: Target, device: "jax.Device") -> "Iterator[tuple[Job, jax.stages.Lowered]]":
    from benchmarks import programs
    from benchmarks.estimates import Job

    flops = 12.0 * LAYERS * SEEDS * WIDTH * LATENTS  # of one vector each: two products forward, four backward
    for batch in args.sae_batches:
        job = Job(target, f"sae-{LAYERS}x{SEEDS}", "float32", "step", batch, flops)
        yield job, programs.lower_ensemble(LAYERS, SEEDS, WIDTH, batch, device)


def show(found: "Estimate") -> None:
    """One row, and its pieces."""
    row = (
        f"{found.target:<5}{found.encoder:<20}{found.dtype:<9}{found.program:<8}{found.batch:>5}{found.compile_s:>7.0f}"
    )
    row += f"{found.arguments_mib:>7.0f}{found.temp_mib:>7.0f}{found.output_mib:>6.0f}"
    row += f"{shown(found.accessed_mib, ',.0f'):>10}{found.gathers:>4}"
    row += f"{shown(found.prologue, ',.0f'):>13}{shown(found.block, ',.0f'):>12} x {found.trips:<3}"
    row += f"{shown(found.epilogue, ',.0f'):>10}{shown(found.images_per_s, ',.0f'):>10}{shown(found.share, '.1%'):>7}"
    print(f"{row}  {', '.join(f'{n} {name}' for name, n in found.precisions.items())}", flush=True)
    if found.unpriced:
        print(f"     {found.unpriced} kernels have no estimate: the cycles lack them")
    for piece in found.pieces:
        print(
            f"     {piece.cost:>12,.0f} cycles  {piece.section:<9}{piece.source}: {piece.operation} {piece.shape[:70]}"
        )


def shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def heading() -> None:
    print(
        "Compilers' estimates, no measurement. Memory in MiB; bytes accessed: MiB an image, a loop's body counted once."
    )
    print(
        f"{'chip':<5}{'encoder':<20}{'type':<9}{'program':<8}{'batch':>5}{'comp s':>7}{'args':>7}{'temp':>7}{'out':>6}",
        end="",
    )
    print(f"{'accessed':>10}{'gat':>4}{'cycles before':>13}{'a block':>12} x {'n':<3}{'after':>10}", end="")
    print(f"{'est. im/s':>10}{'peak':>7}  products by precision")


def write(path: Path, found: "list[Estimate]") -> None:
    """Every figure; a CSV has a line a program and no pieces."""
    rows = [dataclasses.asdict(x) for x in found]
    if path.suffix == ".json":
        path.write_text(json.dumps({"compilers' estimates, no measurement": rows}, indent=1), encoding="utf-8")
        return
    flat = [{name: value for name, value in row.items() if name not in ("pieces", "precisions")} for row in rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(flat[0]))
        writer.writeheader()
        writer.writerows(flat)


def metrics_costs(found: "list[Estimate]") -> Iterator[str]:
    """Of each encoder whose sweep and forward pass were both compiled: how much dearer a block is with the metrics."""
    blocks = {(x.target, x.encoder, x.dtype, x.batch, x.program): x for x in found if x.block}
    for (*key, program), sweep in blocks.items():
        alone = blocks.get((*key, "forward"))
        if (
            program == "sweep"
            and alone is not None
            and sweep.block
            and alone.block
            and sweep.images_per_s
            and alone.images_per_s
        ):
            whole = alone.images_per_s / sweep.images_per_s
            yield f"{' '.join(map(str, key))}: {sweep.block / alone.block:.2f} x a block, {whole:.2f} x the whole program"


def main() -> None:
    args = read_arguments(Arguments, __doc__ or "")
    targets.prepare()
    from benchmarks.estimates import estimate

    if args.quick:
        args = dataclasses.replace(args, **QUICK)
    heading()
    found = []
    for job, lowered in jobs(args):
        found.append(estimate(job, lowered, targets.CHIPS[job.target], args.pieces))
        show(found[-1])
    print("\nMetrics' cost by the compiler's estimate, sweep beside forward alone:")
    print("\n".join(metrics_costs(found)))
    if args.out is not None:
        write(args.out, found)


if __name__ == "__main__":
    run_main(main)
