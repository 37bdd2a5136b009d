"""SAELens' folders: sae_weights.safetensors and cfg.json, as its version 6 writes them and as earlier ones did.

What each variant becomes stands in its row (`memjax.sae.variants.Variant.saelens`): after training BatchTopK and Matryoshka are
a JumpReLU whose thresholds are all the same, as SAELens itself saves them, the paper's is a ``standard`` one, and an archetypal
one a TopK whose decoder is what the mixtures came to. Transcoders are SAELens' ``transcoder`` and ``jumprelu_transcoder``; those
of TopK and gated, which it has none of, are written the same way under names of their own.
"""

import re
from collections.abc import Mapping

import numpy as np

from memjax.checks import InputError, expected
from memjax.sae.config import SAEConfig
from memjax.sae.layouts import GATED, MOST_LATENTS, STANDARD, WIDEST, SAEPlan, TensorRow, config_in, layer_of
from memjax.sae.model import SAEParams, SAEState
from memjax.sae.normalisation import NORMALISATIONS
from memjax.sae.origin import SAEOrigin
from memjax.schema import Allowed, check_field, shown, shown_name

CFG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
LAYOUT = "6.54.0"
"""The version of SAELens whose layout is written."""

ROWS: dict[str, tuple[TensorRow, ...]] = {
    "standard": STANDARD,
    "topk": STANDARD,
    "jumprelu": (*STANDARD, TensorRow("threshold", "threshold", "f")),
    "gated": GATED,
    "matching_pursuit": (TensorRow("W_dec", "w_dec", "fo"), TensorRow("b_dec", "b_dec", "o")),
    "transcoder": STANDARD,
    "topk_transcoder": STANDARD,
    "jumprelu_transcoder": (*STANDARD, TensorRow("threshold", "threshold", "f")),
    "gated_transcoder": GATED,
}
"""Architecture -> its tensors."""
VARIANT_OF = {
    "standard": "relu",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "matching_pursuit": "matching_pursuit",
    "transcoder": "relu",
    "topk_transcoder": "topk",
    "jumprelu_transcoder": "jumprelu",
    "gated_transcoder": "gated",
}
"""Architecture -> the variant that reads it."""
TRANSCODERS = tuple(name for name in ROWS if name.endswith("transcoder"))
"""Architectures that decode into targets."""
OWN = ("topk_transcoder", "gated_transcoder")
"""Architectures that SAELens does not have."""
DTYPES = ("float32", "float64", "float16", "bfloat16")

FIELDS: dict[str, Allowed] = {
    "architecture": Allowed("text", choices=tuple(ROWS)),
    "d_in": Allowed("whole", 1, WIDEST),
    "d_sae": Allowed("whole", 1, MOST_LATENTS),
    "d_out": Allowed("whole", 1, WIDEST),
    "dtype": Allowed("text", choices=(*DTYPES, *(f"torch.{name}" for name in DTYPES))),
    "apply_b_dec_to_input": Allowed("flag"),
    "normalize_activations": Allowed("text", choices=tuple(NORMALISATIONS)),
    "reshape_activations": Allowed("text", choices=("none", "hook_z")),
    "k": Allowed("whole", 1, MOST_LATENTS),
    "rescale_acts_by_decoder_norm": Allowed("flag"),
    "finetuning_scaling_factor": Allowed("flag", optional=True),
    "residual_threshold": Allowed("number", 0, 1e30),
    "max_iterations": Allowed("whole", 1, MOST_LATENTS, optional=True),
    "stop_on_duplicate_support": Allowed("flag"),
}
"""Fields that change what is computed."""
DEFAULTS: dict[str, object] = {
    "architecture": "standard",
    "dtype": "float32",
    "apply_b_dec_to_input": True,
    "normalize_activations": "none",
    "reshape_activations": "none",
    "rescale_acts_by_decoder_norm": False,
}
OF_PURSUIT: dict[str, object] = {"residual_threshold": 1e-2, "max_iterations": None, "stop_on_duplicate_support": True}
"""Fields of a matching pursuit, and what each is where it is left out; without a number of steps it is ``d_in``."""
IGNORED = frozenset({"device", "metadata", "sha256", "sae_lens_version"})
OLD = frozenset(
    """
    hook_name hook_point hook_layer hook_point_layer hook_head_index hook_point_head_index model_name context_size prepend_bos
    dataset_path dataset_trust_remote_code sae_lens_training_version neuronpedia_id model_from_pretrained_kwargs seqpos_slice
    activation_fn activation_fn_str activation_fn_kwargs
    """.split()  # noqa: SIM905 (a word list reads better than quoted strings)
)
"""Fields that folders from before version 6 may have, beside those of today."""
TO_FOLD = ("expected_average_only_in", "covariance_whitening")
"""Normalisations by numbers that are not in the folder."""
TRAINING = ("batchtopk", "matryoshka_batchtopk")
"""Architectures that SAELens has while it trains."""
_BLOCK = re.compile(r"blocks\.(\d{1,4})\.")


def plan_of(cfg: Mapping[str, object], where: str) -> SAEPlan:
    """What a cfg.json of SAELens says.

    Raises:
        InputError: a field that is not known, or a value that is not possible here, by name.
    """
    values = DEFAULTS | _today(cfg, where)
    if values["architecture"] in TRAINING:
        fix = "that is a training checkpoint; save it with SAELens' save_inference_model"
        raise expected(f"{where}, architecture", FIELDS["architecture"].words, values["architecture"], fix)
    check_field(values["architecture"], FIELDS["architecture"], f"{where}, architecture", "folder")
    known = FIELDS.keys() | IGNORED | OLD
    if unknown := sorted(values.keys() - (known if values["architecture"] in TRANSCODERS else known - {"d_out"})):
        names = ", ".join(map(shown_name, unknown[:12]))
        raise InputError(f"{where}: unknown fields {names}; they may change the autoencoder", "folder")
    if values["normalize_activations"] in TO_FOLD:
        fix = "fold it into the weights with SAELens and save it again"
        raise expected(
            f"{where}, normalize_activations", "a kind that needs no numbers", values["normalize_activations"], fix
        )
    for name in {**dict.fromkeys(_needed(str(values["architecture"]))), **values}:
        if name in FIELDS:
            check_field(values.get(name), FIELDS[name], f"{where}, {name}", "folder")
    if values.get("finetuning_scaling_factor"):
        raise expected(f"{where}, finetuning_scaling_factor", "false", "true", "such a factor is not read")
    if values["architecture"] in TRANSCODERS and values["apply_b_dec_to_input"]:
        raise expected(f"{where}, apply_b_dec_to_input of a transcoder", "false", "true", argument="folder")
    return _plan(values, where)


def _needed(architecture: str) -> tuple[str, ...]:
    """Fields that have no default."""
    budget = ("k",) if architecture in ("topk", "topk_transcoder") else ()
    return ("d_in", "d_sae", *budget, *(("d_out",) if architecture in TRANSCODERS else ()))


def _plan(values: Mapping[str, object], where: str) -> SAEPlan:
    architecture = str(values["architecture"])
    fields = {
        "width": values["d_in"],
        "latents": values["d_sae"],
        "variant": VARIANT_OF[architecture],
        "k": values["k"] if "k" in _needed(architecture) else 1,
        "pre_bias": values["apply_b_dec_to_input"],
        "unit_norm": False,
        "target_width": values.get("d_out", 0),
    }
    if architecture == "matching_pursuit":
        told = OF_PURSUIT | values
        fields |= {
            "k": told["max_iterations"] or values["d_in"],
            "tolerance": told["residual_threshold"],
            "stop_on_repeat": told["stop_on_duplicate_support"],
            "pre_bias": True,
        }
    config = config_in(where, fields)
    told = values.get("metadata", {})
    about = {**values, **told} if isinstance(told, Mapping) else dict(values)
    place, encoder = _text(about.get("hook_name", about.get("hook_point"))), _text(about.get("model_name"))
    block = _BLOCK.match(place)
    origin = SAEOrigin(
        format=f"SAELens {_text(about.get('sae_lens_version')) or 'before 6'}",
        trained_as=_text(about.get("training_architecture")),
        encoder_id=encoder,
        place=place,
        target_place=_text(about.get("hook_name_out")) if architecture in TRANSCODERS else "",
        dataset=_text(about.get("dataset_path")),
    )
    return SAEPlan(
        config,
        ROWS[architecture],
        normalisation=str(values["normalize_activations"]),
        layer=layer_of(place, int(block[1])) if block else 0,
        encoder=encoder,
        origin=origin,
    )


def _today(cfg: Mapping[str, object], where: str) -> dict[str, object]:
    """The fields in today's words."""
    values = dict(cfg)
    scaled = values.get("normalize_activations", "none")
    if scaled is None or isinstance(scaled, bool):
        values["normalize_activations"] = TO_FOLD[0] if scaled else "none"
    kind = values.get("activation_fn_str", values.get("activation_fn", "relu"))
    if kind not in ("relu", "topk"):
        raise expected(f"{where}, activation_fn", "relu or topk", shown(kind), argument="folder")
    if kind == "topk":
        arguments = values.get("activation_fn_kwargs")
        values["architecture"] = "topk"
        values["k"] = arguments.get("k") if isinstance(arguments, Mapping) else None
    return values


def _text(value: object) -> str:
    """A text of the metadata, which may hold anything; empty where it is none."""
    return value[:200] if isinstance(value, str) else ""


def as_computed(params: SAEParams, cfg: Mapping[str, object]) -> SAEParams:
    """Parameters that give what SAELens computes.

    Where a cfg.json asks for it, latents are rescaled by the lengths of the decoder's rows; a matching pursuit that does not
    subtract the decoder's bias has none.
    """
    if cfg.get("architecture") == "matching_pursuit" and cfg.get("apply_b_dec_to_input") is False:
        return params.replace(b_dec=np.zeros_like(params.b_dec))
    if not cfg.get("rescale_acts_by_decoder_norm"):
        return params
    norms = np.linalg.norm(params.w_dec, axis=1)
    if not norms.all():
        raise InputError(f"{CFG}, rescale_acts_by_decoder_norm: the decoder has rows of length 0", "folder")
    return params.replace(
        w_enc=params.w_enc * norms[None], b_enc=params.b_enc * norms, w_dec=params.w_dec / norms[:, None]
    )


def tensors_of(params: SAEParams, state: SAEState, config: SAEConfig) -> dict[str, np.ndarray]:
    """Tensor name -> values, as SAELens has them."""
    values = dict(vars(params))
    if config.saelens in ("jumprelu", "jumprelu_transcoder"):
        one = state.threshold if params.log_threshold is None else np.exp(params.log_threshold)
        values["threshold"] = np.broadcast_to(np.asarray(one), config.latents)
    return {row.name: np.asarray(values[row.field], np.float32) for row in ROWS[config.saelens]}


def cfg_of(config: SAEConfig, normalisation: str) -> dict[str, object]:
    """The fields of a cfg.json, without its metadata."""
    found: dict[str, object] = DEFAULTS | {
        "architecture": config.saelens,
        "d_in": config.width,
        "d_sae": config.latents,
        "device": "cpu",
        "apply_b_dec_to_input": config.pre_bias,
        "normalize_activations": normalisation,
    }
    del found["rescale_acts_by_decoder_norm"]
    own = {
        "topk": {"k": config.k},
        "topk_transcoder": {"k": config.k},
        "matching_pursuit": {
            "residual_threshold": config.tolerance,
            "max_iterations": config.k,
            "stop_on_duplicate_support": config.stop_on_repeat,
        },
    }
    return found | own.get(config.saelens, {}) | ({"d_out": config.target_width} if config.transcodes else {})
