"""Hook of mkdocs: pages that lie outside docs/, links between them, the repository's address, and no request to elsewhere."""

import posixpath
import re
import tomllib
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=["']?(?:https?:)?//[^>]*>""", re.IGNORECASE
)
CANONICAL = re.compile(r"""\brel=["']?(?:canonical|license)""")
NO_ADDRESS = "ADDRESS-OF-THE-REPOSITORY"


def address() -> str:
    """The repository's address, from pyproject.toml; empty where it has none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "")


def on_config(config):
    """A notebook is the page that `docs/build/notebooks.py` makes of it. No ``repo_url``: the theme asks a forge for stars."""
    config.nav = as_pages(config.nav)
    return config


def as_pages(nav):
    """The navigation with notebooks as the pages that are made of them."""
    if isinstance(nav, list):
        return [as_pages(part) for part in nav]
    if isinstance(nav, dict):
        return {title: as_pages(part) for title, part in nav.items()}
    return re.sub(r"\.ipynb$", ".md", nav)


def on_files(files, config):
    """Add the pages that lie outside docs/ (`extra.included` of mkdocs.yml)."""
    for page, source in config.extra["included"].items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links as the site has them, and the address."""
    included = {source: name for name, source in config.extra["included"].items()}
    own = page.file.src_uri
    source = config.extra["included"].get(own, f"docs/{own}")
    here = posixpath.dirname(source)

    def replaced(found: re.Match[str]) -> str:
        text, target, anchor = found.group(1), found.group(2), found.group(3) or ""
        wanted = posixpath.normpath(posixpath.join(here, target))
        name = included.get(wanted) or (wanted.removeprefix("docs/") if wanted.startswith("docs/") else None)
        if name is None:  # a file of the repository that is no page
            return f"[{text}]({address()}/blob/HEAD/{wanted})" if address() else text
        name = re.sub(r"\.ipynb$", ".md", name)
        return f"[{text}]({posixpath.relpath(name, posixpath.dirname(own) or '.')}{anchor})"

    known = address() or f"https://{NO_ADDRESS}"
    return LINK.sub(replaced, markdown).replace("REPOSITORY_ADDRESS", known)


def on_post_page(output, page, config):
    """Refuse a page that loads anything from elsewhere."""
    loads = [tag for tag in LOADED.findall(output) if not CANONICAL.search(tag)]
    if loads:
        raise PluginError(f"{page.file.src_uri}: it would load {loads[0]} from elsewhere")
    return output
