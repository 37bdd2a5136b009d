"""The published numbers that runs are compared with: data, no code. Layers are memjax's (see `memjax.axes`).

CLIP's correlations are those of the released files, rounded to four decimals; SAE and GLM are the authors' own output.
"""

# Spearman's rho with MemCat's scores at layers 0..12.
RHO_BY_LAYER: dict[str, dict[str, tuple[float | None, ...]]] = {
    "CLIP": {
        "cls_mean": (
            None,
            0.3598,
            0.3017,
            0.2847,
            0.2452,
            0.2116,
            0.2009,
            0.2234,
            0.1767,
            0.1792,
            0.2463,
            0.1163,
            0.0785,
        ),
        "cls_max": (
            None,
            0.1254,
            0.0330,
            0.1179,
            0.0594,
            0.2334,
            0.0644,
            0.0546,
            -0.0985,
            -0.1754,
            -0.2678,
            -0.1869,
            -0.2403,
        ),
        "cls_max_abs": (
            None,
            0.0112,
            0.2197,
            0.0692,
            0.0623,
            -0.0126,
            0.2598,
            0.1780,
            -0.2106,
            -0.1348,
            -0.2793,
            -0.2999,
            -0.2585,
        ),
        "attention_entropy": (
            None,
            0.0549,
            -0.0761,
            0.0564,
            -0.0003,
            -0.0133,
            0.0001,
            -0.0367,
            0.0307,
            -0.1038,
            0.0043,
            0.1040,
            -0.1203,
        ),
        "patch_uniformity": (
            -0.0268,
            0.1129,
            -0.0954,
            -0.1029,
            -0.2059,
            -0.2299,
            -0.2583,
            -0.2468,
            -0.1829,
            -0.1634,
            -0.1879,
            -0.1877,
            -0.1039,
        ),
        "layer_delta": (
            None,
            -0.1108,
            0.2574,
            -0.2615,
            -0.2261,
            -0.0622,
            -0.1202,
            0.0030,
            -0.0453,
            0.0969,
            0.0398,
            0.2063,
            0.1932,
        ),
    },
}

RHO_PER_IMAGE: dict[str, dict[str, float]] = {"CLIP": {"delta_total": 0.2239, "delta_first_last": -0.2202}}

MAE_RHO = {"base": 0.0731, "large": 0.0562}
"""Spearman's rho of ViT-MAE's reconstruction loss."""

MAE_RHO_BY_SOURCE = {
    "base": {"coco": 0.0865, "without imagenet": 0.1177},
    "large": {"coco": 0.0780, "without imagenet": 0.0967},
}
"""The same among the images of one source, and of all but ImageNet."""

SAE_MEAN: dict[str, tuple[float, ...]] = {
    "CLIP": (0.327, 0.445, 0.517, 0.544, 0.556),
    "SigLIP2": (0.270, 0.343, 0.473, 0.542, 0.547),
}
"""Mean over five seeds of the SAE loss's rho, after epochs 1..5."""

SAE_STD: dict[str, tuple[float | None, ...]] = {
    "CLIP": (0.021, 0.015, 0.019, 0.013, 0.018),
    "SigLIP2": (None, None, None, None, 0.020),
}
"""Standard deviation (ddof 0) over seeds; None where not published."""

SAE_SPLIT_MEAN: dict[str, tuple[float, ...]] = {
    "CLIP": (0.377, 0.510, 0.539, 0.536, 0.536),
    "SigLIP2": (0.265, 0.440, 0.484, 0.478, 0.455),
}
"""`SAE_MEAN` of the authors' other regime (80 % of the images, batches of 4, 5e-4), read off their vector figure."""

SAE_TWENTY_EPOCHS: dict[str, tuple[float, ...]] = {
    "SigLIP2": (
        0.2573, 0.3884, 0.5169, 0.5776, 0.5795, 0.5654, 0.5344, 0.5166, 0.4558, 0.4063,
        0.4094, 0.4124, 0.3870, 0.3767, 0.2738, 0.2591, 0.2613, 0.2416, 0.2617, 0.2432,
    )
}  # fmt: skip
"""Rho of seed 0 after epochs 1..20, batch size 1 and no split (which their figures call "Single"), likewise."""

SAE_BEST = {"CLIP": 0.577, "SigLIP2": 0.580}
LATENT_MAGNITUDE = {"CLIP": 0.410, "SigLIP2": 0.322}

GLM_COLUMNS = ("cls_max", "cls_mean", "cls_max_abs", "patch_uniformity", "attention_entropy")
GLM_KEY = 10
"""The key that the paper's model reads from each file: hidden state 10, and for entropy the attention of block 11."""

GLM: dict[str, dict[str, float]] = {
    "DINOv2": {
        "deviance": 143.87,
        "log_likelihood": 7017.9,
        "cox_snell_r2": 0.2683,
        "coef intercept": 0.6932,
        "coef cls_max": 0.0144,
        "coef cls_mean": 0.0264,
        "coef cls_max_abs": 0.0144,
        "coef patch_uniformity": -0.0170,
        "coef attention_entropy": 0.0457,
        "z cls_max": 23.556,
        "z cls_mean": 20.171,
        "z cls_max_abs": 23.556,
        "z patch_uniformity": -10.574,
        "z attention_entropy": 27.745,
    },
    "CLIP": {"cox_snell_r2": 0.2229},
    "SigLIP2": {"cox_snell_r2": 0.2201},
}
"""DINOv2's is the authors' own output; of the others, what their released files give by the same script."""

GLM_GIVEN_CATEGORY: dict[str, dict[str, float]] = {
    "CLIP": {"r2_category": 0.442, "increment": 0.012},
    "DINOv2": {"r2_category": 0.442, "increment": 0.028},
    "SigLIP2": {"r2_category": 0.442, "increment": 0.006},
}
"""Not in the paper: what their released files give with an intercept for each of MemCat's five categories."""

# Lin et al. 2024, Pearson's r with 95 % interval: value, low, high.
ISOLA: dict[str, tuple[float, float, float]] = {
    "sparse_coding_error": (0.29, 0.26, 0.33),
    "nearest_neighbour": (0.36, 0.32, 0.40),
    "sparse_coding_error | nearest_neighbour": (0.16, 0.11, 0.20),
}

MEMCAT_SPLIT_HALF = 0.78
"""Split-half consistency of MemCat as published."""

CLAIMED_ENTROPY = -0.68
"""Correlation of attention entropy that a circulating summary of the paper claims."""
