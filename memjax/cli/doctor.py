"""Is this machine ready? Versions, devices, memory, caches, access to the hub, and what is missing for an extra.

  memjax doctor
  memjax doctor --offline     without asking the hub
  memjax doctor --out DIR     is the folder of that run whole? Store, tables, figures, page, checkpoints

Exit codes: 0 ready, or whole; 2 something that a run needs is not there, or something in the folder is damaged, with a line
that says what. The command that made the folder, run again, makes anew what is damaged.
"""

import os
import platform
import re
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from memjax.checks import InputError
from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.console import say
from memjax.storage import Place

GIB = 2**30
NEEDED = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "scipy",
    "tensorflow-datasets",
    "einops",
    "zarr",
    "xarray",
)
SECONDS = 5
"""How long the hub may take to answer."""


@dataclass(frozen=True)
class Arguments:
    """What to look at."""

    offline: bool = False
    """Do not ask the hub whether it can be reached."""
    out: FolderOrUrl | None = None
    """The folder of a run: verify it, and look at nothing else."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Print what is found; the exit code.

    Raises:
        InputError: a package or a writable cache is missing, or something in the folder of a run is damaged.
    """
    args = read_arguments(Arguments, __doc__ or "", words, program)
    if args.out is not None:
        return verify_run(args.out)
    problems = []
    parts = (_versions(problems), _devices(), _memory(), _caches(problems), _extras(), _hub(args.offline))
    for what, text in (line for part in parts for line in part):
        say(f"{what:>10}: {text}")
    if problems:
        raise InputError("; ".join(problems))
    return 0


def verify_run(out: str | Place) -> int:
    """Print what is whole and what is damaged in the folder of a run; the exit code.

    Raises:
        InputError: something is damaged.
    """
    from memjax.pipelines.inspection import inspect_run

    found = inspect_run(out)
    for finding in found:
        say(f"{finding.what:>10}: {'damaged: ' if finding.damaged else ''}{finding.text}")
    if count := sum(finding.damaged for finding in found):
        fix = "the command that made it, run again, makes anew what can be made anew"
        parts = "1 part is" if count == 1 else f"{count} parts are"
        raise InputError(f"out {out}: {parts} damaged, listed above; {fix}", argument="out")
    return 0


Lines = Iterator[tuple[str, str]]


def _versions(problems: list[str]) -> Lines:
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    for name in ("memjax", *NEEDED):
        try:
            yield name, version(name)
        except PackageNotFoundError:
            problems.append(f"package {name} is not installed; pip install {name}")


def _devices() -> Lines:
    import jax

    yield "backend", jax.default_backend()
    for device in jax.local_devices():
        limit = (device.memory_stats() or {}).get("bytes_limit") if device.platform != "cpu" else None
        yield "device", f"{device}, {device.device_kind}" + (f", {limit / GIB:.1f} GiB" if limit else "")
    yield "cores", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())


def _memory() -> Lines:
    import psutil

    found = psutil.virtual_memory()
    yield "memory", f"{found.available / GIB:.1f} of {found.total / GIB:.1f} GiB free"


def _caches(problems: list[str]) -> Lines:
    from huggingface_hub.constants import HF_HUB_CACHE

    from memjax.cache import cache_dir

    for what, folder in (("cache", cache_dir()), ("hub cache", Path(HF_HUB_CACHE))):
        nearest = next((parent for parent in (folder, *folder.parents) if parent.exists()), Path("/"))
        room = shutil.disk_usage(nearest).free / GIB
        try:
            with tempfile.TemporaryFile(dir=nearest):
                yield what, f"{folder}, {room:.1f} GiB free"
        except OSError as error:
            yield what, f"{folder}: can't be written ({error.strerror})"
            if what == "cache":
                problems.append(f"{folder}: can't be written; set MEMJAX_CACHE to a folder with room")


_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[(?P<kind>[\w-]+)\])?.*;.*extra == ['\"](?P<extra>[\w-]+)['\"]")
"""A requirement of an extra, such as ``jax[cuda12]<0.11,>=0.10; extra == "cuda"``."""
PLUGINS = {"cuda12": "jax-cuda12-plugin", "tpu": "libtpu"}
"""jax's own extras -> the package that tells whether they are there."""


def _extras() -> Lines:
    """Each extra of the package, and whether what it asks for is there."""
    wanted: dict[str, list[str]] = {}
    for line in requires("memjax") or ():
        if found := _REQUIREMENT.match(line):
            wanted.setdefault(found["extra"], []).append(PLUGINS.get(found["kind"], found["name"]))
    for extra, names in sorted(wanted.items()):
        missing = [name for name in names if not _installed(name)]
        fix = f"not installed ({', '.join(missing)}): pip install 'memjax[{extra}]'"
        yield "extra", f"{extra}: {fix if missing else 'installed'}"


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _hub(offline: bool) -> Lines:
    from huggingface_hub import constants

    if offline or constants.HF_HUB_OFFLINE:
        yield "hub", "not asked (offline): only checkpoints in the hub cache and local folders load"
        return
    question = urllib.request.Request(constants.ENDPOINT, method="HEAD")
    try:
        with urllib.request.urlopen(question, timeout=SECONDS) as answer:
            yield "hub", f"{constants.ENDPOINT} answers ({answer.status})"
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        yield "hub", f"{constants.ENDPOINT} can't be reached ({reason}); local folders load all the same"
