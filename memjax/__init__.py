"""What, inside a pretrained vision encoder, makes an image memorable to people.

The public names; each is imported when first used, so that ``import memjax`` stays light.
"""

from memjax.lazy import attach

TYPE_CHECKING = False  # `typing` itself takes longer to import than all else here
if TYPE_CHECKING:  # for editors and type checkers; tests hold it to the table below
    from memjax.causes.settings import CausesSettings
    from memjax.checks import InputError
    from memjax.datasets import Dataset, open_dataset, open_folder, open_shards, open_table
    from memjax.encoder import Encoder, encoders, load, trace
    from memjax.images import read_images
    from memjax.latents.settings import AtlasSettings
    from memjax.measure import features
    from memjax.metrics import METRICS, Metric
    from memjax.models.vit import encode
    from memjax.paper.settings import PaperSettings, PaperSources
    from memjax.pipelines.atlas import AtlasResult, atlas
    from memjax.pipelines.causes import CausesResult, measure_causes
    from memjax.pipelines.compare import DatasetComparison, compare_datasets
    from memjax.pipelines.official import OfficialResult, official_splits
    from memjax.pipelines.paper import PaperResult, reproduce_paper
    from memjax.pipelines.predictors import fit_predictor, load_predictor
    from memjax.pipelines.sae_settings import SAESettings
    from memjax.pipelines.saes import SAEResult, train_saes
    from memjax.pipelines.settings import SweepSettings
    from memjax.pipelines.sweep import sweep
    from memjax.pipelines.sweep_result import Sweep, read_sweep
    from memjax.pipelines.transfer import TransferResult, transfer
    from memjax.predictor.predictor import Predictor
    from memjax.predictor.settings import PredictorSettings

_NAMES = {
    # Encoders
    "load": "memjax.encoder",
    "encoders": "memjax.encoder",
    "Encoder": "memjax.encoder",
    "encode": "memjax.models.vit",
    # Images and scores
    "read_images": "memjax.images",
    "open_dataset": "memjax.datasets",
    "open_folder": "memjax.datasets",
    "open_shards": "memjax.datasets",
    "open_table": "memjax.datasets",
    "Dataset": "memjax.datasets",
    # Inside an encoder
    "trace": "memjax.encoder",
    "features": "memjax.measure",
    "METRICS": "memjax.metrics",
    "Metric": "memjax.metrics",
    # Whole studies
    "sweep": "memjax.pipelines.sweep",
    "SweepSettings": "memjax.pipelines.settings",
    "Sweep": "memjax.pipelines.sweep_result",
    "read_sweep": "memjax.pipelines.sweep_result",
    "train_saes": "memjax.pipelines.saes",
    "SAESettings": "memjax.pipelines.sae_settings",
    "SAEResult": "memjax.pipelines.saes",
    "atlas": "memjax.pipelines.atlas",
    "AtlasResult": "memjax.pipelines.atlas",
    "AtlasSettings": "memjax.latents.settings",
    "reproduce_paper": "memjax.pipelines.paper",
    "PaperSources": "memjax.paper.settings",
    "PaperSettings": "memjax.paper.settings",
    "PaperResult": "memjax.pipelines.paper",
    # A score for a new image
    "fit_predictor": "memjax.pipelines.predictors",
    "load_predictor": "memjax.pipelines.predictors",
    "compare_datasets": "memjax.pipelines.compare",
    "DatasetComparison": "memjax.pipelines.compare",
    "official_splits": "memjax.pipelines.official",
    "OfficialResult": "memjax.pipelines.official",
    "transfer": "memjax.pipelines.transfer",
    "TransferResult": "memjax.pipelines.transfer",
    "measure_causes": "memjax.pipelines.causes",
    "CausesResult": "memjax.pipelines.causes",
    "CausesSettings": "memjax.causes.settings",
    "Predictor": "memjax.predictor.predictor",
    "PredictorSettings": "memjax.predictor.settings",
    # Errors
    "InputError": "memjax.checks",
}
_PARTS = (
    "baselines",
    "causes",
    "datasets",
    "devices",
    "edits",
    "latents",
    "metrics",
    "models",
    "paper",
    "predictor",
    "processes",
    "report",
    "sae",
    "stats",
)

__version__ = "0.2.0"
__all__ = [*_NAMES, "__version__"]
__getattr__, __dir__ = attach(__name__, _NAMES, _PARTS)
