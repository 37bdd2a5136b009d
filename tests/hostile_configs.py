"""What people and attackers write into config.json and processor files: tables of values, one row an attack, and what has to
become of each."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import memjax
from memjax.models import families
from memjax.models.attributes import ALLOWED, SWITCHES
from memjax.preprocessing import ALLOWED as PROCESSOR_ALLOWED
from tests import tiny_families

NAN, INF = float("nan"), float("inf")

NO_NUMBER = [
    "8",
    "",
    "1e-6",
    None,
    True,
    False,
    [],
    {},
    [[]],
    {"height": 8, "width": 8},
    NAN,
    INF,
    -INF,
    -1,
    -(10**30),
    10**30,
]
BAD: dict[str, list[Any]] = {
    "whole": [*NO_NUMBER, 10**9, 2.5, 8.0, [8], 1e400],
    "number": [*NO_NUMBER, [0.1], 1e300],
    "flag": ["", "true", "no", None, 0, 1, 2.0, [], [True], {}, NAN],
    "text": ["relu", "GELU", "gelu ", "", None, 3, True, [], ["gelu"], {}, "\n", "\ud800", "x" * 10_000],
    "side": [*NO_NUMBER, 0, 10**6, 2.5, [8], [8, 8, 8], ["8", "8"], [8, None], [0, 8], [8, -8], [8, 10**9], [[8], 8]],
}
"""Values that no field of a kind can have."""


def attacks(model_type: str) -> Iterator[tuple[str, object]]:
    """Attribute and value, for each attribute that the family reads."""
    for attribute in dict(families.FAMILIES[model_type].read.values()):
        allowed = ALLOWED[attribute]
        for value in BAD[allowed.kind]:
            if not (allowed.optional and value is None):
                yield attribute, value


def outcome(folder: Path) -> str:
    """``"loads"``, or the one line of a refusal; anything else that is raised fails the test."""
    try:
        memjax.load(str(folder))
    except memjax.InputError as error:
        line = str(error)
        assert len(line.splitlines()) == 1, line
        assert len(line) < 2_000, line[:200]
        line.encode()  # an unpaired surrogate could not be printed
        assert str(folder) in line, line
        return line
    return "loads"


OTHER_SIZES: list[dict[str, Any]] = [
    {"num_hidden_layers": 1}, {"num_hidden_layers": 3}, {"num_hidden_layers": 512}, {"hidden_size": 48},
    {"hidden_size": 16384}, {"patch_size": 16}, {"patch_size": 4}, {"image_size": 64}, {"image_size": [32, 48]},
    {"intermediate_size": 37}, {"intermediate_size": 131072}, {"mlp_ratio": 3}, {"mlp_ratio": 64},
    {"use_swiglu_ffn": True}, {"use_gated_mlp": True}, {"num_register_tokens": 5}, {"num_register_tokens": 0},
    {"qkv_bias": False}, {"mlp_bias": False}, {"key_bias": True}, {"pooler_output_size": 7},
    {"decoder_hidden_size": 18}, {"decoder_num_hidden_layers": 2}, {"decoder_num_hidden_layers": 512},
    {"decoder_intermediate_size": 19}, {"image_size": 16384, "patch_size": 64},
]  # fmt: skip
"""Each is possible, but not with the weights that are there."""
CONTRADICTIONS: list[dict[str, Any]] = [
    {"num_attention_heads": 5}, {"patch_size": 33}, {"patch_size": [8, 4]}, {"image_size": 16384, "patch_size": 1},
    {"head_dim": 13}, {"decoder_num_attention_heads": 3}, {"mlp_ratio": 1e-9},
    *({name: value} for name in SWITCHES for value in (True, {"bits": 4}, "int8", 3, ["x"])),
    {"use_magic": None}, {"another": 1, "use_magic": True}, {"rope_parameters": {"type": "yarn"}}, {"is_causal": True},
    {"": 1}, {"a\nb": 1}, {"\ud800": 1}, {"x" * 5000: 1}, {f"a{i}": i for i in range(500)},
]  # fmt: skip


def many_attributes(count: int) -> str:
    return '{"model_type": "vit"' + "".join(f', "a{i}": 1' for i in range(count)) + "}"


STRUCTURES = {
    "empty": "", "half": '{"model_type": "vit"', "list": "[1, 2]", "number": "3", "null": "null", "text": '"vit"',
    "deep lists": '{"model_type": "vit", "x": ' + "[" * 10**5 + "]" * 10**5 + "}",
    "deep objects": '{"a":' * 10**5 + "1" + "}" * 10**5,
    "nested below the limit": '{"model_type": "vit", "hidden_size": ' + "[" * 600 + "]" * 600 + "}",
    "a million attributes": many_attributes(10**6),
    "a hundred thousand attributes": many_attributes(10**5),
    "a long name": json.dumps({"model_type": "vit", "x" * 10**6: 1}),
    "a long text": json.dumps({"model_type": "vit", "hidden_act": "x" * 10**6}),
    "a long list": json.dumps({"model_type": "vit", "image_size": [1] * 10**6}),
    "a long number": '{"model_type": "vit", "hidden_size": ' + "9" * 4000 + "}",
    "too long a number": '{"model_type": "vit", "hidden_size": ' + "9" * 10**5 + "}",
    "no type": "{}",
    **{f"type {i}": json.dumps({"model_type": kind}) for i, kind in enumerate(
        [None, 3, True, [], ["vit"], {}, {"vit": 1}, "", "VIT", "vit ", "resnet", "x" * 10**6, "\n", "\ud800", "__class__"])},
}  # fmt: skip


HALVES: list[dict[str, Any]] = [
    {"vision_config": value} for value in ([], [1], "vit", 3, True, 2.5, "")
] + [{"vision_config": tiny_families.MLP, "quantization_config": {"bits": 8}}, {"vision_config": {"x": 1}}]  # fmt: skip


CLASSES = ["CLIPImageProcessor", "BitImageProcessor", "SiglipImageProcessor", "ViTImageProcessor", "DeiTImageProcessorFast",
           "DINOv3ViTImageProcessorFast", "CLIPFeatureExtractor"]  # fmt: skip
BAD_SIZES = [0, -1, 10**9, "224", True, 2.5, [], [1], [1, 2, 3], {}, {"height": 8}, {"height": 8, "width": "8"},
             {"shortest_edge": 8, "longest_edge": 9}, {"height": 0, "width": 8}, {"max_height": 8}, NAN]  # fmt: skip


def processor_attacks() -> Iterator[tuple[str, object]]:
    for name, allowed in PROCESSOR_ALLOWED.items():
        yield from ((name, value) for value in BAD[allowed.kind] if value is not None and not _broadcast(name, value))
    for name in ("image_mean", "image_std"):
        wrong = [[0.5], [0.5] * 4, [0.5, 0.5, "x"], [0.5, None, 0.5], [0.5, NAN, 0.5], [1e300] * 3, [0.5] * 10**5]
        yield from ((name, value) for value in wrong)
    yield from (("size", value) for value in BAD_SIZES)
    yield from (("crop_size", value) for value in BAD_SIZES)
    yield from ((name, 1) for name in ("do_pad", "do_sharpen", "patch_size", "max_pixels", "", "a\nb", "x" * 5000))
    yield from (
        ("image_processor_type", value) for value in (3, [], {}, True, "", "ViT", "Siglip2ImageProcessor", "\ud800")
    )


def _broadcast(name: str, value: object) -> bool:
    """One mean for all channels may be negative; a list is of three."""
    return name == "image_mean" and value == -1
