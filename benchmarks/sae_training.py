"""How fast does an ensemble of sparse autoencoders train, beside the authors' loop in PyTorch? Random inputs, no files.

  python benchmarks/sae_training.py                           13 layers x 5 seeds, 768 -> 100 -> 768, batch size 1
  python benchmarks/sae_training.py --layers 2 --seeds 1      smaller

Both do the same step: forward, summed squared error + L1, backward, AdamW. The authors' loop is written anew: one model, a
shuffled DataLoader of batch size 1, `torch.optim.AdamW`, once with one thread and once with all. The two sides take turns;
reported are medians of microseconds per step of one autoencoder, their spread, and the ratio to the better torch side. Without
torch the ensemble alone is timed.
"""

import dataclasses
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.cli import read_arguments
from memjax import devices
from memjax.checks import expected, run_main


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


def ensemble_run(args: Arguments) -> Callable[[], float]:
    """A function that trains the ensemble for one pass and returns microseconds per step of one autoencoder."""
    import jax
    import jax.numpy as jnp

    from memjax.sae import ensemble
    from memjax.sae.fit import start_members
    from memjax.sae.presets import paper
    from memjax.sae.stream import whole
    from memjax.sae.train import Hyper

    preset, count = paper(args.width), args.layers * args.seeds
    data = np.random.default_rng(0).normal(size=(args.layers, args.images, args.width)).astype(np.float32)
    rows = np.broadcast_to(np.arange(args.images, dtype=np.int32), (count, args.images)).copy()
    hyper = Hyper(jnp.full(count, preset.learning_rate), jnp.full(count, preset.sparsity))
    layers, seeds = np.repeat(np.arange(args.layers), args.seeds), np.tile(np.arange(args.seeds), args.layers)
    members = start_members(whole(data, rows), layers, seeds, hyper, preset.sae, preset.fit)
    mesh, placed, at_once = devices.data_mesh(), jnp.asarray(data), ensemble.default_at_once(count)
    held = jax.device_put(members, ensemble.placement(count, mesh))
    orders = ensemble.epoch_orders(held.seed, 0, jnp.asarray(rows), 1)

    def run() -> float:
        nonlocal held
        started = time.perf_counter()
        held, losses = ensemble.train_members(held, placed, orders, preset.sae, preset.fit, 1, mesh, at_once)
        jax.block_until_ready(losses)
        return (time.perf_counter() - started) / (count * args.images) * 1e6

    return run


def torch_run(args: Arguments, threads: int) -> Callable[[], float]:
    """The same for the authors' loop."""
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

    def run() -> float:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        for x in loader:
            optimiser.zero_grad()
            decoded, encoded = model(x)
            loss = ((decoded - x) ** 2).sum() + 1e-5 * encoded.abs().sum()
            loss.backward()
            optimiser.step()
        return (time.perf_counter() - started) / args.torch_steps * 1e6

    return run


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    if min(dataclasses.astuple(args)) < 1:
        raise expected("sizes", "1 or more", "less")
    cores = devices.use_cores()
    sides = {f"memjax, {args.layers} x {args.seeds}, {cores} devices": ensemble_run(args)}
    if find_spec("torch"):
        sides |= {f"torch, {n} thread{'s' * (n > 1)}": torch_run(args, n) for n in dict.fromkeys((1, cores))}
    for run in sides.values():
        run()  # compiles, warms up
    times = {name: [] for name in sides}
    for _ in range(args.repeats):
        for name, run in sides.items():
            times[name].append(run())
    print(
        f"width {args.width}, 100 latents, batch size 1; jax {version('jax')}, {cores} cores; microseconds per SAE step"
    )
    for name, values in times.items():
        print(f"{name:<32} median {np.median(values):8.1f}  (min {min(values):.1f}, max {max(values):.1f})")
    ours, *theirs = (float(np.median(values)) for values in times.values())
    if theirs:
        print(f"torch {version('torch')}: its better side takes {min(theirs) / ours:.1f} x as long per step")
    else:
        print("torch is not installed: no ratio (pip install torch to get one)")
    return 0


if __name__ == "__main__":
    run_main(main)
