"""Every product of float32 has the precision that was asked for, on every device, whatever the caller's own default is."""

import dataclasses
import functools
import json
import re
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import memjax
from memjax import measure, sae
from memjax.baselines import neighbours, sparse_coding, vgg
from memjax.checks import InputError
from memjax.datasets import open_folder
from memjax.devices import data_mesh
from memjax.encoder import _trace
from memjax.extract import Plan, extract
from memjax.measure import compiled
from memjax.metrics.lowlevel import brightness
from memjax.models import mae
from memjax.models.layers import Linear
from memjax.models.vit import encode, forward, pool
from memjax.precision import PRECISIONS, products_at
from memjax.sae.checkpoint import Checkpoints, open_manager, save_checkpoint, saved_position
from memjax.sae.ensemble import firing_members, resample_members, schedule_for, score_members, train_members
from memjax.sae.member import Hyper, init_member, train_step
from memjax.sae.stream import whole
from memjax.sae.training import recipe_for, start_members
from memjax.selection import Selection
from memjax.stats import permutation, resampling
from tests import tiny_model
from tests.damage import GROUP, SETTINGS, run
from tests.test_sae_training import setting
from tests.test_vit import SWITCHES, architecture

PRODUCT = re.compile(r"stablehlo\.(?:dot_general|dot|convolution)\b.*")
STATED = re.compile(
    r"precision = \[(\w+), (\w+)\]|precision_config = \[[^\]]*precision (\w+)>, [^\]]*precision (\w+)>\]"
)
AROUND = {"highest": "default", "high": "highest", "default": "highest"}
"""JAX's own default around what is asked for: never the same."""


def products(function: Callable, *arguments, platform: str = "tpu", around: str = "default") -> list[str]:
    """The precision of every matrix product of a function as it is lowered for a device, under JAX's own default."""
    with jax.default_matmul_precision(around):
        traced = function.trace(*arguments) if hasattr(function, "trace") else jax.jit(function).trace(*arguments)
        text = traced.lower(lowering_platforms=(platform,)).as_text()
    found = []
    for line in PRODUCT.findall(text):
        stated = STATED.search(line)
        found += [""] if stated is None else sorted({word.lower() for word in stated.groups() if word})
    return found


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
@pytest.mark.parametrize("name", [*SWITCHES, "mae"])
def test_every_product_of_the_metrics_is_of_the_highest_precision(name, platform):
    config = tiny_model.CONFIG if name == "mae" else architecture(name)
    params, image = tiny_model.params(config), tiny_model.images(1, config)[0]
    found = products(lambda p, x: measure.image_features(p, x, config, config.layout), params, image, platform=platform)
    assert len(found) >= 9, "patches, 4 projections, 2 of attention, 2 of the MLP"
    assert set(found) == {"highest"}, found


def test_every_public_function_computes_so():
    config, params = tiny_model.CONFIG, tiny_model.params()
    image, noise = tiny_model.images(1)[0], jnp.arange(16, dtype=jnp.float32)
    attention_pool = architecture("attention-pool")
    last = jnp.ones((12, attention_pool.width), jnp.float32)
    functions = {
        "untapped": (lambda p, x: forward(p, x, config, tap=None).last, params, image),
        "own tap": (lambda p, x: encode(p, x, config, lambda block: block.after @ block.after.T), params, image),
        "pool": (lambda p, x: pool(p, x, attention_pool), tiny_model.params(attention_pool), last),
        "loss": (lambda p, x: mae.mae_loss(p, x, noise, config), params, image),
        "gradient": (jax.grad(lambda p, x: mae.mae_loss(p, x, noise, config)), params, image),
    }
    for name, call in functions.items():
        found = products(*call)
        assert found, name
        assert set(found) == {"highest"}, (name, found)


def test_the_products_are_seen():
    """What `products` reads of functions that keep JAX's default."""
    assert products(lambda x: x @ x, jnp.ones((2, 2), jnp.float32)) == ["default"]
    image, kernel = jnp.ones((1, 4, 4, 1), jnp.float32), jnp.ones((3, 3, 1, 1), jnp.float32)
    names = ("NHWC", "HWIO", "NHWC")
    convolve = functools.partial(jax.lax.conv_general_dilated, window_strides=(1, 1), padding="SAME")
    lowered = products(lambda x, k: convolve(x, k, dimension_numbers=names), image, kernel, around="high")
    assert lowered == ["high"]


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_programs_of_a_sweep_have_the_precision_asked_for(precision, platform):
    config, params, images = tiny_model.CONFIG, tiny_model.params(), tiny_model.images(2)
    mesh = data_mesh(jax.local_devices()[:1])
    run_of = functools.partial(compiled, config, config.layout, Selection(tokens=("cls",)), mesh)
    programs = {
        "sweep": (run_of(precision=precision), params, images),
        "trace": (lambda p, x: _trace(p, x, config, precision), params, images),
        "untapped": (lambda p, x: forward(p, x, config, None, precision).last, params, images[0]),
        "encode": (lambda p, x: encode(p, x, config, precision=precision), params, images[0]),
    }
    for name, call in programs.items():
        found = products(*call, platform=platform, around=AROUND[precision])
        own = {"highest"} if name == "sweep" else set()  # patch_uniformity's sum is never lowered, nor are positions
        assert len(found) >= 9, name
        assert set(found) - own == {precision} - own, (name, found)
        assert found.count(precision) >= 9, (name, found)


def test_bfloat16_products_name_a_precision_too():
    config, params = tiny_model.CONFIG, jax.tree.map(lambda x: x.astype(jnp.bfloat16), tiny_model.params())
    for precision in PRECISIONS:
        one = functools.partial(measure.image_features, config=config, layout=config.layout, precision=precision)
        found = products(lambda p, x, one=one: one(p, x), params, tiny_model.images(1)[0], around=AROUND[precision])
        assert found.count(precision) >= 9, "one pass on a TPU whatever it says"


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("variant", list(sae.VARIANTS))
def test_a_training_step_has_the_precision_of_the_fit(variant, precision):
    width, rows = 5, 8
    preset = sae.paper(width) if variant == "paper" else sae.modern(variant, width, rows, latents=8, batch_size=4)
    preset = dataclasses.replace(preset, fit=dataclasses.replace(preset.fit, precision=precision))
    x = np.random.default_rng(0).normal(size=(1, rows, width)).astype(np.float32)
    recipe = recipe_for(whole(x, np.arange(rows, dtype=np.int32)[None]), preset.sae, preset.fit)
    hyper = Hyper(jnp.float32(1e-3), jnp.float32(1e-3))
    member = init_member(jnp.int32(0), jnp.int32(0), hyper, sae.fit_standardiser(x[0]), recipe)
    found = products(lambda m, b: train_step(m, b, recipe), member, jnp.asarray(x[0, :4]), around=AROUND[precision])
    assert len(found) >= 4, "encoder and decoder, forward and backward"
    assert set(found) == {precision}, found


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_programs_of_an_ensemble_have_the_precision_of_the_fit(precision):
    data = np.random.default_rng(0).normal(size=(2, 8, 5)).astype(np.float32)
    preset = sae.modern("matryoshka", 5, 8, latents=8, batch_size=4)
    rows, mesh = np.broadcast_to(np.arange(8, dtype=np.int32), (2, 8)).copy(), data_mesh()
    stream, fit = whole(data, rows), dataclasses.replace(preset.fit, precision=precision)
    recipe, hyper = recipe_for(stream, preset.sae, fit), Hyper(jnp.full(2, 1e-3), jnp.full(2, 0.0))
    members = start_members(stream, np.arange(2), np.arange(2), hyper, recipe)
    placed, orders = jnp.asarray(data), jnp.asarray(rows.reshape(2, 2, 4))
    scored = functools.partial(score_members, sae=preset.sae, space="raw", mesh=mesh, precision=precision)
    fired = functools.partial(firing_members, sae=preset.sae, mesh=mesh, precision=precision)
    redrawn = functools.partial(resample_members, recipe=recipe, mesh=mesh)
    trained = functools.partial(train_members, recipe=recipe, schedule=schedule_for(2, 4, mesh))
    programs = {
        "train": (lambda m, d, o: trained(m, d, o), members, placed, orders),
        "score": (lambda m, d: scored(m, d), members, placed),
        "firing": (lambda m, d: fired(m, d), members, placed),
        "resample": (lambda m, d, r: redrawn(m, d, r), members, placed, jnp.asarray(rows)),
    }
    for name, call in programs.items():
        found = products(*call, around=AROUND[precision])
        assert len(found) >= 1, name
        assert set(found) == {precision}, (name, found)


def test_statistics_and_baselines_are_never_lowered():
    square, columns = jnp.ones((8, 8), jnp.float32), jnp.arange(8, dtype=jnp.int32)
    coding = sparse_coding.SparseCodingConfig(codewords=8, batches=2, batch_size=4)
    key, kernel = jax.random.key(0), jnp.ones((3, 3, 3, 4), jnp.float32)
    blocks = ((vgg.Convolution(kernel, jnp.ones(4, jnp.float32)),),)
    wide = jnp.ones((4 * vgg.POOLED**2, 6), jnp.float32)
    net = vgg.VGGParams(blocks, Linear(wide, jnp.ones(6)), Linear(jnp.ones((6, 6)), jnp.ones(6)))
    programs = {
        "pearson": (resampling._pearson_chunk, square, square[:, :1], square),
        "kendall": (resampling._kendall_exact, columns, columns, square),
        "kendall, linear": (resampling._kendall_linear, columns, columns, square),
        "permutations": (permutation._sizes, square, square),
        "sparse coding": (lambda x: sparse_coding.learn_dictionary(key, x, coding), square),
        "codes": (lambda x: sparse_coding.reconstruction_error(x, x, coding), square),
        "vgg": (lambda x: vgg.vgg_features(net, x), jnp.ones((64, 64, 3), jnp.float32)),
        "neighbours": (neighbours._nearest, square, columns, square[None], square[:1]),
        "brightness": (brightness, jnp.ones((4, 4, 3), jnp.float32)),
    }
    for name, call in programs.items():
        found = products(*call)
        assert found, name
        assert set(found) == {"highest"}, (name, found)


def test_a_cpu_computes_the_same_bits_at_each():
    encoders = [memjax.load("memjax/tiny", precision=precision) for precision in PRECISIONS]
    pixels = np.random.default_rng(0).normal(size=(2, *encoders[0].config.image, 3)).astype(np.float32)
    first, *others = [memjax.features(encoder, pixels) for encoder in encoders]
    traced, *traces = [memjax.trace(encoder, pixels) for encoder in encoders]
    for table in others:
        for name, values in first.items():
            np.testing.assert_array_equal(values, table[name], err_msg=name)
    for trace in traces:
        jax.tree.map(np.testing.assert_array_equal, traced, trace)
    x = pixels.reshape(-1, 8)[:40]
    presets = [sae.modern("topk", 8, 40, latents=8, epochs=1, batch_size=8) for _ in PRECISIONS]
    fits = [dataclasses.replace(p.fit, precision=name) for p, name in zip(presets, PRECISIONS, strict=True)]
    errors = [sae.fit(x, dataclasses.replace(p, fit=fit)).errors for p, fit in zip(presets, fits, strict=True)]
    np.testing.assert_array_equal(errors[0], errors[1])
    np.testing.assert_array_equal(errors[0], errors[2])


@pytest.mark.parametrize("word", ["", "float32", "HIGHEST", "fastest"])
def test_another_word_is_refused(word):
    for settings in (memjax.SweepSettings(), sae.FitConfig()):
        object.__setattr__(settings, "precision", word)  # past beartype, which users do not have
        with pytest.raises(InputError, match="precision: expected one of highest, high, default, got") as caught:
            settings.__post_init__()
        assert caught.value.argument == "precision"
    with pytest.raises(InputError, match="precision: expected one of"), products_at(word):
        pass


def test_an_encoder_loaded_at_another_precision_is_refused_by_a_sweep(photos, tmp_path):
    dataset, fast = open_folder(photos, photos / "scores.csv"), memjax.load("memjax/tiny", precision="default")
    wanted = (
        "encoder memjax/tiny: expected precision highest, got default; load it at highest, or set precision='default'"
    )
    with pytest.raises(InputError, match=re.escape(wanted)):
        memjax.sweep(dataset, fast, tmp_path / "out", progress=False)


def test_a_store_goes_on_at_its_own_precision_alone(photos, tmp_path):
    dataset = open_folder(photos, photos / "scores.csv")
    extract(dataset, memjax.load("memjax/tiny"), tmp_path, Plan(batch_size=4))
    with pytest.raises(InputError, match="precision was 'highest', now 'default'"):
        extract(dataset, memjax.load("memjax/tiny", precision="default"), tmp_path, Plan(batch_size=4))


@pytest.mark.usefixtures("small_chunks")
def test_a_store_from_before_it_was_a_setting_goes_on_at_highest(photos, out):
    without_precision(out)
    marker = out / "progress" / GROUP / "000001.json"
    kept = (out / "progress" / GROUP / "000000.json").stat().st_mtime_ns
    marker.unlink()
    found = run(photos, out)
    assert marker.exists()
    assert (out / "progress" / GROUP / "000000.json").stat().st_mtime_ns == kept, "the other chunks stay"
    assert found.run.precision == "highest"
    without_precision(out)
    dataset = open_folder(photos, photos / "scores.csv")
    settings = memjax.SweepSettings(precision="high", bootstraps=20)
    with pytest.raises(InputError, match="precision was 'highest', now 'high'"):
        memjax.sweep(dataset, "memjax/tiny", out, settings, progress=False)


def without_precision(out: Path) -> None:
    """The store as it was before the setting: both copies of its identity without it."""
    created, metadata = out / "progress" / GROUP / "created", out / "features.zarr" / GROUP / "zarr.json"
    found = json.loads(created.read_text())
    del found["identity"]["precision"]
    created.write_text(json.dumps(found))
    described = json.loads(metadata.read_text())
    identity = json.loads(described["attributes"]["memjax"])
    del identity["precision"]
    described["attributes"]["memjax"] = json.dumps(identity, sort_keys=True)
    metadata.write_text(json.dumps(described))
    memjax.store.consolidate(out / "features.zarr")


def test_a_fit_names_its_precision_where_it_is_another():
    assert "precision" not in sae.FitConfig().to_json()
    assert sae.FitConfig(precision="high").to_json()["precision"] == "high"


def test_a_checkpoint_goes_on_at_its_own_precision_alone(tmp_path):
    *_, members = setting(epochs=1, members=1)
    with open_manager(tmp_path) as manager:
        before = Checkpoints(manager, {"fit": sae.FitConfig().to_json()})
        save_checkpoint(before, 1, members)
        manager.wait_until_finished()
        assert saved_position(before) == 1
        another = Checkpoints(manager, {"fit": sae.FitConfig(precision="default").to_json()})
        with pytest.raises(InputError, match=r"of another run: about\.fit\.precision: nothing \(this run: default\)"):
            saved_position(another)


@pytest.mark.parametrize("protocol", ["paper", "modern"])
def test_the_settings_of_autoencoders_reach_the_fit(protocol):
    stream = whole(np.zeros((1, 8, 5), np.float32), np.arange(8, dtype=np.int32)[None])
    for precision in PRECISIONS:
        settings = memjax.SAESettings(protocol=protocol, precision=precision, latents=8, epochs=1)
        assert settings.preset(5, stream).fit.precision == precision


def test_a_sweep_records_its_precision(photos, out, tmp_path):
    """On a CPU the numbers are those of the other precision."""
    fast = run(photos, tmp_path / "fast", settings=dataclasses.replace(SETTINGS, precision="default"))
    first = memjax.read_sweep(out)
    assert (first.run.precision, fast.run.precision) == ("highest", "default")
    assert fast.run.settings["precision"] == "default"
    assert first.run.run_id != fast.run.run_id
    assert (out / "correlations.csv").read_bytes() == (tmp_path / "fast" / "correlations.csv").read_bytes()
    assert "products at precision default" in (tmp_path / "fast" / "report.html").read_text()
