"""The paper's results from per-image measures: its released files, its published numbers, and the tables that join
them.

Takmaz, Gatt & Dotlačil 2025, "Traces of Image Memorability in Vision Encoders", arXiv 2509.01453. The whole of it in one
call: `memjax.reproduce_paper`. The public names; each is imported when first used.
"""

from memjax.lazy import attach

_NAMES = {
    "PaperSources": "memjax.paper.settings",
    "PaperSettings": "memjax.paper.settings",
    # The authors' files
    "read_released": "memjax.paper.released",
    "read_memcat": "memjax.paper.released",
    "read_isola": "memjax.paper.released",
    # The paper's tables
    "paper_glm": "memjax.paper.tables",
    "category_table": "memjax.paper.tables",
    "control_table": "memjax.paper.tables",
    "compare": "memjax.paper.tables",
}
_PARTS = ("published",)
__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, _NAMES, _PARTS)
