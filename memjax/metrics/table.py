"""The built-in metrics, as one visible dict. To add one: write its function, add its row."""

from collections.abc import Callable

from memjax.axes import Array, Hidden, Scalar
from memjax.metrics.activation import Token, cls_max, cls_max_abs, cls_mean, cls_norm, cls_sum, readout_token
from memjax.metrics.attention import attention_distance, patch_entropy, register_share
from memjax.metrics.branches import active_share, head_norms, mlp_norm
from memjax.metrics.change import layer_delta
from memjax.metrics.metric import Metric
from memjax.metrics.patches import patch_norm_outliers, patch_uniformity
from memjax.traces import BlockTrace, ImageTrace, Layout, Row, Rows


def of_token(statistic: Callable[[Token], Scalar]) -> Callable[[Hidden, Layout], Scalar]:
    """A statistic of the read-out token, as the function of a row."""
    return lambda hidden, layout: statistic(readout_token(hidden, layout))


def of_readout(statistic: Callable[[Row, Layout], Scalar]) -> Callable[[BlockTrace, Layout], Scalar]:
    """A statistic of the attention that the read-out token pays, heads averaged; no other attention need be formed."""
    return lambda block, layout: statistic(block.readout_row(layout), layout)


def of_readout_heads(statistic: Callable[[Rows, Layout], Array]) -> Callable[[BlockTrace, Layout], Array]:
    """The same head by head."""
    return lambda block, layout: statistic(block.readout_rows(layout), layout)


def of_field(statistic: Callable[..., Array], field: str) -> Callable[[BlockTrace, Layout], Array]:
    """A statistic of one field of a block's trace, as the function of a row."""
    return lambda block, layout: statistic(getattr(block, field), layout)


def block_delta(block: BlockTrace, layout: Layout) -> Scalar:
    """How far a block moves the read-out token."""
    return layer_delta(readout_token(block.before, layout), readout_token(block.after, layout))


def ends_delta(image: ImageTrace, layout: Layout) -> Scalar:
    """How far all blocks together move the read-out token."""
    return layer_delta(readout_token(image.embedded, layout), readout_token(image.last, layout))


def stored_decoder_loss(image: ImageTrace, layout: Layout) -> Scalar:
    """`memjax.models.mae.mean_mae_loss`, which the encoder's pass has computed."""
    return image.decoder_loss


ACTIVATION, PAPER = "activation units", "Takmaz, Gatt & Dotlačil 2025, section 3"
DARCET = "Darcet et al. 2023, Vision Transformers Need Registers"

METRICS: dict[str, Metric] = {
    "cls_mean": Metric(of_token(cls_mean), "hidden", "Mean activation of the cls token", ACTIVATION, PAPER),
    "cls_sum": Metric(
        of_token(cls_sum), "hidden", "Sum of activations of the cls token", ACTIVATION, PAPER, multiple_of="cls_mean"
    ),
    "cls_max": Metric(of_token(cls_max), "hidden", "Largest activation of the cls token", ACTIVATION, PAPER),
    "cls_max_abs": Metric(
        of_token(cls_max_abs), "hidden", "Largest absolute activation of the cls token", ACTIVATION, PAPER
    ),
    "cls_norm": Metric(of_token(cls_norm), "hidden", "Length (L2 norm) of the cls token", ACTIVATION),
    "attention_entropy": Metric(
        of_readout(patch_entropy), "block", "Entropy of attention to the patches", "bits", PAPER
    ),
    "patch_uniformity": Metric(patch_uniformity, "hidden", "Uniformity of the patch tokens", "mean cosine", PAPER),
    "layer_delta": Metric(block_delta, "block", "Change of the cls token from the layer before", "1 - cosine", PAPER),
    "delta_total": Metric(
        block_delta, "sum", "Change of the cls token, summed over layers", "1 - cosine, summed", PAPER
    ),
    "delta_first_last": Metric(
        ends_delta, "image", "Change of the cls token from first to last layer", "1 - cosine", PAPER
    ),
    "mae_loss": Metric(
        stored_decoder_loss, "image", "Reconstruction loss of the masked autoencoder", "mean squared error",
        "He et al. 2021, Masked Autoencoders Are Scalable Vision Learners", needs="decoder",
    ),
    "attention_entropy_head": Metric(
        of_readout_heads(patch_entropy), "block", "Entropy of attention to the patches, head by head", "bits", PAPER,
        per_head=True,
    ),
    "attention_distance": Metric(
        of_field(attention_distance, "attention"), "block", "Mean attention distance between patches", "pixels",
        "Raghu et al. 2021, Do Vision Transformers See Like Convolutional Neural Networks?",
    ),
    "register_attention": Metric(
        of_readout(register_share), "block", "Attention of the cls token to the registers", "share of attention",
        DARCET, needs="registers",
    ),
    "patch_norm_outliers": Metric(
        patch_norm_outliers, "hidden", "Patch tokens of outlying norm", "share of patches", DARCET
    ),
    "head_norm": Metric(
        of_field(head_norms, "heads"), "block", "Length of what each head makes for the cls token", ACTIVATION,
        "Kobayashi et al. 2020, Attention Is Not Only a Weight", per_head=True,
    ),
    "mlp_norm": Metric(
        of_field(mlp_norm, "mlp"), "block", "Length of what the MLP makes for the cls token", ACTIVATION
    ),
    "mlp_active": Metric(
        of_field(active_share, "mlp_hidden"), "block", "Hidden units of the MLP above 0", "share of units",
        "Li et al. 2023, The Lazy Neuron Phenomenon",
    ),
}  # fmt: skip
"""Name -> row. Layers without a value are NaN. The first eleven are what a run measures where nothing else is asked for."""

DEFAULT_METRICS: tuple[str, ...] = tuple(METRICS)[:11]
