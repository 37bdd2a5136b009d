"""What is to be known of a measure, whatever it is measured on; and the rows of the VGG-16 autoencoder's measures."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MeasureRow:
    """One measure.

    Attributes:
        title: how it is called in figures and tables.
        unit: of its values.
        reference: where it was published as a correlate of memorability, or where it comes from.
        in_sample: its model is fitted on the images that it scores.
        direction: 1 where a larger value is expected of more memorable images, -1 where a smaller one is; by the theory that
            what is distinctive is remembered, not by the data.
        linear: its model is a linear one of the vectors.
    """

    title: str
    unit: str
    reference: str
    in_sample: bool = False
    direction: int = 1
    linear: bool = False


HELD_OUT = "_held_out"
"""End of the name of a measure whose model did not see the image; of one measure there are both."""

BAGHERI = "Bagheri & Mohsenzadeh 2024, arXiv 2410.15235"

_SEEN = {
    "pixel_error": MeasureRow(
        title="Reconstruction error of a VGG-16 autoencoder",
        unit="mean of squares, pixels from 0 to 1",
        reference=f"{BAGHERI} (reconstruction error)",
        in_sample=True,
    ),
    "latent_error": MeasureRow(
        title="Distance of the reconstruction in a VGG-16 autoencoder's latent",
        unit="mean of squares, activation units",
        reference=f"after {BAGHERI} (reconstruction error), measured in the latent",
        in_sample=True,
    ),
    "latent_distance": MeasureRow(
        title="Distance to the nearest neighbour in a VGG-16 autoencoder's latent",
        unit="activation units",
        reference=f"{BAGHERI} (distinctiveness)",
        in_sample=True,
    ),
}

EXPOSED: dict[str, MeasureRow] = _SEEN | {
    f"{name}{HELD_OUT}": MeasureRow(
        title=f"{row.title}, out of sample", unit=row.unit, reference=f"after {row.reference.removeprefix('after ')}"
    )
    for name, row in _SEEN.items()
}
"""Name -> measure of an autoencoder that has seen each image once: every image (in sample), or those of the other folds."""
