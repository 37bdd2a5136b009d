"""How fast does an ensemble of sparse autoencoders train, beside the authors' loop in PyTorch? Random inputs, no files.

  python benchmarks/sae_training.py                           13 layers x 5 seeds, 768 -> 100 -> 768, batch size 1
  python benchmarks/sae_training.py --layers 2 --seeds 1      smaller

Both do the same step: forward, summed squared error + L1, backward, AdamW. The authors' loop is written anew: one model, a
shuffled DataLoader of batch size 1, `torch.optim.AdamW`, once with one thread and once with all. The two sides take turns;
reported are medians of microseconds per step of one autoencoder, their spread, and the ratio to the better torch side. Without
torch the ensemble alone is timed.
"""

import dataclasses
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.turns import Side, ratio, take_turns
from memjax import devices
from memjax.checks import expected
from memjax.cli.arguments import read_arguments, run_main


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Size of the problem."""

    layers: int = 13
    """Layers of one encoder."""
    seeds: int = 5
    """Autoencoders a layer."""
    width: int = 768
    """Inputs of an autoencoder."""
    images: int = 1000
    """Steps of one autoencoder in a timed run."""
    torch_steps: int = 400
    """Steps of the PyTorch loop in a timed run."""
    repeats: int = 5
    """Timed runs of each side."""


def ensemble_side(args: Arguments) -> Side:
    """One pass of the ensemble; its units are steps of one autoencoder."""
    import jax
    import jax.numpy as jnp

    from memjax.sae import ensemble
    from memjax.sae.member import Hyper
    from memjax.sae.presets import paper
    from memjax.sae.stream import whole
    from memjax.sae.training import recipe_for, start_members

    preset, count = paper(args.width), args.layers * args.seeds
    data = np.random.default_rng(0).normal(size=(args.layers, args.images, args.width)).astype(np.float32)
    rows = np.broadcast_to(np.arange(args.images, dtype=np.int32), (count, args.images)).copy()
    hyper = Hyper(jnp.full(count, preset.learning_rate), jnp.full(count, preset.sparsity))
    layers, seeds = np.repeat(np.arange(args.layers), args.seeds), np.tile(np.arange(args.seeds), args.layers)
    recipe = recipe_for(whole(data, rows), preset.sae, preset.fit)
    members = start_members(whole(data, rows), layers, seeds, hyper, recipe)
    mesh, placed = devices.data_mesh(), jnp.asarray(data)
    schedule = ensemble.Schedule(mesh, ensemble.default_at_once(count))
    held = jax.device_put(members, ensemble.placement(count, mesh))
    orders = ensemble.epoch_orders(held.seed, 0, jnp.asarray(rows), 1)

    def run() -> None:
        nonlocal held
        held, losses = ensemble.train_members(held, placed, orders, recipe, schedule)
        jax.block_until_ready(losses)

    return Side(run, count * args.images)


def torch_side(args: Arguments, threads: int) -> Side:
    """The same steps in the authors' loop."""
    import torch  # pyrefly: ignore[missing-import] (not in the environment that types are checked in)

    class Autoencoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Linear(args.width, 100), torch.nn.Linear(100, args.width)

        def forward(self, x: Any) -> Any:
            encoded = self.fc1(x)
            return self.fc2(torch.relu(encoded)), encoded

    model = Autoencoder()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    loader = torch.utils.data.DataLoader(torch.randn(args.torch_steps, args.width), batch_size=1, shuffle=True)

    def run() -> None:
        torch.set_num_threads(threads)
        for x in loader:
            optimiser.zero_grad()
            decoded, encoded = model(x)
            loss = ((decoded - x) ** 2).sum() + 1e-5 * encoded.abs().sum()
            loss.backward()
            optimiser.step()

    return Side(run, args.torch_steps)


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    if min(dataclasses.astuple(args)) < 1:
        raise expected("sizes", "1 or more", "less")
    cores = devices.use_cores()
    sides = {f"memjax, {args.layers} x {args.seeds}, {cores} devices": ensemble_side(args)}
    if find_spec("torch"):
        sides |= {f"torch, {n} thread{'s' * (n > 1)}": torch_side(args, n) for n in dict.fromkeys((1, cores))}
    timings = take_turns(sides, args.repeats)
    print(
        f"width {args.width}, 100 latents, batch size 1; jax {version('jax')}, {cores} cores; microseconds per SAE step"
    )
    for name, timing in timings.items():
        low, high = timing.spread
        print(f"{name:<32} median {1e6 / timing.rate:8.1f}  (min {1e6 / high:.1f}, max {1e6 / low:.1f})")
    ours, *theirs = timings.values()
    if theirs:
        print(
            f"torch {version('torch')}: its better side takes {min(ratio(ours, t) for t in theirs):.1f} x as long per step"
        )
    else:
        print("torch is not installed: no ratio (pip install torch to get one)")
    return 0


if __name__ == "__main__":
    run_main(main)
