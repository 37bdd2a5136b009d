"""The settings of a sweep: what changes its numbers, and how it is done. The command's help reads the field docstrings."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from memjax.precision import Precision, check_precision
from memjax.preprocessing import Decoder, Orientation
from memjax.schema import check_settings

if TYPE_CHECKING:  # what a command line is read by stays light; the rest is imported when the settings are used
    from memjax.extract import Plan
    from memjax.metrics import Metric
    from memjax.outputs import Json

BOUNDS = {
    "batch_size": (1, 2**20),
    "patch_layers": (0, 2**10),
    "bootstraps": (1, 10**5),
    "seed": (0, 2**32 - 1),
    "workers": (0, 2**10),
}
"""Of the settings that are numbers."""

if TYPE_CHECKING:
    MetricChoice = Sequence[str] | Mapping[str, Metric] | Sequence[str | Mapping[str, Metric]]
else:
    MetricChoice = Sequence[str] | Mapping[str, object] | Sequence[str | Mapping[str, object]]


@dataclasses.dataclass(frozen=True)
class SweepSettings:
    """How a sweep measures and correlates; each field has a default.

    Example:
        >>> from memjax.metrics import Metric
        >>> peak = Metric(lambda block, layout: block.attention.max(), at="block", title="Largest attention")
        >>> list(SweepSettings(metrics={"peak": peak}).chosen_metrics())[-1]
        'peak'
    """

    protocol: Literal["native", "paper"] = "native"
    """How encoders without a cls token (SigLIP) are read; paper: token 0 as if it were one, as the authors' scripts."""
    batch_size: int | None = None
    """Images a batch over all devices; the default is what the devices do best, on a CPU about 1,000 tokens a core. A batch that
    does not fit in a device's memory is halved, and that is said."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Compute type; norms, softmax and metrics stay in float32."""
    precision: Precision = "highest"
    """Of matrix products of float32. highest: the same numbers on every device, as the reference implementations give them; high:
    three bfloat16 passes on a TPU, half the time of highest; default: the hardware's fastest, one bfloat16 pass on a TPU, TF32
    on NVIDIA (where high is TF32 too), for a first look. On a CPU, and under bfloat16, all three are the same."""
    orientation: Orientation = "exif"
    """exif: images are turned as their EXIF orientation says, as people saw them; stored: not, as in the authors' scripts."""
    decoder: Decoder = "exact"
    """exact: the pixels of the Hugging Face processors; fast: nearly those (mean difference 0.15 grey levels), several times as
    many images a second; needs pip install 'memjax[fast]'."""
    preprocessing: str | None = None
    """How pixels are made for encoders without a file that says so: a preprocessor_config.json, or a family (vit, vit_mae, ...)
    whose published way is taken."""
    method: Literal["spearman", "pearson", "kendall"] = "spearman"
    """Correlation coefficient."""
    metrics: MetricChoice = ("default",)
    """Metrics by name; `default`: those of the paper, `all`: every one; a name that is none is answered with all that are.
    In Python also {name: Metric}, beside the default."""
    tokens: tuple[Literal["cls", "mean", "pooled"], ...] = ()
    """Token vectors to keep in the store too, for autoencoders and baselines: cls and mean of every layer; pooled: what the
    encoder's head makes of the last layer (CLIP's projection, SigLIP's attention pooling; elsewhere the normed cls)."""
    patch_layers: tuple[int, ...] = ()
    """Layers at which every patch's vector is kept too, for the same (large: images x patches x width x 4 bytes a layer)."""
    bootstraps: int = 2000
    """Bootstrap resamples behind each 95 % interval."""
    seed: int = 0
    """Of the resamples."""
    workers: int = 0
    """Processes that decode images; 0 uses threads."""
    cache_images: Path | None = None
    """A folder for images decoded and resized: every further encoder of the same image size, and every further run, reads them
    there. A million images of 224 pixels take 151 GB."""
    predictions: Path | None = None
    """A table (CSV, Excel) of predictions from elsewhere: a column image and columns of numbers, each compared with the
    readouts on the same images and folds."""
    groups: str | None = None
    """A column of labels of the data set (category, subcategory, source): readouts hold whole groups out and are judged within
    them, and every correlation is given within groups too."""
    lowlevel: bool = False
    """Give every correlation with contrast, colourfulness and edge density of the images held constant too; each image is
    decoded once more."""
    title: str | None = None
    """Of the report page; the data set's name follows it."""

    def __post_init__(self) -> None:
        check_settings(self, BOUNDS)
        check_precision(self.precision)

    def chosen_metrics(self) -> "dict[str, Metric]":
        """Name -> row, in the order of the tables.

        Raises:
            InputError: an unknown name, or an own metric under a built-in's.
        """
        from memjax.metrics import requested

        return requested(self.metrics)

    def plan(self) -> "Plan":
        """What the extraction is told.

        Raises:
            InputError: an unknown metric; a decoder whose packages are missing.
        """
        from memjax.extract import Plan
        from memjax.fast_pixels import check_fast_installed
        from memjax.selection import Selection

        if self.decoder == "fast":
            check_fast_installed()
        metrics = tuple(self.chosen_metrics().items())
        selection = Selection(metrics, tuple(self.tokens), tuple(self.patch_layers))
        return Plan(self.protocol, self.batch_size, selection, self.workers, self.cache_images)

    def to_json(self) -> "dict[str, Json]":
        """For run.json and the run's identity; a user's own metric by the SHA-256 of what it computes."""
        from memjax.metrics import METRICS, metric_identity
        from memjax.outputs import plain_json

        found = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if self.title is None:  # runs that were made before it could be named stay recognised
            del found["title"]
        found["metrics"] = [
            name if METRICS.get(name) is row else {name: metric_identity(row)}
            for name, row in self.chosen_metrics().items()
        ]
        return {name: plain_json(value) for name, value in found.items()}
