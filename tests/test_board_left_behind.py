"""What a process has told the others counts although it has ended since."""

import pytest

from memjax.board import Board
from memjax.checks import ProcessLostError
from tests.test_board import Store


def test_a_value_that_its_process_left_behind_counts(monkeypatch):
    """It may set the value and end between two looks of another: the verdict is read, not that it has ended."""
    store = Store(2)
    first, second = Board(store, 0, 2), Board(store, 1, 2)
    wait, looks = store.blocking_key_value_get, []

    def too_early(key, timeout_in_ms):
        looks.append(key)
        if len(looks) > 1:
            return wait(key, timeout_in_ms)
        store.key_value_set(key, "the verdict")
        first.fail("it differs")
        raise RuntimeError("DEADLINE_EXCEEDED")

    monkeypatch.setattr(store, "blocking_key_value_get", too_early)
    assert second.value("verdict", "process 0") == "the verdict"
    with pytest.raises(ProcessLostError, match="process 0 has ended: it differs"):
        second.check()
