"""A page as it is read."""

import html
import re
from pathlib import Path


def words(page: str | Path) -> str:
    """No tags, entities resolved, one space between words."""
    text = page.read_text(encoding="utf-8") if isinstance(page, Path) else page
    return " ".join(
        html.unescape(re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]+>", " ", text, flags=re.S)).split()
    )
