"""Where the reproduction's inputs are and how it computes. The command's help reads the field docstrings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from memjax.checks import expected
from memjax.schema import check_settings


@dataclass(frozen=True)
class PaperSources:
    """Where the per-image values are: the authors' files, or one's own features."""

    memvis: str | Path | None = None
    """Folder of the authors' released files."""
    memcat: str | Path | None = None
    """MemCat's published table of scores, memcat_image_data.csv."""
    isola: str | Path | None = None
    """Folder of Lin et al.'s released files: their three numbers too."""
    features: str | Path | None = None
    """Instead of the released files: a sweep's folder, or its features.zarr."""
    dataset: str | None = None
    """The data set that the features are of (lnsim, ...), for its half-splits and its images' low-level statistics."""
    data_dir: str | Path | None = None
    """With a data set: the folder with its published files."""
    saes: tuple[str | Path, ...] = ()
    """Folders of runs of train_saes under the authors' protocols, on MemCat: their rho by epoch beside the published."""
    images: str | Path | None = None
    """Instead of a data set: a folder of images, below which each is found by its image id or file name."""

    def check(self) -> None:
        """Raises `InputError` for sources that say two things, or too little."""
        if self.features is not None and self.memvis is not None:
            raise expected("features and memvis", "one of them", "both", argument="features")
        if self.features is None and self.dataset is not None:
            raise expected("dataset", "features of the same data set beside it", "none", argument="dataset")
        if self.features is None and (self.memvis is None or self.memcat is None):
            fix = "the files have no scores of their own"
            raise expected("memvis and memcat", "both", "one of them", fix, argument="memvis")
        if self.dataset is None and self.data_dir is not None:
            raise expected("data_dir", "a data set's name beside it", "nothing", argument="data_dir")
        if self.dataset is not None and self.images is not None:
            raise expected("dataset and images", "one of them", "both", argument="dataset")


@dataclass(frozen=True)
class PaperSettings:
    """How the reproduction computes."""

    groups: Literal["category", "subcategory"] | None = None
    """Images of one group stay in one fold of the readout, so that it is tested on groups it never saw."""
    bootstraps: int = 2000
    """Bootstrap resamples behind each 95 % interval; 0: no intervals."""
    folds: int = 5
    """Folds of the cross-validated readout, outer and inner; 0: no readout."""
    seed: int = 0
    """Of resamples, folds and simulated observers."""

    def __post_init__(self) -> None:
        check_settings(self, {"bootstraps": (0, 10**5), "folds": (0, 1000), "seed": (0, 2**32 - 1)})
        if self.folds in (1, 2):
            raise expected("folds", "0 (no readout), or 3 or more", self.folds, argument="folds")
