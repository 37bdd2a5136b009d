"""The way of an image from its file to the store, stage by stage and as a whole."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generated_images import jpeg, name
from benchmarks.turns import Side
from memjax import devices
from memjax.datasets import open_folder
from memjax.encoder import Encoder
from memjax.extract import Plan, extract, stored_variables
from memjax.images import decode, read_bytes, resize_crop
from memjax.selection import Selection
from memjax.store import open_writer


def write_folder(folder: Path, count: int, width: int, height: int) -> None:
    """``count`` JPEG files and their scores."""
    images = folder / "images"
    images.mkdir(parents=True)
    for i in range(count):
        (images / name(i)).write_bytes(jpeg(i, width, height))
    rows = [f"{name(i)},{i / count}" for i in range(count)]
    (folder / "scores.csv").write_text("\n".join(["image,memorability", *rows]) + "\n", encoding="utf-8")


def stage_sides(encoder: Encoder, folder: Path, mesh: Any) -> dict[str, Side]:
    """Stages before and after the encoder, for all images of a folder: decode, resize, transfer, write.

    Decoding and resizing are timed in one thread; in a run they take as many as there are cores, beside the encoder.
    """
    files = sorted((folder / "images").iterdir())
    decoded = [decode(read_bytes(file)) for file in files]
    resized = np.stack([resize_crop(image, encoder.preprocessing) for image in decoded])
    even = resized[: len(resized) // mesh.size * mesh.size]
    sides: dict[str, tuple[Callable[[], Any], int]] = {
        "decode": (lambda: [decode(read_bytes(file)) for file in files], len(files)),
        "resize": (lambda: [resize_crop(image, encoder.preprocessing) for image in decoded], len(files)),
        "transfer": (lambda: devices.split(even, mesh).block_until_ready(), len(even)),
        "write": (_writes(len(files), encoder, folder), len(files)),
    }
    return {stage: Side(run, units) for stage, (run, units) in sides.items()}


def _writes(count: int, encoder: Encoder, folder: Path) -> Callable[[], Any]:
    """One chunk of all images into a store that is already there."""
    dataset = open_folder(folder / "images", folder / "scores.csv")
    kept = stored_variables(encoder, Selection())
    values = {name: np.zeros((count, *x.sizes.values()), np.float32) for name, x in kept.items()}
    writer = open_writer(folder / "written", "encoder", dataset.table, kept, {"model": "encoder"}, count)
    return lambda: writer.write(0, values, [])


def end_to_end(encoder: Encoder, folder: Path, batch_size: int | None) -> Side:
    """`memjax.extract.extract` over all images of a folder, into a new store each time."""
    dataset = open_folder(folder / "images", folder / "scores.csv")

    def run() -> None:
        with tempfile.TemporaryDirectory() as out:
            failures = extract(dataset, encoder, Path(out), Plan(batch_size=batch_size))
        assert not failures, "generated images are whole"

    return Side(run, len(dataset))
