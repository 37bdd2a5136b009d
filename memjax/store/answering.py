"""A place that does not answer is no damaged store: nothing may be taken for lost, or removed, because of it."""

from memjax.checks import unreadable
from memjax.remote import is_passing, status_of


def check_answered(error: Exception, where: object) -> None:
    """Refuse an error that is of the place and not of the file: of the system or of an object store's server.

    A file that is not there is the file's.

    Args:
        error: what reading raised.
        where: of what.

    Raises:
        InputError: with the error behind it, so that it may be tried again (`memjax.storage.asked`).

    Example:
        >>> check_answered(ValueError("no JSON"), "features.zarr")
        >>> check_answered(ConnectionResetError(104, "Connection reset by peer"), "features.zarr")
        Traceback (most recent call last):
        memjax.checks.InputError: features.zarr: can't be read (Connection reset by peer); put that right and run again
    """
    if isinstance(error, FileNotFoundError) or status_of(error) == 404:
        return
    if isinstance(error, OSError) or is_passing(error) or status_of(error) is not None:
        raise unreadable(where, error) from error
