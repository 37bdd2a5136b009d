"""Folders of images packed into shards: WebDataset's archives, and Parquet files as Hugging Face ``datasets`` writes them."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def png(seed: int) -> bytes:
    """A small image, the same for the same seed."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)).save(file, "png")
    return file.getvalue()


NAMES = [f"{row}.png" for row in range(6)]
MEMBERS = {name: png(row) for row, name in enumerate(NAMES)}
HUGGING_FACE = {b"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}}).encode()}


def write_tar(file: Path, members: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    """An archive of some members, in their order."""
    with tarfile.open(file, "w", format=form) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file


def write_parquet(file: Path, members: Mapping[str, bytes], rows: int = 3, **columns: Sequence[object]) -> Path:
    """A Parquet file of some images, ``rows`` a row group, and other columns."""
    images = pa.array(
        [{"bytes": data, "path": name} for name, data in members.items()],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    table = pa.table({"image": images, **{name: pa.array(values) for name, values in columns.items()}})
    pq.write_table(table.replace_schema_metadata(HUGGING_FACE), file, row_group_size=rows)
    return file


def parts(folder: Path, shards: int) -> list[pd.DataFrame]:
    """The rows of a folder's scores, in order, dealt out to so many shards."""
    table = pd.read_csv(folder / "scores.csv", dtype={"image": str})
    return [table.iloc[rows] for rows in np.array_split(np.arange(len(table)), shards)]


def pack_tar(folder: Path, to: Path, shards: int, inside: bool = False) -> str:
    """A folder of images packed into archives; ``inside``: with the scores as JSON. The pattern that names them."""
    to.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(parts(folder, shards)):
        members: dict[str, bytes] = {}
        for image, score in zip(rows["image"], rows["memorability"]):
            members[image] = (folder / image).read_bytes()
            if inside:
                members[f"{Path(image).with_suffix('')}.json"] = json.dumps({"memorability": score}).encode()
        write_tar(to / f"train-{number:03d}.tar", members)
    return f"{to}/train-{{000..{shards - 1:03d}}}.tar"


def pack_parquet(folder: Path, to: Path, shards: int, rows_each: int = 3) -> str:
    """A folder of images packed into Parquet files, with their scores; the pattern that names them."""
    to.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(parts(folder, shards)):
        members = {image: (folder / image).read_bytes() for image in rows["image"]}
        file = to / f"train-{number:05d}-of-{shards:05d}.parquet"
        write_parquet(file, members, rows_each, memorability=rows["memorability"].tolist())
    return f"{to}/train-*.parquet"
