"""A predictor of random weights, encoders without a unit, and scores from streams, for the tests of causes."""

import functools

import jax
import numpy as np

import memjax
from memjax.attribution.heads import open_gates, with_gates
from memjax.causes.units import BLOCK, MLP
from memjax.models.config import ViTConfig
from memjax.models.edits import Edit
from memjax.models.vit import ViTParams
from memjax.outputs import DatasetRecord
from memjax.pipelines.identity import model_record
from memjax.predictor import Predictor
from memjax.predictor.calibration import Residuals
from memjax.predictor.domain import Domain
from memjax.predictor.places import Place
from memjax.predictor.record import PredictorRecord

IMAGES = 5


def random_predictor() -> Predictor:
    """Random weights of both tokens at every layer: no sweep is needed to take parts out."""
    encoder, rng = memjax.load("memjax/tiny"), np.random.default_rng(0)
    sizes = (encoder.config.depth + 1, encoder.config.width)
    weights = {name: rng.normal(0, 0.02, sizes).astype(np.float32) for name in ("cls", "mean")}
    place = Place("memjax/tiny", "cls", (encoder.config.depth,))
    record = PredictorRecord(
        DatasetRecord("demo", 60, synthetic=True), (model_record(encoder),), "vectors", (place,), 60, 1536, 1.0,
        5, 10, 0, 0.3, 0.1, 0.5, 0.5, 0.1, 9.0, 0.5,
    )  # fmt: skip
    residuals = Residuals(np.linspace(-0.2, 0.2, 600), 60)
    return Predictor(record, {"memjax/tiny": weights}, residuals, Domain(np.zeros(sizes[1]), np.eye(sizes[1]), 9.0))


def without_unit(params: ViTParams, layer: int, part: str, head: int) -> ViTParams:
    """The parameters with weights of one unit set to zero."""
    gates = open_gates(params)
    shut = slice(None) if part in ("attention", BLOCK) else head
    heads = gates.heads.at[layer - 1, shut].set(0.0) if part != MLP else gates.heads
    mlps = gates.mlps.at[layer - 1].set(0.0) if part in (MLP, BLOCK) else gates.mlps
    edited = with_gates(params, gates.replace(heads=heads, mlps=mlps))
    if part == BLOCK:
        out = edited.blocks.attention.out
        bias = out.replace(bias=out.bias.at[layer - 1].set(0.0))
        edited = edited.replace(blocks=edited.blocks.replace(attention=edited.blocks.attention.replace(out=bias)))
    return edited


@functools.partial(jax.jit, static_argnames="config")
def _streams(params: ViTParams, image: jax.Array, edit: Edit | None, config: ViTConfig) -> tuple[jax.Array, jax.Array]:
    """What enters and leaves each block."""
    return memjax.encode(params, image, config, lambda block: (block.before, block.after), edit=edit)


def score_of_streams(predictor: Predictor, encoder: memjax.Encoder, image: np.ndarray, edit: Edit | None) -> float:
    """The readout of cls and mean patch at every layer, of one image's hidden states."""
    before, after = _streams(encoder.params, image, edit, encoder.config)
    hidden, weights = np.concatenate([before[:1], after]), predictor.weights["memjax/tiny"]
    patches = hidden[:, encoder.config.layout.prefix :].mean(axis=1)
    return float((weights["cls"] * hidden[:, 0]).sum() + (weights["mean"] * patches).sum())
