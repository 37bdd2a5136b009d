"""LNSIM: 2,632 photographs of outdoor natural scenes (Lu et al. 2020), with 25 half-splits of the observers."""

import hashlib
import io
import shutil
import tarfile
import urllib.request
from pathlib import Path

from memjax.checks import InputError, expected
from memjax.datasets.base import Source, Spec, make_table
from memjax.datasets.join import join
from memjax.datasets.matlab import read_halves
from memjax.datasets.paths import ImageFolder, matching

COMMIT = "27e8e4a54d2ef30afa84b30aa640778d16a7ddf2"
REPOSITORY = "https://github.com/JiaxinLu-home/Natural-Scene-Memorability-Dataset"
URL = f"{REPOSITORY}/archive/{COMMIT}.tar.gz"
N_IMAGES, N_SPLITS = 2632, 25
MAX_ARCHIVE = 2**30
HALVES = ("subject_hrs1", "subject_hrs2")

CHECKSUM = "c9a0ee22ded04135083020e93646bfbe5f1df867b98214fdcd9c0b91ae0f6c6d"
"""`files_checksum` of the extracted files. The archive's own bytes may change when GitHub packs it anew; its files do not."""


def read_source(folder: Path | None, n_images: int = N_IMAGES, follow_links: bool = False) -> Source:
    """Read the published layout: ``Image_data/0001.jpg`` .., ``Random_splits/subject_hrs{1,2}.mat``.

    The score of an image is the mean of both halves over the splits.

    Raises:
        InputError: a file of scores is missing, damaged or of another shape.
    """
    assert folder is not None
    files = [folder / "Random_splits" / f"{name}.mat" for name in HALVES]
    halves = read_halves(files, HALVES, (N_SPLITS, n_images), "lnsim: scores")
    names = [f"{number:04d}.jpg" for number in range(1, n_images + 1)]
    images = ImageFolder(folder / "Image_data", follow_links)
    return join(make_table(names, halves.mean(axis=(0, 1))), images, names, halves=halves)


def inputs(folder: Path) -> list[Path]:
    return matching(folder, "Image_data/*.jpg", "Random_splits/*.mat")


def files_checksum(folder: Path) -> str:
    """SHA-256 over names and contents of the files that are used, in hex."""
    digest = hashlib.sha256()
    for path in inputs(folder):
        contents = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {contents}\n".encode())
    return digest.hexdigest()


def download(folder: Path, url: str = URL, sha256: str | None = CHECKSUM) -> Path:
    """Fetch the archive of the pinned commit and unpack the files that are used.

    Args:
        folder: where they go; left alone if it has them already.
        sha256: `files_checksum` that the files must have; None skips the check.

    Raises:
        InputError: no connection, not that archive, another checksum; then nothing is left in ``folder``.
    """
    if inputs(folder):
        return folder
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            data = answer.read(MAX_ARCHIVE + 1)
        if len(data) > MAX_ARCHIVE:
            raise InputError(f"lnsim: {url}: larger than {MAX_ARCHIVE} bytes, not the expected archive")
        _extract(data, partial)
        if sha256 is not None and files_checksum(partial) != sha256:
            raise expected(f"lnsim: files from {url}", f"checksum {sha256}", files_checksum(partial))
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.is_dir():
            folder.rmdir()
        partial.rename(folder)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise InputError(f"lnsim: download of {url} to {folder} failed: {error}; or get it by hand") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _extract(data: bytes, folder: Path) -> None:
    """Only regular files named ``*/Image_data/*.jpg`` and ``*/Random_splits/*.mat``, and only under their last names."""
    total = 0
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            parts = member.name.split("/")
            wanted = {"Image_data": ".jpg", "Random_splits": ".mat"}
            if (
                not member.isreg()
                or len(parts) != 3
                or not parts[0]
                or not parts[2].endswith(wanted.get(parts[1], "\0"))
            ):
                continue
            total += member.size
            if total > MAX_ARCHIVE:
                raise InputError(f"lnsim: the archive unpacks to more than {MAX_ARCHIVE} bytes")
            target = folder / parts[1] / parts[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            stream = archive.extractfile(member)
            assert stream is not None
            with stream, target.open("wb") as out:
                shutil.copyfileobj(stream, out)


SPEC = Spec(
    name="lnsim",
    description="2,632 outdoor natural scenes without salient objects; memorability by hit rate over 25 half-splits.",
    citation="Lu, Xu, Yang & Wang 2020. Understanding and Predicting the Memorability of Outdoor Natural Scenes. "
    "IEEE Transactions on Image Processing 29.",
    licence="no licence is stated; for research, see the repository",
    source=REPOSITORY,
    instructions=f"unpack {URL} and give the folder that holds Image_data and Random_splits (or ask for a download)",
    read_source=read_source,
    inputs=inputs,
    n_images=N_IMAGES,
)
