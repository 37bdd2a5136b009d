"""The families as rows: how a Hugging Face config.json reads as a `ViTConfig`, and how its tensors are named.

Adding a family is adding a row here. A config attribute that no row and no list knows is refused by name, since it may
change the architecture.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from memjax.checks import InputError
from memjax.models.config import DecoderConfig, ViTConfig
from memjax.models.port import Keys


class Family(NamedTuple):
    """One row.

    Attributes:
        read: field of `ViTConfig` -> (attribute of config.json, its default in transformers).
        fixed: fields that every member shares.
        keys: the names of its tensors.
    """

    read: dict[str, tuple[str, object]]
    fixed: dict[str, Any]
    keys: Keys


ACTS = {"gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh", "quick_gelu": "quick_gelu",
        "silu": "silu", "swish": "silu"}  # fmt: skip

# Attributes without influence on a forward pass in evaluation mode: training, generation, bookkeeping.
HARMLESS = frozenset(
    """
    _name_or_path add_cross_attention apply_layernorm architectures attention_dropout attention_probs_dropout_prob
    auto_map bad_words_ids begin_suppress_tokens bos_token_id chunk_size_feed_forward cross_attention_hidden_size
    decoder_start_token_id diversity_penalty do_sample drop_path_rate dropout dtype early_stopping
    encoder_no_repeat_ngram_size encoder_stride eos_token_id exponential_decay_length_penalty finetuning_task
    forced_bos_token_id forced_eos_token_id hidden_dropout_prob id2label initializer_factor initializer_range
    is_decoder is_encoder_decoder label2id layerscale_value length_penalty logit_scale_init_value max_length
    min_length model_type no_repeat_ngram_size num_beam_groups num_beams num_return_sequences out_features
    out_indices output_attentions output_hidden_states output_scores pad_token_id pos_embed_jitter
    pos_embed_rescale pos_embed_shift prefix problem_type pruned_heads remove_invalid_values repetition_penalty
    reshape_hidden_states return_dict return_dict_in_generate sep_token_id stage_names suppress_tokens
    task_specific_params temperature text_config text_config_dict tf_legacy_loss tie_encoder_decoder
    tie_word_embeddings tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p
    use_bfloat16 use_mask_token vision_config_dict
    """.split()  # noqa: SIM905 (a word list reads better than seventy quoted strings)
)

_SIZES = {
    "width": ("hidden_size", 768),
    "depth": ("num_hidden_layers", 12),
    "heads": ("num_attention_heads", 12),
    "image": ("image_size", 224),
    "patch": ("patch_size", 16),
    "channels": ("num_channels", 3),
}
_VIT = {
    **_SIZES,
    "mlp_width": ("intermediate_size", 3072),
    "activation": ("hidden_act", "gelu"),
    "eps": ("layer_norm_eps", 1e-12),
    "qkv_bias": ("qkv_bias", True),
}
_DINOV2 = {
    **_SIZES,
    "patch": ("patch_size", 14),
    "mlp_ratio": ("mlp_ratio", 4),
    "activation": ("hidden_act", "gelu"),
    "eps": ("layer_norm_eps", 1e-6),
    "qkv_bias": ("qkv_bias", True),
    "swiglu": ("use_swiglu_ffn", False),
}

_ATTENTION = (
    ("attention.attention.query", "attn.q"),
    ("attention.attention.key", "attn.k"),
    ("attention.attention.value", "attn.v"),
    ("attention.output.dense", "attn.o"),
    *((f"{part}.{x}_proj", f"attn.{x}") for part in ("attention", "self_attn") for x in "qkvo"),
    ("self_attn.out_proj", "attn.o"),
)
_EMBEDDINGS = (
    ("embeddings.cls_token", "cls"),
    ("embeddings.distillation_token", "distillation"),
    ("embeddings.register_tokens", "registers"),
    ("embeddings.position_embeddings", "position"),
    ("embeddings.patch_embeddings.projection", "patch"),
)
_VIT_NAMES = (
    ("decoder.decoder_layers.", "decoder.blocks."),
    ("decoder.decoder_pos_embed", "decoder.position"),
    ("decoder.decoder_pred", "decoder.predict"),
    ("decoder.decoder_", "decoder."),
    ("encoder.layer.", "blocks."),
    ("layers.", "blocks."),
    *_ATTENTION,
    ("intermediate.dense", "up"),
    ("output.dense", "down"),
    ("mlp.fc1", "up"),
    ("mlp.fc2", "down"),
    ("layernorm_before", "norm1"),
    ("layernorm_after", "norm2"),
    ("layernorm", "final_norm"),
    ("pooler.dense", "head"),
    *_EMBEDDINGS,
)
_DINO_NAMES = (
    ("encoder.layer.", "blocks."),
    *_ATTENTION,
    ("layer_scale1.lambda1", "scale1"),
    ("layer_scale2.lambda1", "scale2"),
    ("mlp.weights_in", "gate_up"),
    ("mlp.weights_out", "down"),
    ("mlp.gate_proj", "gate"),
    ("mlp.up_proj", "up"),
    ("mlp.down_proj", "down"),
    ("mlp.fc1", "up"),
    ("mlp.fc2", "down"),
    ("layernorm", "final_norm"),
    *_EMBEDDINGS,
)
_TWO_TOWER_NAMES = (
    ("head.attention.in_proj_", "head.attn.qkv."),
    ("head.attention.out_proj", "head.attn.o"),
    ("head.layernorm", "head.norm"),
    ("encoder.layers.", "blocks."),
    *_ATTENTION,
    ("layer_norm", "norm"),
    ("mlp.fc1", "up"),
    ("mlp.fc2", "down"),
    ("pre_layrnorm", "pre_norm"),
    ("post_layernorm", "final_norm"),
    ("embeddings.class_embedding", "cls"),
    ("embeddings.patch_embedding", "patch"),
    ("embeddings.position_embedding.weight", "position"),
    ("visual_projection", "head"),
)
_TEXT = ("text_model.", "text_projection.", "logit_scale", "logit_bias", "embeddings.position_ids")
_CLASSIFIERS = ("classifier.", "cls_classifier.", "distillation_classifier.")

_CLIP = Family(
    read={**_SIZES, "patch": ("patch_size", 32), "mlp_width": ("intermediate_size", 3072),
          "activation": ("hidden_act", "quick_gelu"), "eps": ("layer_norm_eps", 1e-5),
          "pool_width": ("projection_dim", 512)},
    fixed={"patch_bias": False, "pre_norm": True, "pool": "projection"},
    keys=Keys(("vision_model.",), _TWO_TOWER_NAMES, _TEXT),
)  # fmt: skip
_SIGLIP = Family(
    read={**_SIZES, "mlp_width": ("intermediate_size", 3072), "activation": ("hidden_act", "gelu_pytorch_tanh"),
          "eps": ("layer_norm_eps", 1e-6), "use_head": ("vision_use_head", True)},
    fixed={"cls": False, "pool": "attention"},
    keys=Keys(("vision_model.",), _TWO_TOWER_NAMES, _TEXT),
)  # fmt: skip

FAMILIES: dict[str, Family] = {
    "clip": _CLIP,
    "clip_vision_model": _CLIP,
    "siglip": _SIGLIP,
    "siglip_vision_model": _SIGLIP,
    "dinov2": Family(
        read=_DINOV2,
        fixed={"layer_scale": True, "interpolate": True, "pool": "cls"},
        keys=Keys(("dinov2.",), _DINO_NAMES, ("embeddings.mask_token", *_CLASSIFIERS)),
    ),
    "dinov2_with_registers": Family(
        read={**_DINOV2, "patch": ("patch_size", 16), "registers": ("num_register_tokens", 4)},
        fixed={"layer_scale": True, "interpolate": True, "antialias": True, "pool": "cls"},
        keys=Keys(("dinov2_with_registers.",), _DINO_NAMES, ("embeddings.mask_token", *_CLASSIFIERS)),
    ),
    "dinov3_vit": Family(
        read={**_SIZES, "width": ("hidden_size", 384), "heads": ("num_attention_heads", 6),
              "mlp_width": ("intermediate_size", 1536), "activation": ("hidden_act", "gelu"),
              "eps": ("layer_norm_eps", 1e-5), "rope_theta": ("rope_theta", 100.0), "gated": ("use_gated_mlp", False),
              "registers": ("num_register_tokens", 0), "query_bias": ("query_bias", True),
              "key_bias": ("key_bias", False), "value_bias": ("value_bias", True), "out_bias": ("proj_bias", True),
              "mlp_bias": ("mlp_bias", True)},
        fixed={"layer_scale": True, "position": "rotary", "interpolate": True, "pool": "cls"},
        keys=Keys(
            (),
            (("model.layer.", "blocks."), ("layer.", "blocks."), *_DINO_NAMES, ("norm.", "final_norm."),
             ("embeddings.patch_embeddings", "patch")),
            ("embeddings.mask_token", "rope_embeddings."),
        ),
    ),
    "vit": Family(
        read={**_VIT, "pool_width": ("pooler_output_size", None), "pooler_act": ("pooler_act", "tanh")},
        fixed={"pool": "pooler"},
        keys=Keys(("vit.",), _VIT_NAMES, ("embeddings.mask_token", *_CLASSIFIERS)),
    ),
    "deit": Family(
        read={**_VIT, "pool_width": ("pooler_output_size", None), "pooler_act": ("pooler_act", "tanh")},
        fixed={"pool": "pooler", "distillation": True},
        keys=Keys(("deit.",), _VIT_NAMES, ("embeddings.mask_token", *_CLASSIFIERS)),
    ),
    "vit_mae": Family(
        read={**_VIT, "decoder_width": ("decoder_hidden_size", 512), "decoder_depth": ("decoder_num_hidden_layers", 8),
              "decoder_heads": ("decoder_num_attention_heads", 16),
              "decoder_mlp_width": ("decoder_intermediate_size", 2048), "mask_ratio": ("mask_ratio", 0.75),
              "norm_pix_loss": ("norm_pix_loss", False)},
        fixed={"pool": "cls"},
        keys=Keys(("vit.",), _VIT_NAMES, ()),
    ),
}  # fmt: skip


def read_config(config: Mapping[str, Any], where: str) -> tuple[ViTConfig, Keys]:
    """The architecture that a config.json states, and its family's tensor names.

    Args:
        config: the parsed file; for CLIP and SigLIP the vision half is taken, if it holds both.
        where: the file, for the error.

    Raises:
        InputError: unknown ``model_type``, unknown attributes (all named), or values that cannot be.
    """
    model_type = config.get("model_type")
    if model_type not in FAMILIES:
        raise InputError(f"{where}: model_type {model_type!r} is not one of {', '.join(sorted(FAMILIES))}")
    family = FAMILIES[model_type]
    vision = {**config.get("vision_config", {})} if "vision_config" in config else dict(config)
    if "projection_dim" in config:
        vision["projection_dim"] = config["projection_dim"]
    known = {attribute for attribute, _ in family.read.values()} | HARMLESS
    unknown = sorted(set(vision) - known - {"projection_dim"})
    if unknown:
        raise InputError(
            f"{where}: unknown attributes for {model_type}: {', '.join(unknown)}; they may change the model"
        )
    values = {field: vision.get(attribute, default) for field, (attribute, default) in family.read.items()}
    try:
        return _build(model_type, values, family.fixed), family.keys
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: {error}") from error


def _build(model_type: str, values: dict[str, Any], fixed: dict[str, Any]) -> ViTConfig:
    """Derived fields: sizes as pairs, the MLP's width from its ratio, one bias flag for three projections."""
    fields = {**values, **fixed, "family": model_type.removesuffix("_vision_model")}
    if fields.pop("channels") != 3:
        raise ValueError("num_channels: expected 3 (colour images)")
    if wrong := [n for n in ("width", "depth", "heads", "mlp_width") if not isinstance(fields.get(n, 1), int)]:
        raise ValueError(f"{wrong[0]}: expected a whole number, got {fields[wrong[0]]!r}")
    fields["image"] = _pair(fields["image"])
    patch = _pair(fields["patch"])
    if patch[0] != patch[1]:
        raise ValueError(f"patch_size: expected a square, got {patch}")
    fields["patch"] = patch[0]
    if fields["activation"] not in ACTS:
        raise ValueError(f"hidden_act: expected one of {', '.join(ACTS)}, got {fields['activation']!r}")
    fields["activation"] = ACTS[fields["activation"]]
    if "qkv_bias" in fields:
        bias = fields.pop("qkv_bias")
        fields |= {"query_bias": bias, "key_bias": bias, "value_bias": bias}
    if "mlp_ratio" in fields:
        wide = int(fields["width"] * fields.pop("mlp_ratio"))
        fields["gated"] = fields.pop("swiglu")
        fields["mlp_width"] = (int(wide * 2 / 3) + 7) // 8 * 8 if fields["gated"] else wide
        fields["activation"] = "silu" if fields["gated"] else fields["activation"]  # transformers' SwiGLU fixes silu
    if fields.pop("pooler_act", "tanh") != "tanh":
        raise ValueError("pooler_act: expected tanh")
    if not fields.pop("use_head", True):
        fields["pool"] = "none"
    if "decoder_width" in fields:
        names = ("width", "depth", "heads", "mlp_width")
        sizes = {n: fields.pop(f"decoder_{n}") for n in names}
        fields["decoder"] = DecoderConfig(
            **sizes, mask_ratio=fields.pop("mask_ratio"), norm_pix_loss=fields.pop("norm_pix_loss")
        )
    fields["pool_width"] = fields.get("pool_width") or fields["width"]
    return ViTConfig(**fields)


def _pair(size: int | list[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
