"""Ways to damage a file, and a small finished sweep to damage."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import memjax
from memjax.seals import SEAL, sealed

IMAGES, CHUNK = 12, 4
GROUP = "memjax--tiny"
SETTINGS = memjax.SweepSettings(
    metrics=["cls_mean", "attention_entropy", "delta_total"], tokens=("cls",), bootstraps=20
)


def write_images(folder: Path, seed: int = 0) -> None:
    """Uncompressed images of one size, so that another is as long as the first; and their scores."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for row in range(IMAGES):
        write_image(folder / f"{row:02d}.bmp", rng)
    names = [f"{row:02d}.bmp" for row in range(IMAGES)]
    pd.DataFrame({"image": names, "memorability": rng.uniform(0.3, 0.9, IMAGES)}).to_csv(
        folder / "scores.csv", index=False
    )


def write_image(file: Path, rng: np.random.Generator) -> None:
    Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(file)


def run(photos: Path, out: Path, progress=False, settings: memjax.SweepSettings = SETTINGS) -> memjax.Sweep:
    dataset = memjax.open_folder(photos, photos / "scores.csv")
    return memjax.sweep(dataset, "memjax/tiny", out, settings, progress=progress)


Damage = Callable[[Path], None]


def delete(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def garbage(file: Path) -> None:
    file.write_bytes(np.random.default_rng(1).bytes(max(64, file.stat().st_size)))


def flip(file: Path) -> None:
    """One byte in the middle; of text a digit or a letter, so that JSON stays JSON."""
    data = bytearray(file.read_bytes())
    text = file.suffix in (".json", ".csv", ".html") or file.name == "created"
    at = next(i for i in range(len(data) // 2, len(data)) if not text or chr(data[i]).isalnum())
    data[at] = (ord("7") if data[at] != ord("7") else ord("3")) if text else data[at] ^ 0x55
    file.write_bytes(data)


def holding(text: str) -> Damage:
    """The file holds something else."""

    def damage(file: Path) -> None:
        file.write_text(text)

    damage.__name__ = f"holds {text[:8]}"
    return damage


OTHER_JSON = [holding(text) for text in ("[]", "{}", "null", "3", '"text"', '{"zarr_format": 3}', "[" * 100_000)]
TORN = [delete, empty, truncate, garbage, flip]


def edited(**changes: object) -> Damage:
    """JSON with other values of some keys; its own checksum, where it has one, made to fit."""

    def damage(file: Path) -> None:
        found = {**json.loads(file.read_text()), **changes}
        seal = found.pop(SEAL, None)
        file.write_text(json.dumps(sealed(found) if seal else found))

    damage.__name__ = f"edited {', '.join(f'{key}={str(value)[:20]}' for key, value in changes.items())}"
    return damage


def unsealed(**changes: object) -> Damage:
    """The same, without a checksum of its own, as an earlier version wrote it."""

    def damage(file: Path) -> None:
        found = {**json.loads(file.read_text()), **changes}
        found.pop(SEAL, None)
        file.write_text(json.dumps(found))

    damage.__name__ = f"unsealed {', '.join(f'{key}={str(value)[:20]}' for key, value in changes.items())}"
    return damage


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("mine")


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def rewrite(photos: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Other scores."""
    table = pd.read_csv(photos / "scores.csv")
    change(table).to_csv(photos / "scores.csv", index=False)
