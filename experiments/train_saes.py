"""Does the reconstruction loss of a sparse autoencoder tell how memorable a picture is?

Trains autoencoders on an encoder's token vectors, all layers, seeds and folds in one program, and correlates each picture's
reconstruction error with the human scores after every epoch. The vectors come from a sweep:

  python experiments/sweep_layers.py --dataset lnsim --data-dir DIR --models ENCODER --tokens cls --out runs/lnsim
  python experiments/train_saes.py --features runs/lnsim/features.zarr --protocol paper
  python experiments/train_saes.py --features runs/lnsim/features.zarr --protocol modern --variant batchtopk

Every patch of a picture, instead of one token: keep them in the sweep (--patch-layers 11), then --token patches; they are read
from the store block by block, and a picture's score is the mean over its patches.

--protocol paper is that of Takmaz, Gatt & Dotlacil 2025: last layer, five seeds, batch size 1, and every picture scored by an
autoencoder that was trained on it. --protocol modern scores each picture by one that never saw it (k-fold), on all layers.
Without arguments: the paper's protocol on the embedded demo (synthetic). The same command again resumes.

It writes to --out: sae_epochs (rho by epoch, layer, seed and space, with intervals; CSV and Parquet), sae_layers (each score by
layer, mean over seeds; rho_given_length is what is left once the length of the token vector is held constant), a figure of rho
by epoch, checkpoints/, run.json; and the scores per picture into the feature store as metrics (sae_error, sae_l0, ...; with
--variant: sae_batchtopk_error, ...; with --token: sae_patches_error, ...): run the sweep again, and its table, figures and report
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

from experiments.outputs import write_table
from memjax import devices
from memjax.checks import expected
from memjax.cli.arguments import read_arguments, run_main

SCORES = ("error", "error_mean", "error_normalised", "l0", "l1", "magnitude", "squared_length")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to train, on what, and where the results go."""

    features: Path | None = None
    """A sweep's features.zarr, made with --tokens or --patch-layers; the default extracts the embedded demo."""
    model: str | None = None
    """Which encoder, where the store holds several."""
    token: Literal["cls", "mean", "patches"] = "cls"
    """Which token vectors: of each picture the cls token, the mean of its patches, or every patch."""
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
    batch_size: int | None = None
    """Under --protocol modern; the default is 64, with --token patches 1024. The paper's is 1."""
    block: int = 64
    """With --token patches: pictures read at once; two blocks are held."""
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
    stream: Any
    fold: np.ndarray
    shape: tuple[int, int, int]


def plan(args: Arguments, data: Any) -> Setup:
    """Members, their training rows and their preset."""
    from memjax.sae import folds, presets
    from memjax.sae.stream import leaving_out

    images, paper = data.images, args.protocol == "paper"
    count = 1 if paper else args.folds
    fold = np.zeros(images.n, np.int32) if paper else folds.k_folds_in_blocks(images.n, count, images.size)
    seeds = args.seeds or (presets.PAPER_SEEDS if paper else (0,))
    shape = (len(data.layers), len(seeds), count)
    layer, seed, held = (a.ravel() for a in np.meshgrid(*map(np.arange, shape), indexing="ij"))
    stream = leaving_out(images, fold, count, held)
    return Setup(preset_of(args, data, stream), layer, np.array(seeds)[seed], stream, fold, shape)


def preset_of(args: Arguments, data: Any, stream: Any) -> Any:
    """The paper's preset or the variant's, changed as the arguments say."""
    from memjax.sae import presets

    if args.protocol == "paper":
        preset = presets.paper(data.width)
    else:
        batch = args.batch_size or (1024 if args.token == "patches" else 64)
        blocks = stream.images.blocks
        rows = [stream.rows(block).shape[1] for block in range(blocks)]
        epochs = 20 if args.epochs is None else args.epochs
        preset = presets.modern(args.variant, data.width, sum(rows), args.latents, epochs, min(batch, max(rows)))
    if args.epochs is not None:
        preset = dataclasses.replace(preset, fit=dataclasses.replace(preset.fit, epochs=args.epochs))
    changes = {"learning_rate": args.learning_rate, "sparsity": args.sparsity}
    return dataclasses.replace(preset, **{name: value for name, value in changes.items() if value is not None})


def out_of_fold(values: Any, setup: Setup) -> np.ndarray:
    """Members' scores ``[m, n]`` as ``[l, seeds, n]``: each image by the member that left it out (paper: by the only one)."""
    from memjax.sae.folds import held_out

    return held_out(np.asarray(values).reshape(*setup.shape, -1), setup.fold)


def train(args: Arguments, data: Any, setup: Setup) -> tuple[dict[int, dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Train with checkpoints; errors by epoch ``[l seeds, n]``, and every final score ``[l, n]``, mean over seeds."""
    import jax
    import jax.numpy as jnp

    from memjax.sae.checkpoint import Checkpoints, open_manager
    from memjax.sae.evaluation import evaluate
    from memjax.sae.member import Hyper
    from memjax.sae.training import fit_members, recipe_for, start_members

    sae, fit, mesh = setup.preset.sae, setup.preset.fit, devices.data_mesh()
    count = len(setup.layers)
    recipe = recipe_for(setup.stream, sae, fit)
    hyper = Hyper(jnp.full(count, setup.preset.learning_rate), jnp.full(count, setup.preset.sparsity))
    members = start_members(setup.stream, setup.layers, setup.seeds, hyper, recipe)
    folder = args.out / "epochs"
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()

    def keep(epoch: int, members: Any, losses: np.ndarray) -> None:
        made = evaluate(members, data.images, sae, mesh)
        found = {space: out_of_fold(scores.error, setup) for space, scores in made.images.items()}
        for name in ("explained_variance", "dead_fraction"):
            found[name] = np.asarray(getattr(made.members, name)).reshape(setup.shape).mean(axis=2)
        last = {name: out_of_fold(getattr(made.images["standardised"], name), setup).mean(axis=1) for name in SCORES}
        merged = {name: a.reshape(-1, *a.shape[2:]) for name, a in found.items()}
        np.savez(folder / f"{epoch}.part.npz", **merged, **{f"score_{name}": a for name, a in last.items()})
        (folder / f"{epoch}.part.npz").replace(folder / f"{epoch}.npz")
        seconds = time.perf_counter() - started
        print(f"epoch {epoch} of {fit.epochs}: loss {losses.mean():.4g}, {seconds:.0f} s", flush=True)

    about = {**identity(args, data, setup), "devices": jax.device_count(), "jax": jax.__version__}
    with open_manager(args.out / "checkpoints") as manager:
        fit_members(members, setup.stream, recipe, mesh, Checkpoints(manager, about), keep)
    epochs = {e: dict(np.load(folder / f"{e}.npz")) for e in range(1, fit.epochs + 1)}
    return epochs, {name: epochs[fit.epochs][f"score_{name}"] for name in SCORES}


def identity(args: Arguments, data: Any, setup: Setup) -> dict[str, Any]:
    """What a checkpoint must agree on to be resumed."""
    return {
        "protocol": args.protocol,
        "token": args.token,
        "sae": setup.preset.sae.to_json(),
        "fit": setup.preset.fit.to_json(),
        "learning_rate": setup.preset.learning_rate,
        "sparsity": setup.preset.sparsity,
        "layers": data.layers.tolist(),
        "seeds": setup.seeds.tolist(),
        "folds": setup.shape[2],
        "block": data.images.size,
        "data": data.fingerprint,
    }


def report(args: Arguments, data: Any, setup: Setup, epochs: dict, scores: dict[str, np.ndarray]) -> pd.DataFrame:
    """Write tables, figure, store and run.json; the table by layer."""
    from experiments import sae_data, sae_tables
    from memjax.storage import write_atomically

    seeds = setup.seeds.reshape(setup.shape)[:, :, 0].ravel()
    variant = setup.preset.sae.variant
    keys = pd.DataFrame({"model": data.model, "variant": variant, "layer": np.repeat(data.layers, setup.shape[1])})
    table = sae_tables.epoch_table(epochs, keys.assign(seed=seeds), data.y, args.bootstraps)
    consistency = sae_data.split_half_consistency(data.store)
    write_table(sae_tables.of_ceiling(table, consistency), args.out, "sae_epochs")
    prefix = "sae" if args.protocol == "paper" else f"sae_{variant}"
    prefix = prefix if args.token == "cls" else f"{prefix}_{args.token}"
    lengths = scores.pop("squared_length")
    named = {f"{prefix}_{name}": values for name, values in scores.items()}
    layers = sae_tables.layer_table(named, lengths, data.layers, data.y, args.bootstraps)
    layers.insert(0, "model", data.model)
    write_table(sae_tables.of_ceiling(layers, consistency), args.out, "sae_layers")
    sae_tables.draw_epochs(table, data.model, args.out / "figures", consistency, data.synthetic)
    about = {"command": " ".join(["python", *sys.argv]), "synthetic": data.synthetic, **identity(args, data, setup)}
    sae_data.join_scores(data, named, json.dumps(about, sort_keys=True), args.out)
    write_atomically(args.out / "run.json", json.dumps(about, indent=1) + "\n")
    return layers


def show(args: Arguments, data: Any, layers: pd.DataFrame) -> None:
    """The reconstruction error by layer, and where the files are."""
    kind = "trained on the pictures it scores" if args.protocol == "paper" else "out of sample"
    print(f"{data.model}, n = {len(data.y)}{' (synthetic)' if data.synthetic else ''}, {kind}:")
    for row in layers[layers["metric"].str.endswith("_error")].itertuples():
        given = f"given length {row.rho_given_length:+.3f} [{row.given_ci_low:+.3f}, {row.given_ci_high:+.3f}]"
        whole = f"rho {row.rho:+.3f} [{row.ci_low:+.3f}, {row.ci_high:+.3f}]"
        print(f"  layer {row.layer:>2}  {whole}  {given}  {row.metric}")
    print(f"tables and figure: {args.out}; scores per picture: {data.store}")


def main() -> int:
    """Train and report; the exit code."""
    args = read_arguments(Arguments, __doc__ or "")
    devices.use_cores()
    devices.use_cache()
    from experiments import sae_data
    from memjax.storage import locked

    for name in ("epochs", "latents", "batch_size", "block", "bootstraps"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise expected(f"--{name.replace('_', '-')}", "a positive number", value)
    with locked(args.out):
        features = args.features or sae_data.demo_features(args.out)
        last_only = args.protocol == "paper"
        data = sae_data.load_representations(features, args.token, args.model, args.layers, last_only, args.block)
        setup = plan(args, data)
        epochs, scores = train(args, data, setup)
        layers = report(args, data, setup, epochs, scores)
    show(args, data, layers)
    return 0


if __name__ == "__main__":
    run_main(main)
