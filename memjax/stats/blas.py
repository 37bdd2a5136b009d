"""How many threads linear algebra gets: one where its matrices are small, since the others would wait and use up a core each."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

SMALL = 2**20
"""Values (images times columns) below which one thread is as quick as several: 2,600 images of 400 columns."""


@contextmanager
def one_thread_if_small(count: int) -> Iterator[None]:
    """A block whose linear algebra has one thread where there are few values, and is left as it is otherwise.

    The numbers are the same: the threads of a product share out its rows and columns, not its sums.

    Example:
        >>> from threadpoolctl import threadpool_info
        >>> with one_thread_if_small(256 * 39):
        ...     {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        {1}
    """
    if count >= SMALL:
        yield
        return
    with threadpool_limits(1, user_api="blas"):
        yield
