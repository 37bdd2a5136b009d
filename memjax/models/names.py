"""Tensor names of transformers, current and legacy, and ours for them: (theirs, ours), applied in order."""

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
VIT_NAMES = (
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
DINO_NAMES = (
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
TWO_TOWER_NAMES = (
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

TEXT = ("text_model.", "text_projection.", "logit_scale", "logit_bias", "embeddings.position_ids")
CLASSIFIERS = ("classifier.", "cls_classifier.", "distillation_classifier.")
SIMMIM = ("decoder.0.",)  # the convolution that predicts masked pixels from the last layer
