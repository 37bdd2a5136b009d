"""How many images a second does one core decode and resize, by which library, and to which pixels?

  python benchmarks/decoding.py                        generated JPEGs of 640 x 480
  python benchmarks/decoding.py --images DIR           the JPEG files of a folder, an even sample
  uv run --with imagecodecs --with opencv-python-headless --with pyvips --with pyvips-binary benchmarks/decoding.py

The sides take turns in one thread; rates are images per second of processor time, medians, and ratios are medians within a
round. Pixels are compared, after resize and crop, with those of Pillow. Libraries that are not installed are said to be missing.
"""

import dataclasses
import os
from pathlib import Path

import numpy as np

from benchmarks import show
from benchmarks.decoders import Way, missing, ways
from benchmarks.generated_images import jpeg
from benchmarks.machine import describe
from benchmarks.turns import Side, Timing, take_turns
from memjax.checks import check_folder, expected
from memjax.cli.arguments import read_arguments, run_main
from memjax.preprocessing import Preprocessing


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Which images, and what they become."""

    images: Path | None = None
    """A folder whose JPEG files are read; the default is generated images."""
    count: int = 200
    """Images: an even sample of the folder's."""
    least: int = 0
    """Only files of at least so many bytes."""
    size: tuple[int, int] = (640, 480)
    """Width and height of generated images."""
    resize: int = 256
    """Shortest edge after the resize (bicubic)."""
    crop: int = 224
    """Side of the centre crop."""
    repeats: int = 5
    """Timed rounds."""

    def __post_init__(self) -> None:
        if min(self.count, self.resize, self.crop, self.repeats, *self.size) < 1:
            raise expected("sizes", "1 or more", "less")


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    os.environ["VIPS_CONCURRENCY"] = "1"
    files, pre = read_files(args), Preprocessing(resize=args.resize, crop=(args.crop, args.crop))
    found = ways(files, pre)
    sides = {way.name: Side(lambda way=way: [way.run(data) for data in files], len(files)) for way in found}
    timings = take_turns(sides, args.repeats)
    show.machine(describe())
    sizes = np.array([len(data) for data in files])
    print(f"{len(files)} JPEGs, median {np.median(sizes) / 1e3:.0f} kB; to {args.resize}, crop {args.crop}, bicubic")
    print(f"{'decode + resize':<34}{'/core-s':>9}{'ratio':>8}{'same':>12}{'largest':>9}{'mean':>8}")
    for way in found:
        print(row(way, timings, files, found[0]))
    for name in missing():
        print(f"{name}: not installed")
    return 0


def read_files(args: Arguments) -> list[bytes]:
    """The JPEG files that are decoded."""
    if args.images is None:
        return [jpeg(seed, *args.size) for seed in range(args.count)]
    folder = check_folder(args.images, "images", argument="images")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    paths = [path for path in paths if path.stat().st_size >= args.least]
    if not paths:
        raise expected(f"images {folder}", "JPEG files", "none", argument="images")
    return [paths[int(at)].read_bytes() for at in np.linspace(0, len(paths) - 1, min(args.count, len(paths)))]


def row(way: Way, timings: dict[str, Timing], files: list[bytes], first: Way) -> str:
    """A way's rate, its ratio to the first, and how far its pixels are from the first's, in grey levels."""
    ours, base = timings[way.name], timings[first.name]
    times = float(np.median([b / a for a, b in zip(ours.cpu, base.cpu)]))
    apart = [np.abs(way.run(data).astype(int) - first.run(data)) for data in files]
    same = sum(not one.any() for one in apart)
    told = f"{way.name:<34}{ours.cpu_rate:>9.0f}{times:>8.2f}"
    return f"{told}{f'{same}/{len(files)}':>12}{max(one.max() for one in apart):>9}{np.mean([o.mean() for o in apart]):>8.3f}"


if __name__ == "__main__":
    run_main(main)
