"""One run at a time in an object store, which has no locks: an object says who holds the place, and is renewed all the time.

It is created exclusively: of two runs that begin at once, the store itself lets one in. A place whose object nobody renewed for
`LEASE` seconds was left behind by a run that died; to take it over, another object is created exclusively first.
"""

import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from upath import UPath

from memjax import remote
from memjax.checks import InputError
from memjax.remote import is_passing, retried

LEASE = 300.0
"""Seconds after which a lock in an object store that nobody renewed counts as left behind by a run that died."""


@contextmanager
def leased(out: UPath, lease: float) -> Iterator[None]:
    """Hold a place in an object store.

    Args:
        out: the place.
        lease: seconds; see `LEASE`.

    Raises:
        InputError: another run holds it, or this one could not show for ``lease`` seconds that it is alive.
    """
    held = Lease(out / ".lock", uuid.uuid4().hex, lease)
    held.claim()
    thread = threading.Thread(target=held.keep, daemon=True)
    thread.start()
    try:
        yield
    except KeyboardInterrupt:
        held.check()
        raise
    finally:
        held.stop.set()
        thread.join()
        if not held.lost:
            held.give_back()
    held.check()


class Lease:
    """The object of one run.

    Attributes:
        file: the object.
        me: what tells this run from others.
        seconds: how long it counts after it was renewed.
        lost: why the place is not held any more; empty while it is.
        stop: ends the renewing.
    """

    def __init__(self, file: UPath, me: str, seconds: float):
        self.file, self.me, self.seconds = file, me, seconds
        self.lost, self.stop, self.main = "", threading.Event(), threading.get_ident()

    def claim(self) -> None:
        """Create the object. Raises `InputError` if another run holds the place."""
        self._claim(self.file)

    def _claim(self, file: UPath) -> None:
        if retried(lambda: self._created(file)):
            return None
        found = retried(lambda: self._read(file))
        if found is None:  # given back meanwhile
            return self._claim(file)
        if found["by"] == self.me:  # an answer was lost, not the object
            return None
        if time.time() - found["time"] < self.seconds:
            raise self._refused(found)
        after = file.with_name(f"{file.name}-after-{found['by'][:64]}")
        self._claim(after)  # of several that would take it over, one
        try:
            now = retried(lambda: self._read(file))
            if now is not None and now["by"] != found["by"]:
                raise self._refused(now)
            retried(lambda: self._write(file))
        finally:
            retried(lambda: _remove(after))
        return None

    def _refused(self, found: dict[str, Any]) -> InputError:
        who = f"process {found['pid']} on {found['host']}"
        fix = f"wait for it, or {self.seconds:.0f} s after it died"
        return InputError(f"out {self.file.parent}: another run is writing there ({who}); {fix}", argument="out")

    def _content(self) -> bytes:
        about = {"by": self.me, "host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
        return json.dumps(about).encode()

    def _created(self, file: UPath) -> bool:
        """Create the object if it is not there yet; whether it was not."""
        try:
            file.fs.pipe_file(file.path, self._content(), mode="create")
        except FileExistsError:
            return False
        return True

    def _write(self, file: UPath) -> None:
        file.write_bytes(self._content())

    def _read(self, file: UPath) -> dict[str, Any] | None:
        """What the object says; None if it is not there, a run of long ago if it says nothing that can be read."""
        file.fs.invalidate_cache()
        try:
            found = json.loads(file.read_bytes())
            return {"by": str(found["by"]), "time": float(found["time"]), "pid": found["pid"], "host": found["host"]}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return {"by": "nobody", "time": 0.0, "pid": 0, "host": "nowhere"}

    def keep(self) -> None:
        """Renew the object until `stop`; what fails is tried again until the lease is over."""
        good = time.monotonic()
        while not self.stop.wait(self.seconds / (5 if time.monotonic() - good < self.seconds / 4 else 20)):
            begun = time.monotonic()
            try:
                found = self._read(self.file)
                if found is not None and found["by"] != self.me:
                    return self._lose(f"another run (process {found['pid']} on {found['host']}) has taken it")
                self._write(self.file)
                good = begun
            except Exception as error:  # a driver may raise anything; it is told once the lease is over
                if time.monotonic() - good > 0.8 * self.seconds:
                    reason = " ".join(str(error).split())[:120] or type(error).__name__
                    why = "the object store does not answer" if is_passing(error) else "it can't be written"
                    return self._lose(f"{why} ({reason}), so another run may take it")
        return None

    def _lose(self, reason: str) -> None:
        self.lost = reason
        if self.main == threading.main_thread().ident and hasattr(signal, "pthread_kill"):
            signal.pthread_kill(self.main, signal.SIGINT)  # `leased` makes one line of it

    def check(self) -> None:
        """Raises `InputError` if the place is not held any more."""
        if self.lost:
            fix = "once no other run writes there, the same command again goes on"
            raise InputError(f"out {self.file.parent}: this run holds it no longer: {self.lost}; {fix}", argument="out")

    def give_back(self) -> None:
        """Delete the object; one that can't be deleted counts as left behind after a while."""
        try:
            retried(lambda: _remove(self.file), patience=min(5.0, remote.PATIENCE))
        except Exception as error:  # the results are there; a driver may raise anything
            if not is_passing(error):
                raise


def _remove(file: UPath) -> None:
    file.unlink(missing_ok=True)
