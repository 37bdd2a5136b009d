"""The built wheel alone, in an empty environment outside the checkout: command, one call from Python, demo, notebook."""

import json
import subprocess
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.test_quickstart import RUNNER, code_cells
from tests.test_site import LINK

ROOT = Path(__file__).resolve().parents[1]
STUDY = """
import memjax
run = memjax.sweep(memjax.open_dataset("demo", limit=24), "memjax/tiny", settings=memjax.SweepSettings(bootstraps=20))
assert run.report.is_file(), run.report
assert memjax.__file__.startswith({home!r}), memjax.__file__
print(len(run.table), "correlations")
"""


def done(command: list[object], **options: object) -> str:
    made = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert made.returncode == 0, made.stderr[-3000:]
    return made.stdout


def check_description(wheel: Path) -> None:
    """README is in the wheel, as a package index shows it, and no link of it leads nowhere."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("METADATA")]
        metadata = message_from_bytes(archive.read(name))
    assert metadata["Description-Content-Type"] == "text/markdown"
    description = str(metadata.get_payload())
    assert description.startswith("# memjax")
    assert not LINK.search(description)


@pytest.mark.slow
def test_the_wheel_alone_does_the_main_job(tmp_path: Path) -> None:
    done(["uv", "build", "--wheel", "--out-dir", tmp_path / "dist", ROOT])
    (wheel,) = (tmp_path / "dist").glob("memjax-*.whl")
    check_description(wheel)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (tmp_path / "constraints.txt").write_text("\n".join(project["tool"]["uv"]["constraint-dependencies"]) + "\n")
    home = tmp_path / "home"
    done(["uv", "venv", "--python", f"{__import__('sys').version_info[0]}.{__import__('sys').version_info[1]}", home])
    install = [
        "uv",
        "pip",
        "install",
        "--python",
        home / "bin" / "python",
        "--constraint",
        tmp_path / "constraints.txt",
    ]
    done([*install, wheel])
    work = tmp_path / "work"
    work.mkdir()
    options = {"cwd": work, "env": {"PATH": f"{home / 'bin'}:/usr/bin:/bin", "HOME": str(work), "HF_HUB_OFFLINE": "1"}}
    said = done([home / "bin" / "memjax", "sweep", "--limit", 24, "--bootstraps", 20], **options)
    assert "Strongest layer" in said
    assert (work / "runs" / "sweep" / "report.html").is_file()
    assert "sweep" in done([home / "bin" / "memjax", "--help"], **options)
    assert "jax" in done([home / "bin" / "memjax", "doctor", "--offline"], **options)
    assert "correlations" in done([home / "bin" / "python", "-c", STUDY.format(home=str(home))], **options)
    environment = {**options["env"], "MPLBACKEND": "Agg"}  # type: ignore[dict-item]
    cells = json.dumps(code_cells())
    shown = done([home / "bin" / "python", "-c", RUNNER], cwd=work, env=environment, input=cells)
    assert shown.count("cell ") == len(code_cells())
