"""What a name of an encoder may look like: known before anything is loaded, so that a mistake is answered at once."""

from pathlib import Path

from memjax.checks import expected

TINY = "memjax/tiny"
UNTRAINED_PREFIX = "memjax/random:"
"""What the name of an encoder without training begins with."""


def check_model_name(name: str) -> None:
    """Refuse a name that cannot be one: no folder, and not of the form of a hub id.

    Args:
        name: of a folder, or a hub id with an optional ``@revision``; of an encoder without training it is looked at later.

    Raises:
        InputError: it is neither.

    Example:
        >>> check_model_name("facebook/dinov2-small@main")
        >>> try:
        ...     check_model_name("dinov2")
        ... except ValueError as error:
        ...     print(error)
        model 'dinov2': expected a hub id (owner/name) or a folder with config.json, got no such folder
    """
    folder = Path(name).expanduser()
    if name == TINY or name.startswith(UNTRAINED_PREFIX) or folder.is_dir():
        return
    hub_id = name.partition("@")[0]
    if folder.is_absolute() or name.startswith(".") or hub_id.count("/") != 1 or folder.exists():
        raise expected(f"model {name!r}", "a hub id (owner/name) or a folder with config.json", "no such folder")
