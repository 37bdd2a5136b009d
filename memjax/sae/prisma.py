"""Prisma's folders (ViT-Prisma): config.json, and weights under the names that SAELens has.

Published ones keep their weights as torch files; `memjax.sae.convert_torch` makes safetensors of them. In Prisma the decoder's
bias is always subtracted first, and most published autoencoders normalise each vector (``layer_norm``).

Reference: Joseph et al. 2025, "Prisma", arXiv 2504.19475.
"""

from collections.abc import Mapping

from memjax.checks import InputError, expected
from memjax.sae.layouts import GATED, MOST_LATENTS, STANDARD, WIDEST, SAEPlan, config_in, layer_of, whole_number
from memjax.sae.normalisation import NORMALISATIONS
from memjax.sae.origin import SAEOrigin
from memjax.schema import Allowed, check_field, shown_name

CONFIG = "config.json"
MARKS = ("hook_point_layer", "activation_fn_str")
"""Fields that tell Prisma's config.json from others'."""

FIELDS: dict[str, Allowed] = {
    "architecture": Allowed("text", choices=("standard", "vanilla", "gated")),
    "d_in": Allowed("whole", 1, WIDEST),
    "d_sae": Allowed("whole", 1, MOST_LATENTS),
    "activation_fn_str": Allowed("text", choices=("relu", "topk")),
    "normalize_activations": Allowed("text", choices=tuple(NORMALISATIONS), optional=True),
    "hook_point_layer": Allowed("whole", 0, 1024),
    "is_transcoder": Allowed("flag"),
    "cls_token_only": Allowed("flag"),
    "use_patches_only": Allowed("flag"),
}
"""Fields that say what is computed, and of what."""
DEFAULTS: dict[str, object] = {
    "architecture": "standard",
    "normalize_activations": "layer_norm",
    "is_transcoder": False,
    "cls_token_only": False,
    "use_patches_only": False,
}
IGNORED = frozenset(
    """
    activation_fn_kwargs b_dec_init_method beta1 beta2 cached_activations_path checkpoint_path context_size d_out dataset_name
    dataset_path dataset_train_path dataset_val_path dead_feature_threshold dead_feature_window device dtype expansion_factor
    feature_sampling_window from_pretrained_path hook_point hook_point_head_index image_size initialization_method is_training
    l1_coefficient layer_out_subtype layer_subtype log_to_wandb lp_norm lr lr_scheduler_name lr_warm_up_steps max_grad_norm
    min_explained_variance min_l0 model_class_name model_name model_path n_batches_in_buffer n_checkpoints n_validation_runs
    num_epochs num_workers out_hook_point_layer return_out_only run_name seed sparsity_loss store_batch_size tokens_per_buffer
    total_training_images total_training_steps total_training_tokens train_batch_size transcoder_with_skip_connection
    unique_hash use_cached_activations use_ghost_grads verbose vit_model_cfg wandb_entity wandb_log_frequency wandb_project
    """.split()  # noqa: SIM905 (a word list reads better than quoted strings)
)
"""Fields of its training, and those that other fields repeat."""


def is_prisma(config: Mapping[str, object]) -> bool:
    """Whether a config.json is of Prisma's kind."""
    return all(name in config for name in MARKS)


def plan_of_prisma(config: Mapping[str, object], where: str) -> SAEPlan:
    """What a config.json of Prisma says.

    Raises:
        InputError: a field that is not known, or a value that is not possible here, by name.
    """
    values = DEFAULTS | dict(config)
    if unknown := sorted(values.keys() - FIELDS.keys() - IGNORED):
        names = ", ".join(map(shown_name, unknown[:12]))
        raise InputError(f"{where}: unknown fields {names}; they may change the autoencoder", "folder")
    block = values["hook_point_layer"]
    values["hook_point_layer"] = block[0] if isinstance(block, list) and len(block) == 1 else block
    for name, allowed in FIELDS.items():
        check_field(values.get(name), allowed, f"{where}, {name}", "folder")
    if values["is_transcoder"]:
        raise expected(f"{where}, is_transcoder", "false", "true", "only autoencoders are read")
    k = _budget(values, where)
    gated = values["architecture"] == "gated"
    variant = "gated" if gated else "topk" if k else "relu"
    sizes = {"width": values["d_in"], "latents": values["d_sae"]}
    return SAEPlan(
        config_in(where, sizes | {"variant": variant, "k": k or 1, "unit_norm": False}),
        GATED if gated else STANDARD,
        unused=("b_enc",) if gated else (),
        normalisation=str(values["normalize_activations"] or "none"),
        layer=layer_of(_place(values), whole_number(values["hook_point_layer"])),
        encoder=_text(values, "model_name"),
        origin=_origin(values),
    )


def _budget(values: Mapping[str, object], where: str) -> int:
    """The k of topk, 0 for relu."""
    if values["activation_fn_str"] == "relu":
        return 0
    if values["architecture"] == "gated":
        raise expected(f"{where}, activation_fn_str", "relu in a gated autoencoder", "topk", argument="folder")
    given = values.get("activation_fn_kwargs")
    found = given.get("k") if isinstance(given, Mapping) else None
    check_field(found, Allowed("whole", 1, MOST_LATENTS), f"{where}, activation_fn_kwargs, k", "folder")
    return whole_number(found)


def _place(values: Mapping[str, object]) -> str:
    written = _text(values, "hook_point")
    return written or f"blocks.{values['hook_point_layer']}.{_text(values, 'layer_subtype') or 'hook_resid_post'}"


def _origin(values: Mapping[str, object]) -> SAEOrigin:
    token = "cls" if values["cls_token_only"] else "patches" if values["use_patches_only"] else ""
    return SAEOrigin(
        format="Prisma",
        encoder_id=_text(values, "model_name"),
        place=_place(values),
        token=token,
        dataset=_text(values, "dataset_name"),
    )


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    return value[:200] if isinstance(value, str) else ""
