"""An autoencoder as a folder that SAELens reads too: weights, cfg.json, a model card, and what SAELens has no place for."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

from memjax.checks import path_of
from memjax.faults import machine_faults_told
from memjax.sae.card import sae_card
from memjax.sae.folding import fold, is_identity
from memjax.sae.model import SAEParams
from memjax.sae.saelens import CFG, LAYOUT, WEIGHTS, cfg_of, tensors_of
from memjax.sae.trained import TrainedSAE
from memjax.seals import sealed_text
from memjax.storage import write_atomically
from memjax.tensors import check_replaceable, write_tensors

KEPT, CARD = "memjax.safetensors", "README.md"
VERSION = 1
"""Of what memjax adds to a cfg.json."""
BIASES = ("b_enc", "b_dec", "b_mag")
"""Parameters that are kept as they were; all others are had back from the folded ones."""
MIXED = ("mixture", "relaxation", "points")
"""What the decoder of ``archetypal`` was made of."""


def save(sae: TrainedSAE, folder: str | Path) -> Path:
    """Write an autoencoder: sae_weights.safetensors and cfg.json in SAELens' layout, memjax.safetensors, and README.md.

    Its standardiser is folded into the weights, which take raw vectors; beside them it is kept with the biases as they were, so
    that `memjax.sae.load` gives the same autoencoder back. The card is written for Hugging Face.

    Args:
        sae: the autoencoder.
        folder: made where it is not there; an autoencoder that lies there is replaced.

    Returns:
        The folder.

    Raises:
        InputError: the folder holds something else, or cannot be written.

    Example:
        >>> import numpy as np
        >>> from memjax import sae
        >>> x = np.random.default_rng(0).normal(5, 2, size=(40, 6)).astype(np.float32)
        >>> one = sae.fit(x, "paper", progress=False).saes[0]
        >>> folder = sae.save(one, "saes/mine")
        >>> sorted(path.name for path in folder.iterdir())
        ['README.md', 'cfg.json', 'memjax.safetensors', 'sae_weights.safetensors']
        >>> bool(np.allclose(sae.load(folder).encode(x), one.encode(x), atol=1e-5))
        True
    """
    home = path_of(folder, "folder")
    check_replaceable(home, (WEIGHTS, KEPT, CARD, CFG), "an autoencoder")
    params, config = fold(sae.params, sae.standardiser, sae.config, sae.target_standardiser)
    standardised = not (is_identity(sae.standardiser) and is_identity(sae.target_standardiser))
    with machine_faults_told(home):
        home.mkdir(parents=True, exist_ok=True)
        (home / CFG).unlink(missing_ok=True)  # a folder with one is whole
        sums = {
            WEIGHTS: write_tensors(home / WEIGHTS, tensors_of(params, sae.state, config)),
            KEPT: write_tensors(home / KEPT, kept_of(sae)),
        }
        write_atomically(home / CARD, sae_card(sae, standardised))
        cfg = cfg_of(config, sae.normalisation) | {"metadata": _metadata(sae, sums)}
        write_atomically(home / CFG, sealed_text(cfg))
    return home


def kept_of(sae: TrainedSAE) -> dict[str, np.ndarray]:
    """What the folded weights do not give back."""
    params: SAEParams = sae.params
    own = {name: x for name, x in (vars(params) | vars(sae.state)).items() if name in (*BIASES, *MIXED)}
    if (targets := sae.target_standardiser) is not None:
        own |= {"target_mean": targets.mean, "target_std": targets.std}
    return {name: np.asarray(x, np.float32) for name, x in own.items() if x is not None} | {
        "mean": np.asarray(sae.standardiser.mean, np.float32),
        "std": np.asarray(sae.standardiser.std, np.float32),
        "running_threshold": np.asarray(sae.state.threshold, np.float32).reshape(1),
        "idle": np.asarray(sae.state.idle, np.int32),
    }


def _metadata(sae: TrainedSAE, sums: Mapping[str, str]) -> dict[str, object]:
    origin = sae.origin
    hook = origin.place or ("" if origin.token == "pooled" or not sae.encoder else _hook(sae.layer))
    own = {
        "version": VERSION,
        "memjax": version("memjax"),
        "config": sae.config.to_json(),
        "layer": sae.layer,
        "seed": sae.seed,
        "fold": sae.fold,
        "encoder": sae.encoder,
        "normalisation": sae.normalisation,
        "origin": origin.to_json(),
        "files": dict(sums),
    }
    told = {
        "sae_lens_version": LAYOUT,
        "sae_lens_training_version": None,
        "model_name": origin.encoder_id or sae.encoder or None,
        "hook_name": hook or None,
        "hook_name_out": origin.target_place or None,
        "dataset_path": origin.dataset or None,
        "training_architecture": sae.config.variant,
    }
    return {name: value for name, value in told.items() if value is not None} | {"memjax": own}


def _hook(layer: int) -> str:
    """What leaves a block, in TransformerLens' words; layer 0 enters the first."""
    return f"blocks.{layer - 1}.hook_resid_post" if layer else "blocks.0.hook_resid_pre"
