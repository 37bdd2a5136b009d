"""Standardised columns of very many images, read a block at a time: which images have all of them, and what standardises them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from memjax.stats.representations import Site, layers_of

BLOCK_VALUES = 2**26
"""Values that are read at once."""

MEASURES = "measures"
"""In place of an encoder and a token: measures in memory."""

Reader = Callable[[Int[np.ndarray, " b"]], Float[np.ndarray, "b l1 d"]]
"""Ascending positions of images -> their vectors at every layer."""

Readers = Mapping[str, Mapping[str, Reader]]
"""Encoder -> token -> what reads its vectors."""


@dataclass(frozen=True)
class ColumnMoments:
    """Mean and standard deviation over images, ``[l1, d]`` each."""

    mean: Float[np.ndarray, "l1 d"]
    scale: Float[np.ndarray, "l1 d"]


@dataclass(frozen=True)
class Bank:
    """Where the columns of many images are read.

    Attributes:
        readers: by encoder and token.
        rows: positions of the images that have all of them, ascending.
        moments: by encoder and token.
    """

    readers: Readers
    rows: Int[np.ndarray, " n"]
    moments: Mapping[str, Mapping[str, ColumnMoments]]

    def layers(self, model: str) -> dict[str, range]:
        """The layer coordinates of each of an encoder's tokens."""
        return layers_of({token: one.mean[None] for token, one in self.moments[model].items()})

    def bands(self) -> list["Band"]:
        """Every layer of every token that varies, encoder by encoder."""
        found = []
        for model, tokens in self.moments.items():
            for token, layers in self.layers(model).items():
                one = tokens[token]
                for place, layer in enumerate(layers):
                    scale = one.scale[place]
                    kept = scale > 1e-12 * max(float(scale.max(initial=0)), 1e-300)
                    if kept.any():
                        found.append(Band(Site(model, token, layer), place, kept, one.mean[place], scale))
        return found

    def beside(self, x: Float[np.ndarray, "n k"]) -> "Bank":
        """With a last band of standardised columns of the same images, in memory."""

        def read(rows: Int[np.ndarray, " b"]) -> np.ndarray:
            return x[np.searchsorted(self.rows, rows)][:, None]

        as_they_are = ColumnMoments(np.zeros((1, x.shape[1])), np.ones((1, x.shape[1])))
        moments = {**self.moments, MEASURES: {MEASURES: as_they_are}}
        return Bank({**self.readers, MEASURES: {MEASURES: read}}, self.rows, moments)

    def columns(self, bands: list["Band"], start: int, stop: int) -> Float[np.ndarray, "b k"]:
        """Standardised columns of the images from one position among ``rows`` up to another."""
        rows, read = self.rows[start:stop], dict[tuple[str, str], np.ndarray]()
        out, end = np.empty((len(rows), sum(band.width for band in bands))), 0
        for band in bands:
            key = band.site.model, band.site.token
            if key not in read:
                read = {key: self.readers[key[0]][key[1]](rows)}  # bands of one token stand together: one at a time
            here, end = slice(end, end + band.width), end + band.width
            out[:, here] = read[key][:, band.place, band.kept]
            out[:, here] -= band.mean[band.kept]
            out[:, here] /= band.scale[band.kept]
        return out


@dataclass(frozen=True)
class Band:
    """A layer's columns that vary.

    Attributes:
        site: encoder, token and layer coordinate.
        place: of the layer in what is read.
        kept: which columns vary.
        mean, scale: what standardises them.
    """

    site: Site
    place: int
    kept: Bool[np.ndarray, " d"]
    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]

    @property
    def width(self) -> int:
        """Columns that vary."""
        return int(self.kept.sum())


def bank_of(readers: Readers, y: Float[np.ndarray, " n"]) -> Bank:
    """The images with a score and finite vectors, and the moments of their columns, from one reading.

    Args:
        readers: of the images ``0 ... n - 1``.
        y: human scores, NaN where there is none.

    Example:
        >>> x = np.array([[[1.0, 5.0]], [[3.0, 5.0]], [[np.nan, 5.0]]])
        >>> found = bank_of({"m": {"cls": lambda rows: x[rows]}}, np.zeros(3))
        >>> found.rows.tolist(), found.columns(found.bands(), 0, 2).tolist()
        ([0, 1], [[-1.0], [1.0]])
    """
    scored, rows = np.flatnonzero(np.isfinite(y)), list[np.ndarray]()
    keys = [(model, token) for model, tokens in readers.items() for token in tokens]
    first = {key: readers[key[0]][key[1]](scored[:1])[0] for key in keys}
    block = images_at_once(sum(one.size for one in first.values()))
    sums: dict[tuple[str, str], _Running] = {}
    for start in range(0, len(scored), block):
        here = scored[start : start + block]
        read = {key: readers[key[0]][key[1]](here) for key in keys}
        known = np.all([np.isfinite(x).all(axis=(1, 2)) for x in read.values()], axis=0)
        if known.any():
            rows.append(here[known])
            for key, x in read.items():
                sums.setdefault(key, _Running(x[known][0])).add(x[known])
    if not rows:
        return Bank(readers, scored[:0], {})
    made = {model: {token: sums[model, token].moments() for token in tokens} for model, tokens in readers.items()}
    return Bank(readers, np.concatenate(rows), made)


def images_at_once(columns: int) -> int:
    """Images of a block of so many columns."""
    return max(BLOCK_VALUES // max(columns, 1), 1)


class _Running:
    """Sums over images of the difference to one of them, and of its square."""

    def __init__(self, first: Float[np.ndarray, "l1 d"]) -> None:
        self.first = first.astype(np.float64)
        self.count, self.sum, self.squares = 0, np.zeros(first.shape), np.zeros(first.shape)

    def add(self, x: Float[np.ndarray, "b l1 d"]) -> None:
        self.count += len(x)
        for place in range(x.shape[1]):
            apart = x[:, place] - self.first[place]
            self.sum[place] += apart.sum(axis=0)
            self.squares[place] += (apart * apart).sum(axis=0)

    def moments(self) -> ColumnMoments:
        mean = self.sum / self.count
        return ColumnMoments(self.first + mean, np.sqrt(np.maximum(self.squares / self.count - mean * mean, 0)))
