"""The long description of the built package: README with links that hold where no repository lies beside it.

Links to the repository's own files, relative in README, become absolute where pyproject.toml has an address
(``[project.urls] Repository``); without one they become their text, and an image becomes its description.
"""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z][a-z0-9+.-]*:|#)([^)\s]+)\)")
"""An image or a link in Markdown whose target has no scheme and is no anchor of the page itself."""


class ReadmeHook(MetadataHookInterface):
    """Fills ``readme``, which pyproject.toml declares dynamic."""

    def update(self, metadata: dict) -> None:
        """Put the long description into the project's metadata."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        address = metadata.get("urls", {}).get("Repository", "")
        metadata["readme"] = {"content-type": "text/markdown", "text": outside(text, address)}


def outside(readme: str, address: str) -> str:
    """README as it is read outside the repository.

    Args:
        readme: Markdown.
        address: of the repository, without a slash at the end; empty if it has none.
    """

    def replaced(found: re.Match[str]) -> str:
        image, text, target = found.groups()
        if not address:
            return f"(Figure, to be seen in the repository: {text}.)" if image else text
        return f"{image}[{text}]({address}/{'raw' if image else 'blob'}/HEAD/{target})"

    return LINK.sub(replaced, readme)
