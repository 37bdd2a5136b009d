"""The settings of the VGG-16 autoencoder that sees each image once. The command's help reads the field docstrings."""

from dataclasses import dataclass

from memjax.baselines.kinds import Origin
from memjax.checks import expected
from memjax.schema import check_settings

SIDE = 32
"""Pixels that one place of the latent stands for, along each side."""

RATES: dict[Origin, float] = {"pretrained autoencoder": 1e-5, "VGG-16, decoder from a seed": 1e-4}
"""Learning rate by what the training starts from: the authors', and ten times that where the decoder has all to learn."""

BOUNDS = {"image_size": (SIDE, 1024), "learning_rate": (1e-9, 1.0), "latent_units": (1, 2**24)}


@dataclass(frozen=True)
class AutoencoderSettings:
    """How an autoencoder is exposed to the images, and what is kept of it.

    Example:
        >>> AutoencoderSettings(image_size=64).rate("pretrained autoencoder")
        1e-05
    """

    image_size: int = 224
    """Rows and columns of an image, a multiple of 32; the time grows with its square."""
    learning_rate: float | None = None
    """Of Adam; the default is 1e-5 for a pretrained autoencoder, as published, and 1e-4 for a decoder from a seed."""
    latent_units: int | None = None
    """Units of the latent whose distances are measured, a random sample; the default is all (25,088 of 224 x 224 pixels, 0.1 MB
    an image)."""
    held_out: bool = True
    """Measure each image also by an autoencoder that has seen only the images of the other folds; as many more epochs as there
    are folds."""

    def __post_init__(self) -> None:
        check_settings(self, BOUNDS)
        if self.image_size % SIDE:
            raise expected("image_size", f"a multiple of {SIDE}", self.image_size, argument="image_size")

    def rate(self, origin: Origin) -> float:
        """The learning rate, as asked for or by what the training starts from."""
        return RATES[origin] if self.learning_rate is None else self.learning_rate
