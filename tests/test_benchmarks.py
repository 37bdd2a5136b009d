"""The benchmarks run, at sizes that take seconds; what they time is not asserted, that they time the right thing is."""

import dataclasses
import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks import architectures, generated_images, machine, start_up, turns
from memjax.images import decode
from memjax.models import families

ROOT = Path(__file__).resolve().parents[1]


def run(program: str, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "benchmarks" / program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == code, done.stderr
    return done


SMALL = ("--encoders", "tiny", "--images", 4, "--per-device", 1, "--repeats", 1, "--files", 3, "--torch-batches", 2)


def test_throughput(tmp_path):
    done = run(
        "throughput.py", *SMALL, "--no-start", "--profile", tmp_path / "trace", "--json", tmp_path / "turns.json"
    )
    found = json.loads((tmp_path / "turns.json").read_text())
    (result,) = found["encoders"]
    wanted = {"metrics", "forward", "files to store", "decode", "resize", "transfer", "write"}
    wanted |= {"sgemm, numpy", "sgemm, jax"}
    if machine.has_torch():
        wanted |= {"sdpa", "eager", "authors", "sgemm, torch"}
        assert result["agreement"] < 1e-4, "both sides compute the same metrics"
    assert set(result["timings"]) == wanted
    assert all(len(t["wall"]) == 1 and t["rate"] > 0 for t in result["timings"].values())
    assert found["machine"]["devices"] >= 1
    assert "metrics cost" in done.stdout
    assert list((tmp_path / "trace").rglob("*.xplane.pb")), "a trace was written"


def test_throughput_of_a_wrong_size_is_one_line():
    done = run("throughput.py", "--images", 0, code=2)
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_fresh_process_says_how_it_started():
    laps = json.loads(run("probe.py", "memjax", "tiny", 2, "float32").stdout)
    assert {"import_s", "load_s", "compile_s", "first_batch_s", "second_batch_s", "peak_mib"} == set(laps)
    assert min(laps.values()) > 0
    assert 100 < laps["peak_mib"] < 4000


def test_a_whole_command_says_what_it_took(tmp_path):
    found = start_up.whole_command(["sweep", "--help"], 1, str(tmp_path))
    assert set(found) == {"processor_s", "seconds"}, "a help has no page"
    assert 0 < found["processor_s"] < 60


def test_the_statistics_of_a_store_say_time_memory_and_table(tmp_path):
    done = run("analysis.py", "--images", 300, "--metrics", 2, "--layers", 3, "--chunk", 128, "--folder", tmp_path)
    assert re.search(r"this process: \d+ s", done.stdout)
    assert re.search(r"table of 6 rows, largest n 300: SHA-256 [0-9a-f]{16}", done.stdout)
    assert re.search(r"readout: rho .* of 300 images", done.stdout)
    (peak,) = re.findall(r"peak ([\d,]+) MiB", done.stdout)
    assert 100 < int(peak.replace(",", "")) < 4096


def test_coverage_is_counted_for_both_intervals():
    done = run("interval_coverage.py", "--images", 60, "--methods", "pearson", "--runs", 5, "--n-boot", 50)
    rows = [line.split("|")[5:8] for line in done.stdout.splitlines() if line.startswith("| pearson")]
    assert len(rows) == 4
    assert all(0 <= float(drawn) <= 1 and 0 <= float(linear) <= 1 for drawn, linear, _ in rows)
    assert all(0 < float(line.split("|")[7]) < 1 for line in done.stdout.splitlines() if line.startswith("| pearson"))


def test_intervals_of_latents_are_counted():
    done = run("latent_intervals.py", "--images", 60, "--firings", 20, "--slopes", 0, "--runs", 5, "--latents", 4)
    rows = [
        [float(cell.rstrip(" %")) for cell in line.split("|")[2:-1]]
        for line in done.stdout.splitlines()
        if "| 60 |" in line
    ]
    assert [row[0] for row in rows] == [20, 0, 10]
    assert all(0 <= share <= 1 for row in rows for share in row[1:])


def test_small_samples_are_counted():
    done = run("small_samples.py", "--images", 6, 30, "--methods", "spearman", "--runs", 3, "--n-boot", 20)
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| spearman")]
    assert len(rows) == 2 * 4 * 2 + 2 * 4
    assert all(0 <= float(share) <= 1 for row in rows for share in row[4:6])
    assert all(0 < float(row[6]) <= 2 for row in rows[:16])
    assert done.stdout.rstrip().splitlines()[-1].startswith("| 60 | 30 |")


def test_sides_take_turns():
    order: list[str] = []
    sides = {name: turns.Side(lambda name=name: order.append(name), 10.0) for name in ("a", "b")}
    timings = turns.take_turns(sides, 2)
    assert order == ["a", "b"] * 3, "one round to warm up, then two"
    assert [len(t.wall) for t in timings.values()] == [2, 2]


def test_rates_and_ratios_are_medians():
    ours, theirs = (turns.Timing(wall, wall, 6.0) for wall in ((1.0, 2.0, 3.0), (2.0, 4.0, 12.0)))
    assert ours.rate == 3.0
    assert ours.spread == (2.0, 6.0)
    assert turns.ratio(ours, theirs) == 2.0, "median of 2, 2, 4"


@pytest.mark.parametrize("name", architectures.CONFIGS)
def test_work_counts_every_product(name):
    """Against the products in the trace of a forward pass, positions' stretching left out: it is done once a batch."""
    import jax

    from memjax.models.port import shapes_of
    from memjax.models.vit import forward

    config, _ = families.read_config(architectures.CONFIGS[name], name)
    config = dataclasses.replace(config, image=(architectures.SIDE, architectures.SIDE))
    image = jax.ShapeDtypeStruct((architectures.SIDE, architectures.SIDE, 3), np.float32)
    blocks = lambda params, x: forward(params, x, config, lambda block: None).last  # noqa: E731
    traced = jax.jit(blocks).trace(shapes_of(config), image).jaxpr
    assert architectures.work(config).flops == products(traced.jaxpr)


def products(jaxpr, times: int = 1) -> int:
    """Floating-point operations of every `dot_general`, those inside a scan as often as it runs; of branches the dearest."""
    total = 0
    for equation in jaxpr.eqns:
        inner = [p for p in equation.params.values() if hasattr(p, "eqns") or hasattr(p, "jaxpr")]
        repeats = times * equation.params.get("length", 1) if equation.primitive.name == "scan" else times
        total += sum(products(getattr(p, "jaxpr", p), repeats) for p in inner)
        total += max((products(branch.jaxpr, times) for branch in equation.params.get("branches", ())), default=0)
        if equation.primitive.name == "dot_general":
            ((contracted, _), _) = equation.params["dimension_numbers"]
            left, out = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
            total += times * 2 * int(np.prod(out)) * int(np.prod([left[i] for i in contracted]))
    return total


def test_generated_images_differ_and_repeat():
    data = generated_images.generated(3, 40, 30)
    files = [data.records[i].data for i in range(3)]
    assert len(set(files)) == 3
    assert data.records[1].data == files[1]
    assert decode(files[0]).size == (40, 30)
    assert data.records[2].image == data.table.index[2]


@pytest.mark.parametrize(
    ("name", "each", "on_tpu", "on_gpu"),
    [("dinov2-s14", 4, 32, 256), ("clip-b16", 4, 32, 256), ("clip-b32", 16, 128, 256), ("tiny", 64, 256, 256)],
)
def test_the_default_batch_counts_tokens(name, each, on_tpu, on_gpu, monkeypatch):
    import jax

    from memjax.batching import images_per_device

    config, _ = families.read_config(architectures.CONFIGS[name], name)
    assert images_per_device(config, (224, 224)) == each
    for backend, wanted in (("tpu", on_tpu), ("gpu", on_gpu), ("another", on_gpu)):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        assert images_per_device(config, (224, 224)) == wanted, backend


def test_scaling(tmp_path):
    sizes = ("--images", 130, 520, "--devices", 1, "--processes", 1, 2, "--width", 32)
    run("scaling.py", *sizes, "--json", tmp_path / "runs.json")
    runs = json.loads((tmp_path / "runs.json").read_text())["runs"]
    assert [(r["processes"], r["images"]) for r in runs] == [(1, 130), (1, 520), (2, 130), (2, 520)]
    assert all(r["ms_a_image"] > 0 and 100 < r["peak_mib"] < 4000 for r in runs)


@pytest.mark.parametrize("target", ["v5e", "h100"])
def test_a_compiler_that_is_not_installed_is_named(target):
    if find_spec("libtpu") or find_spec("jax_cuda12_plugin"):
        pytest.skip("the compilers are installed: tests/accelerators runs them")
    done = run("compile_accelerators.py", "--targets", target, "--encoders", "tiny", code=2)
    assert f"no compiler for {target}" in done.stderr
    assert "dependency group compilers" in done.stderr.splitlines()[-1]


def test_edits_beside_plain_passes():
    said = run("edits.py", "--encoders", "tiny", "--images", 1, "--repeats", 1).stdout
    assert "edits an image" in said
    assert said.count("of a plain pass") == 2


def test_decoding(tmp_path):
    for seed in range(3):
        (tmp_path / f"{seed}.jpg").write_bytes(generated_images.jpeg(seed, 120, 90))
    done = run("decoding.py", "--images", tmp_path, "--resize", 40, "--crop", 32, "--repeats", 1)
    rows = {line[:34].strip(): line[34:].split() for line in done.stdout.splitlines() if "/3" in line}
    assert rows["Pillow"][1:] == ["1.00", "3/3", "0", "0.000"]
    for exact in ("simplejpeg (exact)", "from the cache of decoded images"):
        assert exact not in rows or rows[exact][2:] == ["3/3", "0", "0.000"], "other pixels"
    assert "pyvips: not installed" in done.stdout or "pyvips" in rows


def test_decoding_without_images_is_one_line(tmp_path):
    done = run("decoding.py", "--images", tmp_path, code=2)
    assert len(done.stderr.strip().splitlines()) == 1
