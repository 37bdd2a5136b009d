"""The programs that are compiled: an encoder's sweep and its forward pass, a step of an ensemble of sparse autoencoders.

Nothing is computed: parameters and images are shapes, placed on a chip that is only described (`benchmarks.targets`).
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks import architectures, targets
from memjax import batching, devices, measure
from memjax.causes.effects import Filling, compiled_effects
from memjax.levels import normalise_levels
from memjax.models import families, presets
from memjax.models.config import ViTConfig
from memjax.models.port import shapes_of
from memjax.models.vit import ViTParams, forward
from memjax.predictor.scoring import Reading, Scorer
from memjax.preprocessing import Preprocessing, preprocessing_from_config
from memjax.selection import Selection

Kind = Literal["sweep", "tokens", "forward"]
"""All metrics of all layers; the same with each layer's cls tokens; the encoder alone, without a tap."""
KINDS: tuple[Kind, ...] = ("sweep", "tokens", "forward")
Dtype = Literal["bfloat16", "float32"]


@dataclasses.dataclass(frozen=True)
class Encoder:
    """An encoder without weights.

    Attributes:
        name: row of `benchmarks.architectures.CONFIGS`.
        config: its architecture.
        preprocessing: how its pixels are made.
    """

    name: str
    config: ViTConfig
    preprocessing: Preprocessing

    @property
    def flops(self) -> float:
        """Of one image, by `benchmarks.architectures.work`."""
        return architectures.work(self.config, self.config.image[0]).flops


def encoder_of(name: str) -> Encoder:
    """An architecture of the table at the size of its images."""
    config, _ = families.read_config(architectures.CONFIGS[name], name)
    side = architectures.SIDES.get(name, architectures.SIDE)
    config = dataclasses.replace(config, image=(side, side))
    return Encoder(name, config, preprocessing_from_config(presets.processor(config.family, side)))


def default_batch(encoder: Encoder, target: str) -> int:
    """Images that a sweep takes at once on a chip of the target's kind."""
    backend = "tpu" if targets.CHIPS[target].products else "gpu"
    return batching.images_per_device(encoder.config, encoder.config.image, backend)


def parameters(config: ViTConfig, dtype: Dtype, mesh: Mesh) -> ViTParams:
    """The shapes of an encoder's parameters, on every device of the mesh."""
    return placed(shapes_of(config), NamedSharding(mesh, PartitionSpec()), dtype)


def placed(tree: Any, sharding: NamedSharding, dtype: Dtype | None = None) -> Any:
    """Shapes with a sharding, and where ``dtype`` is given with that type."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, dtype or x.dtype, sharding=sharding), tree)


def lower(encoder: Encoder, kind: Kind, dtype: Dtype, batch: int, device: jax.Device) -> jax.stages.Lowered:
    """A program over ``batch`` images on one chip, ready for its compiler."""
    mesh = devices.data_mesh([device])
    shape = (batch, *encoder.config.image, 3)
    pixels = jax.ShapeDtypeStruct(shape, np.uint8, sharding=NamedSharding(mesh, PartitionSpec(devices.AXIS)))
    return program(encoder, kind, mesh).lower(parameters(encoder.config, dtype, mesh), pixels)


def program(encoder: Encoder, kind: Kind, mesh: Mesh) -> Any:
    """The jitted function of a kind."""
    config = encoder.config
    if kind == "forward":
        return forward_alone(encoder, mesh)
    selection = Selection(tokens=("cls",) if kind == "tokens" else ())
    return measure.compiled(config, config.layout, selection, mesh, encoder.preprocessing)


def forward_alone(encoder: Encoder, mesh: Mesh) -> Callable[..., jax.Array]:
    """Grey levels to what leaves the last block: what the sweep computes besides its metrics."""

    def one(params: ViTParams, levels: jax.Array) -> jax.Array:
        pixels = normalise_levels(levels, encoder.preprocessing).astype(params.patch.kernel.dtype)
        return forward(params, pixels, encoder.config, tap=None).last

    return devices.data_parallel(jax.vmap(one, in_axes=(None, 0)), mesh)


def lower_ensemble(layers: int, seeds: int, width: int, batch: int, device: jax.Device) -> jax.stages.Lowered:
    """One step of layers x seeds sparse autoencoders of `memjax.sae.presets.paper`, batches of ``batch`` vectors."""
    from memjax.sae import ensemble
    from memjax.sae.member import Hyper, Recipe
    from memjax.sae.presets import paper
    from memjax.sae.standardiser import Standardiser

    preset, count, mesh = paper(width), layers * seeds, devices.data_mesh([device])
    recipe = Recipe(preset.sae, dataclasses.replace(preset.fit, batch_size=batch), 1000)
    number = jax.ShapeDtypeStruct((count,), jnp.int32)
    hyper = jax.ShapeDtypeStruct((count,), jnp.float32)
    vector = jax.ShapeDtypeStruct((count, width), jnp.float32)
    fields = {field.name: vector for field in dataclasses.fields(Standardiser)}
    members = jax.eval_shape(
        lambda *each: ensemble.init_members(*each, recipe), number, number, Hyper(hyper, hyper), Standardiser(**fields)
    )
    everywhere = NamedSharding(mesh, PartitionSpec())
    data = jax.ShapeDtypeStruct((layers, max(batch, 4096), width), jnp.float32, sharding=everywhere)
    orders = jax.ShapeDtypeStruct((count, 1, batch), jnp.int32, sharding=ensemble.placement(count, mesh))
    schedule = ensemble.Schedule(mesh, count)
    return ensemble.train_members.lower(
        placed(members, ensemble.placement(count, mesh)), data, orders, recipe, schedule
    )


def lower_causes(encoder: Encoder, dtype: Dtype, batch: int, device: jax.Device) -> jax.stages.Lowered:
    """Every head, MLP and block taken out of ``batch`` images (`memjax.causes`), with means in their place."""
    config, mesh = encoder.config, devices.data_mesh([device])
    tokens, depth = config.layout.prefix + config.grid[0] * config.grid[1], config.depth
    scorer, reading, levels = _scoring(encoder, dtype, batch, mesh)
    heads = _everywhere(mesh, depth, config.heads, tokens, config.head_width)
    given = (scorer, Filling(heads, _everywhere(mesh, depth, tokens, config.width)))
    return compiled_effects(reading, mesh, encoder.preprocessing).lower(given, levels)


def lower_latents(encoder: Encoder, dtype: Dtype, batch: int, device: jax.Device) -> jax.stages.Lowered:
    """16 latents of a BatchTopK autoencoder of patches, eight times as wide as they, taken out in the middle of an encoder."""
    from memjax.causes.latent_effects import compiled_latent_effects
    from memjax.sae.config import SAEConfig
    from memjax.sae.init import init_params, init_state
    from memjax.sae.standardiser import Standardiser
    from memjax.sae.trained import TrainedSAE

    config, mesh = encoder.config, devices.data_mesh([device])
    how = SAEConfig(width=config.width, latents=8 * config.width, variant="batchtopk", k=32)
    made = jax.eval_shape(lambda key: (init_params(key, how), init_state(how)), jax.random.key(0))
    params, state = jax.tree.map(lambda x: _everywhere(mesh, *x.shape, dtype=x.dtype), made)
    vector = _everywhere(mesh, config.width)
    sae = TrainedSAE(params, state, Standardiser(vector, vector), how, layer=config.depth // 2)
    scorer, reading, levels = _scoring(encoder, dtype, batch, mesh)
    given = (scorer, sae, _everywhere(mesh, 16, dtype=np.int32))
    return compiled_latent_effects(reading, mesh, encoder.preprocessing, "patches").lower(given, levels)


def _scoring(encoder: Encoder, dtype: Dtype, batch: int, mesh: Mesh) -> tuple[Scorer, Reading, jax.ShapeDtypeStruct]:
    """A readout of cls and mean of every layer: what it computes with, how, and ``batch`` images."""
    config = encoder.config
    weights = {name: _everywhere(mesh, config.depth + 1, config.width) for name in ("cls", "mean")}
    reading = Reading(config, config.layout, "highest", Selection((), tuple(weights)), ())
    split = NamedSharding(mesh, PartitionSpec(devices.AXIS))
    levels = jax.ShapeDtypeStruct((batch, *config.image, 3), np.uint8, sharding=split)
    return Scorer(parameters(config, dtype, mesh), weights), reading, levels


def _everywhere(mesh: Mesh, *shape: int, dtype: np.dtype | type = np.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, PartitionSpec()))
