"""A program for test_disk_faults.py: runs a study again and again, each time another operation that writes fails.

Started with the library that disk_faults.c makes preloaded. Prints one JSON object a fault.
"""

import contextlib
import ctypes
import errno
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import memjax
from memjax import devices
from memjax.cli.leaving import code_of
from memjax.datasets import builder
from memjax.pipelines import sweep_report
from memjax.pipelines.baseline_settings import BaselineSettings
from memjax.pipelines.baselines import measure_baselines
from memjax.report import embedded, page

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EFBIG, errno.EACCES)
STAYING = (errno.ENOSPC, errno.EROFS, errno.EDQUOT)
"""What one operation meets, the next ones meet too."""
SETTINGS = memjax.SweepSettings(bootstraps=5, tokens=("cls",))


class Faults:
    """The preloaded library."""

    def __init__(self, file: str):
        self.library = ctypes.CDLL(file)

    def set(self, name: str, value: int) -> None:
        ctypes.c_int.in_dll(self.library, name).value = value

    def arm(self, below: Path, at: int = -1, error: int = 0) -> None:
        for name, value in (("at", at), ("error", error), ("stays", error in STAYING), ("count", 0)):
            self.set(f"fault_{name}", int(value))
        (ctypes.c_char * 4096).in_dll(self.library, "fault_below").value = os.fsencode(below)

    def disarm(self) -> list[str]:
        """The operations since `arm`."""
        (ctypes.c_char * 4096).in_dll(self.library, "fault_below").value = b""
        count = ctypes.c_int.in_dll(self.library, "fault_count").value
        calls = ((ctypes.c_char * 200) * 20_000).in_dll(self.library, "fault_calls")
        return [os.fsdecode(calls[i].value) for i in range(min(count, 20_000))]


def spread(calls: list[str], most: int) -> list[int]:
    """The first and the last operation of each kind (call and file, numbers aside), then others, ``most`` in all."""
    kinds: dict[str, list[int]] = {}
    for i, call in enumerate(calls):
        name, _, path = call.partition(" ")
        parts = re.sub(r"[0-9a-f]{6,}|\d+", "#", path).strip("/").split("/")
        kinds.setdefault(f"{name} {parts[0]} {parts[-1] if parts[0] != 'figures' else ''}", []).append(i)
    first = [places[0] for places in kinds.values()] + [places[-1] for places in kinds.values()]
    rest = range(0, len(calls), max(1, len(calls) // most))
    return list(dict.fromkeys([*first, *rest]))[:most]


def attack(name: str, study: Callable[[Path], bytes], faults: Faults, most: int, below: Callable[[Path], Path]) -> None:
    """Let operations of a study fail, one after the other; each time the same study with room must give the same bytes."""
    home = Path(tempfile.mkdtemp())
    out = home / "out"
    wanted = study(out)  # compiles
    shutil.rmtree(out)
    faults.arm(below(out))
    if study(out) != wanted:
        raise SystemExit(f"{name}: two runs differ")
    calls = faults.disarm()
    for turn, at in enumerate(spread(calls, most)):
        error = ERRORS[turn % len(ERRORS)]
        shutil.rmtree(out, ignore_errors=True)
        said = io.StringIO()
        faults.arm(below(out), at, error)
        with contextlib.redirect_stderr(said):
            code = code_of(lambda: 0 if study(out) == wanted else 99)
        faults.disarm()
        try:
            again = "same" if study(out) == wanted else "another result"
        except Exception as wrong:
            again = f"{type(wrong).__name__}: {wrong}"[:300]
        found = {"study": name, "call": calls[at], "error": errno.errorcode[error], "code": code, "again": again}
        print(json.dumps(found | {"said": said.getvalue()}), flush=True)
    shutil.rmtree(home)


def main() -> None:
    devices.use_cores()
    devices.use_cache()  # a study is run again and again
    faults, most, chosen = Faults(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    dataset = memjax.open_dataset("demo", limit=12)
    drawn = sweep_report.save_figures, page.embed_chart, page.embed_photographs
    tokens = Path(tempfile.mkdtemp()) / "tokens"

    def undrawn(on: bool) -> None:
        empty = lambda name, figure: embedded.Shown(name, "", "", "")  # noqa: E731
        sweep_report.save_figures = (lambda folder, figures, *_: None) if on else drawn[0]
        page.embed_chart, page.embed_photographs = (empty, empty) if on else drawn[1:]

    def sweep(out: Path) -> bytes:
        memjax.sweep(dataset, "memjax/tiny", out, SETTINGS, progress=False)
        return (out / "correlations.csv").read_bytes()

    def saes(out: Path) -> bytes:
        settings = memjax.SAESettings(epochs=2, seeds=(0,), bootstraps=5)
        return memjax.train_saes(tokens, settings, out, progress=False).by_layer.to_csv().encode()

    def baselines(out: Path) -> bytes:
        settings = BaselineSettings(measures=("nn_distance",), bootstraps=5)
        return measure_baselines(tokens, settings, out, progress=False).table.to_csv().encode()

    def copy(out: Path) -> bytes:
        os.environ["MEMJAX_CACHE"] = str(out)
        return builder.open_built(memjax.datasets.SPECS["demo"], None).table.to_csv().encode()

    undrawn(True)
    sweep(tokens)
    studies = {"sweep": sweep, "drawn": sweep, "saes": saes, "baselines": baselines, "copy": copy, "store": saes}
    for name in chosen:
        undrawn(name != "drawn")
        attack(name, studies[name], faults, most, (lambda out: tokens) if name == "store" else (lambda out: out))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # failed checkpoints leave threads behind that wait for each other
