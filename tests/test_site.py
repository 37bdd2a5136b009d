"""The documentation site's parts, without building it: pages and navigation, notebooks, and README in the built package.

`.ci/run` builds the site, where every warning is an error, and runs the tutorials by that.
"""

import ast
import importlib.util
import math
import re
import tomllib
from pathlib import Path
from statistics import NormalDist
from types import ModuleType

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
NOTEBOOKS = sorted((DOCS / "tutorials").glob("*.ipynb"))
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")


def pages(nav: object) -> list[str]:
    """Every page of a navigation, in its order."""
    if isinstance(nav, str):
        return [nav]
    return [page for part in (nav.values() if isinstance(nav, dict) else nav) for page in pages(part)]  # type: ignore[attr-defined]


def module(path: Path) -> ModuleType:
    """A file that lies in no package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_the_navigation_is_the_pages() -> None:
    named = pages(SITE["nav"])
    assert len(named) == len(set(named))
    included = SITE["extra"]["included"]
    assert all((ROOT / source).is_file() for source in included.values())
    reference = {page for page in named if page.startswith("reference/")}  # made from docstrings
    written = {str(p.relative_to(DOCS)) for p in DOCS.rglob("*") if p.suffix in (".md", ".ipynb")}
    assert set(named) - reference == written | set(included)
    (made,) = [n for n in ast.parse((DOCS / "build" / "reference.py").read_text()).body if isinstance(n, ast.Assign)]
    assert {f"reference/{page}.md" for page in ast.literal_eval(made.value)} == reference


def test_links_between_pages_lead_to_files() -> None:
    for page in [ROOT / "README.md", *DOCS.rglob("*.md"), *NOTEBOOKS]:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            made = target.removeprefix("../").startswith("reference/")
            known = (page.parent / target).exists() or target in SITE["extra"]["included"]
            above = target.removeprefix("../") in SITE["extra"]["included"]
            assert made or known or above, f"{page.name}: {target}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_tutorials_are_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# ")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
            ast.parse(cell.source)  # plain Python: no magics


def test_there_are_five_tutorials() -> None:
    assert len(NOTEBOOKS) == 5


def test_readme_in_the_package_has_no_relative_link() -> None:
    outside = module(ROOT / "hatch_build.py").outside
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert LINK.search(readme)
    without = outside(readme, "")
    assert not LINK.search(without)
    assert "](" not in without.replace("](http", "")
    address = "https://forge.example/memjax"
    known = outside(readme, address)
    assert not LINK.search(known)
    assert f"![{readme.split('![')[1].split(']')[0]}]({address}/raw/HEAD/docs/memcat_clip.png)" in known
    assert f"({address}/blob/HEAD/docs/install.md)" in known
    assert outside("[a](#b) [c](https://d.example) [e](mailto:f)", "") == "[a](#b) [c](https://d.example) [e](mailto:f)"


def test_the_address_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "readme" in project["dynamic"]
    address = project["urls"].get("Repository", "")
    files = [ROOT / "README.md", ROOT / "mkdocs.yml", *DOCS.rglob("*.md"), *NOTEBOOKS]
    assert not [path for path in files if address and address in path.read_text(encoding="utf-8")]
    assert "git+REPOSITORY_ADDRESS" in (DOCS / "install.md").read_text(encoding="utf-8")


def needed(rho: float, alpha: float, power: float = 0.8) -> int:
    """Images with which a correlation is found, by the formula that docs/faq.md gives."""
    z = NormalDist().inv_cdf
    return math.ceil(3 + ((z(1 - alpha / 2) + z(power)) / math.atanh(rho)) ** 2 * (1 + rho**2 / 2))


def test_the_numbers_of_images_are_those_of_the_formula() -> None:
    page = (DOCS / "faq.md").read_text(encoding="utf-8")
    rhos = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
    for alpha in (0.05, 0.05 / 76):
        assert " | ".join(f"{needed(rho, alpha):,}" for rho in rhos) in page
    sizes = (30, 60, 100, 250, 500, 1_000, 2_500, 10_000)
    assert " | ".join(f"{math.tanh(1.959964 / math.sqrt(n - 3)):.2f}" for n in sizes) in page
