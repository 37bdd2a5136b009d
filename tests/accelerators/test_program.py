"""`benchmarks/compile_accelerators.py` from its command line, on an encoder that takes seconds."""

import pytest

pytest.importorskip("libtpu")
pytest.importorskip("jax_cuda12_plugin")

import csv
import json

from tests.test_benchmarks import run

SMALL = ("--encoders", "tiny", "--batches", 4, "--sae-batches", 2)


WANTED = {
    "v5e": [("tiny", "sweep"), ("tiny", "tokens"), ("tiny", "forward"), ("sae-13x5", "step")],
    "h100": [("tiny", "sweep"), ("flax-b16", "forward")],
}


@pytest.mark.parametrize(
    ("target", "programs"), [("v5e", ("sweep", "tokens", "forward", "sae")), ("h100", ("sweep", "flax"))]
)
def test_its_table(target, programs, tmp_path):
    out = tmp_path / "found.csv"
    done = run("compile_accelerators.py", *SMALL, "--targets", target, "--programs", *programs, "--out", out)
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["encoder"], row["program"]) for row in rows] == WANTED[target]
    assert done.stdout.startswith("Compilers' estimates, no measurement")
    assert ("v5e tiny bfloat16 4: " in done.stdout.split("Metrics' cost")[-1]) == (target == "v5e")
    assert all((row["images_per_s"] == "") == (target == "h100") for row in rows), "a GPU's compiler gives no cycles"


def test_pieces(tmp_path):
    small = ("--targets", "v5e", "--programs", "sweep", "--pieces", 3, "--out", tmp_path / "found.json")
    run("compile_accelerators.py", *SMALL, *small)
    (rows,) = json.loads((tmp_path / "found.json").read_text(encoding="utf-8")).values()
    assert [len(row["pieces"]) for row in rows] == [3]
    assert rows[0]["pieces"][0]["source"]
