"""Where an autoencoder comes from, as far as that is known: its encoder, its training data, how well it did."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from memjax.records import record_from


@dataclass(frozen=True)
class SAEOrigin:
    """What is not known is empty or None.

    Attributes:
        format: whose file it was read from; empty for one of memjax's own.
        trained_as: the kind that it was trained as, where the file keeps only what encodes the same.
        encoder_id, encoder_revision, encoder_sha256: the encoder's weights; its short name is the autoencoder's own field.
        place: where in the encoder its vectors come from, in TransformerLens' words (``blocks.10.hook_resid_post``).
        target_place: the same of a transcoder's targets.
        token: which vectors: ``cls``, ``mean``, ``pooled`` or ``patches``.
        dataset: that it was trained on.
        images: of the data set with such vectors, those left out included.
        images_sha256: `images_digest` of those images' ids.
        synthetic: whether the data set is made up.
        block: images that were dealt into parts together, one block after another; all of them where there was one.
        parts: that the images were dealt into, of which it did not see one; 1: it saw all.
        protocol: of `memjax.SAESettings`.
        epochs, batch_size, learning_rate, sparsity: of the training.
        rho, rho_low, rho_high: Spearman's, of the reconstruction error with the human scores, over the autoencoders of its layer
            and seed, with a 95 % interval.
        explained_variance, dead_fraction: means over the autoencoders of its layer and seed.
        finished: when, in UTC.
    """

    format: str = ""
    trained_as: str = ""
    encoder_id: str = ""
    encoder_revision: str = ""
    encoder_sha256: str = ""
    place: str = ""
    target_place: str = ""
    token: str = ""
    dataset: str = ""
    images: int | None = None
    images_sha256: str = ""
    synthetic: bool = False
    block: int | None = None
    parts: int = 1
    protocol: str = ""
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    sparsity: float | None = None
    rho: float | None = None
    rho_low: float | None = None
    rho_high: float | None = None
    explained_variance: float | None = None
    dead_fraction: float | None = None
    finished: str = ""

    def to_json(self) -> dict[str, object]:
        """What is known, as JSON types."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}

    @classmethod
    def from_json(cls, found: Mapping[str, object]) -> "SAEOrigin":
        """What `to_json` gave. Raises `TypeError` for anything else.

        Example:
            >>> SAEOrigin.from_json(SAEOrigin(dataset="lnsim", images=2632).to_json()).images
            2632
        """
        return record_from(cls, found)


def images_digest(ids: Iterable[str]) -> str:
    """SHA-256 of images' ids in their order, in hex."""
    digest = hashlib.sha256()
    for name in ids:
        digest.update(str(name).encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
