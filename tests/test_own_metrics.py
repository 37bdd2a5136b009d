"""A user's own metrics: chosen, checked before the run, told apart by what they compute, stored like the built-in ones."""

import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import memjax
from benchmarks.architectures import CONFIGS
from memjax.checks import InputError
from memjax.cli.arguments import told
from memjax.cli.terminal import show_sweep
from memjax.datasets import open_dataset
from memjax.extract import Plan, extract
from memjax.metrics import DEFAULT_METRICS, METRICS, Metric, choose, metric_identity, requested
from memjax.models import families
from memjax.selection import Selection, check_metrics, variables
from memjax.store import metric_variables, open_features
from tests import tiny_model
from tests.test_vit import architecture

PEAK = Metric(lambda block, layout: block.attention.max(), at="block", title="Largest attention", unit="probability")
pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def encoder():
    return memjax.load("memjax/tiny")


class TestChoosing:
    def test_names_groups_and_own_in_the_order_of_the_table(self):
        assert tuple(choose()) == DEFAULT_METRICS
        assert list(choose(("all",))) == list(METRICS)
        assert list(choose(("mae_loss", "cls_mean"))) == ["cls_mean", "mae_loss"]
        found = choose(("default", "attention_distance", "cls_mean"), {"peak": PEAK})
        assert list(found) == [*DEFAULT_METRICS, "attention_distance", "peak"]
        assert requested(None) == choose()
        assert requested("all") == choose(("all",))
        assert requested(["cls_norm"]) == choose(("cls_norm",))
        assert list(requested({"peak": PEAK})) == [*DEFAULT_METRICS, "peak"]

    @pytest.mark.parametrize(
        ("names", "own", "words"),
        [
            (("cls_men",), {}, "expected one of default, all, cls_mean"),
            ((), {}, "at least one"),
            (("default",), {"cls_mean": PEAK}, "'cls_mean' is taken"),
            (("default",), {"attention_distance": PEAK}, "is taken"),
            (("default",), {"width": PEAK}, "'width' is taken"),
            (("default",), {"sae_topk_error": PEAK}, "'sae_topk_error' is taken"),
            (("default",), {"nn_distance_cls": PEAK}, "is taken"),
            (("default",), {"my peak": PEAK}, "an identifier"),
        ],
    )
    def test_what_cannot_be_chosen(self, names, own, words):
        with pytest.raises(InputError, match=words) as caught:
            choose(names, own)
        assert told(caught.value).startswith("--metrics")

    def test_a_function_that_cannot_be_hashed(self):
        class Unhashable:
            __hash__ = None

            def __call__(self, block, layout):
                return block.attention.max()

        with pytest.raises(InputError, match="hashable"):
            choose(own={"peak": Metric(Unhashable(), "block")})

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            (
                "metrics.Metric(max, 'layer')",
                "metric, at: expected one of 'hidden', 'block', 'sum', 'image', got 'layer'",
            ),
            ("metrics.Metric(max, 'block', needs='luck')", "metric, needs: expected one of '', 'decoder', 'registers'"),
            (
                "metrics.choose(own={'peak': max})",
                "metrics, peak: expected a memjax.Metric, got builtin_function_or_method",
            ),
        ],
    )
    def test_rows_that_cannot_be(self, code, words):
        """In a fresh process: here types are checked before."""
        done = subprocess.run(
            [sys.executable, "-c", f"from memjax import metrics; {code}"], capture_output=True, text=True
        )
        assert words in done.stderr.splitlines()[-1]

    def test_every_row_says_what_it_is(self):
        for name, row in METRICS.items():
            assert row.title, name
            assert row.unit, name
        assert len({row.title for row in METRICS.values()}) == len(METRICS)


OWN = {
    "peak": PEAK,
    "spread": Metric(lambda block, layout: block.attention.std(axis=(1, 2)), "block", per_head=True),
    "first": Metric(lambda hidden, layout: hidden[layout.prefix, 0], "hidden"),
    "moved": Metric(lambda block, layout: jnp.abs(block.after - block.before).mean(), "sum"),
    "bright": Metric(lambda image, layout: image.pixels.mean(), "image"),
    "root_loss": Metric(lambda image, layout: jnp.sqrt(image.decoder_loss), "image", needs="decoder"),
    "registers": Metric(lambda hidden, layout: hidden[1].sum(), "hidden", needs="registers"),
}


class TestMeasuring:
    def test_one_that_has_no_finite_value_is_told_in_terminal_and_report(self, tmp_path, capsys):
        nothing = Metric(lambda block, layout: block.attention.max() * jnp.nan, "block")
        settings = memjax.SweepSettings(bootstraps=20, metrics=("cls_mean", {"nothing": nothing}))
        run = memjax.sweep(memjax.open_dataset("demo", limit=12), "memjax/tiny", tmp_path, settings, progress=False)
        show_sweep(run)
        assert "no finite value on any image: nothing" in capsys.readouterr().out
        assert "no finite value on any image: nothing" in (tmp_path / "report.html").read_text(encoding="utf-8")
        assert set(run.table["metric"]) == {"cls_mean"}

    def test_each_place_by_its_definition_over_the_trace(self, encoder, rng):
        pixels = rng.normal(size=(3, *encoder.config.image, 3)).astype(np.float32)
        table, trace = memjax.features(encoder, pixels, metrics=OWN), memjax.trace(encoder, pixels)
        plain = memjax.features(encoder, pixels)
        assert set(table) == {*DEFAULT_METRICS, *OWN} - {"registers"}
        close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
        for name, values in plain.items():
            close(table[name], values, err_msg=name)
        close(table["peak"][:, 1:], trace.attention.max(axis=(2, 3, 4)))
        close(table["spread"][:, 1:], trace.attention.std(axis=(3, 4)), atol=1e-5)
        close(table["first"], trace.hidden[:, :, 1, 0])
        moved = np.abs(np.diff(trace.hidden, axis=1)).mean(axis=(2, 3)).sum(axis=1)
        close(table["moved"][:, -1], moved, rtol=1e-4)
        close(table["bright"][:, -1], pixels.mean(axis=(1, 2, 3)), atol=1e-5)
        close(table["root_loss"][:, -1] ** 2, table["mae_loss"][:, -1])
        for name in ("moved", "bright", "root_loss"):
            assert np.isnan(table[name][:, :-1]).all()
        assert np.isnan(table["peak"][:, 0]).all()
        assert np.isnan(table["spread"][:, 0]).all()

    @pytest.mark.parametrize("name", ["registers", "no-cls", "distillation", "rotary-gated"])
    def test_all_metrics_of_an_architecture(self, name):
        config = architecture(name)
        selection = Selection(tuple(choose(("all",)).items()))
        sizes = variables(config, selection)
        assert ("register_attention" in sizes) == (config.registers > 0)
        assert "mae_loss" not in sizes
        assert sizes["attention_entropy_head"] == {"layer": 4, "head": 3}
        params, image = tiny_model.params(config), tiny_model.images(1, config)[0]
        run = jax.jit(memjax.measure.image_features, static_argnums=(2, 3, 4))
        for layout in (config.layout, config.layout.under("paper")):
            values = run(params, image, config, layout, selection)
            assert {key: x.shape for key, x in values.items()} == {k: tuple(s.values()) for k, s in sizes.items()}
            assert all(np.isfinite(x[-1]).all() for x in values.values())

    def test_the_distance_knows_an_images_own_grid(self):
        """A wider image than the configuration's: the grid is the image's."""
        config = architecture("plain")
        params, image = tiny_model.params(config), jnp.zeros((25, 20, 3), jnp.float32)
        selection = Selection(tuple(choose(("attention_distance",)).items()))
        values = memjax.measure.image_features(params, image, config, config.layout, selection)
        uniform = [np.hypot(*np.subtract(a, b)) for a in np.ndindex(5, 4) for b in np.ndindex(5, 4)]
        assert float(values["attention_distance"][1]) == pytest.approx(5 * np.mean(uniform), rel=0.3)

    def test_one_compiled_function_for_the_same_rows(self, encoder):
        pixels = np.zeros((2, *encoder.config.image, 3), np.float32)
        memjax.features(encoder, pixels, metrics={"peak": PEAK})
        misses = memjax.measure.compiled.cache_info().misses
        memjax.features(encoder, pixels, metrics={"peak": PEAK})
        assert memjax.measure.compiled.cache_info().misses == misses


BAD = {
    "raises": (Metric(lambda block, layout: block.nothing, "block"), "raises raises AttributeError"),
    "wide": (Metric(lambda hidden, layout: hidden[0], "hidden"), "wide gives the shape (24,), expected ()"),
    "whole": (Metric(lambda image, layout: 3, "image"), "whole gives int32, expected a float"),
    "heads": (
        Metric(lambda block, layout: block.attention.max(), "block", per_head=True),
        "heads gives the shape (), expected (2,) (one number a head)",
    ),
    "numpy": (Metric(lambda hidden, layout: np.asarray(hidden).max(), "hidden"), "numpy raises Tracer"),
    "total": (Metric(lambda block, layout: block.after, "sum"), "total gives the shape"),
}


@pytest.fixture
def small():
    return families.read_config(CONFIGS["tiny"], "tiny")[0]


class TestBadOnes:
    def test_all_are_named_in_one_line_before_anything_runs(self, small):
        selection = Selection(tuple(choose(own={name: row for name, (row, _) in BAD.items()}).items()))
        with pytest.raises(InputError) as caught:
            check_metrics(small, small.layout, selection, (224, 224))
        line = told(caught.value)
        assert line.startswith("--metrics: ")
        assert "\n" not in line
        for _, words in BAD.values():
            assert words in line

    def test_features_and_extract_ask_first(self, encoder, tmp_path):
        own = {"wide": BAD["wide"][0]}
        with pytest.raises(InputError, match="wide gives the shape"):
            memjax.features(encoder, np.zeros((1, *encoder.config.image, 3), np.float32), metrics=own)
        with pytest.raises(InputError, match="wide gives the shape"):
            extract(open_dataset("demo"), encoder, tmp_path, Plan(selection=Selection(tuple(choose(own=own).items()))))
        assert not list(tmp_path.iterdir()), "nothing was begun"

    def test_what_an_encoder_cannot_have_is_not_asked(self, small):
        row = Metric(lambda image, layout: image.decoder_loss + 1, "image", needs="decoder")
        check_metrics(small, small.layout, Selection((("more", row),)), (224, 224))


@pytest.fixture(scope="module")
def dataset():
    return open_dataset("demo", limit=12)


def plan(own, names=("default",)):
    return Plan(batch_size=4, selection=Selection(tuple(choose(names, own).items())))


class TestStore:
    def test_stored_with_labels_and_heads(self, dataset, encoder, tmp_path):
        own = {"peak": PEAK, "nameless": Metric(lambda hidden, layout: hidden.mean(), "hidden")}
        extract(dataset, encoder, tmp_path, plan(own, ("default", "attention_entropy_head")))
        group = open_features(tmp_path)["memjax--tiny"]
        assert group["attention_entropy_head"].dims == ("image", "layer", "head")
        assert group["attention_entropy_head"].shape[2] == encoder.config.heads
        assert group["attention_entropy_head"].isel(layer=slice(1, None)).notnull().all()
        assert set(metric_variables(group)) == {*DEFAULT_METRICS, "attention_entropy_head", "peak", "nameless"}
        assert group["peak"].attrs["title"] == "Largest attention"
        assert group["peak"].attrs["own"] == metric_identity(PEAK)
        assert group["nameless"].attrs["title"] == "nameless"
        row = METRICS["attention_entropy"]
        assert group["attention_entropy"].attrs == {"title": row.title, "unit": row.unit, "reference": row.reference}

    def test_another_function_under_the_same_name_is_refused_by_name(self, dataset, encoder, tmp_path):
        first = extract(dataset, encoder, tmp_path, plan({"peak": PEAK}))
        again = Metric(lambda block, layout: block.attention.max(), "block", title="Another title")
        assert extract(dataset, encoder, tmp_path, plan({"peak": again})) == first
        other = Metric(lambda block, layout: block.attention.min(), "block")
        with pytest.raises(InputError, match="the metric peak is another function now") as caught:
            extract(dataset, encoder, tmp_path, plan({"peak": other}))
        assert told(caught.value).endswith("choose another folder (--out)")
        with pytest.raises(InputError, match=r"\(with peak\)"):
            extract(dataset, encoder, tmp_path, Plan(batch_size=4))
        with pytest.raises(InputError, match=r"\(without attention_distance\)"):
            extract(dataset, encoder, tmp_path, plan({"peak": PEAK}, ("default", "attention_distance")))
