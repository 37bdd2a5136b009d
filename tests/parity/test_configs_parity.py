"""Configs and processor files as transformers reads them: two halves, attributes that it ignores, processors without a type."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="parity needs torch (CPU build) and transformers")
transformers = pytest.importorskip("transformers")

import memjax
from memjax.models.attributes import HARMLESS
from tests.parity import hf

T = transformers
SIZES = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 36}
VISION = {**SIZES, "image_size": 30, "patch_size": 10}
TEXT = {**SIZES, "vocab_size": 50, "max_position_embeddings": 12}
OTHER = {**VISION, "num_attention_heads": 4, "layer_norm_eps": 0.1}
PIXELS = np.random.default_rng(5).normal(size=(2, 30, 30, 3)).astype(np.float32)

HALVES = {
    "one": {"vision_config": VISION},
    "dict alone": {"vision_config_dict": VISION},
    "two that agree": {"vision_config": VISION, "vision_config_dict": VISION},
    "two that differ": {"vision_config": VISION, "vision_config_dict": OTHER},
    "dict leaves an activation out": {"vision_config": {**VISION, "hidden_act": "gelu"}, "vision_config_dict": VISION},
    "dict null": {"vision_config": {**VISION, "hidden_act": "gelu"}, "vision_config_dict": None},
    "config null": {"vision_config": None, "vision_config_dict": VISION},
    "config empty": {"vision_config": {}, "vision_config_dict": VISION},
    "dict empty": {"vision_config": VISION, "vision_config_dict": {}},
    "empty alone": {"vision_config": {}},
    "null alone": {"vision_config": None},
    "a list": {"vision_config": VISION, "vision_config_dict": []},
}


@pytest.fixture(scope="module", params=["CLIP", "Siglip"])
def two_towers(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "m"
    options = {"projection_dim": 20} if request.param == "CLIP" else {}
    config = getattr(T, f"{request.param}Config")(text_config=TEXT, vision_config=VISION, **options)
    hf.build(f"{request.param}Model", config, folder)
    return request.param, folder


@pytest.mark.parametrize("halves", HALVES)
def test_halves(two_towers, halves, tmp_path):
    """The same hidden states, or refused by both."""
    family, source = two_towers
    folder = shutil.copytree(source, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    config = {name: value for name, value in config.items() if not name.startswith("vision_config")} | HALVES[halves]
    (folder / "config.json").write_text(json.dumps(config))
    try:
        model = getattr(T, f"{family}Model").from_pretrained(folder, attn_implementation="eager").eval()
    except (RuntimeError, TypeError):  # tensors that do not fit, or no object
        with pytest.raises(memjax.InputError):
            memjax.load(str(folder))
        return
    assert hf.relative(memjax.trace(memjax.load(str(folder)), PIXELS).hidden, hf.inside(model, PIXELS).hidden) < 1e-5


VALUES = {
    "architectures": ["X"], "id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0}, "num_labels": 3, "dtype": "float16",
    "torch_dtype": "float16", "pruned_heads": {"0": [1]}, "vocab_size": 7, "chunk_size_feed_forward": 2, "auto_map": {},
    "problem_type": "regression", "transformers_version": "4.0", "out_indices": [1], "out_features": ["stage1"],
    "is_encoder_decoder": True, "output_hidden_states": True, "task_specific_params": {},
    "attn_implementation": "eager", "experts_implementation": "eager", "image_processor_type": "X", "encoder_stride": 32,
    **{f"base_model_{kind}_plan": {} for kind in ("ep", "fsdp", "pp", "tp")},
}  # fmt: skip
"""Of a type that transformers takes; of other attributes any number will do."""
ITS_OWN = {"model_type", "dtype", "return_dict", "use_return_dict"}
"""What names the class, the type that transformers computes in, and the form of its output."""


def test_attributes_without_influence(tmp_path):
    """Bit-equal in transformers with each of them set to something odd; here they are passed over."""
    model = hf.build("ViTModel", T.ViTConfig(**VISION), tmp_path)
    plain, raw = hf.inside(model, PIXELS).hidden, json.loads((tmp_path / "config.json").read_text())
    ours = memjax.load(str(tmp_path)).config
    for name in sorted(HARMLESS - ITS_OWN):
        (tmp_path / "config.json").write_text(json.dumps({**raw, name: VALUES.get(name, 0.5)}))
        other = T.ViTModel.from_pretrained(tmp_path, attn_implementation="eager").eval()
        np.testing.assert_array_equal(hf.inside(other, PIXELS).hidden, plain, name)
        assert memjax.load(str(tmp_path)).config == ours, name


PROCESSED = {"clip": "CLIP", "siglip": "Siglip", "dinov2": "Dinov2", "vit": "ViT", "deit": "DeiT", "vit_mae": "ViTMAE"}


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("family", PROCESSED)
def test_a_processor_without_a_type(family, nested, tmp_path):
    """Read by config.json's model_type, and from either file, with the defaults of its class."""
    config = getattr(T, f"{PROCESSED[family]}Config")()
    config.save_pretrained(tmp_path)
    fields = {"image_mean": [0.2, 0.3, 0.4], "processor_class": "X"}
    file = "processor_config.json" if nested else "preprocessor_config.json"
    (tmp_path / file).write_text(json.dumps({"image_processor": fields} if nested else fields))
    theirs = T.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    from memjax.models.processor_files import read_processor
    from memjax.preprocessing import preprocessing_from_config

    image = np.random.default_rng(3).integers(0, 256, (70, 90, 3), np.uint8)
    found, where = read_processor(tmp_path)
    pre = preprocessing_from_config(found, where, family)
    wanted = theirs(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    np.testing.assert_array_equal(memjax.read_images(image[None], pre)[0], wanted)
