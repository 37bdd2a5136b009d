"""One alphabet for einsums, shape annotations and docstrings.

=======  =========================  =======  =========================
letter   axis                       letter   axis
=======  =========================  =======  =========================
``n``    images of a data set       ``d``    width of the residual stream
``b``    batch                      ``k``    width of one head
``l``    layer (block)              ``m``    width of the MLP
``h``    attention head             ``p``    patch
``t``    token, as a query          ``y x``  rows and columns of an image
``s``    token, as a key            ``c``    colour channel
``f``    SAE latent
=======  =========================  =======  =========================

Words: *hidden* (residual stream), *attention* (probabilities), *cls*, *registers*, *patches*; *latents*, *recons*,
*pre_bias*; *rho*, *ci_low*, *ci_high*, *n_images*.

Layer coordinate: 0 is what enters block 1, ``i`` is what leaves block ``i``. A quantity that belongs to block ``i``
(its attention, the change that it makes) stands at layer ``i``; where a metric has no value it is NaN.
"""

import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

Image = Float[Array | np.ndarray, "y x c"]
"""One picture: resized, cropped, normalised, channels last."""

Pixels = Float[Array | np.ndarray, "b y x c"]
"""A batch of pictures."""

Levels = UInt8[Array | np.ndarray, "b y x c"]
"""A batch of pictures before rescaling and normalisation: grey levels, as they are decoded."""

Hidden = Float[Array, "t d"]
"""The tokens of one image at one layer: cls, registers, patches (row-major)."""

Attention = Float[Array, "h t s"]
"""One block's attention probabilities for one image; each row sums to 1."""

Tokens = Float[Array, "t d"]
Scalar = Float[Array, ""]

__all__ = ["Array", "Attention", "Bool", "Float", "Hidden", "Image", "Int", "Pixels", "Scalar", "Tokens", "UInt8"]
