"""timm's plain vision transformers: what the name of an architecture says, in the words of timm's own constructors.

A folder of timm's names its architecture and no sizes, so that they stand here, as in timm 1.0.31 (`tests/parity` compares every
row with timm itself). Beside timm's words there are three: ``eps`` of the layer norms, ``swiglu`` for a packed gated MLP, and
``distilled`` for a second token with a position. Adding an architecture is adding a row.
"""

Value = int | float | bool | str
Row = dict[str, Value]


def _row(patch_size: int, *parts: Row, **more: Value) -> Row:
    """One architecture: sizes and kind, and what it has of its own."""
    return {"patch_size": patch_size, **{name: value for part in parts for name, value in part.items()}, **more}


TINY: Row = {"embed_dim": 192, "depth": 12, "num_heads": 3}
SMALL: Row = {"embed_dim": 384, "depth": 12, "num_heads": 6}
MEDIUM: Row = {"embed_dim": 512, "depth": 12, "num_heads": 8}
MEDIUM_D: Row = {"embed_dim": 512, "depth": 20, "num_heads": 8}
BETWIXT: Row = {"embed_dim": 640, "depth": 12, "num_heads": 10}
BASE: Row = {"embed_dim": 768, "depth": 12, "num_heads": 12}
PLUS: Row = {"embed_dim": 896, "depth": 12, "num_heads": 14}
LARGE: Row = {"embed_dim": 1024, "depth": 24, "num_heads": 16}
HUGE: Row = {"embed_dim": 1280, "depth": 32, "num_heads": 16}
HUGE_PLUS: Row = {"embed_dim": 1280, "depth": 32, "num_heads": 20}
SO150M: Row = {"embed_dim": 896, "depth": 18, "num_heads": 14, "mlp_ratio": 2.572}
SO150M2: Row = {"embed_dim": 832, "depth": 21, "num_heads": 13, "mlp_ratio": 2.6153846153846154}
SO400M: Row = {"embed_dim": 1152, "depth": 27, "num_heads": 16, "mlp_ratio": 3.7362}
SO400M_9: Row = {"embed_dim": 1152, "depth": 27, "num_heads": 16, "mlp_ratio": 3.736111111111111}
GIANT: Row = {"embed_dim": 1408, "depth": 40, "num_heads": 16, "mlp_ratio": 4.363636363636363}
GIANT_OPT: Row = {"embed_dim": 1536, "depth": 40, "num_heads": 16}
GIANT_SWIGLU: Row = {
    "embed_dim": 1536,
    "depth": 40,
    "num_heads": 24,
    "mlp_ratio": 5.33334,
    "swiglu": True,
    "act_layer": "silu",
}
GIGANTIC: Row = {"embed_dim": 1664, "depth": 48, "num_heads": 16, "mlp_ratio": 4.923076923076923}
LITTLE: Row = {"embed_dim": 320, "depth": 14, "num_heads": 5, "mlp_ratio": 5.6}

CLIP: Row = {"pre_norm": True, "eps": 1e-05}
QUICK: Row = {**CLIP, "act_layer": "quick_gelu"}
SCALED: Row = {"init_values": 1e-05}
REG4: Row = {"init_values": 1e-05, "reg_tokens": 4, "no_embed_class": True}
TIPS: Row = {"init_values": 1.0, "reg_tokens": 1, "no_embed_class": True}
DEIT3: Row = {"init_values": 1e-06, "no_embed_class": True}
DISTILLED: Row = {"distilled": True}
FLEXI: Row = {"no_embed_class": True}
GAP: Row = {"class_token": False, "global_pool": "avg", "fc_norm": False}
GAP_TANH: Row = {**GAP, "act_layer": "gelu_tanh"}
GAP_SCALED: Row = {**GAP, "qkv_bias": False, "init_values": 1e-06}
MAP: Row = {"class_token": False, "global_pool": "map"}
MAP_TANH: Row = {**MAP, "act_layer": "gelu_tanh"}
REG1_GAP: Row = {
    "class_token": False,
    "global_pool": "avg",
    "init_values": 1e-05,
    "no_embed_class": True,
    "reg_tokens": 1,
}
REG4_GAP: Row = {**REG1_GAP, "reg_tokens": 4}
REG1_PLACED: Row = {
    "class_token": False,
    "global_pool": "avg",
    "init_values": 1e-05,
    "qkv_bias": False,
    "reg_tokens": 1,
}
RADIO: Row = {"img_size": 512, "reg_tokens": 7, "no_embed_class": True, "final_norm": False}
RADIO_9: Row = {**RADIO, "reg_tokens": 9}
RADIO_SCALED: Row = {**RADIO, "init_values": 1e-05}

VIT: dict[str, Row] = {
    "eva_large_patch14_196": _row(14, LARGE, global_pool="avg"),
    "eva_large_patch14_336": _row(14, LARGE, global_pool="avg"),
    "flexivit_base": _row(16, BASE, FLEXI),
    "flexivit_large": _row(16, LARGE, FLEXI),
    "flexivit_small": _row(16, SMALL, FLEXI),
    "test_vit": _row(16, embed_dim=64, depth=6, num_heads=2, mlp_ratio=3, dynamic_img_size=True),
    "test_vit2": _row(
        16,
        SCALED,
        embed_dim=64,
        depth=8,
        num_heads=2,
        mlp_ratio=3,
        class_token=False,
        reg_tokens=1,
        global_pool="avg",
        dynamic_img_size=True,
    ),
    "test_vit3": _row(
        16,
        MAP,
        embed_dim=96,
        depth=9,
        num_heads=3,
        mlp_ratio=2,
        reg_tokens=1,
        pool_include_prefix=True,
        init_values=1e-05,
    ),
    "vit_base_patch8_224": _row(8, BASE),
    "vit_base_patch14_dinov2": _row(14, BASE, SCALED),
    "vit_base_patch14_reg1_tipsv2": _row(14, BASE, TIPS),
    "vit_base_patch14_reg4_dinov2": _row(14, BASE, REG4),
    "vit_base_patch16_224": _row(16, BASE),
    "vit_base_patch16_224_miil": _row(16, BASE, qkv_bias=False),
    "vit_base_patch16_384": _row(16, BASE),
    "vit_base_patch16_clip_224": _row(16, BASE, CLIP),
    "vit_base_patch16_clip_384": _row(16, BASE, CLIP),
    "vit_base_patch16_clip_quickgelu_224": _row(16, BASE, QUICK),
    "vit_base_patch16_gap_224": _row(16, GAP, embed_dim=768, depth=12, num_heads=16),
    "vit_base_patch16_plus_240": _row(16, PLUS, SCALED),
    "vit_base_patch16_plus_clip_240": _row(16, PLUS, CLIP),
    "vit_base_patch16_radio_v3": _row(16, BASE, RADIO_SCALED),
    "vit_base_patch16_reg4_gap_256": _row(16, BASE, FLEXI, class_token=False, global_pool="avg", reg_tokens=4),
    "vit_base_patch16_siglip_224": _row(16, BASE, MAP),
    "vit_base_patch16_siglip_256": _row(16, BASE, MAP),
    "vit_base_patch16_siglip_384": _row(16, BASE, MAP),
    "vit_base_patch16_siglip_512": _row(16, BASE, MAP),
    "vit_base_patch16_siglip_gap_224": _row(16, BASE, GAP),
    "vit_base_patch16_siglip_gap_256": _row(16, BASE, GAP),
    "vit_base_patch16_siglip_gap_384": _row(16, BASE, GAP),
    "vit_base_patch16_siglip_gap_512": _row(16, BASE, GAP),
    "vit_base_patch32_224": _row(32, BASE),
    "vit_base_patch32_384": _row(32, BASE),
    "vit_base_patch32_clip_224": _row(32, BASE, CLIP),
    "vit_base_patch32_clip_256": _row(32, BASE, CLIP),
    "vit_base_patch32_clip_384": _row(32, BASE, CLIP),
    "vit_base_patch32_clip_448": _row(32, BASE, CLIP),
    "vit_base_patch32_clip_quickgelu_224": _row(32, BASE, QUICK),
    "vit_base_patch32_plus_256": _row(32, PLUS, SCALED),
    "vit_base_patch32_siglip_256": _row(32, BASE, MAP_TANH),
    "vit_base_patch32_siglip_gap_256": _row(32, BASE, GAP_TANH),
    "vit_betwixt_patch16_gap_256": _row(16, BETWIXT, GAP_SCALED),
    "vit_betwixt_patch16_reg1_gap_256": _row(16, BETWIXT, REG1_GAP),
    "vit_betwixt_patch16_reg4_gap_256": _row(16, BETWIXT, REG4_GAP),
    "vit_betwixt_patch16_reg4_gap_384": _row(16, BETWIXT, REG4_GAP),
    "vit_betwixt_patch32_clip_224": _row(32, BETWIXT, CLIP),
    "vit_giant_patch14_224": _row(14, GIANT),
    "vit_giant_patch14_clip_224": _row(14, GIANT, CLIP),
    "vit_giant_patch14_dinov2": _row(14, GIANT_SWIGLU, SCALED),
    "vit_giant_patch14_reg1_tipsv2": _row(14, GIANT_SWIGLU, TIPS),
    "vit_giant_patch14_reg4_dinov2": _row(14, GIANT_SWIGLU, REG4),
    "vit_giant_patch16_gap_224": _row(16, GIANT, GAP),
    "vit_giant_patch16_radio_v3": _row(16, RADIO, embed_dim=1536, depth=40, num_heads=24),
    "vit_giantopt_patch16_siglip_256": _row(16, GIANT_OPT, MAP_TANH),
    "vit_giantopt_patch16_siglip_384": _row(16, GIANT_OPT, MAP_TANH),
    "vit_giantopt_patch16_siglip_gap_256": _row(16, GIANT_OPT, GAP_TANH),
    "vit_giantopt_patch16_siglip_gap_384": _row(16, GIANT_OPT, GAP_TANH),
    "vit_gigantic_patch14_224": _row(14, GIGANTIC),
    "vit_gigantic_patch14_clip_224": _row(14, GIGANTIC, CLIP),
    "vit_gigantic_patch14_clip_378": _row(14, GIGANTIC, CLIP),
    "vit_gigantic_patch14_clip_quickgelu_224": _row(14, GIGANTIC, QUICK),
    "vit_huge_patch14_224": _row(14, HUGE),
    "vit_huge_patch14_clip_224": _row(14, HUGE, CLIP),
    "vit_huge_patch14_clip_336": _row(14, HUGE, CLIP),
    "vit_huge_patch14_clip_378": _row(14, HUGE, CLIP),
    "vit_huge_patch14_clip_quickgelu_224": _row(14, HUGE, QUICK),
    "vit_huge_patch14_clip_quickgelu_378": _row(14, HUGE, QUICK),
    "vit_huge_patch14_gap_224": _row(14, HUGE, GAP),
    "vit_huge_patch16_gap_448": _row(16, HUGE, GAP),
    "vit_huge_patch16_radio_v3": _row(16, HUGE, RADIO),
    "vit_huge_patch16_radio_v4": _row(16, HUGE, RADIO_9),
    "vit_intern300m_patch14_448": _row(14, LARGE, init_values=0.1, final_norm=False, dynamic_img_size=True),
    "vit_large_patch14_224": _row(14, LARGE),
    "vit_large_patch14_clip_224": _row(14, LARGE, CLIP),
    "vit_large_patch14_clip_336": _row(14, LARGE, CLIP),
    "vit_large_patch14_clip_quickgelu_224": _row(14, LARGE, QUICK),
    "vit_large_patch14_clip_quickgelu_336": _row(14, LARGE, QUICK),
    "vit_large_patch14_dinov2": _row(14, LARGE, SCALED),
    "vit_large_patch14_reg1_tipsv2": _row(14, LARGE, TIPS),
    "vit_large_patch14_reg4_dinov2": _row(14, LARGE, REG4),
    "vit_large_patch16_224": _row(16, LARGE),
    "vit_large_patch16_384": _row(16, LARGE),
    "vit_large_patch16_radio_v3": _row(16, LARGE, RADIO_SCALED),
    "vit_large_patch16_siglip_256": _row(16, LARGE, MAP),
    "vit_large_patch16_siglip_384": _row(16, LARGE, MAP),
    "vit_large_patch16_siglip_512": _row(16, LARGE, MAP_TANH),
    "vit_large_patch16_siglip_gap_256": _row(16, LARGE, GAP),
    "vit_large_patch16_siglip_gap_384": _row(16, LARGE, GAP),
    "vit_large_patch16_siglip_gap_512": _row(16, LARGE, GAP_TANH),
    "vit_large_patch32_224": _row(32, LARGE),
    "vit_large_patch32_384": _row(32, LARGE),
    "vit_little_patch16_reg1_gap_256": _row(16, LITTLE, REG1_GAP),
    "vit_little_patch16_reg4_gap_256": _row(16, LITTLE, REG4_GAP),
    "vit_medium_patch16_clip_224": _row(16, MEDIUM, CLIP),
    "vit_medium_patch16_gap_240": _row(16, MEDIUM, GAP_SCALED),
    "vit_medium_patch16_gap_256": _row(16, MEDIUM, GAP_SCALED),
    "vit_medium_patch16_gap_384": _row(16, MEDIUM, GAP_SCALED),
    "vit_medium_patch16_reg1_gap_256": _row(16, MEDIUM, REG1_GAP),
    "vit_medium_patch16_reg4_gap_256": _row(16, MEDIUM, REG4_GAP),
    "vit_medium_patch32_clip_224": _row(32, MEDIUM, CLIP),
    "vit_mediumd_patch16_reg4_gap_256": _row(16, MEDIUM_D, REG4_GAP),
    "vit_mediumd_patch16_reg4_gap_384": _row(16, MEDIUM_D, REG4_GAP),
    "vit_small_patch8_224": _row(8, SMALL),
    "vit_small_patch14_dinov2": _row(14, SMALL, SCALED),
    "vit_small_patch14_reg4_dinov2": _row(14, SMALL, REG4),
    "vit_small_patch16_36x1_224": _row(16, SCALED, embed_dim=384, depth=36, num_heads=6),
    "vit_small_patch16_224": _row(16, SMALL),
    "vit_small_patch16_384": _row(16, SMALL),
    "vit_small_patch32_224": _row(32, SMALL),
    "vit_small_patch32_384": _row(32, SMALL),
    "vit_so150m2_patch16_reg1_gap_256": _row(16, SO150M2, REG1_PLACED),
    "vit_so150m2_patch16_reg1_gap_384": _row(16, SO150M2, REG1_PLACED),
    "vit_so150m2_patch16_reg1_gap_448": _row(16, SO150M2, REG1_PLACED),
    "vit_so150m_patch16_reg4_gap_256": _row(16, SO150M, GAP, reg_tokens=4),
    "vit_so150m_patch16_reg4_gap_384": _row(16, SO150M, GAP, reg_tokens=4),
    "vit_so150m_patch16_reg4_map_256": _row(16, SO150M, MAP, reg_tokens=4),
    "vit_so400m_patch14_reg1_tipsv2": _row(14, SO400M_9, TIPS),
    "vit_so400m_patch14_siglip_224": _row(14, SO400M, MAP),
    "vit_so400m_patch14_siglip_378": _row(14, SO400M, MAP),
    "vit_so400m_patch14_siglip_384": _row(14, SO400M, MAP),
    "vit_so400m_patch14_siglip_gap_224": _row(14, SO400M, GAP),
    "vit_so400m_patch14_siglip_gap_378": _row(14, SO400M, GAP),
    "vit_so400m_patch14_siglip_gap_384": _row(14, SO400M, GAP),
    "vit_so400m_patch14_siglip_gap_448": _row(14, SO400M, GAP),
    "vit_so400m_patch14_siglip_gap_896": _row(14, SO400M, GAP),
    "vit_so400m_patch16_radio_v4": _row(16, SO400M_9, RADIO_9),
    "vit_so400m_patch16_siglip_256": _row(16, SO400M, MAP_TANH),
    "vit_so400m_patch16_siglip_384": _row(16, SO400M, MAP_TANH),
    "vit_so400m_patch16_siglip_512": _row(16, SO400M, MAP_TANH),
    "vit_so400m_patch16_siglip_gap_256": _row(16, SO400M, GAP_TANH),
    "vit_so400m_patch16_siglip_gap_384": _row(16, SO400M, GAP_TANH),
    "vit_so400m_patch16_siglip_gap_512": _row(16, SO400M, GAP_TANH),
    "vit_tiny_patch16_224": _row(16, TINY),
    "vit_tiny_patch16_384": _row(16, TINY),
    "vit_wee_patch16_reg1_gap_256": _row(16, REG1_GAP, embed_dim=256, depth=14, num_heads=4, mlp_ratio=5),
    "vit_xsmall_patch16_clip_224": _row(16, CLIP, embed_dim=256, depth=10, num_heads=4),
    "deit3_base_patch16_224": _row(16, BASE, DEIT3),
    "deit3_base_patch16_384": _row(16, BASE, DEIT3),
    "deit3_huge_patch14_224": _row(14, HUGE, DEIT3),
    "deit3_large_patch16_224": _row(16, LARGE, DEIT3),
    "deit3_large_patch16_384": _row(16, LARGE, DEIT3),
    "deit3_medium_patch16_224": _row(16, MEDIUM, DEIT3),
    "deit3_small_patch16_224": _row(16, SMALL, DEIT3),
    "deit3_small_patch16_384": _row(16, SMALL, DEIT3),
    "deit_base_distilled_patch16_224": _row(16, BASE, DISTILLED),
    "deit_base_distilled_patch16_384": _row(16, BASE, DISTILLED),
    "deit_base_patch16_224": _row(16, BASE),
    "deit_base_patch16_384": _row(16, BASE),
    "deit_small_distilled_patch16_224": _row(16, SMALL, DISTILLED),
    "deit_small_patch16_224": _row(16, SMALL),
    "deit_tiny_distilled_patch16_224": _row(16, TINY, DISTILLED),
    "deit_tiny_patch16_224": _row(16, TINY),
}
"""Architectures of timm's class VisionTransformer."""

DINOV3: Row = {
    "dynamic_img_size": True,
    "eps": 1e-05,
    "init_values": 1e-05,
    "num_reg_tokens": 4,
    "qkv_bias": False,
    "rope_rotate_half": True,
    "rope_temperature": 100,
    "rope_type": "dinov3",
    "use_abs_pos_emb": False,
    "use_fc_norm": False,
    "use_rot_pos_emb": True,
}
BIASED: Row = {**DINOV3, "qkv_bias": True}
LINGBOT: Row = {**BIASED, "global_pool": "token"}

EVA: dict[str, Row] = {
    "vit_7b_patch16_dinov3": _row(
        16, DINOV3, embed_dim=4096, depth=40, num_heads=32, mlp_ratio=2, swiglu_mlp=True, swiglu_align_to=64
    ),
    "vit_base_patch16_dinov3": _row(16, BASE, DINOV3),
    "vit_base_patch16_dinov3_qkvb": _row(16, BASE, BIASED),
    "vit_base_patch16_lingbot": _row(16, BASE, LINGBOT),
    "vit_giant_patch16_lingbot": _row(
        16,
        DINOV3,
        embed_dim=1536,
        depth=40,
        num_heads=24,
        global_pool="token",
        mlp_ratio=2.6666666666666665,
        swiglu_mlp=True,
        swiglu_align_to=8,
    ),
    "vit_huge_plus_patch16_dinov3": _row(16, HUGE_PLUS, DINOV3, swiglu_mlp=True, swiglu_align_to=8),
    "vit_huge_plus_patch16_dinov3_qkvb": _row(16, HUGE_PLUS, BIASED, swiglu_mlp=True, swiglu_align_to=8),
    "vit_large_patch16_dinov3": _row(16, LARGE, DINOV3),
    "vit_large_patch16_dinov3_qkvb": _row(16, LARGE, BIASED),
    "vit_large_patch16_lingbot": _row(16, LARGE, LINGBOT),
    "vit_small_patch16_dinov3": _row(16, SMALL, DINOV3),
    "vit_small_patch16_dinov3_qkvb": _row(16, SMALL, BIASED),
    "vit_small_patch16_lingbot": _row(16, SMALL, LINGBOT),
    "vit_small_plus_patch16_dinov3": _row(16, SMALL, DINOV3, swiglu_mlp=True, swiglu_align_to=8),
    "vit_small_plus_patch16_dinov3_qkvb": _row(16, SMALL, BIASED, swiglu_mlp=True, swiglu_align_to=8),
    "vit_tiny_patch16_dinov3_qkvb": _row(16, TINY, BIASED),
}
"""Architectures of timm's class Eva that are DINOv3's."""
