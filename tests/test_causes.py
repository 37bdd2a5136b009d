"""Parts of an encoder taken out, and what that does to predicted scores: against encoders whose weights are set to zero."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.stats

import memjax
from memjax.attribution.heads import open_gates, with_gates
from memjax.causes import CausesSettings, measure_effects
from memjax.causes.measuring import Effects, drawn_rows, sampled_rows
from memjax.causes.table import causes_table, metric_effects_table
from memjax.causes.units import BLOCK, HEAD, MLP, unit_table
from memjax.checks import InputError
from memjax.cli import causes
from memjax.models.edits import Edit
from memjax.models.vit import ViTParams
from memjax.outputs import DatasetRecord
from memjax.pipelines.settings import model_record
from memjax.predictor import Predictor
from memjax.predictor.calibration import Residuals
from memjax.predictor.domain import Domain
from memjax.predictor.places import Place
from memjax.predictor.predicting import Scored
from memjax.predictor.record import PredictorRecord
from memjax.report.labels import signed
from tests.page_words import words

IMAGES = 5


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """Random weights of both tokens at every layer: no sweep is needed to take parts out."""
    encoder, rng = memjax.load("memjax/tiny"), np.random.default_rng(0)
    sizes = (encoder.config.depth + 1, encoder.config.width)
    weights = {name: rng.normal(0, 0.02, sizes).astype(np.float32) for name in ("cls", "mean")}
    place = Place("memjax/tiny", "cls", (encoder.config.depth,))
    record = PredictorRecord(
        DatasetRecord("demo", 60, synthetic=True), (model_record(encoder),), "vectors", (place,), 60, 1536, 1.0,
        5, 10, 0, 0.3, 0.1, 0.5, 0.5, 0.1, 9.0, 0.5,
    )  # fmt: skip
    residuals = Residuals(np.linspace(-0.2, 0.2, 600), 60)
    return Predictor(record, {"memjax/tiny": weights}, residuals, Domain(np.zeros(sizes[1]), np.eye(sizes[1]), 9.0))


@pytest.fixture(scope="module")
def dataset() -> memjax.Dataset:
    return memjax.open_dataset("demo", limit=IMAGES)


@pytest.fixture(scope="module")
def zeroed(predictor: Predictor, dataset: memjax.Dataset) -> Effects:
    return measure_effects(predictor.scored()[0], dataset, CausesSettings(ablation="zero"))


def score_without(
    scored: Scored, predictor: Predictor, dataset: memjax.Dataset, layer: int, part: str, head: int
) -> np.ndarray:
    """Predictions of an encoder whose weights of one unit are zero."""
    encoder = dataclasses.replace(scored.encoder, params=without_unit(scored.encoder.params, layer, part, head))
    return dataclasses.replace(predictor, given={"memjax/tiny": encoder}).predict(dataset)["score"].to_numpy()


def without_unit(params: ViTParams, layer: int, part: str, head: int) -> ViTParams:
    """The parameters with weights of one unit set to zero."""
    gates = open_gates(params)
    shut = slice(None) if part in ("attention", BLOCK) else head
    heads = gates.heads.at[layer - 1, shut].set(0.0) if part != MLP else gates.heads
    mlps = gates.mlps.at[layer - 1].set(0.0) if part in (MLP, BLOCK) else gates.mlps
    edited = with_gates(params, gates.replace(heads=heads, mlps=mlps))
    if part == BLOCK:
        out = edited.blocks.attention.out
        bias = out.replace(bias=out.bias.at[layer - 1].set(0.0))
        edited = edited.replace(blocks=edited.blocks.replace(attention=edited.blocks.attention.replace(out=bias)))
    return edited


def score_of_streams(predictor: Predictor, encoder: memjax.Encoder, image: np.ndarray, edit: Edit | None) -> float:
    """The readout of cls and mean patch at every layer, of one image's hidden states."""
    before, after = memjax.encode(encoder.params, image, encoder.config, lambda b: (b.before, b.after), edit=edit)
    hidden, weights = np.concatenate([before[:1], after]), predictor.weights["memjax/tiny"]
    patches = hidden[:, encoder.config.layout.prefix :].mean(axis=1)
    return float((weights["cls"] * hidden[:, 0]).sum() + (weights["mean"] * patches).sum())


def test_each_unit_is_an_encoder_with_weights_of_zero(predictor, dataset, zeroed):
    scored = predictor.scored()[0]
    plain = predictor.predict(dataset)["score"].to_numpy()
    np.testing.assert_allclose(zeroed.score + predictor.record.intercept, plain, atol=1e-5)
    rows = unit_table(*zeroed.effects.shape[1:2], scored.encoder.config.heads)
    effects = zeroed.effects.reshape(IMAGES, -1)
    assert len(rows) == effects.shape[1]
    for place in (0, 5, 11, 12, 13, 25, 33, 34):
        layer, part, head = rows.loc[place, ["layer", "part", "head"]]
        wanted = score_without(scored, predictor, dataset, layer, part, head) - plain
        np.testing.assert_allclose(effects[:, place], wanted, atol=2e-5, err_msg=f"{layer} {part} {head}")
        assert np.abs(wanted).max() > 1e-4


def test_the_mean_of_one_image_is_its_own_so_nothing_changes(predictor):
    alone = measure_effects(
        predictor.scored()[0], memjax.open_dataset("demo", limit=1), CausesSettings(ablation="mean")
    )
    names = alone.units()["part"].to_numpy()
    effects = alone.effects.reshape(-1)
    np.testing.assert_allclose(effects[names != BLOCK], 0.0, atol=1e-6)
    assert (np.abs(effects[names == BLOCK]) > 1e-3).all()


def test_means_are_of_all_images_whatever_the_batch(predictor, dataset, zeroed):
    one, all_at_once = (measure_effects(predictor.scored()[0], dataset, CausesSettings(), size) for size in (1, IMAGES))
    np.testing.assert_allclose(one.effects, all_at_once.effects, atol=1e-5)
    names = one.units()["part"].to_numpy()
    same = np.isclose(one.effects.reshape(IMAGES, -1), zeroed.effects.reshape(IMAGES, -1), atol=1e-6).all(axis=0)
    assert same[names == BLOCK].all(), "a block that is passed by has no filling"
    assert not same[names == HEAD].any()


def test_metrics_change_as_in_an_encoder_with_weights_of_zero(predictor, dataset, zeroed):
    """Of one unit of each kind: mean, interval and size, against the metrics of an encoder without it."""
    scored, names = predictor.scored()[0], ("cls_norm", "attention_entropy", "layer_delta")
    found = measure_effects(scored, dataset, CausesSettings(ablation="zero", metrics=names))
    np.testing.assert_allclose(found.effects, zeroed.effects, atol=1e-6)
    table = metric_effects_table({"memjax/tiny": found}).set_index(["layer", "part", "head", "metric", "at"])
    pixels = memjax.read_images([dataset.records[i].data for i in range(IMAGES)], scored.encoder.preprocessing)
    plain = memjax.features(scored.encoder, pixels, metrics=names)
    for layer, part, head in ((1, HEAD, 2), (3, MLP, -1), (4, BLOCK, -1)):
        params = without_unit(scored.encoder.params, layer, part, head)
        edited = memjax.features(dataclasses.replace(scored.encoder, params=params), pixels, metrics=names)
        for name, at in (("cls_norm", 5), ("attention_entropy", 5), ("layer_delta", layer)):
            change = np.asarray(edited[name] - plain[name], np.float64)[:, at]
            row = table.loc[(layer, part, head, name, at)]
            interval = scipy.stats.ttest_1samp(change, 0.0).confidence_interval(0.95)
            np.testing.assert_allclose(
                row[["effect", "ci_low", "ci_high"]].astype(float), [change.mean(), *interval], atol=2e-4
            )
            np.testing.assert_allclose(
                row["size"], change.mean() / np.asarray(plain[name])[:, at].std(ddof=1), rtol=0.01, atol=1e-3
            )
            assert abs(change.mean()) > 1e-4
    assert (table.reset_index().eval("at >= layer")).all(), "a layer before the edited block cannot change"


def test_other_images_stand_in(predictor):
    """Resample ablation of one donor: heads and MLPs of the donor put in by `memjax.edits`."""
    scored, dataset = predictor.scored()[0], memjax.open_dataset("demo", limit=4)
    settings = CausesSettings(ablation="resample", donors=1, seed=2)
    (donor,), rows = drawn_rows(4, settings)
    assert sorted([donor, *rows]) == [0, 1, 2, 3]
    found = measure_effects(scored, dataset, settings)
    assert found.positions.tolist() == rows.tolist()
    encoder = scored.encoder
    pixels = jnp.asarray(memjax.read_images([dataset.records[i].data for i in range(4)], encoder.preprocessing))
    made = memjax.encode(encoder.params, pixels[donor], encoder.config, lambda block: (block.heads, block.mlp))
    edits = {
        (2, HEAD, 1): memjax.edits.ablate_head(2, 1, encoder.config.heads, made[0][1]),
        (3, MLP, -1): memjax.edits.ablate_mlp(3, made[1][2]),
    }
    units = found.units()
    for unit, edit in edits.items():
        place = units.index[(units[["layer", "part", "head"]] == list(unit)).all(axis=1)][0]
        for at, row in enumerate(rows):
            scores = [score_of_streams(predictor, encoder, pixels[row], one) for one in (None, edit)]
            change = found.effects[at].reshape(-1)[place]
            assert change == pytest.approx(scores[1] - scores[0], abs=2e-5)
            assert abs(change) > 1e-4


def test_an_effect_is_the_mean_over_donors(predictor):
    scored, dataset = predictor.scored()[0], memjax.open_dataset("demo", limit=5)
    both = measure_effects(scored, dataset, CausesSettings(ablation="resample", donors=2))
    donors, rows = drawn_rows(5, CausesSettings(ablation="resample", donors=2))
    alone = []
    for donor in donors:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("memjax.causes.measuring.drawn_rows", lambda n, settings, one=donor: (np.array([one]), rows))
            alone.append(measure_effects(scored, dataset, CausesSettings(ablation="resample", donors=1)).effects)
    np.testing.assert_allclose(both.effects, np.mean(alone, axis=0), atol=2e-6)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3


@pytest.mark.parametrize("name", ["mae_loss", "attention_entropy_head", "no_such_metric"])
def test_metrics_that_an_edited_pass_lacks_are_refused(name):
    with pytest.raises(InputError, match="metrics"):
        CausesSettings(metrics=(name,))


def test_too_few_images_for_donors_are_one_line(predictor, dataset):
    with pytest.raises(InputError, match="images: expected 6 or more with 4 donors, got 5"):
        measure_effects(predictor.scored()[0], dataset, CausesSettings(ablation="resample"))


def test_the_table_is_of_scipy():
    rng = np.random.default_rng(0)
    found = {name: Effects(np.arange(30), rng.normal(size=30), rng.normal(size=(30, 2, 4)), []) for name in "ab"}
    found["a"].score[3] = np.nan
    found["a"].effects[3] = np.nan
    table = causes_table(found)
    assert table["n"].unique().tolist() == [29]
    keep = np.arange(30) != 3
    total = (found["a"].score + found["b"].score)[keep]
    row = table[(table["model"] == "b") & (table["layer"] == 2) & (table["part"] == "mlp")].iloc[0]
    effects = found["b"].effects[keep, 1, 2]
    interval = scipy.stats.ttest_1samp(effects, 0.0).confidence_interval(0.95)
    np.testing.assert_allclose([row["effect"], row["ci_low"], row["ci_high"]], [effects.mean(), *interval], rtol=1e-9)
    np.testing.assert_allclose(row["kept"], scipy.stats.spearmanr(total, total + effects).statistic, rtol=1e-9)
    np.testing.assert_allclose(row["sd"], effects.std(ddof=1))


def test_a_run_writes_what_it_says(tmp_path, capsys, predictor):
    predictor.save(tmp_path / "predictor")
    given = [
        "--predictor",
        str(tmp_path / "predictor"),
        "--dataset",
        "demo",
        "--most-images",
        "7",
        "--ablation",
        "zero",
        "--metrics",
        "cls_norm",
        "delta_total",
    ]
    assert causes.main([*given, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "heads without which the images' order changes most" in said
    table = pd.read_parquet(tmp_path / "out" / "causes.parquet")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "causes.csv"), table, check_dtype=False, rtol=1e-12)
    each = pd.read_parquet(tmp_path / "out" / "effects.parquet")
    assert each["image"].nunique() == 7
    mean = each.groupby(["layer", "part", "head"])["effect"].mean()
    wanted = table.set_index(["layer", "part", "head"])["effect"]
    np.testing.assert_allclose(mean, wanted.loc[mean.index], rtol=1e-4, atol=1e-6)
    assert {path.name for path in (tmp_path / "out" / "figures").iterdir()} == {
        f"{name}_1.{kind}" for name in ("causes", "metric_effects") for kind in ("png", "pdf")
    }
    changes = pd.read_parquet(tmp_path / "out" / "metric_effects.parquet")
    assert set(changes["metric"]) == {"cls_norm", "delta_total"}
    assert changes.loc[changes["metric"] == "delta_total", "at"].unique().tolist() == [5], "one value an image"
    assert (changes["ci_low"] <= changes["ci_high"]).all()
    assert (tmp_path / "out" / "run.json").is_file()
    page = words(tmp_path / "out" / "report.html")
    first = table.loc[table["kept"].idxmin()]
    assert f"without it ρ with the plain scores is {signed(first['kept'])} (n = 7)" in page
    assert "Every part taken out" in page
    assert "Synthetic data" in page
    assert "Human ceiling" not in page
    assert f"page: {tmp_path / 'out' / 'report.html'}" in said


def test_images_that_fail_are_told(tmp_path, predictor, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for place, record in enumerate(memjax.open_dataset("demo", limit=3).records[i] for i in range(3)):
        (photos / f"{place}.png").write_bytes(record.data)
    (photos / "broken.png").write_bytes(b"no image")
    found = memjax.measure_causes(predictor, photos, tmp_path / "out", progress=False)
    assert found.failures["image"].tolist() == ["broken.png"]
    assert found.table["n"].unique().tolist() == [3]
    assert np.isfinite(found.table["effect"]).all()


def test_an_image_of_a_list_that_fails_is_named_as_it_was_given(tmp_path, predictor):
    good = [memjax.open_dataset("demo", limit=2).records[i].data for i in range(2)]
    (tmp_path / "broken.png").write_bytes(b"no image")
    found = memjax.measure_causes(predictor, [good[0], tmp_path / "broken.png", good[1]], progress=False)
    assert found.failures["image"].tolist() == [str(tmp_path / "broken.png")]
    each = pd.read_parquet(found.out / "effects.parquet")
    assert each["image"].unique().tolist() == ["images[0]", str(tmp_path / "broken.png"), "images[2]"]


def test_too_few_images_are_one_line(predictor, tmp_path):
    with pytest.raises(InputError, match="images: expected two or more that can be used, got 1"):
        memjax.measure_causes(predictor, memjax.open_dataset("demo", limit=1), tmp_path / "out", progress=False)


def test_a_sample_is_sorted_and_repeatable():
    chosen = CausesSettings(most_images=9, seed=3)
    np.testing.assert_array_equal(sampled_rows(100, chosen), sampled_rows(100, chosen))
    assert len(np.unique(sampled_rows(100, chosen))) == 9
    assert not np.array_equal(sampled_rows(100, chosen), sampled_rows(100, dataclasses.replace(chosen, seed=4)))


def test_one_program_serves_all_blocks(predictor, dataset):
    """The pass from a block on is a loop with a start that is traced: compiled once."""
    scored = predictor.scored()[0]
    from memjax.causes.effects import block_effects, nothing
    from memjax.predictor.scoring import scorer_of

    config, image = scored.encoder.config, jnp.zeros((*scored.encoder.config.image, 3))
    scorer = scorer_of(scored.encoder, scored.weights)
    text = (
        jax.jit(lambda s, x: block_effects(s, x, nothing(config.depth), scored.reading)).lower(scorer, image).as_text()
    )
    assert text.count("stablehlo.while") <= 4
