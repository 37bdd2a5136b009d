"""Where memjax keeps what it can make again: prepared data sets, compiled programs."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """``MEMJAX_CACHE``, by default ``~/.cache/memjax``."""
    return Path(os.environ.get("MEMJAX_CACHE") or "~/.cache/memjax").expanduser()
