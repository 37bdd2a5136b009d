"""A score for a new image: what was learnt from people's scores of others, as an object that predicts, explains and is saved."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from memjax import devices
from memjax.attribution import Attribution, AttributionSettings, Target, attribute
from memjax.checks import expected, path_of
from memjax.datasets import Failure
from memjax.decoding import ImageSource
from memjax.encoder import Encoder
from memjax.images import read_image
from memjax.predictor.calibration import LEVEL, Residuals
from memjax.predictor.domain import Domain
from memjax.predictor.encoders import Computing, load_encoder
from memjax.predictor.linear import ByEncoder
from memjax.predictor.predicting import Ready, Scored, add_up_scores, make_ready
from memjax.predictor.record import PredictorRecord, places_in
from memjax.predictor.saving import Parts, digest_of, write_predictor
from memjax.predictor.scoring import Reading, image_values, reading_of, score_function, scorer_of
from memjax.predictor.sources import Images, Named, named_images
from memjax.progress import ProgressCallback
from memjax.selection import variables

COLUMNS = ["image", "score", "score_low", "score_high", "out_of_domain"]
"""Of a table of predictions."""


class ImagesScored(NamedTuple):
    """Of images, in their order: the score, NaN where it failed, and whether it is unlike those of the fit."""

    score: Float[np.ndarray, " n"]
    outside: Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False, repr=False)
class Predictor:
    """What `memjax.fit_predictor` and `memjax.load_predictor` return.

    Attributes:
        record: what it reads, what it was fitted on, how well it did on images that it had not seen.
        weights: encoder -> variable -> weights in the shape of one image's values.
        residuals: out of fold, behind the intervals.
        domain: of the images that it was fitted on.
        given: encoders, or where they lie now, by name, where that is not where they were.
    """

    record: PredictorRecord
    weights: ByEncoder
    residuals: Residuals
    domain: Domain
    given: Mapping[str, str | Encoder] = field(default_factory=dict)

    def __repr__(self) -> str:
        r = self.record
        read = ", ".join(one.model for one in r.encoders)
        return (
            f"<Predictor of {read}, fitted on {r.images:,} images of {r.dataset.name}: out of fold rho {r.rho:+.3f} "
            f"[{r.ci_low:+.3f}, {r.ci_high:+.3f}]>"
        )

    @functools.cached_property
    def encoders(self) -> dict[str, Encoder]:
        """The encoders by name, loaded when first used.

        Raises:
            InputError: one is not there, has other weights, or other layers than the predictor has weights for.
        """
        computing = Computing(self.record.dtype, self.record.precision)  # type: ignore[arg-type]
        found = {}
        for one in self.record.encoders:
            found[one.model] = load_encoder(one, self.given.get(one.model), computing)
            self._check_shapes(one.model, found[one.model])
        return found

    def _check_shapes(self, model: str, encoder: Encoder) -> None:
        reading = self.reading(model, encoder)
        sizes = variables(encoder.config, reading.selection, encoder.preprocessing.image_size)
        for name, w in self.weights.get(model, {}).items():
            if (wanted := tuple(sizes.get(name, {}).values())) != w.shape:
                raise expected(f"predictor, weights of {model}, {name}", f"the shape {wanted}", w.shape)

    def reading(self, model: str, encoder: Encoder | None = None) -> Reading:
        """How what it reads of one encoder is made of an image (`memjax.predictor.scoring`)."""
        domain = places_in(self.record.domain, model)
        names = dict.fromkeys([*self.weights.get(model, {}), *(place.name for place in domain)])
        return reading_of(encoder or self.encoders[model], tuple(names), self.record.protocol, domain)

    def predict(
        self,
        images: Images,
        level: float = LEVEL,
        progress: bool | ProgressCallback = False,
        failures: list[Failure] | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """How memorable images are to people, as far as it can tell.

        Args:
            images: a folder, a data set, or a list of paths, files' bytes, PIL images or uint8 arrays.
            level: coverage of the intervals, for images like those that it was fitted on.
            progress: True for a bar, False for none, or a function that is called ``(encoder, done, total)``.
            failures: images that cannot be used are added to it, and their score is NaN; None: the first ends the prediction.
            batch_size: images at once over all devices; None: what the devices do best.

        Returns:
            ``image, score, score_low, score_high, out_of_domain``, a row an image in their order. Scores are in the units of
            the human scores. Out of domain: further from the images of the fit than 99 % of images like them; neither score
            nor interval is to be trusted there.

        Raises:
            InputError: no images, an encoder that is not as it was, a level that cannot be had.
            memjax.decoding.ImageError: an image cannot be used, where ``failures`` is None.

        Example:
            >>> import memjax, numpy as np
            >>> kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20)
            >>> run = memjax.sweep(memjax.open_dataset("demo", limit=60), "memjax/tiny", settings=kept, progress=False)
            >>> predictor = memjax.fit_predictor(run, progress=False)
            >>> predictor.predict([np.zeros((64, 64, 3), np.uint8)]).columns.tolist()
            ['image', 'score', 'score_low', 'score_high', 'out_of_domain']
        """
        devices.use_cores()
        self.residuals.ends(level)  # refused before the work
        named, ready = named_images(images), self.ready(batch_size, progress)
        found = self.score_rows(ready, named, range(len(named.names)), progress, failures)
        return self.table_of(named.names, found, level)

    def ready(self, batch_size: int | None = None, progress: bool | ProgressCallback = False) -> list[Ready]:
        """Its encoders, each with the program that scores images.

        Args:
            batch_size, progress: as in `predict`.
        """
        return [make_ready(one, batch_size, progress) for one in self.scored()]

    def score_rows(
        self,
        ready: Sequence[Ready],
        named: Named,
        rows: range,
        progress: bool | ProgressCallback,
        failures: list[Failure] | None,
    ) -> ImagesScored:
        """The scores of some of the images, one after another.

        Args:
            ready: from `ready`.
            named: all images.
            rows: which of them.
            progress, failures: as in `predict`.
        """
        found = add_up_scores(ready, named, rows, progress, failures)
        return ImagesScored(self.record.intercept + found.score, self.domain.outside(found.domain))

    def table_of(self, names: Sequence[str], found: ImagesScored, level: float) -> pd.DataFrame:
        """Scores as `predict` returns them, with the interval of a level."""
        (low, high), score = self.residuals.ends(level), found.score
        columns = (list(names), score, score + low, score + high, found.outside)
        return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))

    @property
    def digest(self) -> str:
        """SHA-256 of all that a score depends on."""
        return digest_of(self._parts())

    def _parts(self) -> Parts:
        return Parts(self.record, self.weights, self.residuals, self.domain)

    @functools.cached_property
    def targets(self) -> dict[str, Target]:
        """What each encoder adds to the score, as `memjax.attribution.attribute` explains it."""
        found = {}
        for model, encoder in self.encoders.items():
            reading, weights = self.reading(model), scorer_of(encoder, self.weights.get(model, {})).weights
            values = functools.partial(image_values, reading=reading)
            found[model] = Target(encoder, score_function(weights, reading), self.record.protocol, weights, values)
        return found

    def explain(self, image: ImageSource, settings: AttributionSettings | None = None) -> dict[str, Attribution]:
        """Where in an image its score comes from, which layers and heads it is read from.

        Args:
            image: a path, a file's bytes, a PIL image or a uint8 array.
            settings: which maps, against which baseline, how finely (`memjax.attribution.AttributionSettings`).

        Returns:
            Of each encoder, what it adds to the score, explained: the encoders' shares and the intercept add up to the score.
            `memjax.report.attribution.where_in_image` draws it.

        Raises:
            InputError: an encoder that is not as it was, or that computes in bfloat16.
            memjax.decoding.ImageError: the image cannot be used.

        Example:
            >>> import memjax
            >>> from memjax.attribution import AttributionSettings
            >>> kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20)
            >>> run = memjax.sweep(memjax.open_dataset("demo", limit=60), "memjax/tiny", settings=kept, progress=False)
            >>> predictor = memjax.fit_predictor(run, progress=False)
            >>> quick = AttributionSettings(methods=("gradient_times_input",), points=2, orders=1)
            >>> predictor.explain(memjax.open_dataset("demo").records[0].data, quick)["memjax/tiny"].heads.shape
            (5, 4)
        """
        found = {}
        for model, target in self.targets.items():
            pixels = read_image(image, target.encoder.preprocessing)
            found[model] = attribute(target, pixels, settings)
        return found

    def scored(self) -> list[Scored]:
        """Its encoders, how each is read, and the weights of what is read."""
        return [
            Scored(encoder, self.reading(model), self.weights.get(model, {}))
            for model, encoder in self.encoders.items()
        ]

    def save(self, folder: str | Path) -> Path:
        """Write predictor.json, predictor.safetensors and README.md, the model card.

        Args:
            folder: made where it is not there; a predictor that lies there is replaced.

        Returns:
            The folder.

        Raises:
            InputError: the folder holds something else, or cannot be written.
        """
        return write_predictor(self._parts(), path_of(folder, "folder"))
