"""Train the tiny encoder that the demo ships with: masked autoencoding (He et al. 2021), minutes on two cores.

It learns from generated stimuli (other ones than the demo shows) and, with --lnsim, from the LNSIM photographs. It
writes a Hugging Face folder that both memjax.load and transformers read, and prints the held-out loss beside those of
two predictions without learning: each patch's own mean, and the mean colour of the visible patches (the harder one).

  python experiments/pretrain_tiny.py --out runs/tiny
  python experiments/pretrain_tiny.py --lnsim DIR --steps 1500 --out memjax/models/tiny
"""

import dataclasses
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from memjax.cli import guard

if __name__ == "__main__":
    guard.stand_guard()

import jax
import jax.numpy as jnp
import numpy as np
import optax

from memjax import devices
from memjax.checks import expected, make_folder
from memjax.cli.arguments import read_arguments, run_main
from memjax.cli.console import say
from memjax.models.config import DecoderConfig, ViTConfig
from memjax.models.vit import ViTParams
from memjax.progress import progress_of

CONFIG = ViTConfig(
    family="vit_mae",
    width=128,
    depth=5,
    heads=4,
    mlp_width=512,
    patch=8,
    image=(64, 64),
    pool="cls",
    pool_width=128,
    decoder=DecoderConfig(width=96, depth=2, heads=4, mlp_width=256, mask_ratio=0.75, norm_pix_loss=True),
)
PROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 64, "width": 64},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
HELD_OUT = 256
Step = tuple[ViTParams, optax.OptState, jax.Array]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """How long to train, on what, and where the encoder goes."""

    out: Path = Path("runs/tiny")
    """The Hugging Face folder to write."""
    lnsim: Path | None = None
    """Folder of the LNSIM data set; its photographs are added to the stimuli."""
    stimuli: int = 4000
    """How many stimuli to generate."""
    steps: int = 1500
    """Optimisation steps."""
    batch_size: int = 128
    """Images a step."""
    learning_rate: float = 1.5e-3
    """Peak of the warm-up and cosine decay."""
    seed: int = 0
    """Of weights, order, masks and stimuli."""


def gather(args: Arguments) -> np.ndarray:
    """All training images, uint8 ``[n, 64, 64, 3]``: stimuli of a seed that the demo does not use, photographs."""
    from memjax.datasets.demo import SEED, stimuli

    made = [stimuli(args.stimuli, seed=SEED + 1 + args.seed)]
    if args.lnsim is not None:
        from memjax.datasets import open_dataset
        from memjax.loader import batches
        from memjax.preprocessing import preprocessing_from_config

        dataset = open_dataset("lnsim", args.lnsim)
        stream = batches(dataset, preprocessing_from_config(PROCESSOR), 64)
        made.append(np.concatenate([batch.pixels[batch.valid] for batch in stream]))
    return np.concatenate(made)


def normalised(pixels: jax.Array) -> jax.Array:
    """uint8 to the encoder's pixels, as `PROCESSOR` says."""
    return pixels.astype(jnp.float32) / 127.5 - 1.0


def loss_of(params: ViTParams, pixels: jax.Array, key: jax.Array) -> jax.Array:
    """Mean masked-autoencoding loss of a uint8 batch, each image under its own mask."""
    from memjax.models.mae import mae_loss

    noise = jax.random.uniform(key, (pixels.shape[0], CONFIG.grid[0] * CONFIG.grid[1]))
    return jax.vmap(lambda x, n: mae_loss(params, x, n, CONFIG))(normalised(pixels), noise).mean()


def trivial_loss(pixels: np.ndarray) -> float:
    """The loss of predicting each patch's own mean: what is left of a target that is standardised by patch."""
    from memjax.models.vit import patchify

    patches = jax.vmap(lambda x: patchify(x, CONFIG.patch))(normalised(jnp.asarray(pixels)))
    centred = patches - patches.mean(axis=-1, keepdims=True)
    return float((jnp.square(centred) / (patches.var(axis=-1, keepdims=True, ddof=1) + 1e-6)).mean())


def colour_loss(pixels: np.ndarray, key: jax.Array) -> float:
    """The loss of predicting, everywhere, the mean standardised colour of the visible patches; masks as `loss_of`.

    A patch's own mean mixes its channels, so most of what that leaves is colour. This is the mark to be under.
    """
    from memjax.models.mae import kept_patches
    from memjax.models.vit import patchify

    patches = np.asarray(jax.vmap(lambda x: patchify(x, CONFIG.patch))(normalised(jnp.asarray(pixels))))
    spread = np.sqrt(patches.var(axis=-1, keepdims=True, ddof=1) + 1e-6)
    target = ((patches - patches.mean(axis=-1, keepdims=True)) / spread).reshape(*patches.shape[:2], -1, 3)
    noise = np.asarray(jax.random.uniform(key, patches.shape[:2]))
    masked = np.argsort(np.argsort(noise, axis=1, kind="stable"), axis=1) >= kept_patches(CONFIG)
    colour = np.stack([one[~hidden].mean(axis=(0, 1)) for one, hidden in zip(target, masked)])
    error = np.square(target - colour[:, None, None]).mean(axis=(2, 3))
    return float(error[masked].mean())


def trainable(params: ViTParams) -> ViTParams:
    """Labels for optax: everything learns but the two fixed position tables."""
    labels = jax.tree.map(lambda x: "learn", params)
    return labels.replace(position="keep", decoder=labels.decoder.replace(position="keep"))


def train(args: Arguments, images: np.ndarray) -> tuple[ViTParams, tuple[float, float, float]]:
    """Parameters after ``args.steps`` steps of AdamW; held-out losses: ours, of patch means, of the visible colour."""
    from memjax.models.mae import init_decoder
    from memjax.models.positions import sincos_table
    from memjax.models.vit import init_vit

    first, second, run = jax.random.split(jax.random.key(args.seed), 3)
    params = init_vit(first, CONFIG).replace(decoder=init_decoder(second, CONFIG))
    params = params.replace(position=jnp.asarray(sincos_table(*CONFIG.grid, CONFIG.width, extra=1)))
    rate = optax.warmup_cosine_decay_schedule(0.0, args.learning_rate, max(1, args.steps // 20), args.steps)
    adamw = optax.adamw(rate, b2=0.95, weight_decay=0.05)
    optimiser = optax.partition({"learn": adamw, "keep": optax.set_to_zero()}, trainable(params))
    state = optimiser.init(params)

    @jax.jit
    def step(params: ViTParams, state: optax.OptState, pixels: jax.Array, key: jax.Array) -> Step:
        loss, gradient = jax.value_and_grad(loss_of)(params, pixels, key)
        updates, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    rng = np.random.default_rng(args.seed)
    order = rng.permutation(len(images))
    held, rest = images[order[:HELD_OUT]], images[order[HELD_OUT:]]
    evaluate = jax.jit(loss_of)
    with progress_of("pretraining (images seen)", args.steps * args.batch_size, True) as advance:
        for i in range(args.steps):
            batch = rest[rng.integers(0, len(rest), args.batch_size)]
            flipped = np.where(rng.random((args.batch_size, 1, 1, 1)) < 0.5, batch[:, :, ::-1], batch)
            params, state, loss = step(params, state, flipped, jax.random.fold_in(run, i))
            advance(args.batch_size)
            if i % 250 == 0:
                say(f"step {i}: loss {float(loss):.4f}")
    key = jax.random.key(1)
    return params, (float(evaluate(params, held, key)), trivial_loss(held), colour_loss(held, key))


def main() -> int:
    """Train, write, report; the exit code."""
    args = read_arguments(Arguments, __doc__ or "")
    if args.steps < 1 or args.batch_size < 1 or args.stimuli <= HELD_OUT:
        raise expected("--steps, --batch-size, --stimuli", f"positive, stimuli over {HELD_OUT}", args)
    devices.use_cores(1)  # one device: XLA's threads use all cores for a training step
    from memjax.models.export import write_folder

    started = time.perf_counter()
    images = gather(args)
    make_folder(args.out, "out", argument="out")
    params, (held_out, trivial, colour) = train(args, images)
    write_folder(args.out, params, CONFIG, PROCESSOR)
    count = sum(x.size for x in jax.tree.leaves(params))
    size = (args.out / "model.safetensors").stat().st_size / 2**20
    say(f"{count:,} parameters, {size:.2f} MiB in {args.out}; {time.perf_counter() - started:.0f} s")
    say(
        f"held-out loss {held_out:.4f}; predicting each patch's own mean gives {trivial:.4f}, "
        f"the mean colour of the visible ones {colour:.4f}"
    )
    return 0


if __name__ == "__main__":
    run_main(main)
