"""Which attributes a config.json may have: bounds of those that the ports read, and those that change nothing.

Any other attribute is refused by name, since it may change the architecture.
"""

from collections.abc import Iterable, Mapping

from memjax.checks import InputError
from memjax.schema import Allowed, shown, shown_name

ACTS = {"gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh", "quick_gelu": "quick_gelu",
        "silu": "silu", "swish": "silu"}  # fmt: skip
"""Names of activations in transformers -> `memjax.models.config.ACTIVATIONS`."""

WIDEST, DEEPEST, MOST_HEADS, LARGEST = 16384, 512, 1024, 16384
"""Beyond any published vision transformer: width, blocks, heads, and pixels of an image's side."""

_WIDTH, _MLP = Allowed("whole", 1, WIDEST), Allowed("whole", 1, 8 * WIDEST)
_DEPTH, _HEADS, _FLAG = Allowed("whole", 1, DEEPEST), Allowed("whole", 1, MOST_HEADS), Allowed("flag")

ALLOWED: dict[str, Allowed] = {
    "hidden_size": _WIDTH,
    "num_hidden_layers": _DEPTH,
    "num_attention_heads": _HEADS,
    "intermediate_size": _MLP,
    "image_size": Allowed("side", 1, LARGEST),
    "patch_size": Allowed("side", 1, LARGEST),
    "num_channels": Allowed("whole", 3, 3),
    "hidden_act": Allowed("text", choices=tuple(ACTS)),
    "layer_norm_eps": Allowed("number", 0, 1),
    "qkv_bias": _FLAG,
    "mlp_ratio": Allowed("number", 0, 64),
    "use_swiglu_ffn": _FLAG,
    "projection_dim": _WIDTH,
    "vision_use_head": _FLAG,
    "num_register_tokens": Allowed("whole", 0, 1024),
    "rope_theta": Allowed("number", 1e-3, 1e9),
    "use_gated_mlp": _FLAG,
    "query_bias": _FLAG,
    "key_bias": _FLAG,
    "value_bias": _FLAG,
    "proj_bias": _FLAG,
    "mlp_bias": _FLAG,
    "pooler_output_size": Allowed("whole", 0, WIDEST, optional=True),
    "pooler_act": Allowed("text", choices=("tanh",)),
    "decoder_hidden_size": _WIDTH,
    "decoder_num_hidden_layers": _DEPTH,
    "decoder_num_attention_heads": _HEADS,
    "decoder_intermediate_size": _MLP,
    "mask_ratio": Allowed("number", 0, 1),
    "norm_pix_loss": _FLAG,
}
"""Every attribute that a port reads."""

HARMLESS = frozenset(
    """
    add_cross_attention apply_layernorm architectures assistant_confidence_threshold assistant_lookbehind
    attention_dropout attention_probs_dropout_prob attn_implementation auto_map bad_words_ids base_model_ep_plan
    base_model_fsdp_plan base_model_pp_plan base_model_tp_plan begin_suppress_tokens bos_token_id
    chunk_size_feed_forward cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample
    drop_path_rate dropout dtype early_stopping encoder_no_repeat_ngram_size encoder_repetition_penalty
    encoder_stride eos_token_id epsilon_cutoff eta_cutoff experts_implementation exponential_decay_length_penalty
    finetuning_task forced_bos_token_id forced_eos_token_id gradient_checkpointing guidance_scale
    hidden_dropout_prob id2label ignore_mismatched_sizes image_processor_type initializer_factor initializer_range
    is_decoder is_encoder_decoder keys_to_ignore_at_inference label2id label_smoothing layerscale_value
    length_penalty logit_scale_init_value loss_type low_memory max_length max_new_tokens max_position_embeddings
    max_time min_length min_new_tokens min_p model_type name_or_path no_repeat_ngram_size num_assistant_tokens
    num_assistant_tokens_schedule num_beam_groups num_beams num_labels num_return_sequences out_features out_indices
    output_attentions output_hidden_states output_past output_scores pad_token_id penalty_alpha pos_embed_jitter
    pos_embed_rescale pos_embed_shift prefix problem_type pruned_heads remove_invalid_values renormalize_logits
    repetition_penalty reshape_hidden_states return_dict return_dict_in_generate semantic_loss_ignore_index
    sep_token_id sequence_bias stage_names stop_strings suppress_tokens target_lookbehind task_specific_params
    temperature text_config text_config_dict tf_legacy_loss tie_encoder_decoder tie_word_embeddings token_healing
    tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p use_bfloat16 use_cache
    use_mask_token use_return_dict vision_config_dict vocab_size xla_device
    """.split()  # noqa: SIM905 (a word list reads better than a hundred quoted strings)
)
"""Attributes without influence on a forward pass in evaluation mode: training, heads, text, generation, bookkeeping; beside
them every name that begins with an underscore, which transformers keeps for itself."""

SWITCHES = ("quantization_config", "per_layer_config", "tie_last_hidden_states", "rope_scaling")
"""Attributes that change the weights or the forward pass in a way that no port does, unless they are null, false or empty."""


def check_attributes(config: Mapping[str, object], read: Iterable[str], model_type: str, where: str) -> None:
    """Refuse attributes that may change the model.

    Args:
        config: the attributes.
        read: those that the port reads.
        model_type, where: for the error.

    Raises:
        InputError: naming all of them.

    Example:
        >>> check_attributes({"num_labels": 10, "_attn_implementation": "sdpa", "use_magic": True}, (), "vit", "config.json")
        Traceback (most recent call last):
        memjax.checks.InputError: config.json: unknown attributes for vit: use_magic; they may change the model
    """
    check_switches(config, where)
    known = HARMLESS | set(read) | set(SWITCHES) | {"projection_dim", "head_dim"}
    unknown = sorted(name for name in set(config) - known if not name.startswith("_"))
    if unknown:
        names = ", ".join(shown_name(name) for name in unknown[:12])
        more = f" and {len(unknown) - 12} more" if len(unknown) > 12 else ""
        raise InputError(f"{where}: unknown attributes for {model_type}: {names}{more}; they may change the model")


def check_switches(config: Mapping[str, object], where: str) -> None:
    """Refuse what only another model can do, named with its value.

    Raises:
        InputError: at the first of `SWITCHES` that is on.
    """
    for name in SWITCHES:
        value = config.get(name)
        if value is not None and value is not False and value != {}:
            raise InputError(
                f"{where}: {name} is {shown(value)}, which changes the model in a way that memjax does not do"
            )
