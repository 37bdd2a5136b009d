"""What each layer, token and patch adds to a score that is linear in an encoder's hidden states: exact, no approximation.

It tells where what the readout reads STANDS, not where it came from: attention has moved it there.
"""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from memjax.axes import Array, Float, Image
from memjax.measure import Values
from memjax.models.config import ViTConfig
from memjax.models.vit import ViTParams, forward
from memjax.precision import Precision
from memjax.traces import BlockTrace, Layout

Weights = Mapping[str, Array | np.ndarray]
"""Name of a token vector or metric -> score per unit of its values, in the shape of one image's."""


def layer_contributions(values: Values, weights: Weights, depth: int) -> dict[str, Float[Array, "l1"]]:
    """What each layer adds to the score, by name of what is read there; all of it sums to the score less its intercept.

    Args:
        values: of one image, from `memjax.measure.image_features`.
        weights: the readout's; where a weight is 0 the value may be NaN.
        depth: blocks of the encoder; what its head makes of the last layer (``pooled``) stands at that layer.

    Example:
        >>> values = {"cls": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "delta": jnp.array([jnp.nan, 0.5])}
        >>> weights = {"cls": jnp.array([[1.0, 0.0], [1.0, -1.0]]), "delta": jnp.array([0.0, 2.0])}
        >>> {name: found.tolist() for name, found in layer_contributions(values, weights, depth=1).items()}
        {'cls': [1.0, -1.0], 'delta': [0.0, 1.0]}
    """
    found = {}
    for name, weight in weights.items():
        weight = jnp.asarray(weight, jnp.float32)
        products = weight * jnp.where(weight == 0, 0.0, values[name])
        if name == "pooled":
            found[name] = jnp.zeros(depth + 1, jnp.float32).at[depth].set(products.sum())
        else:
            found[name] = products.reshape(depth + 1, -1).sum(axis=1)
    return found


def patch_contributions(
    params: ViTParams,
    image: Image,
    config: ViTConfig,
    layout: Layout,
    weights: Float[Array | np.ndarray, "l1 d"],
    precision: Precision = "highest",
) -> Float[Array, "l1 gy gx"]:
    """What each patch adds, at each layer, to the share of the score that is read from the mean of the patches.

    Args:
        params: the encoder's.
        image: ``[y, x, 3]``, normalised.
        config: the architecture.
        layout: how its tokens are read, ``config.layout.under(protocol)``.
        weights: the readout's of ``mean``.
        precision: see `memjax.models.vit.forward`.

    Returns:
        Contributions that sum over patches to those of ``mean`` in `layer_contributions`. Under the paper's protocol, which
        takes the first patch of an encoder without cls for one, that patch has 0.
    """

    def patches(block: BlockTrace) -> Float[Array, "p d"]:
        return block.after[layout.prefix :]

    out = forward(params, image.astype(params.patch.kernel.dtype), config, patches, precision)
    hidden = jnp.concatenate([out.embedded[None, layout.prefix :], out.tapped])
    weights = jnp.asarray(weights, jnp.float32)
    shares = (hidden * weights[:, None, :]).sum(axis=-1) / hidden.shape[1]
    rows, columns = config.grid_of(image.shape)
    missing = rows * columns - hidden.shape[1]
    return jnp.pad(shares, ((0, 0), (missing, 0))).reshape(-1, rows, columns)
