"""The file that an id nearly names: said where no file fits, never used."""

import bisect
import difflib
import functools
import posixpath
from collections.abc import Sequence

MOST, ALL, NEIGHBOURS = 50, 500, 100
"""How many ids get a suggestion; up to how many files each is compared with all; else with how many on each side."""


class Suggestions:
    """Nearest names among some files, in bounded time however many there are."""

    def __init__(self, files: Sequence[str]):
        self.files, self.left = files, MOST

    @functools.cached_property
    def _names(self) -> list[tuple[str, str]]:
        return sorted((posixpath.basename(file).lower(), file) for file in self.files)

    @functools.cached_property
    def _by_stem(self) -> dict[str, str]:
        return {_stem(name): file for name, file in reversed(self._names)}

    @functools.cached_property
    def _by_digits(self) -> dict[str, str]:
        return {stem.lstrip("0"): file for stem, file in self._by_stem.items() if stem.isdigit()}

    def near(self, image: str) -> str | None:
        """A file of nearly this name: the same but for its ending, for leading zeros, or for a few letters."""
        if not self.left or not image or not self.files:
            return None
        self.left -= 1
        wanted = posixpath.basename(image.replace("\\", "/")).lower()
        stem = _stem(wanted)
        if stem in self._by_stem:
            return self._by_stem[stem]
        if stem.isdigit() and stem.lstrip("0") in self._by_digits:
            return self._by_digits[stem.lstrip("0")]
        near = self._names
        if len(near) > ALL:
            at = bisect.bisect(near, (wanted, ""))
            near = near[max(0, at - NEIGHBOURS) : at + NEIGHBOURS]
        by_name = dict(reversed(near))
        found = difflib.get_close_matches(wanted, list(by_name), 1, 0.75)
        return by_name[found[0]] if found else None


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
