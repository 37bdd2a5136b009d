"""What `reproduce_paper.py` reads: measures, scores, halves of the observers, pictures' low-level statistics, by image."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from experiments.lowlevel_controls import lowlevel_table, pictures_of
from memjax.checks import expected
from memjax.datasets import Dataset, Failure, open_dataset
from memjax.paper.released import Released, read_isola, read_memcat, read_released
from memjax.stats.reliability import Reliability, ceiling_of, halves_from_counts, spearman_brown, split_half

if TYPE_CHECKING:
    from experiments.reproduce_paper import Arguments

PUBLISHED_NAMES = {
    "openai/clip-vit-base-patch32": "CLIP",
    "facebook/dinov2-base": "DINOv2",
    "google/siglip2-base-patch16-224": "SigLIP2",
}
COUNTS = ("hits", "responses", "false_alarms")


@dataclasses.dataclass(frozen=True)
class Ceiling:
    """Split-half reliability of the scores, and where the halves come from.

    Attributes:
        found: over all images.
        source: in words.
        halves: ``[2, splits, n]`` in the order of the images, or None (a ceiling taken over from a run.json).
    """

    found: Reliability
    source: str
    halves: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Everything that was read, in one order of images.

    Attributes:
        name: of the data set.
        measures: encoder -> metric -> ``[n, layers]``.
        scores: index ``image``; memorability, and where known category, subcategory, hits, false_alarms, responses.
        ceiling: None where nothing tells how far people agree.
        controls: low-level statistics by image, NaN where the picture failed; None without pictures.
        failures: pictures that could not be used for the controls.
        released: the authors' files, or None.
        isola: Lin et al.'s table, or None.
        files: what was read, for run.json.
    """

    name: str
    measures: dict[str, dict[str, np.ndarray]]
    scores: pd.DataFrame
    ceiling: Ceiling | None
    controls: pd.DataFrame | None
    failures: list[Failure]
    released: Released | None
    isola: pd.DataFrame | None
    files: tuple[Path, ...]

    @property
    def y(self) -> np.ndarray:
        """The scores, float64 ``[n]``."""
        return self.scores["memorability"].to_numpy(np.float64)


def read_inputs(args: "Arguments") -> Inputs:
    """Read what the arguments name. Raises `InputError`."""
    isola = read_isola(args.isola) if args.isola else None
    memcat = read_memcat(args.memcat) if args.memcat else None
    released, files = None, (args.memcat,) if args.memcat else ()
    if args.features is not None:
        measures, scores = read_features(args.features, memcat)
    else:
        assert memcat is not None
        assert args.memvis is not None
        released = read_released(args.memvis, memcat.index)
        measures, scores, files = released.measures, memcat, (*files, *released.files)
    dataset = open_pictures(args, scores)
    if dataset is not None:
        scores = with_columns(scores, dataset)
    check_groups(args.groups, scores)
    ceiling = find_ceiling(args, scores, dataset)
    controls, failures = lowlevel_table(dataset, scores.index) if dataset is not None else (None, [])
    name = "MemCat" if memcat is not None else str(dataset.name if dataset else "one's own features")
    return Inputs(name, measures, scores, ceiling, controls, failures, released, isola, files)


def read_features(path: Path, memcat: pd.DataFrame | None) -> tuple[dict[str, dict[str, np.ndarray]], pd.DataFrame]:
    """A feature store's measures and scores; images are joined by id, over encoders and with MemCat's table."""
    from memjax.correlations import measures_of
    from memjax.store import open_features

    found, memorability = measures_of(open_features(path))
    scores, images = memorability.to_frame(), memorability.index
    if memcat is not None:
        if not images.isin(memcat.index).all():
            missing = images[~images.isin(memcat.index)][0]
            raise expected(f"--memcat with --features {path}", "every image in MemCat's table", f"{missing} is not")
        scores = memcat.loc[images]
    return {PUBLISHED_NAMES.get(model, model): dict(metrics) for model, metrics in found.items()}, scores


def open_pictures(args: "Arguments", scores: pd.DataFrame) -> Dataset | None:
    """The pictures that the arguments name, if any."""
    if args.dataset is None and args.data_dir is not None:
        raise expected("--data-dir", "--dataset NAME beside it", "nothing")
    if args.dataset is not None and args.images is not None:
        raise expected("--dataset and --images", "one of them", "both")
    if args.dataset is not None:
        return open_dataset(args.dataset, args.data_dir)
    return pictures_of(args.images, scores["memorability"]) if args.images is not None else None


def with_columns(scores: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """The scores with the data set's other columns, where they have none of that name, joined by id."""
    if not scores.index.isin(dataset.table.index).any():
        raise expected(f"data set {dataset.name}", "pictures of the images that have measures", "no image in common")
    more = [name for name in dataset.table.columns if name not in scores]
    return scores.join(dataset.table[more])


def check_groups(groups: str | None, scores: pd.DataFrame) -> None:
    if groups is not None and groups not in scores:
        known = ", ".join(name for name in ("category", "subcategory") if name in scores) or "none"
        raise expected(
            f"--groups {groups}", "a column of the scores", known, "pass --memcat, or --dataset with categories"
        )


def find_ceiling(args: "Arguments", scores: pd.DataFrame, dataset: Dataset | None) -> Ceiling | None:
    """From published half-splits, else from published counts, else from the run that made the features."""
    if dataset is not None and dataset.halves is not None and not dataset.info["synthetic"]:
        place = dataset.table.index.get_indexer(scores.index)
        halves = np.where(place >= 0, dataset.halves[:, :, place], np.nan)
        return Ceiling(split_half(halves), f"half-splits published with {dataset.name}", halves)
    if set(COUNTS) <= set(scores):
        halves = halves_from_counts(*(scores[name].to_numpy() for name in COUNTS), seed=args.seed)
        source = "simulated: each image's published responses dealt at random to two halves of the observers"
        return Ceiling(split_half(halves), source, halves)
    if args.features is None:
        return None
    folder = args.features if args.features.name != "features.zarr" else args.features.parent
    found = json.loads((folder / "run.json").read_text("utf-8")) if (folder / "run.json").is_file() else {}
    return _from_run(found.get("ceiling"))


def _from_run(found: dict | None) -> Ceiling | None:
    """What `memjax.stats.reliability.Reliability.to_json` wrote."""
    if not found:
        return None
    half, low, high = (float(found[name]) for name in ("rho", "ci_low", "ci_high"))
    splits, images = int(found.get("splits", 0)), int(found.get("images", 0))
    made = Reliability(half, low, high, float(spearman_brown(half)), ceiling_of(half), splits, images)
    return Ceiling(made, str(found.get("source", "run.json of the features")), None)
