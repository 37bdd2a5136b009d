"""Strict numerics for every test: no silent promotion, full float32 matmuls, checked shapes, warnings as errors."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from jaxtyping import install_import_hook

# Shapes in annotations are checked at run time, in tests only.
_hook = install_import_hook("memjax", "beartype.beartype")
_hook.__enter__()

import jax
import matplotlib
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]

matplotlib.use("Agg")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")
# A program is compiled once for all files, workers and stages of a checkout; `drop_programs` keeps it from filling the memory.
jax.config.update("jax_compilation_cache_dir", str(ROOT / ".pytest_cache" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def reference_data() -> Path:
    """Where the reference data lie: ``MEMJAX_REFERENCE_DATA``, by default ``../shared/data`` beside the project."""
    return Path(os.environ.get("MEMJAX_REFERENCE_DATA", ROOT.parent / "shared" / "data")).resolve()


def reference(name: str) -> Path:
    """A folder of the reference data, or skip the test with the reason."""
    path = reference_data() / name
    if not path.exists():
        pytest.skip(f"reference data absent: {path} (set MEMJAX_REFERENCE_DATA)")
    return path


@pytest.fixture
def lnsim_dir() -> Path:
    return reference("lnsim")


@pytest.fixture
def memvis_dir() -> Path:
    return reference("memvis")


@pytest.fixture
def memcat_csv() -> Path:
    return reference("memcat") / "memcat_image_data.csv"


@pytest.fixture
def isola_dir() -> Path:
    return reference("isola2011")


@pytest.fixture
def dinov2_dir() -> Path:
    return reference("../models/dinov2-small").resolve()


@pytest.fixture(scope="module", autouse=True)
def drop_programs() -> Iterator[None]:
    """Compiled programs are dropped after each file: each maps memory, and of maps a process may have 65,530 (Linux'
    vm.max_map_count).
    """
    yield
    jax.clear_caches()
    gc.collect()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20250901)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take most of a small run's time: here they are neither saved nor put into the page."""
    leave_undrawn(monkeypatch)


def leave_undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the fixture `undrawn` does."""
    from memjax.pipelines import sweep_report
    from memjax.report import embedded, page

    monkeypatch.setattr(sweep_report, "save_figures", lambda folder, drawn, *_: None)
    monkeypatch.setattr(page, "embed_chart", lambda name, figure: embedded.Shown(name, "", "", ""))
    monkeypatch.setattr(page, "embed_photographs", lambda name, figure: embedded.Shown(name, "", "", ""))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch, undrawn: None) -> None:
    """Stores of tests.damage have several chunks, and no figure is drawn."""
    from tests.damage import CHUNK

    monkeypatch.setattr("memjax.extract.CHUNK", CHUNK)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of images with scores, see tests.damage."""
    from tests.damage import write_images

    write_images(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture
def out(small_chunks: None, photos: Path, tmp_path: Path) -> Path:
    """The folder of a finished run of `photos`."""
    from tests.damage import run

    return Path(str(run(photos, tmp_path / "out").out))
