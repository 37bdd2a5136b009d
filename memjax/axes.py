"""One alphabet for einsums, shape annotations and docstrings: `AXES`, and the types that are used most.

Words: *hidden* (residual stream), *attention* (probabilities), *cls*, *registers*, *patches*; *latents*, *recons*,
*pre_bias*; *rho*, *ci_low*, *ci_high*, *n_images*.

Layer coordinate: 0 is what enters block 1, ``i`` is what leaves block ``i``. A quantity that belongs to block ``i``
(its attention, the change that it makes) stands at layer ``i``; where a metric has no value it is NaN.
"""

from typing import Any

import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

AXES: dict[str, dict[str, str]] = {
    "": {
        "n": "images of a data set",
        "b": "batch",
        "l": "layer (block)",
        "l1": "layer coordinate 0..l, so l + 1 of them",
        "h": "attention head",
        "t": "token, as a query",
        "s": "token, as a key",
        "d": "width of the residual stream",
        "k": "width of one head",
        "m": "width of the MLP",
        "p": "patch",
        "y": "rows of an image, in pixels",
        "x": "columns of an image, in pixels",
        "c": "colour channel",
        "f": "SAE latent",
    },
    "models": {
        "e": "width of what the family's head gives (pooled)",
        "i": "inputs of a linear map",
        "o": "outputs of a linear map",
        "q": "values of a patch: its pixels, channels last",
        "r": "register or other learnt tokens",
        "v": "visible patches of a masked image",
        "v1": "visible patches and the cls token, so v + 1",
        "g": "masks over which a loss is averaged",
    },
    "traces": {"e": "width of what the family's head gives (pooled)"},
    "attribution": {
        "gx": "columns of patches",
        "gy": "rows of patches",
        "r": "maps that are compared",
        "q": "points of a curve",
        "w": "windows of patches",
    },
    "sae": {
        "c": "candidate points of an archetypal dictionary",
        "e": "seeds of the autoencoders of a layer",
        "k": "folds",
        "l": "layers of an encoder",
        "m": "members of an ensemble: layers x seeds x folds",
        "o": "width of what is decoded: of a transcoder's target, else d",
        "r": "training rows of a member",
        "s": "steps of training",
        "w": "width of a training row: d, and of a transcoder o beside it",
    },
    "baselines": {
        "c": "channels, or candidates in a tile of the neighbours' search",
        "f": "codewords of a dictionary",
        "g": "tiles of candidates",
        "i": "input channels of a convolution",
        "m": "images that a model is fitted on",
        "o": "output channels of a convolution",
        "r": "queries in a tile of the neighbours' search",
        "s": "batches that a dictionary is learnt on",
        "u": "units of a layer",
        "v": "images that a model scores",
        "x2": "columns after pooling",
        "y2": "rows after pooling",
    },
    "causes": {"u": "units of a block, each taken out by itself"},
    "latents": {
        "c": "categories of images",
        "g": "some of the latents, or those of another autoencoder",
        "k": "images of a latent's largest values",
        "q": "firings of some latents",
    },
    "pipelines": {
        "a": "images of a store, used or not",
        "e": "seeds of the autoencoders of a layer",
        "gx": "columns of a grid",
        "gy": "rows of a grid",
        "k": "columns of a table of measures",
        "m": "images of another data set",
        "u": "units of a layer",
        "v": "images that a model scores",
    },
    "predictor": {
        "k": "columns, side by side",
        "q": "repeated partitions into folds",
    },
    "stats": {
        "a": "penalties",
        "b": "bands of columns",
        "c": "cells of images, of which folds are made, or candidates",
        "f": "folds",
        "g": "strata: folds or groups",
        "k": "measures (columns)",
        "q": "repeated partitions into folds",
        "r": "resamples or permutations",
    },
    "report": {"gx": "columns of patches", "gy": "rows of patches"},
}
"""Letter -> axis: under ``""`` what holds everywhere, under a package's or file's name what it adds or means otherwise."""

Sizes = dict[str, int]
"""The axes of one image's values, in order, by name: ``{"layer": 13, "head": 6}``."""

Leaf = Any
"""A leaf of a pytree: an array when a function computes; the same pytree may hold shapes, gradients, labels or None."""

Pytree = Any
"""Arrays in containers of any structure, such as what a tap returns."""

Image = Float[Array | np.ndarray, "y x c"]
"""One image: resized, cropped, normalised, channels last."""

Pixels = Float[Array | np.ndarray, "b y x c"]
"""A batch of images."""

Levels = UInt8[Array | np.ndarray, "b y x c"]
"""A batch of images before rescaling and normalisation: grey levels, as they are decoded."""

Hidden = Float[Array, "t d"]
"""The tokens of one image at one layer: cls, registers, patches (row-major)."""

Attention = Float[Array, "h t s"]
"""One block's attention probabilities for one image; each row sums to 1."""

Tokens = Float[Array, "t d"]
Scalar = Float[Array, ""]

__all__ = [
    "AXES",
    "Array",
    "Attention",
    "Bool",
    "Float",
    "Hidden",
    "Image",
    "Int",
    "Leaf",
    "Levels",
    "Pixels",
    "Pytree",
    "Scalar",
    "Sizes",
    "Tokens",
    "UInt8",
]
