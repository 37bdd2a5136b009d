"""How fast are images measured, beside what a user would run instead? Generated images, random weights, no download.

  python benchmarks/throughput.py                                    four encoders at 224 pixels
  python benchmarks/throughput.py --encoders dinov2-s14 --per-device 4 1 2 8 16
  python benchmarks/throughput.py --model-folder DIR                 a local model folder instead
  python benchmarks/throughput.py --profile DIR                      a trace of one run for each encoder, by jax.profiler

memjax's sides: *metrics*, all metrics of all layers; *forward*, the same encoder with no tap. PyTorch's, on the same weights and
pixels, if torch and transformers are installed: *sdpa*, batched, no metric; *eager*, batched, with hidden states, attentions and
vectorised metrics; *authors*, the published scripts' protocol, image by image. PyTorch has the best of some batches and
thread counts. All sides take turns with each other and with a matrix product (sgemm) of the encoder's own shape; reported are
medians, the slowest and fastest turn, and medians of the ratios within a round. `--json` keeps everything.
"""

import dataclasses
import io
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks import architectures, machine, show, start_up, turns
from memjax import devices
from memjax.checks import expected
from memjax.cli.arguments import read_arguments, run_main

Name = Literal["dinov2-s14", "clip-b32", "clip-b16", "siglip2-b16", "tiny"]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is timed."""

    encoders: tuple[Name, ...] = ("dinov2-s14", "clip-b32", "clip-b16", "siglip2-b16")
    """Architectures of `benchmarks/architectures.py`."""
    model_folder: Path | None = None
    """A local Hugging Face folder instead of --encoders."""
    images: int = 16
    """Images of a timed turn, rounded up to whole batches of memjax."""
    per_device: tuple[int, ...] = ()
    """Images a batch on one device, by default what a sweep takes; the first stands in the ratios, others beside it."""
    devices: int | None = None
    """Host devices; by default one a core."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Compute type of every side."""
    torch_batches: tuple[int, ...] = (1, 4, 16)
    """Batches that the PyTorch sides may choose from."""
    torch_threads: tuple[int, ...] = ()
    """Thread counts that they may choose from; by default 1 and all cores."""
    author_images: int = 1
    """Images of a turn of the authors' protocol."""
    repeats: int = 5
    """Timed turns of each side."""
    peers: bool = True
    """Time the PyTorch sides, where torch is installed."""
    files: int = 32
    """JPEG files of 640 x 480 for the stages and the run from file to store, at least 4 batches; 0 leaves these out."""
    start: bool = True
    """Time starts in fresh processes."""
    profile: Path | None = None
    """Write jax.profiler's trace of one run here."""
    json: Path | None = None
    """Write every turn's seconds here."""


def memjax_sides(args: Arguments, encoder: Any, pixels: np.ndarray, mesh: Any) -> dict[str, turns.Side]:
    """*metrics* for each batch of ``--per-device``, and *forward* for the first."""
    import jax

    from memjax.measure import compiled
    from memjax.models.vit import forward
    from memjax.selection import Selection

    config, params = encoder.config, devices.replicate(encoder.params, mesh)
    measured = compiled(config, config.layout, Selection(), mesh)

    def last(weights: Any, batch: Any) -> Any:
        one = lambda image: forward(weights, image.astype(weights.patch.kernel.dtype), config, tap=None).last  # noqa: E731
        return jax.vmap(one)(batch)

    def side(run: Callable[..., Any], each: int) -> turns.Side:
        size = each * mesh.size
        parts = [devices.split(devices.pad_to(pixels[i : i + size], size), mesh) for i in range(0, len(pixels), size)]
        return turns.Side(lambda: jax.block_until_ready([run(params, part) for part in parts]), len(pixels))

    first, *others = args.per_device
    sides = {"metrics": side(measured, first), "forward": side(devices.data_parallel(last, mesh), first)}
    return sides | {f"metrics, {each} a device": side(measured, each) for each in others}


def torch_sides(args: Arguments, source: str, pixels: np.ndarray, cls: bool) -> tuple[dict[str, turns.Side], dict]:
    """The PyTorch sides, each with the batch and thread count that one turn of each found fastest, and those."""
    from benchmarks import peers

    batch = peers.to_torch(pixels, args.dtype)
    threads = args.torch_threads or tuple(dict.fromkeys((1, machine.cores())))
    eager, sdpa = (peers.load(source, kind, args.dtype) for kind in ("eager", "sdpa"))
    settings = [(b, t) for b in args.torch_batches for t in threads if b <= len(pixels)] or [(len(pixels), threads[-1])]
    tried: dict[str, dict[tuple[int, int], turns.Side]] = {
        "sdpa": {(b, t): turns.Side(peers.forward(sdpa, batch, b, t), len(batch)) for b, t in settings},
        "eager": {(b, t): turns.Side(peers.vectorised(eager, batch, b, t, cls), len(batch)) for b, t in settings},
        "authors": {
            (1, t): turns.Side(peers.authors(eager, batch[: args.author_images], t), args.author_images)
            for t in threads
        },
    }
    sides, chosen = {}, {}
    for name, ways in tried.items():
        by_name = {f"batch {b}, {t} thread{'s' * (t > 1)}": way for (b, t), way in ways.items()}
        chosen[name] = turns.fastest(by_name) if len(by_name) > 1 else next(iter(by_name))
        sides[name] = by_name[chosen[name]]
    return sides, chosen


def agreement(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Largest difference of a metric, relative to its largest value at any layer: both sides did the same work."""
    worst = 0.0
    for name, wanted in theirs.items():
        values = np.asarray(ours[name])[:, -wanted.shape[1] :]
        worst = max(worst, float(np.abs(values - wanted).max() / np.abs(wanted).max()))
    return worst


def measure(args: Arguments, source: str, name: str, scratch: Path) -> dict[str, Any]:
    """Everything about one encoder."""
    import memjax
    from memjax.batching import images_per_device

    encoder, mesh = architectures.open_encoder(source, args.dtype), devices.data_mesh()
    each = images_per_device(encoder.config, encoder.preprocessing.image_size)
    args = dataclasses.replace(args, per_device=args.per_device or (each,))
    size = args.per_device[0] * mesh.size
    shape = (-(-args.images // size) * size, architectures.SIDE, architectures.SIDE, 3)
    pixels = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    sides, config = memjax_sides(args, encoder, pixels, mesh), encoder.config
    result: dict[str, Any] = {"encoder": name, "batch": size, "images": len(pixels)}
    result["work"] = dataclasses.asdict(architectures.work(config))
    if args.profile:
        sides["metrics"].run()
        with devices.profiled(args.profile / name):
            sides["metrics"].run()
    sides |= machine.sgemm_sides(config.width, config.mlp_width, mesh)
    if args.peers and machine.has_torch():
        peers, result["torch"] = torch_sides(args, source, pixels, config.cls)
        result["agreement"] = agreement(memjax.features(encoder, pixels), peers["eager"].run())
        sides |= peers
    if args.files:
        from benchmarks import stages

        stages.write_folder(scratch / name, max(args.files, 4 * size), 640, 480)  # fewer batches would not overlap
        sides["files to store"] = stages.end_to_end(encoder, scratch / name, size)
        sides |= stages.stage_sides(encoder, scratch / name, mesh)
    result["timings"] = turns.take_turns(sides, args.repeats)
    if args.start:
        torch = args.peers and machine.has_torch()
        result["start"] = start_up.encoder_start(source, size, args.dtype, torch)
    return result


def sources(args: Arguments, scratch: Path) -> dict[str, str]:
    """Name -> folder; where torch is not installed, an entry of the table, whose weights memjax makes itself."""
    if args.model_folder is not None:
        folder = architectures.local_folder(args.model_folder)
        return {Path(folder).name: folder}
    if not (args.peers and machine.has_torch()):
        return {name: name for name in args.encoders}
    from benchmarks import peers

    found = {}
    for name in args.encoders:
        peers.save_random(architectures.CONFIGS[name], scratch / f"{name}-weights")
        found[name] = str(scratch / f"{name}-weights")
    return found


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    if min(args.images, args.author_images, args.repeats, *args.per_device, *args.torch_batches) < 1 or args.files < 0:
        raise expected("sizes", "1 or more", "less")
    if args.devices is not None and not 1 <= args.devices <= machine.cores():
        raise expected("--devices", f"1 to {machine.cores()}, the cores of this machine", args.devices)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # an encoder takes a minute: show each as it is done
    used = devices.use_cores(args.devices)
    about = machine.describe() | {"devices": used, "dtype": args.dtype}
    show.machine(about)
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, source in sources(args, Path(scratch)).items():
            results.append(measure(args, source, name, Path(scratch)))
            show.encoder(results[-1])
        starts: dict[str, Any] = {}
        if args.start:
            starts = {"import memjax": start_up.import_seconds(args.repeats), "sweep": start_up.sweep_start(None)}
            starts["commands"] = start_up.whole_commands(args.repeats)
            show.starts(starts)
    if args.json:
        made = {"machine": about, "encoders": results, "starts": starts}
        args.json.write_text(json.dumps(made, indent=1, default=turns.Timing.to_json) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_main(main)
