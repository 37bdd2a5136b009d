"""Does the reconstruction loss of sparse autoencoders tell how memorable an image is? Trained, scored, correlated, written."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import xarray as xr

from memjax import devices
from memjax.checks import make_folder, path_of, settings_of
from memjax.outputs import REPORT, Run, now, plain_json, started, versions, write_table
from memjax.pipelines.sae_epochs import EpochScores, epoch_scores
from memjax.pipelines.sae_folders import save_saes, with_scores
from memjax.pipelines.sae_report import told_by_epoch, write_sae_page
from memjax.pipelines.sae_settings import SAESettings
from memjax.pipelines.sae_tables import epoch_table, layer_table, with_ceiling, with_q, with_seed_means
from memjax.pipelines.sweep_result import Sweep, place_of
from memjax.pipelines.tokens import Representations, join_scores, load_representations, open_group
from memjax.progress import stage_of
from memjax.promises import start_writing
from memjax.sae.checkpoint import Checkpoints, open_manager, saved_position, without_messages_of_failures
from memjax.sae.divergence import check_finite
from memjax.sae.evaluation import evaluate
from memjax.sae.grid import Grid, grid_of
from memjax.sae.member import Member
from memjax.sae.origin import SAEOrigin, images_digest
from memjax.sae.presets import SAEPreset
from memjax.sae.stream import Stream
from memjax.sae.trained import TrainedSAE, trained_saes
from memjax.sae.training import epochs_before, fit_members, recipe_for
from memjax.storage import Place, TemporaryFolder, local_folder, locked

EPOCHS, LAYERS, SAES = "sae_epochs", "sae_layers", "saes"
"""Names of the tables, and of the folder of autoencoders."""

EpochCallback = Callable[[int, int, float], None]
"""Called as ``(epochs done, epochs in all, mean loss)``."""


@dataclass(frozen=True, eq=False)
class SAEResult:
    """What `train_saes` gives.

    Attributes:
        by_epoch: rho of the reconstruction error after each epoch: ``model, variant, layer, seed, epoch, space, loss,
            explained_variance, dead_fraction, rho, ci_low, ci_high, p, n[, rho_over_ceiling]``.
        by_layer: rho of each score after the last epoch, mean over seeds: ``model, metric, layer, rho, ci_low, ci_high, p, q,
            n, rho_given_length, given_ci_low, given_ci_high, mean_rho_over_seeds[, rho_over_ceiling]``; ``rho`` is that of the
            mean over seeds, ``mean_rho_over_seeds`` the mean of each seed's rho (of the reconstruction error only), ``q`` is
            Benjamini-Hochberg over the layers of one score.
        scores: name (``sae_error``, ``sae_topk_l0``, ...) -> that score of every image, dims ``image, layer``.
        saes: the trained autoencoders, layer by layer, in each seed by seed, in each fold by fold.
        run: the record of the run, as in run.json.
        out: folder of tables, figures, report.html, autoencoders, checkpoints and run.json.
        store: the feature store, which now has the scores as metrics.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    by_epoch: pd.DataFrame
    by_layer: pd.DataFrame
    scores: Mapping[str, xr.DataArray]
    saes: tuple[TrainedSAE, ...] = field(repr=False)
    run: Run = field(repr=False)
    out: Path
    store: Place
    kept: TemporaryFolder | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        first, synthetic = self.saes[0], " (synthetic)" if self.run.dataset.synthetic else ""
        errors = self.by_layer[self.by_layer["metric"].str.endswith("_error")]
        best = errors.loc[errors["rho"].abs().idxmax()] if errors["rho"].notna().any() else None
        told = "" if best is None else f"; largest rho of {best['metric']} {best['rho']:+.3f} (layer {best['layer']})"
        return (
            f"<SAEResult of {first.encoder}, {self.run.dataset.name}{synthetic}: {len(self.saes)} autoencoders "
            f"({first.config.variant}, {first.config.width} to {first.config.latents} latents){told}; in {self.out}>"
        )

    @property
    def report(self) -> Path:
        """The report page."""
        return self.out / REPORT

    def save(self, folder: str | Path) -> tuple[Path, ...]:
        """Write every autoencoder to a folder of its own, as `memjax.sae.save` does: ``layer_11_seed_0``, or with ``_fold_3``.

        Args:
            folder: of those folders; `memjax.sae.load_all` reads all that are in it.

        Returns:
            The folders, in the order of ``saes``.

        Raises:
            InputError: one of them holds something else, or cannot be written.
        """
        return save_saes(self.saes, path_of(folder, "folder"))


@dataclass(frozen=True, eq=False)
class _Job:
    """What one call of `train_saes` works on."""

    settings: SAESettings
    data: Representations
    grid: Grid
    stream: Stream
    preset: SAEPreset

    def identity(self) -> dict[str, object]:
        """What a checkpoint must agree on to be resumed; the parts only where they are others than the folds."""
        parts = {"parts": self.grid.parts} if self.grid.parts != self.grid.folds else {}
        return parts | {
            "protocol": self.settings.protocol,
            "token": self.settings.token,
            "sae": self.preset.sae.to_json(),
            "fit": self.preset.fit.to_json(),
            "learning_rate": self.preset.learning_rate,
            "sparsity": self.preset.sparsity,
            "layers": self.data.layers.tolist(),
            "seeds": self.grid.seed.tolist(),
            "folds": self.grid.folds,
            "block": self.data.images.size,
            "data": self.data.digest,
        }


def train_saes(
    run: Sweep | str | Place,
    settings: SAESettings | None = None,
    out: str | Path | None = None,
    progress: bool | EpochCallback = True,
) -> SAEResult:
    """Train autoencoders on a sweep's token vectors, and correlate each image's reconstruction error with the human scores.

    All layers, seeds and folds are trained in one program. The same call with the same ``out`` resumes. The scores also go into
    the sweep's feature store as metrics: the sweep, run again, shows them in its table, figures and report.

    Args:
        run: a sweep that kept token vectors (``SweepSettings(tokens=("cls",))``), its folder, or its features.zarr.
        settings: what to train; by default `SAESettings()`, the paper's protocol.
        out: the results' folder; None for a temporary one, which lives as long as the result.
        progress: True for a line after each epoch and a spinner for what follows, False for none, or a function that is called
            ``(epoch, epochs, mean loss)``.

    Returns:
        Tables, scores, the autoencoders, and the path of a report page.

    Raises:
        memjax.checks.InputError: no such store, encoder, token or layer; too few images; another run in ``out``.

    Example:
        >>> import memjax
        >>> kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20)
        >>> run = memjax.sweep(memjax.open_dataset("demo", limit=60), "memjax/tiny", settings=kept, progress=False)
        >>> saes = memjax.train_saes(run, memjax.SAESettings(epochs=1, seeds=(0,), bootstraps=20), progress=False)
        >>> saes.scores["sae_error"].dims, saes.saes[0].config.latents
        (('image', 'layer'), 100)
    """
    devices.use_cores()
    settings = settings_of(settings, SAESettings)
    features = place_of(run)
    folder, kept = local_folder(out)
    with locked(folder):
        job = _plan(settings, features)
        epochs, members = _train(job, folder, progress)
        writing = start_writing(folder, folder, kept=("epochs", "checkpoints", SAES))
        with stage_of("correlations and intervals", progress is True):
            found = _analyse(job, epochs, members, folder, kept)
        with stage_of("autoencoders, tables, figures and page", progress is True):
            _write(job, found)
        return replace(found, run=writing.finish(found.run))


def _plan(settings: SAESettings, features: Place) -> _Job:
    """The data, the members and their training rows, and their preset."""
    group = open_group(features, settings.model)
    data = load_representations(group, settings.token, settings.layers, settings.is_paper, settings.block)
    grid = grid_of(data.images, len(data.layers), settings.chosen_seeds, settings.chosen_folds, settings.parts)
    stream = grid.stream(data.images)
    return _Job(settings, data, grid, stream, settings.preset(data.width, stream))


def _train(job: _Job, folder: Path, progress: bool | EpochCallback) -> tuple[list[EpochScores], Member]:
    """Train with checkpoints, from the newest one; the scores after every epoch, those of an earlier call from its files."""
    sae, fit, mesh = job.preset.sae, job.preset.fit, devices.data_mesh()
    recipe, home = recipe_for(job.stream, sae, fit), folder / "epochs"
    make_folder(home, "out", "out")
    about = {**job.identity(), "devices": jax.device_count(), "jax": jax.__version__}
    mark, shape = json.dumps(about, sort_keys=True), (*job.grid.shape[:2], job.data.images.n)
    found: dict[int, EpochScores] = {}

    def keep(epoch: int, members: Member, losses: np.ndarray) -> None:
        evaluation = evaluate(members, job.data.images, sae, mesh, fit.precision)
        check_finite(evaluation.images["standardised"].error, members, epoch)
        found[epoch] = epoch_scores(epoch, evaluation, job.grid, job.data.layers)
        found[epoch].save(home / f"{epoch}.npz", mark)
        if tell is not None:
            tell(epoch, fit.epochs, float(losses.mean()))

    with without_messages_of_failures(), open_manager(folder / "checkpoints") as manager:
        checkpoints = Checkpoints(manager, about)
        before = epochs_before(job.stream, recipe, saved_position(checkpoints) or 0)
        tell = told_by_epoch(before) if progress is True else progress or None
        for epoch in range(1, before + 1):  # now, not after hours of training
            found[epoch] = EpochScores.load(home / f"{epoch}.npz", epoch, mark, shape)
        start = job.grid.start(job.stream, job.preset, recipe)
        members = fit_members(start, job.stream, recipe, mesh, checkpoints, keep)
    return [found[epoch] for epoch in range(1, fit.epochs + 1)], members


def _analyse(
    job: _Job, epochs: list[EpochScores], members: Member, folder: Path, kept: TemporaryFolder | None
) -> SAEResult:
    """Everything that is written, computed once."""
    data, n_boot, group = job.data, job.settings.bootstraps, job.data.group
    last = {f.name: getattr(epochs[-1].scores, f.name) for f in fields(epochs[-1].scores)}
    (lengths,) = data.by_layer({"squared_length": last.pop("squared_length")}).values()
    scores = data.by_layer({f"{job.settings.prefix}_{name}": values for name, values in last.items()})
    names = {"model": group.model, "variant": job.preset.sae.variant}
    record = Run(
        dataset=group.dataset,
        command=started(),
        finished=now(),
        models=(group.encoder,),
        protocol=job.settings.protocol,
        dtype="float32",
        precision=job.settings.precision,
        bootstraps=n_boot,
        settings=plain_json(job.identity()),
        versions=versions(),
        ceiling=group.ceiling,
    )
    by_epoch = epoch_table(epochs, names, data.y, n_boot)
    by_layer = layer_table(scores, lengths, group.model, data.y, n_boot)
    by_layer = with_seed_means(with_q(by_layer), by_epoch, f"{job.settings.prefix}_error")
    return SAEResult(
        by_epoch=with_ceiling(by_epoch, group.ceiling),
        by_layer=with_ceiling(by_layer, group.ceiling),
        scores=scores,
        saes=with_scores(_saes(job, members, record), by_epoch),
        run=record,
        out=folder,
        store=group.store,
        kept=kept,
    )


def _saes(job: _Job, members: Member, record: Run) -> tuple[TrainedSAE, ...]:
    """The autoencoders one by one, with what they were trained on."""
    group, fit = job.data.group, job.preset.fit
    origin = SAEOrigin(
        encoder_id=group.encoder.name or group.model,
        encoder_revision=group.encoder.revision,
        encoder_sha256=group.encoder.sha256,
        token=job.settings.token,
        dataset=group.dataset.name,
        images=job.data.images.n,
        images_sha256=images_digest(job.data.ids),
        block=job.data.images.size,
        synthetic=group.dataset.synthetic,
        parts=job.grid.parts,
        protocol=job.settings.protocol,
        epochs=fit.epochs,
        batch_size=fit.batch_size,
        learning_rate=float(job.preset.learning_rate),
        sparsity=float(job.preset.sparsity),
        finished=record.finished,
    )
    saes = trained_saes(members, job.grid, job.preset.sae, job.data.layers, group.model)
    return tuple(one.replace(origin=origin) for one in saes)


def _write(job: _Job, found: SAEResult) -> None:
    """Tables, figures, page, autoencoders, and the scores into the store."""
    if job.settings.save_saes:
        found.save(found.out / SAES)
    write_table(found.by_epoch, found.out, EPOCHS)
    write_table(found.by_layer, found.out, LAYERS)
    write_sae_page(found, job.settings)
    about = {"command": found.run.command, "synthetic": found.run.dataset.synthetic, **job.identity()}
    join_scores(job.data, found.scores, json.dumps(about, sort_keys=True), found.out)
