"""What an ensemble of autoencoders gives after an epoch: kept in memory, and in a file for a run that is resumed."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float, Int

from memjax.checks import InputError
from memjax.sae.evaluation import Evaluation
from memjax.sae.grid import Grid
from memjax.sae.presets import SPACES
from memjax.sae.score import ImageScores

SCORES = tuple(field.name for field in fields(ImageScores))


@dataclass(frozen=True, eq=False)
class EpochScores:
    """Scores after an epoch; each image's by the autoencoder that left it out, where there are folds.

    Attributes:
        epoch: counted from 1.
        layers: layer coordinates.
        seeds: of the autoencoders of each layer.
        errors: reconstruction error of every image, by space (``standardised``, ``raw``).
        explained_variance, dead_fraction: means over folds.
        scores: every score in the standardised space, means over seeds, ``[l, n]`` each.
    """

    epoch: int
    layers: Int[np.ndarray, " l"]
    seeds: Int[np.ndarray, " e"]
    errors: Mapping[str, Float[np.ndarray, "l e n"]]
    explained_variance: Float[np.ndarray, "l e"]
    dead_fraction: Float[np.ndarray, "l e"]
    scores: ImageScores

    def save(self, file: Path, run: str) -> None:
        """Into a NumPy archive: a whole file or none.

        Args:
            run: what identifies the run, kept with the scores.
        """
        arrays = {"run": np.array(run), "layers": self.layers, "seeds": self.seeds}
        arrays |= {f"error_{space}": values for space, values in self.errors.items()}
        arrays |= {"explained_variance": self.explained_variance, "dead_fraction": self.dead_fraction}
        arrays |= {f"score_{name}": getattr(self.scores, name) for name in SCORES}
        part = file.with_name(f"{file.stem}.part.npz")
        np.savez(part, **arrays)
        part.replace(file)

    @classmethod
    def load(cls, file: Path, epoch: int, run: str, shape: tuple[int, int, int]) -> "EpochScores":
        """What `save` wrote; nothing is unpickled.

        Args:
            run: as it was saved.
            shape: how many layers, seeds and images there are.

        Raises:
            InputError: it is not there, not whole or another run's, although checkpoints of later epochs are there.
        """
        try:
            with file.open("rb") as source, np.load(source, allow_pickle=False) as found:
                if "run" in found and str(found["run"]) != run:  # version 0.2 did not keep it
                    raise ValueError("another run wrote it")
                if any(found[f"error_{space}"].shape != shape for space in SPACES):
                    raise ValueError("it has other layers, seeds or images")
                return cls(
                    epoch=epoch,
                    layers=found["layers"],
                    seeds=found["seeds"],
                    errors={space: found[f"error_{space}"] for space in SPACES},
                    explained_variance=found["explained_variance"],
                    dead_fraction=found["dead_fraction"],
                    scores=ImageScores(**{name: found[f"score_{name}"] for name in SCORES}),
                )
        except Exception as error:  # a torn archive makes zipfile, zlib and NumPy raise nearly every type
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            fix = "delete the folders epochs and checkpoints beside it to train again, or choose another folder"
            raise InputError(f"{file}: scores of epoch {epoch} can't be read ({reason}); {fix}", "out") from error


def epoch_scores(epoch: int, found: Evaluation, grid: Grid, layers: Int[np.ndarray, " l"]) -> EpochScores:
    """An evaluation of the ensemble by layer and seed."""
    return EpochScores(
        epoch=epoch,
        layers=layers,
        seeds=np.array(grid.seeds),
        errors={space: grid.by_image(scores.error) for space, scores in found.images.items()},
        explained_variance=grid.by_seed(np.asarray(found.members.explained_variance)),
        dead_fraction=grid.by_seed(np.asarray(found.members.dead_fraction)),
        scores=jax.tree.map(lambda values: grid.by_image(values).mean(axis=1), found.images["standardised"]),
    )
