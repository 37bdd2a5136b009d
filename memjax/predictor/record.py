"""What a predictor says of itself: what it reads, what it was fitted on, how well it did on images that it had not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from memjax.checks import expected
from memjax.outputs import DatasetRecord, ModelRecord
from memjax.predictor.places import Place
from memjax.records import fields_of, list_of, record_from

VERSION = 1
"""Of the form of predictor.json."""


@dataclass(frozen=True)
class PredictorRecord:
    """The content of predictor.json. What is None is not known.

    Attributes:
        dataset: what it was fitted on.
        encoders: whose features it reads.
        source: ``"vectors"`` or ``"measures"``.
        protocol, dtype, precision: of the encoders, see `memjax.SweepSettings`.
        domain: places whose values say how near an image is to those of the fit.
        images: of the fit.
        columns: that it reads.
        penalty: of the ridge regression.
        folds, repeats, seed: of the cross-validation.
        rho, ci_low, ci_high: Spearman's, out of fold, mean within folds, with its 95 % interval.
        coverage: of the 95 % intervals, out of fold.
        score_mean, score_sd: of the human scores.
        bound: distance beyond which an image is out of the domain.
        intercept: of the score.
        ceiling: how well people's own scores would do.
        run_id: of the sweep whose features it was fitted on.
        finished: when, in UTC.
        versions: of Python and the packages.
        version: of this form.
    """

    dataset: DatasetRecord
    encoders: tuple[ModelRecord, ...]
    source: str
    domain: tuple[Place, ...]
    images: int
    columns: int
    penalty: float
    folds: int
    repeats: int
    seed: int
    rho: float
    ci_low: float
    ci_high: float
    score_mean: float
    score_sd: float
    bound: float
    intercept: float
    coverage: float | None = None
    ceiling: float | None = None
    protocol: str = "native"
    dtype: str = "float32"
    precision: str = "highest"
    run_id: str = ""
    finished: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    version: int = VERSION

    @property
    def share_of_ceiling(self) -> float | None:
        """Rho over the ceiling; None where that is not known, or rho is not above chance."""
        return self.rho / self.ceiling if self.ceiling and self.ci_low > 0 else None

    def to_json(self) -> dict[str, object]:
        """As JSON types."""
        return asdict(self) | {"domain": [place.text for place in self.domain]}

    @classmethod
    def from_json(cls, found: Mapping[str, object], where: str = "predictor.json") -> "PredictorRecord":
        """What `to_json` gave.

        Raises:
            InputError: it is not of that shape, or of a later version.
        """
        try:
            if found.get("version") != VERSION:
                fix = "read it with the version of memjax that wrote it, or fit it again"
                raise expected(f"{where}, version", str(VERSION), repr(found.get("version")), fix)
            places = tuple(map(Place.of, list_of(found["domain"])))
            rest = fields_of(cls, {**found, "domain": ()}) | {"domain": places}
            rest["dataset"] = record_from(DatasetRecord, found["dataset"])
            rest["encoders"] = tuple(record_from(ModelRecord, one) for one in list_of(found["encoders"]))
            return cls(**rest)
        except (KeyError, TypeError, ValueError) as error:
            raise expected(where, "the record of a predictor", f"something else ({error})") from error


def places_in(places: Sequence[Place], model: str) -> tuple[Place, ...]:
    """The places of one encoder."""
    return tuple(place for place in places if place.model == model)
