"""From a finished sweep to a predictor, and from a predictor's folder back."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from memjax.checks import InputError, check_kind, expected, settings_of
from memjax.encoder import Encoder
from memjax.image_table import read_images_table
from memjax.metrics import METRICS
from memjax.outputs import now, versions
from memjax.pipelines.alike import alike_images
from memjax.pipelines.sweep_representations import aligned_vectors, images_to_read, kept_tokens
from memjax.pipelines.sweep_result import Sweep, sweep_of
from memjax.predictor.fitting import Calibrated, Features, Values, fit_bands
from memjax.predictor.places import Place, values_at
from memjax.predictor.predictor import Predictor
from memjax.predictor.record import PredictorRecord
from memjax.predictor.saving import read_predictor
from memjax.predictor.settings import PredictorSettings
from memjax.progress import ProgressCallback, tell
from memjax.stats.multiples import usable_columns
from memjax.storage import Place as Folder
from memjax.store import metric_variables


def fit_predictor(
    run: Sweep | str | Folder,
    settings: PredictorSettings | None = None,
    progress: bool | ProgressCallback = True,
) -> Predictor:
    """Fit what predicts the memorability of new images, on all images of a sweep.

    A ridge regression on the token vectors of every layer and encoder that the sweep kept, every layer and token weighing the
    same, whatever its width; or, where none were kept, on its measures. Images that are nearly the same stay in one fold of the
    cross-validation, which chooses the penalty and calibrates the intervals.

    Args:
        run: a finished sweep of data with scores, or its folder; best one that kept token vectors,
            ``SweepSettings(tokens=("cls", "mean"))``.
        settings: what is read, and how it is cross-validated; by default `PredictorSettings()`.
        progress: True for lines that say what is being done.

    Returns:
        A `memjax.predictor.Predictor`.

    Raises:
        InputError: no finished sweep, no scores, nothing to read, too few images.

    Example:
        >>> import memjax
        >>> kept = memjax.SweepSettings(tokens=("cls", "mean"), bootstraps=20)
        >>> run = memjax.sweep(memjax.open_dataset("demo", limit=60), "memjax/tiny", settings=kept, progress=False)
        >>> memjax.fit_predictor(run, progress=False).record.source
        'vectors'
    """
    settings = settings_of(settings, PredictorSettings)
    found = sweep_of(run)
    if found.table is None:
        raise expected(f"run {found.out}", "one of data with scores", "one without", argument="features")
    fit = _Fit(found, settings, lambda line: tell(line, progress))
    features, rows = fit.features()
    y = fit.y[rows]
    clusters = np.unique(fit.clusters()[rows], return_inverse=True)[1]
    fitted = fit_bands(features, y, clusters, settings, fit.report)
    record = fit.record(features, y, fitted)
    return Predictor(record, fitted.weights, fitted.residuals, fitted.domain)


def load_predictor(folder: str | Path, encoders: Mapping[str, str | Encoder] | None = None) -> Predictor:
    """A predictor that `memjax.predictor.Predictor.save` wrote.

    Args:
        folder: where it lies.
        encoders: for encoders that are no longer where they were: name -> encoder, or where it lies now. Their weights have to
            be the same.

    Raises:
        InputError: there is none, it is not as it was written, or it reads no encoder of a name that is given.

    Example:
        >>> import memjax, tempfile
        >>> kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20)
        >>> run = memjax.sweep(memjax.open_dataset("demo", limit=60), "memjax/tiny", settings=kept, progress=False)
        >>> folder = memjax.fit_predictor(run, progress=False).save(tempfile.mkdtemp())
        >>> memjax.load_predictor(folder).record.images
        60
    """
    fix = "name the folder that it was saved to"
    check_kind(folder, (str, Path), "folder", "the folder of a saved predictor", fix)
    parts = read_predictor(Path(folder).expanduser())
    names = [one.model for one in parts.record.encoders]
    if unknown := sorted(set(encoders or ()) - set(names)):
        raise expected("encoders", f"among {', '.join(names)}", unknown[0], argument="encoders")
    return Predictor(parts.record, parts.weights, parts.residuals, parts.domain, dict(encoders or {}))


@dataclasses.dataclass(frozen=True)
class _Fit:
    """A sweep that is fitted on."""

    run: Sweep
    settings: PredictorSettings
    report: Callable[[str], None]

    @property
    def first(self) -> xr.Dataset:
        return next(iter(self.run.features.values()))

    @property
    def y(self) -> Float[np.ndarray, " n"]:
        return self.first["memorability"].values.astype(np.float64)

    @property
    def source(self) -> str:
        """What is read."""
        return self.settings.source or ("vectors" if kept_tokens(self.run.features) else "measures")

    def clusters(self) -> Int[np.ndarray, " n"]:
        """A label an image, of images that are nearly the same."""
        images = self.first.indexes["image"]
        found = alike_images(self.run.features, read_images_table(self.run.out, images)).clusters
        return np.arange(len(images)) if found is None else found

    def features(self) -> tuple[Features, Int[np.ndarray, " _"]]:
        """What is fitted on, of the images that have it, and which those are."""
        return self._vectors() if self.source == "vectors" else self._measures()

    def _vectors(self) -> tuple[Features, Int[np.ndarray, " _"]]:
        kept, place = kept_tokens(self.run.features), self.first.indexes["image"].get_indexer_for
        if not kept:
            fix = "run the sweep again and keep cls and mean of every layer"
            raise InputError(f"run {self.run.out}: no token vectors were kept; {fix}", "tokens", "cls mean")
        every = {
            model: {token: aligned_vectors(self.run.features[model], token, place) for token in tokens}
            for model, tokens in kept.items()
        }
        rows = images_to_read(every, self.y, self.settings.seed, self.settings.most_images)
        values: Values = {
            model: {token: x[rows, 0] if token == "pooled" else x[rows] for token, x in tokens.items()}
            for model, tokens in every.items()
        }
        bands = [
            [place]
            for model, tokens in values.items()
            for token, x in tokens.items()
            for place in _layers(model, token, x)
        ]
        domain = [
            _layers(model, token, x)[-1]
            for model, tokens in values.items()
            for token, x in [next(iter(tokens.items()))]
        ]
        return Features(values, bands, domain), rows

    def _measures(self) -> tuple[Features, Int[np.ndarray, " _"]]:
        images, found = self.first.indexes["image"], dict[str, dict[str, np.ndarray]]()
        for model, group in self.run.features.items():
            order = group.indexes["image"].get_indexer(images)
            built_in = [name for name in metric_variables(group) if name in METRICS]
            found[model] = {name: group[name].values[order].astype(np.float64) for name in built_in}
        measured = np.all([
            np.isfinite(x).any(axis=tuple(range(1, x.ndim))) for own in found.values() for x in own.values()
        ], axis=0)  # fmt: skip
        rows = np.flatnonzero(np.isfinite(self.y) & measured)
        if len(rows) > (most := self.settings.most_images):
            rows = np.sort(np.random.default_rng(self.settings.seed).choice(rows, most, replace=False))
        values = {model: {name: x[rows] for name, x in own.items()} for model, own in found.items()}
        places = [
            Place(model, name, tuple(map(int, index)))
            for model, own in values.items()
            for name, x in own.items()
            for index in np.argwhere(np.isfinite(x).all(axis=0))
        ]
        columns = values_at(values, places) if places else np.empty((len(rows), 0))
        places = [places[k] for k in usable_columns(columns)] if places else []
        return Features(values, [places], places), rows

    def record(self, features: Features, y: Float[np.ndarray, " n"], fitted: Calibrated) -> PredictorRecord:
        """What the predictor says of itself; its encoders are in the order of their columns."""
        run, known = self.run.run, {one.model: one for one in self.run.run.models}
        return PredictorRecord(
            dataset=run.dataset,
            encoders=tuple(known[model] for model, values in features.values.items() if values),
            source=self.source,
            domain=tuple(features.domain),
            images=len(y),
            columns=fitted.columns,
            penalty=fitted.penalty,
            folds=self.settings.folds,
            repeats=self.settings.repeats,
            seed=self.settings.seed,
            rho=fitted.rho.value,
            ci_low=fitted.rho.low,
            ci_high=fitted.rho.high,
            score_mean=float(y.mean()),
            score_sd=float(y.std(ddof=1)),
            bound=fitted.domain.bound,
            intercept=fitted.intercept,
            coverage=None if np.isnan(fitted.coverage) else fitted.coverage,
            ceiling=run.ceiling.ceiling if run.ceiling else None,
            protocol=run.protocol,
            dtype=run.dtype,
            precision=run.precision or "highest",
            run_id=run.run_id,
            finished=now(),
            versions=versions(),
        )


def _layers(model: str, token: str, x: Float[np.ndarray, "n ..."]) -> list[Place]:
    """A token's places, the last layer's last; the pooled output has no layers."""
    return [Place(model, token, ())] if x.ndim == 2 else [Place(model, token, (layer,)) for layer in range(x.shape[1])]
