"""Parts of an encoder taken out, and what that does to predicted scores: against encoders whose weights are set to zero."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.stats

import memjax
from memjax.causes import CausesSettings, measure_effects
from memjax.causes.measuring import Effects
from memjax.causes.passes import sampled_rows
from memjax.causes.table import causes_table
from memjax.causes.units import BLOCK, HEAD, unit_table
from memjax.checks import InputError
from memjax.cli import causes
from memjax.predictor import Predictor
from memjax.predictor.predicting import Scored
from memjax.report.labels import signed
from tests.causes.made import IMAGES, without_unit
from tests.page_words import words


def score_without(
    scored: Scored, predictor: Predictor, dataset: memjax.Dataset, layer: int, part: str, head: int
) -> np.ndarray:
    """Predictions of an encoder whose weights of one unit are zero."""
    encoder = dataclasses.replace(scored.encoder, params=without_unit(scored.encoder.params, layer, part, head))
    return dataclasses.replace(predictor, given={"memjax/tiny": encoder}).predict(dataset)["score"].to_numpy()


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
