"""Which file of a checkpoint says how pixels are made: transformers 5 nests it in processor_config.json."""

from pathlib import Path

from memjax.checks import expected
from memjax.schema import shown
from memjax.storage import read_json

NESTED, PLAIN = "processor_config.json", "preprocessor_config.json"


def read_processor(folder: Path, most: int) -> tuple[dict | None, str]:
    """The image processor of a checkpoint and its file: in processor_config.json, else preprocessor_config.json, else none.

    Args:
        folder: the checkpoint's.
        most: bytes that a file may have.

    Raises:
        InputError: a file that is no JSON object.
    """
    nested, plain = folder / NESTED, folder / PLAIN
    if nested.is_file():
        inside = read_json(nested, most).get("image_processor")
        if isinstance(inside, dict):
            return inside, str(nested)
        if inside is not None:
            raise expected(f"{nested}, image_processor", "an object", shown(inside))
    return (read_json(plain, most), str(plain)) if plain.is_file() else (None, "")
