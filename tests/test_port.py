"""Checkpoints that do not fit: one error, of one line, that names everything."""

import json

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

import memjax
from memjax.models import families, hub, port, presets
from tests import tiny_model


@pytest.fixture
def folder(tmp_path):
    return tiny_model.write(tmp_path / "model")


def refusal(folder) -> str:
    with pytest.raises(memjax.InputError) as caught:
        memjax.load(str(folder))
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_a_written_model_is_read_back(folder):
    encoder, written = memjax.load(str(folder)), tiny_model.params()
    assert encoder.config == tiny_model.CONFIG
    jax.tree.map(np.testing.assert_array_equal, encoder.params, written)
    assert encoder.revision == "local"
    assert len(encoder.checksum) == 64


def test_every_difference_is_named_in_one_error(folder):
    state = tiny_model.state(folder)
    del state["vit.embeddings.cls_token"], state["vit.layers.1.mlp.fc1.bias"]
    state["vit.layers.2.mlp.fc2.weight"] = state["vit.layers.2.mlp.fc2.weight"][:, 1:].copy()
    state["vit.layernorm.weight"] = state["vit.layernorm.weight"].astype(np.int32)
    state["vit.layers.0.attention.q_proj.bias"] = np.ones(13, np.float32)
    state |= {"vit.layers.3.mlp.fc1.bias": np.ones(20, np.float32), "extra.thing": np.ones(2, np.float32)}
    tiny_model.rewrite(folder, state)
    line = refusal(folder)
    for words in (
        "7 tensors do not fit a vit_mae",
        "missing cls",
        "missing blocks.1.up.bias",
        "vit.layers.2.mlp.fc2.weight has shape (12, 19)",
        "vit.layernorm.weight has dtype int32",
        "vit.layers.0.attention.q_proj.bias has shape (13,)",
        "unexpected vit.layers.3.mlp.fc1.bias",
        "unexpected extra.thing",
    ):
        assert words in line


def test_a_transposed_square_kernel_is_the_only_thing_that_shapes_cannot_show(folder):
    """Every non-square tensor turned on its side is refused."""
    state = tiny_model.state(folder)
    wide = [k for k, x in state.items() if x.ndim == 2 and x.shape[0] != x.shape[1]]
    tiny_model.rewrite(folder, {k: np.ascontiguousarray(x.T) if k in wide else x for k, x in state.items()})
    assert f"{len(wide)} tensors do not fit" in refusal(folder)


def test_two_names_for_one_parameter(folder):
    state = tiny_model.state(folder)
    state["embeddings.cls_token"] = state["vit.embeddings.cls_token"]
    tiny_model.rewrite(folder, state)
    with pytest.raises(memjax.InputError, match="are the same parameter"):
        memjax.load(str(folder))


def test_half_precision_checkpoints_are_read_as_float32(folder):
    state = tiny_model.state(folder)
    tiny_model.rewrite(folder, {k: x.astype(np.float16) for k, x in state.items()})
    encoder = memjax.load(str(folder))
    assert encoder.dtype == "float32"
    np.testing.assert_allclose(encoder.params.cls, tiny_model.params().cls, atol=1e-3)


def test_unknown_attributes_are_all_named(folder):
    tiny_model.reconfigure(folder, use_magic=True, another_switch=3)
    assert "unknown attributes for vit_mae: another_switch, use_magic" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "resnet"}, "model_type 'resnet' is not one of clip"),
        ({"hidden_act": "relu"}, "hidden_act"),
        ({"num_channels": 1}, "num_channels"),
        ({"num_attention_heads": 5}, "not a multiple of heads"),
        ({"patch_size": 40}, "smaller than a patch"),
        ({"patch_size": [5, 4]}, "patch_size: expected a square"),
        ({"hidden_size": "wide"}, "width: expected a whole number"),
    ],
)
def test_configs_that_cannot_be(folder, changes, words):
    tiny_model.reconfigure(folder, **changes)
    assert words in refusal(folder)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]"])
def test_config_that_is_not_json(folder, text):
    (folder / "config.json").write_text(text)
    assert "JSON" in refusal(folder)


def test_folder_without_config(tmp_path):
    assert "config.json" in refusal(tmp_path)


def test_decoder_may_be_absent_but_not_half_there(folder):
    state = tiny_model.state(folder)
    tiny_model.rewrite(folder, {k: x for k, x in state.items() if not k.startswith("decoder.")})
    assert memjax.load(str(folder)).config.decoder is None
    tiny_model.rewrite(folder, {k: x for k, x in state.items() if k != "decoder.decoder_norm.weight"})
    assert "missing decoder.norm.weight" in refusal(folder)


def test_unknown_compute_type(folder):
    with pytest.raises(memjax.InputError, match="float32 or bfloat16"):
        memjax.load(str(folder), dtype="float16")


def test_fused_projections_are_split_in_order():
    fused = np.arange(18, dtype=np.float32).reshape(9, 2)
    keys = port.Keys((), (("in_proj_", "attn.qkv."),), ())
    found = port.canonical({"in_proj_weight": fused}, keys)
    for part, rows in (("q", fused[:3]), ("k", fused[3:6]), ("v", fused[6:])):
        np.testing.assert_array_equal(found[f"attn.{part}.weight"][1], rows)


def test_every_preset_is_of_a_family_with_a_processor():
    ids = [row.id for row in memjax.encoders()]
    assert len(ids) == len(set(ids))
    for row in memjax.encoders():
        assert row.family in families.FAMILIES
        assert presets.processor(row.family, row.image)["do_normalize"]
        config, _ = families.read_config(
            {"model_type": row.family, "hidden_size": row.width, "num_attention_heads": row.heads,
             "num_hidden_layers": row.depth, "patch_size": row.patch, "image_size": row.image}, row.id
        )  # fmt: skip
        patches = (row.image // row.patch) ** 2
        assert row.tokens == config.layout.prefix + patches or row.family == "dinov3_vit"


class TestFiles:
    def test_without_weights(self, folder):
        (folder / "model.safetensors").unlink()
        assert "got no weights" in refusal(folder)

    def test_pickled_only(self, folder):
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        assert "pickled" in refusal(folder)

    @pytest.mark.parametrize("size", [0, 5, 200, -1])
    def test_truncated(self, folder, size):
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:size])
        assert "not a whole safetensors file" in refusal(folder)

    def shards(self, folder):
        """The weights in two files and their index."""
        state = tiny_model.state(folder)
        (folder / "model.safetensors").unlink()
        halves = [sorted(state)[::2], sorted(state)[1::2]]
        names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
        for name, keys in zip(names, halves):
            save_file({k: state[k] for k in keys}, folder / name)
        index = {"metadata": {}, "weight_map": {k: n for n, keys in zip(names, halves) for k in keys}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        return index

    def test_sharded(self, folder):
        self.shards(folder)
        jax.tree.map(np.testing.assert_array_equal, memjax.load(str(folder)).params, tiny_model.params())

    def test_missing_shard(self, folder):
        self.shards(folder)
        (folder / "model-00002-of-00002.safetensors").unlink()
        assert "model-00002-of-00002.safetensors" in refusal(folder)

    @pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "sub/model.safetensors", ".."])
    def test_index_that_points_outside(self, folder, name):
        index = self.shards(folder)
        index["weight_map"]["vit.layernorm.bias"] = name
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        assert "points out of its folder" in refusal(folder) or name == ".."

    @pytest.mark.parametrize("content", ["{}", '{"weight_map": 3}', '{"weight_map": {"a": 7}}'])
    def test_index_that_is_none(self, folder, content):
        self.shards(folder)
        (folder / "model.safetensors.index.json").write_text(content)
        assert "index" in refusal(folder)

    def test_checksum_is_of_all_shards(self, folder):
        self.shards(folder)
        files = hub.weight_files(folder)
        assert len(files) == 2
        assert hub.checksum(files) != hub.checksum(files[:1])
