"""Does the reconstruction loss of a sparse autoencoder tell how memorable a picture is?

Trains autoencoders on an encoder's token vectors, all layers, seeds and folds in one program, and correlates each picture's
reconstruction error with the human scores after every epoch. The vectors come from a sweep:

  python experiments/sweep_layers.py --dataset lnsim --data-dir DIR --models ENCODER --tokens cls --out runs/lnsim
  python experiments/train_saes.py --features runs/lnsim/features.zarr --protocol paper
  python experiments/train_saes.py --features runs/lnsim/features.zarr --protocol modern --variant batchtopk

--protocol paper is that of Takmaz, Gatt & Dotlacil 2025: last layer, five seeds, batch size 1, and every picture scored by an
autoencoder that was trained on it. --protocol modern scores each picture by one that never saw it (k-fold), on all layers.
Without arguments: the paper's protocol on the embedded demo (synthetic). The same command again resumes.

It writes to --out: sae_epochs (rho by epoch, layer, seed and space, with intervals; CSV and Parquet), sae_layers (each score by
layer, mean over seeds), a figure of rho by epoch, checkpoints/, run.json; and the scores per picture into the feature store as
metrics (sae_error, sae_l0, ...; with --variant: sae_batchtopk_error, ...): run the sweep again, and its table, figures and report
show them.
Exit codes: 0 done; 2 usage or input error, one line.
"""

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.cli import read_arguments
from experiments.outputs import write_table
from memjax import devices
from memjax.checks import expected, run_main

SCORES = ("error", "error_mean", "error_normalised", "l0", "l1", "magnitude")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to train, on what, and where the results go."""

    features: Path | None = None
    """A sweep's features.zarr, made with --tokens; the default extracts the embedded demo."""
    model: str | None = None
    """Which encoder, where the store holds several."""
    token: Literal["cls", "mean"] = "cls"
    """Which token vectors."""
    protocol: Literal["paper", "modern"] = "paper"
    """See above."""
    variant: Literal["relu", "topk", "batchtopk", "jumprelu", "gated", "matryoshka"] = "batchtopk"
    """Kind of autoencoder, under --protocol modern."""
    layers: tuple[int, ...] | None = None
    """Layers (0: embeddings); the default is the last (paper) or all that vary (modern)."""
    seeds: tuple[int, ...] | None = None
    """The default is 0 42 2025 2 17 (paper) or 0 (modern)."""
    epochs: int | None = None
    """The default is 5 (paper) or 20 (modern)."""
    folds: int = 5
    """Under --protocol modern: each picture is scored by the autoencoder of the fold that left it out."""
    latents: int = 256
    """Size of the dictionary, under --protocol modern; the paper's is 100."""
    batch_size: int = 64
    """Under --protocol modern; the paper's is 1."""
    learning_rate: float | None = None
    """The default is 1e-4 (paper) or 1e-3 (modern)."""
    sparsity: float | None = None
    """Weight of the sparsity penalty; the default is the paper's 1e-5, or the variant's."""
    bootstraps: int = 1000
    """Bootstrap resamples behind each 95 % interval."""
    out: Path = Path("runs/saes")
    """Where the results go."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """An ensemble: layer-major, then seed, then fold (one fold that holds nothing out, under the paper's protocol)."""

    preset: Any
    layers: np.ndarray
    seeds: np.ndarray
    rows: np.ndarray
    fold: np.ndarray
    shape: tuple[int, int, int]


def plan(args: Arguments, data: Any) -> Setup:
    """Members, their training rows and their preset."""
    from memjax.sae import folds, presets

    depth, n, width = data.x.shape
    if args.protocol == "paper":
        preset, fold, rows = presets.paper(width), np.zeros(n, np.int32), np.arange(n, dtype=np.int32)[None]
    else:
        fold = folds.k_folds(n, args.folds)
        rows = folds.training_rows(fold, args.folds)
        preset = presets.modern(
            args.variant,
            width,
            rows.shape[1],
            args.latents,
            20 if args.epochs is None else args.epochs,
            args.batch_size,
        )
    if args.epochs is not None:
        preset = dataclasses.replace(preset, fit=dataclasses.replace(preset.fit, epochs=args.epochs))
    changes = {"learning_rate": args.learning_rate, "sparsity": args.sparsity}
    preset = dataclasses.replace(preset, **{name: value for name, value in changes.items() if value is not None})
    seeds = args.seeds or (presets.PAPER_SEEDS if args.protocol == "paper" else (0,))
    shape = (depth, len(seeds), len(rows))
    layer, seed, held = (a.ravel() for a in np.meshgrid(*map(np.arange, shape), indexing="ij"))
    return Setup(preset, layer, np.array(seeds)[seed], rows[held], fold, shape)


def out_of_fold(values: Any, setup: Setup) -> np.ndarray:
    """Members' scores ``[m, n]`` as ``[l, seeds, n]``: each image by the member that left it out (paper: by the only one)."""
    from memjax.sae.folds import held_out

    return held_out(np.asarray(values).reshape(*setup.shape, -1), setup.fold)


def train(args: Arguments, data: Any, setup: Setup) -> tuple[dict[int, dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Train with checkpoints; errors by epoch ``[l seeds, n]``, and every final score ``[l, n]``, mean over seeds."""
    import jax
    import jax.numpy as jnp

    from memjax.sae import ensemble
    from memjax.sae.checkpoint import open_manager
    from memjax.sae.fit import fit_members, start_members
    from memjax.sae.train import Hyper

    sae, fit, mesh = setup.preset.sae, setup.preset.fit, devices.data_mesh()
    count = len(setup.layers)
    hyper = Hyper(jnp.full(count, setup.preset.learning_rate), jnp.full(count, setup.preset.sparsity))
    members = start_members(data.x, setup.layers, setup.seeds, setup.rows, hyper, sae, fit)
    x, folder = jnp.asarray(data.x), args.out / "epochs"
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()

    def keep(epoch: int, members: Any, losses: np.ndarray) -> None:
        found = {
            s: out_of_fold(ensemble.score_members(members, x, sae, s, mesh).error, setup)
            for s in ("standardised", "raw")
        }
        whole = ensemble.summarise_members(members, x, sae, mesh)
        for name in ("explained_variance", "dead_fraction"):
            found[name] = np.asarray(getattr(whole, name)).reshape(setup.shape).mean(axis=2)
        merged = {name: a.reshape(-1, *a.shape[2:]) for name, a in found.items()}
        np.savez(folder / f"{epoch}.part.npz", **merged)
        (folder / f"{epoch}.part.npz").replace(folder / f"{epoch}.npz")
        print(
            f"epoch {epoch} of {fit.epochs}: loss {losses.mean():.4g}, {time.perf_counter() - started:.0f} s",
            flush=True,
        )

    about = {**identity(args, data, setup), "devices": jax.device_count(), "jax": jax.__version__}
    with open_manager(args.out / "checkpoints") as manager:
        members = fit_members(members, data.x, setup.rows, sae, fit, mesh, manager, about, keep)
    final = ensemble.score_members(members, x, sae, "standardised", mesh)
    scores = {name: out_of_fold(getattr(final, name), setup).mean(axis=1) for name in SCORES}
    epochs = {e: dict(np.load(folder / f"{e}.npz")) for e in range(1, fit.epochs + 1)}
    return epochs, scores


def identity(args: Arguments, data: Any, setup: Setup) -> dict[str, Any]:
    """What a checkpoint must agree on to be resumed."""
    return {
        "protocol": args.protocol,
        "sae": setup.preset.sae.to_json(),
        "fit": setup.preset.fit.to_json(),
        "learning_rate": setup.preset.learning_rate,
        "sparsity": setup.preset.sparsity,
        "layers": data.layers.tolist(),
        "seeds": setup.seeds.tolist(),
        "folds": setup.shape[2],
        "data": data.fingerprint,
    }


def report(args: Arguments, data: Any, setup: Setup, epochs: dict, scores: dict[str, np.ndarray]) -> pd.DataFrame:
    """Write tables, figure, store and run.json; the table by layer."""
    from experiments import sae_data, sae_tables
    from memjax.store import write_atomically

    seeds = setup.seeds.reshape(setup.shape)[:, :, 0].ravel()
    variant = setup.preset.sae.variant
    keys = pd.DataFrame({"model": data.model, "variant": variant, "layer": np.repeat(data.layers, setup.shape[1])})
    table = sae_tables.epoch_table(epochs, keys.assign(seed=seeds), data.y, args.bootstraps)
    write_table(table, args.out, "sae_epochs")
    prefix = "sae" if args.protocol == "paper" else f"sae_{variant}"
    named = {f"{prefix}_{name}": values for name, values in scores.items()}
    layers = sae_tables.layer_table(named, data.layers, data.y, args.bootstraps)
    layers.insert(0, "model", data.model)
    write_table(layers, args.out, "sae_layers")
    sae_tables.draw_epochs(table, data.model, args.out / "figures")
    about = {"command": " ".join(["python", *sys.argv]), "synthetic": data.synthetic, **identity(args, data, setup)}
    sae_data.join_scores(data, named, json.dumps(about, sort_keys=True), args.out)
    write_atomically(args.out / "run.json", json.dumps(about, indent=1) + "\n")
    return layers


def show(args: Arguments, data: Any, layers: pd.DataFrame) -> None:
    """The reconstruction error by layer, and where the files are."""
    kind = "trained on the pictures it scores" if args.protocol == "paper" else "out of sample"
    print(f"{data.model}, n = {len(data.y)}{' (synthetic)' if data.synthetic else ''}, {kind}:")
    for row in layers[layers["metric"].str.endswith("_error")].itertuples():
        print(f"  layer {row.layer:>2}  rho {row.rho:+.3f}  [{row.ci_low:+.3f}, {row.ci_high:+.3f}]  {row.metric}")
    print(f"tables and figure: {args.out}; scores per picture: {data.store}")


def main() -> int:
    """Train and report; the exit code."""
    args = read_arguments(Arguments, __doc__ or "")
    devices.use_cores()
    devices.use_cache()
    from experiments import sae_data
    from memjax.store import locked

    for name in ("epochs", "latents", "batch_size", "bootstraps"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise expected(f"--{name.replace('_', '-')}", "a positive number", value)
    with locked(args.out):
        features = args.features or sae_data.demo_features(args.out)
        data = sae_data.load_representations(features, args.token, args.model, args.layers, args.protocol == "paper")
        setup = plan(args, data)
        epochs, scores = train(args, data, setup)
        layers = report(args, data, setup, epochs, scores)
    show(args, data, layers)
    return 0


if __name__ == "__main__":
    run_main(main)
