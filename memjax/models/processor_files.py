"""Which file of a checkpoint says how pixels are made: transformers 5 nests it in processor_config.json."""

from pathlib import Path

from memjax.checks import expected
from memjax.models.hub import MOST_JSON
from memjax.schema import shown
from memjax.storage import read_json

NESTED, PLAIN = "processor_config.json", "preprocessor_config.json"


def read_processor(folder: Path) -> tuple[dict | None, str]:
    """The image processor of a checkpoint and its file: in processor_config.json, else preprocessor_config.json, else none.

    Raises:
        InputError: a file that is no JSON object.
    """
    nested, plain = folder / NESTED, folder / PLAIN
    inside = image_processor(nested) if nested.is_file() else None
    if inside is not None:
        return inside, str(nested)
    return (read_json(plain, MOST_JSON), str(plain)) if plain.is_file() else (None, "")


def image_processor(file: Path) -> dict | None:
    """What a processor_config.json has for images; None where it is of another age, and has nothing.

    Raises:
        InputError: it is no JSON object, or has something else there.
    """
    inside = read_json(file, MOST_JSON).get("image_processor")
    if inside is None or isinstance(inside, dict):
        return inside
    raise expected(f"{file}, image_processor", "an object", shown(inside))
