"""The table of an atlas: a row a latent of each autoencoder, and which latents of other seeds and folds say the same."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from memjax.latents.matching import directions_of, match_latents, plane_of
from memjax.latents.scoring import LatentScores
from memjax.sae.trained import TrainedSAE
from memjax.stats.correlation import benjamini_hochberg
from memjax.stats.reliability import Reliability

ALPHA = 0.05
"""Of q, over all latents of an atlas."""

LEAST_IN_CATEGORY = 10
"""Scored images that a category has to have to be named."""


@dataclass(frozen=True, eq=False)
class MeasuredSAE:
    """An autoencoder with its latents' scores.

    Attributes:
        sae: the autoencoder.
        token: that its vectors are of.
        how: see `memjax.latents.seen`.
        images: that it was scored on.
        scores: of its latents.
        categories: scored images of each category, by the numbers of ``scores.by_category``.
    """

    sae: TrainedSAE
    token: str
    how: str
    images: int
    scores: LatentScores
    categories: pd.Series

    @property
    def place(self) -> tuple[str, int]:
        """Token and layer."""
        return self.token, self.sae.layer


def atlas_table(
    found: Sequence[MeasuredSAE], model: str, same_cosine: float, ceiling: Reliability | None = None
) -> pd.DataFrame:
    """Every latent of every autoencoder.

    Args:
        found: of one encoder.
        model: its name.
        same_cosine: see `memjax.latents.AtlasSettings`.
        ceiling: how far people agree.

    Returns:
        ``model, token, layer, seed, fold, latent, n, scored, firings, rate, mean, rho, ci_low, ci_high, p, q, [rho_over_ceiling],
        [category, category_rate, rate_elsewhere], [seeds, seed_cosine, seeds_same, seeds_agree], [folds, fold_cosine, folds_same,
        folds_agree], map_x, map_y``. ``seeds`` counts the other seeds of the same layer and fold; ``seed_cosine`` is the mean
        cosine with the partners there; ``seeds_same`` counts partners of at least ``same_cosine``, ``seeds_agree`` those of them
        whose rho has the same sign and q < `ALPHA`. Folds, which were scored on other images: the same.
    """
    table = pd.concat([_rows(one, model) for one in found], ignore_index=True)
    table["q"] = benjamini_hochberg(table["p"].to_numpy())
    if ceiling is not None:
        table.insert(table.columns.get_loc("q") + 1, "rho_over_ceiling", table["rho"] / ceiling.ceiling)
    counts = [one.sae.config.latents for one in found]
    starts = np.concatenate([[0], np.cumsum(counts)])
    spans = [slice(int(start), int(stop)) for start, stop in itertools.pairwise(starts)]
    directions = [directions_of(one.sae) for one in found]
    pairs = _Pairs(found, spans, directions, table, same_cosine)
    for name, other, same in (("seed", "seed", "fold"), ("fold", "fold", "seed")):
        table = table.assign(**pairs.agreement(name, other, same))
    return table.assign(**_map(found, spans, directions, len(table)))


def _rows(one: MeasuredSAE, model: str) -> pd.DataFrame:
    scores, sae = one.scores, one.sae
    rows = pd.DataFrame({"latent": np.arange(sae.config.latents)})
    keys = {"model": model, "token": one.token, "layer": sae.layer, "seed": sae.seed}
    for place, (name, value) in enumerate(keys.items()):
        rows.insert(place, name, value)
    rows.insert(4, "fold", pd.array([sae.fold] * len(rows), "Int64"))
    rows = rows.assign(
        n=one.images, scored=one.how, firings=scores.firings, rate=scores.firings / one.images, mean=scores.mean
    )
    rows = rows.assign(rho=scores.rho, ci_low=scores.ci_low, ci_high=scores.ci_high, p=scores.p, q=np.nan)
    return rows.assign(**_strongest_category(one)) if len(one.categories) > 1 else rows


def _strongest_category(one: MeasuredSAE) -> dict[str, object]:
    """The category with the largest share of images that a latent fires for, that share, and the share among all others."""
    sizes, by = one.categories.to_numpy(), one.scores.by_category
    rates = np.where(sizes >= LEAST_IN_CATEGORY, by / np.maximum(sizes, 1), -1.0)
    best = rates.argmax(axis=1)
    known = (rates.max(axis=1) > 0) & (one.images > sizes[best])
    inside = by[np.arange(len(by)), best]
    elsewhere = (one.scores.firings - inside) / np.maximum(one.images - sizes[best], 1)
    names = one.categories.index.to_numpy(dtype=object)[best]
    return {
        "category": np.where(known, names, None),
        "category_rate": np.where(known, rates[np.arange(len(by)), best], np.nan),
        "rate_elsewhere": np.where(known, elsewhere, np.nan),
    }


@dataclass(frozen=True, eq=False)
class _Pairs:
    """The autoencoders of an atlas, two by two."""

    found: Sequence[MeasuredSAE]
    spans: Sequence[slice]
    directions: Sequence[np.ndarray]
    table: pd.DataFrame
    same_cosine: float

    def agreement(self, name: str, other: str, same: str) -> dict[str, np.ndarray]:
        """Of every latent, with autoencoders of its place that have another ``other`` and the same ``same``."""
        n = len(self.table)
        peers = np.zeros(n, np.int64)
        cosines, same_count, agree = np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64)
        for i, one in enumerate(self.found):
            for j, two in enumerate(self.found):
                alike = one.place == two.place and getattr(one.sae, same) == getattr(two.sae, same)
                if not alike or getattr(one.sae, other) == getattr(two.sae, other):
                    continue
                peers[self.spans[i]] += 1
                cosine, close, told = self._pair(i, j)
                cosines[self.spans[i]] += cosine
                same_count[self.spans[i]] += close
                agree[self.spans[i]] += told
        if not peers.any():
            return {}
        mean = np.where(peers > 0, cosines / np.maximum(peers, 1), np.nan)
        return {f"{name}s": peers, f"{name}_cosine": mean, f"{name}s_same": same_count, f"{name}s_agree": agree}

    def _pair(self, i: int, j: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the latents of ``i``: cosine with their partner in ``j``, whether it is the same, and whether it agrees."""
        fires = self.found[i].scores.firings > 0, self.found[j].scores.firings > 0
        partner, cosine = match_latents(self.directions[i], self.directions[j], fires)
        close = cosine >= self.same_cosine
        mine, theirs = (self.table.iloc[self.spans[k]] for k in (i, j))
        sign, q = theirs["rho"].to_numpy()[partner], theirs["q"].to_numpy()[partner]
        same_sign = np.sign(sign) == np.sign(mine["rho"].to_numpy())
        return np.where(partner >= 0, cosine, np.nan), close, close & same_sign & (q < ALPHA)


def _map(
    found: Sequence[MeasuredSAE], spans: Sequence[slice], directions: Sequence[np.ndarray], n: int
) -> dict[str, np.ndarray]:
    """Where each latent lies on the plane of its token and layer."""
    points = np.empty((n, 2))
    for place in dict.fromkeys(one.place for one in found):
        mine = [i for i, one in enumerate(found) if one.place == place]
        for i, where in zip(mine, plane_of([directions[i] for i in mine]), strict=True):
            points[spans[i]] = where
    return {"map_x": points[:, 0], "map_y": points[:, 1]}
