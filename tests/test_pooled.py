"""What an encoder's head makes of the last layer, kept in the store and read by autoencoders; encoders without a head."""

import numpy as np
import pytest
import xarray as xr
from safetensors.numpy import save_file

import memjax
from memjax.checks import InputError
from memjax.cli import sweep as command
from memjax.extract import identity, stored_variables
from memjax.pipelines.identity import model_record
from memjax.pipelines.tokens import load_representations, open_group
from memjax.store import open_features
from tests import tiny_families
from tests.command import exit_code
from tests.damage import write_images

HEADS = {"clip": 20, "siglip_vision_model": 24, "dinov2": 24}
"""Families with a pooled output -> its width: a projection, narrower than the tokens; attention pooling; the normed cls."""
FEW = {"bootstraps": 20, "metrics": ("cls_mean",)}
pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def images(tmp_path):
    write_images(tmp_path / "photos")
    return memjax.open_folder(tmp_path / "photos", tmp_path / "photos" / "scores.csv")


def tiny(tmp_path, model_type: str) -> str:
    return str(tiny_families.write(tmp_path / "models" / model_type, model_type))


def headless(tmp_path) -> str:
    """A SigLIP whose file has no head, as some are published."""
    folder = tmp_path / "models" / "headless"
    tiny_families.write(folder, "siglip_vision_model")
    config = tiny_families.config_of("siglip_vision_model", vision_use_head=False)
    save_file(tiny_families.state(config), folder / "model.safetensors")
    tiny_families.put(folder, "config.json", config)
    return str(folder)


@pytest.mark.parametrize("model_type", HEADS)
def test_the_store_holds_what_the_trace_has(images, tmp_path, model_type):
    settings = memjax.SweepSettings(tokens=("cls", "pooled"), **FEW)
    run = memjax.sweep(images, tiny(tmp_path, model_type), tmp_path / "out", settings, progress=False)
    (group,) = open_features(run.out).values()
    assert group["pooled"].dims == ("image", "pooled_width")
    assert group["pooled"].shape == (len(images), HEADS[model_type])
    encoder = memjax.load(str(tmp_path / "models" / model_type))
    pixels = memjax.read_images([images.records[i].data for i in range(3)], encoder.preprocessing)
    theirs = memjax.trace(encoder, pixels).pooled
    np.testing.assert_allclose(group["pooled"].values[:3], theirs, rtol=2e-4, atol=2e-5)
    assert "pooled" not in set(run.table["metric"])


def test_encoders_without_a_head_are_passed_over_in_one_line_or_refused(images, tmp_path, capsys):
    clip, bare = tiny(tmp_path, "clip"), headless(tmp_path)
    settings = memjax.SweepSettings(tokens=("pooled",), **FEW)
    run = memjax.sweep(images, [clip, bare], tmp_path / "out", settings)
    lines = [line for line in capsys.readouterr().out.splitlines() if "pooled" in line]
    assert lines == ["no pooled output is kept of headless: it has no head that makes one of the last layer"]
    assert [record.note for record in run.run.models] == ["", lines[0]]
    assert "no pooled output is kept of headless" in (run.out / "report.html").read_text()
    assert ["pooled" in group for group in open_features(run.out).values()] == [True, False]
    with pytest.raises(InputError, match=r"^tokens pooled: expected an encoder whose head makes") as caught:
        memjax.sweep(images, bare, tmp_path / "refused", settings, progress=False)
    assert caught.value.argument == "tokens"
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(InputError, match=r"model: expected one of"):
        open_group(run.out, None)
    with pytest.raises(InputError, match=r"no variable 'pooled' there"):
        load_representations(open_group(run.out, "headless"), "pooled", None, True, 64)


def test_the_command_says_it_too(photos, tmp_path, monkeypatch, capsys):
    bare = headless(tmp_path)
    given = ("--images", photos, "--scores", photos / "scores.csv", "--models", bare, "--tokens", "pooled")
    assert exit_code(monkeypatch, command, *given, "--out", tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: --tokens pooled: expected an encoder whose head")


def test_what_is_not_kept_leaves_no_trace(images, tmp_path):
    """Neither in the identity of a store, nor in its variables, nor in what is said of an encoder."""
    clip, bare = memjax.load(tiny(tmp_path, "clip")), memjax.load(headless(tmp_path))
    plain, asked = (memjax.SweepSettings(tokens=tokens).plan() for tokens in (("cls",), ("cls", "pooled")))
    assert identity(images, clip, plain) == identity(images, clip, asked)
    assert list(stored_variables(bare, plain.selection)) == list(stored_variables(bare, asked.selection))
    assert set(stored_variables(clip, asked.selection)) - set(stored_variables(clip, plain.selection)) == {"pooled"}
    assert model_record(bare) == model_record(bare, ("cls",))


def test_autoencoders_of_the_pooled_output_stand_at_the_last_layer(images, tmp_path):
    """What the paper took of SigLIP; CLIP's has another width than its tokens."""
    run = memjax.sweep(
        images,
        tiny(tmp_path, "clip"),
        tmp_path / "out",
        memjax.SweepSettings(tokens=("pooled",), **FEW),
        progress=False,
    )
    settings = memjax.SAESettings(token="pooled", epochs=1, seeds=(0,), bootstraps=20)
    found = memjax.train_saes(run, settings, tmp_path / "saes", progress=False)
    (group,) = open_features(run.out).values()
    last = int(group["layer"][-1])
    assert found.by_layer["layer"].unique().tolist() == [last]
    assert found.saes[0].config.width == HEADS["clip"]
    error: xr.DataArray = group["sae_pooled_error"]
    assert np.isnan(error.values[:, :last]).all()
    assert np.isfinite(error.values[:, last]).all()
    with pytest.raises(InputError, match=rf"among {last}, got \[0\]"):
        load_representations(open_group(run.out, None), "pooled", (0,), False, 64)


@pytest.mark.parametrize("name", ["pooled", "pooled_width"])
def test_no_metric_of_ones_own_may_take_its_name(name):
    with pytest.raises(InputError, match=name):
        memjax.SweepSettings(metrics={name: memjax.METRICS["cls_mean"]}).chosen_metrics()
