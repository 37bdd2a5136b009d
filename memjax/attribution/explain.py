"""Everything about one image and one score of one encoder: maps, contributions of layers and heads, curves."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from memjax.attribution.contrast import Contrast, ImageScore, by_patch, contrast_of
from memjax.attribution.curves import AgainstRandom, Curves, against_random, curves_of, random_orders
from memjax.attribution.direct import Weights, layer_contributions, patch_contributions
from memjax.attribution.flow import attention_rollout
from memjax.attribution.gradients import gradient_times_input, integrated_gradients
from memjax.attribution.heads import gate_derivatives
from memjax.attribution.occlusion import occlude, square_windows
from memjax.attribution.settings import AttributionSettings
from memjax.axes import Float, Image
from memjax.checks import expected, settings_of
from memjax.encoder import Encoder
from memjax.measure import Values
from memjax.models.vit import ViTParams
from memjax.showing import short_repr

# Compiled once for each score, whose identity is part of what jit remembers a program by.
_integrated = jax.jit(integrated_gradients, static_argnames=("score", "steps"))
_gradient = jax.jit(gradient_times_input, static_argnames=("score",))
_occlude = jax.jit(occlude, static_argnames=("score", "batch"))
_curves = jax.jit(curves_of, static_argnames=("score", "points", "batch"))
_gates = jax.jit(gate_derivatives, static_argnames=("score",))
_rollout = jax.jit(attention_rollout, static_argnames=("config", "layout", "precision"))
_patches = jax.jit(patch_contributions, static_argnames=("config", "layout", "precision"))


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """A score that an encoder gives an image.

    Programs are compiled once for each ``score`` and ``values``: give the same two functions for every image.

    Attributes:
        encoder: whose pixels and parameters the score is of.
        score: pure ``(params, image) -> scalar``; the image ``[y, x, 3]``, float32, normalised.
        protocol: how tokens are read, see `memjax.traces.Layout.under`.
        weights: where the score is an intercept and a weighted sum of ``values``: the weights by name. Empty: not known to be,
            and no contributions of layers are told.
        values: pure ``(params, image) ->`` what `memjax.measure.image_features` gives; needed with ``weights``.
    """

    encoder: Encoder
    score: ImageScore
    protocol: str = "native"
    weights: Weights = dataclasses.field(default_factory=dict)
    values: Callable[[ViTParams, Image], Values] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Attribution:
    """What was found of one image.

    Attributes:
        settings: as they were given.
        score, baseline_score: of the image, and of the baseline.
        maps: method -> a value for each patch, in units of the score (``rollout``: shares).
        pixels: methods that go to the pixel -> ``[y, x]``, channels summed.
        gap: sum of integrated gradients less ``score - baseline_score``; NaN where it was not asked for.
        layers: name of what is read -> what each layer adds to the score, ``[l+1]``; sums to the score less its intercept.
        layers_of_baseline: the same of the baseline.
        heads, mlps: derivatives with respect to a gate on each head ``[l, h]`` and MLP ``[l]``.
        curves: of the maps, in their order, then of random orders.
        compared: method -> its areas beside those of random orders.
    """

    settings: AttributionSettings
    score: float
    baseline_score: float
    maps: Mapping[str, Float[np.ndarray, "gy gx"]]
    pixels: Mapping[str, Float[np.ndarray, "y x"]]
    gap: float
    layers: Mapping[str, Float[np.ndarray, "l1"]]
    layers_of_baseline: Mapping[str, Float[np.ndarray, "l1"]]
    heads: Float[np.ndarray, "l h"]
    mlps: Float[np.ndarray, "l"]
    curves: Curves
    compared: Mapping[str, AgainstRandom]

    __repr__ = short_repr


def attribute(target: Target, image: Image, settings: AttributionSettings | None = None) -> Attribution:
    """Explain the score of one image.

    Args:
        target: the score and its encoder.
        image: ``[y, x, 3]``, normalised, of `memjax.read_images`.
        settings: which maps, against which baseline, how finely.

    Raises:
        InputError: the image is none, or smaller than a patch or than the window; no map is left to make.

    Example:
        >>> import memjax, numpy as np
        >>> encoder = memjax.load("memjax/tiny")
        >>> def brightness(params, image):
        ...     return image.mean()
        >>> found = attribute(Target(encoder, brightness), np.ones((*encoder.config.image, 3), np.float32))
        >>> found.score, abs(found.gap) < 1e-5
        (1.0, True)
    """
    settings = settings_of(settings, AttributionSettings)
    contrast = contrast_of(_checked(target, image, settings), target.encoder.config.patch, settings.baseline)
    score, params = jax.jit(target.score), target.encoder.params
    pixels, gap = _pixel_maps(target, contrast, settings)
    maps = {name: by_patch(x, contrast.patch) for name, x in pixels.items()} | _patch_maps(target, contrast, settings)
    maps = {name: maps[name] for name in settings.methods if name in maps}
    if not maps:
        raise expected("methods", "one that this score has", ", ".join(settings.methods) or "none", argument="methods")
    orders = random_orders(settings.orders, contrast.grid, settings.seed)
    ranked = jnp.concatenate([jnp.stack(list(maps.values())), orders])
    curves = _curves(target.score, params, contrast, ranked, settings.points, settings.batch_size)
    gates = _gates(target.score, params, contrast.image)
    return Attribution(
        settings=settings,
        score=float(score(params, contrast.image)),
        baseline_score=float(score(params, contrast.baseline)),
        maps={name: np.asarray(x) for name, x in maps.items()},
        pixels={name: np.asarray(x.sum(axis=-1)) for name, x in pixels.items()},
        gap=gap,
        layers=_layers(target, contrast.image),
        layers_of_baseline=_layers(target, contrast.baseline),
        heads=np.asarray(gates.heads),
        mlps=np.asarray(gates.mlps),
        curves=jax.device_get(curves),
        compared=dict(zip(maps, against_random(jax.device_get(curves), len(maps)))),
    )


def _checked(target: Target, image: Image, settings: AttributionSettings) -> Image:
    """The image, where it can be explained."""
    shape = tuple(np.shape(image))
    if len(shape) != 3 or shape[-1] != 3:
        raise expected("image", "shape [y, x, 3]", shape, argument="image")
    rows, columns = target.encoder.config.grid_of(shape)
    if "occlusion" in settings.methods and not settings.window <= min(rows, columns):
        raise expected(
            "window", f"at most the {min(rows, columns)} patches of a side", settings.window, argument="window"
        )
    if (target.values is None) != (not target.weights):
        raise expected("target", "weights and values, or neither", "one of them", argument="target")
    if target.encoder.params.patch.kernel.dtype != jnp.float32:
        raise expected(
            "encoder",
            "float32 parameters: derivatives of bfloat16 are too coarse",
            target.encoder.dtype,
            argument="dtype",
        )
    return jnp.asarray(image, jnp.float32)


def _pixel_maps(
    target: Target, contrast: Contrast, settings: AttributionSettings
) -> tuple[dict[str, jax.Array], float]:
    """Method -> ``[y, x, c]`` of those that go to the pixel, and what integrated gradients leave open."""
    found, gap = {}, float("nan")
    if "integrated_gradients" in settings.methods:
        integrated = _integrated(target.score, target.encoder.params, contrast, settings.steps)
        found["integrated_gradients"], gap = integrated.attribution, float(integrated.gap)
    if "gradient_times_input" in settings.methods:
        found["gradient_times_input"] = _gradient(target.score, target.encoder.params, contrast)
    return found, gap


def _patch_maps(target: Target, contrast: Contrast, settings: AttributionSettings) -> dict[str, jax.Array]:
    """Method -> ``[gy, gx]`` of those that go to the patch."""
    encoder, found = target.encoder, {}
    inside = (encoder.config, encoder.config.layout.under(target.protocol))
    if "occlusion" in settings.methods:
        windows = square_windows(contrast.grid, settings.window, settings.stride)
        found["occlusion"] = _occlude(target.score, encoder.params, contrast, windows, settings.batch_size)
    if "direct" in settings.methods and "mean" in target.weights:
        weights = jnp.asarray(target.weights["mean"], jnp.float32)
        of, less = (
            _patches(encoder.params, x, *inside, weights, encoder.precision)
            for x in (contrast.image, contrast.baseline)
        )
        found["direct"] = (of - less).sum(axis=0)
    if "rollout" in settings.methods:
        found["rollout"] = _rollout(encoder.params, contrast.image, *inside, encoder.precision)
    return found


def _layers(target: Target, image: Image) -> dict[str, np.ndarray]:
    """`layer_contributions` of an image; empty where the score is not known to be linear."""
    if target.values is None:
        return {}
    values = jax.jit(target.values)(target.encoder.params, image)
    found = layer_contributions(values, target.weights, target.encoder.config.depth)
    return {name: np.asarray(x) for name, x in found.items()}
