"""The atlas as a user meets it: from a small store with a planted latent; table, store and page; one line for what is wrong."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import memjax
from memjax.checks import InputError
from memjax.datasets import Dataset
from memjax.latents import AtlasSettings, scored_images
from memjax.pipelines.atlas import AtlasResult
from memjax.pipelines.saes import SAEResult
from memjax.sae.folds import k_folds
from memjax.sae.origin import images_digest
from memjax.sae.trained import TrainedSAE
from tests.atlas_made import IDS, PATCHES, D, N, make_images, make_run

F = 16


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose images have a direction that goes with the scores, in one category more than in others; image 3 is unread."""
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return make_images()


def trained(features: Path, out: Path, **changes: object) -> SAEResult:
    small = {"protocol": "modern", "variant": "topk", "latents": F, "epochs": 3, "batch_size": 8, "bootstraps": 5}
    settings = memjax.SAESettings(**{**small, "layers": (1,), "folds": 2, "seeds": (0, 1), **changes})
    return memjax.train_saes(features, settings, out, progress=False)


@pytest.fixture(scope="module")
def saes(features: Path, tmp_path_factory: pytest.TempPathFactory) -> SAEResult:
    return trained(features, tmp_path_factory.mktemp("saes"))


@pytest.fixture(scope="module")
def found(features, saes, dataset, tmp_path_factory) -> AtlasResult:
    out = tmp_path_factory.mktemp("atlas")
    return memjax.atlas(saes, features, AtlasSettings(least_firings=10, top=4), out, dataset, progress=False)


def by_hand(features: Path, one: TrainedSAE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latents of the images that it left out, their scores, and which of the images with vectors these are."""
    from memjax.store import open_features

    group = open_features(features)["enc"]
    used = np.arange(N) != 3
    mine = k_folds(N - 1, 2) == one.fold
    x = group["cls"].values[used, 1][mine]
    return np.asarray(one.encode(x)), group["memorability"].values[used][mine], np.flatnonzero(used)[mine]


def test_each_row_is_what_a_reader_would_compute_by_hand(found, features, saes):
    table = found.table
    assert len(table) == 4 * F
    assert table["scored"].eq("out of sample").all()
    assert table["fold"].tolist() == np.tile(np.repeat([0, 1], F), 2).tolist()
    for one in saes.saes:
        rows = table[(table["seed"] == one.seed) & (table["fold"] == one.fold)].set_index("latent")
        latents, y, _ = by_hand(features, one)
        assert rows["n"].eq(len(y)).all()
        np.testing.assert_array_equal(rows["firings"], (latents > 0).sum(axis=0))
        tested = rows.index[rows["firings"] >= 10]
        assert len(tested) > 3
        assert rows["rho"].notna().sum() == len(tested)
        for latent in tested:
            wanted = scipy.stats.spearmanr(latents[:, latent], y)
            np.testing.assert_allclose(rows.loc[latent, "rho"], wanted.statistic, rtol=1e-9)
            np.testing.assert_allclose(rows.loc[latent, "p"], wanted.pvalue, rtol=1e-7)
    np.testing.assert_allclose(table["rho_over_ceiling"], table["rho"] / np.sqrt(0.75))
    known = table["p"].notna()
    np.testing.assert_allclose(table["q"][known], scipy.stats.false_discovery_control(table["p"][known]))
    assert np.isnan(table["q"][~known]).all()


def test_the_planted_latent_is_found_in_every_seed_and_fold(found):
    best = found.table.loc[found.table["rho"].idxmax()]
    assert best["q"] < 1e-3
    assert best["rho"] > 0.4
    assert best["ci_low"] > 0.2
    assert best["category"] == "high"
    assert best["category_rate"] > 2 * best["rate_elsewhere"]
    assert best["seeds"] == best["folds"] == 1
    row = found.summary.iloc[0]
    table = found.table[found.table["q"] < 0.05]
    assert row["found"] == len(table) >= 4
    assert row["agree_in_all_seeds"] == (table["seeds_agree"] == 1).sum() <= row["same_in_all_seeds"]
    assert (table["seeds_agree"] <= table["seeds_same"]).all()


def test_the_store_has_the_largest_of_both(found, features, saes):
    assert set(found.stored) == {f"cls_layer_1_seed_{seed}_fold_{fold}" for seed in (0, 1) for fold in (0, 1)}
    for one in saes.saes:
        group = found.stored[f"cls_layer_1_seed_{one.seed}_fold_{one.fold}"].load()
        latents, _, images = by_hand(features, one)
        assert group["image"].values.tolist() == [IDS[image] for image in images]
        order = np.argsort(-latents, axis=0, kind="stable")[:4].T
        values = np.take_along_axis(latents.T, order, axis=1)
        np.testing.assert_array_equal(group["top_image"], np.where(values > 0, order, -1))
        np.testing.assert_allclose(group["top_value"].values[values > 0], values[values > 0], rtol=1e-5)
        np.testing.assert_allclose(group["largest_value"], -np.sort(-latents, axis=1), rtol=1e-5)
        fires = [(latents[[IDS[i] in high for i in images]] > 0).mean(axis=0) for high in categories(features)]
        np.testing.assert_allclose(group["category_rate"], np.stack(fires, axis=1), rtol=1e-5)
        assert group.attrs["scored"] == "out of sample"


def categories(features: Path) -> list[set[str]]:
    table = pd.read_parquet(features / "images.parquet")
    return [set(table.index[table["category"] == name]) for name in ("high", "low")]


def test_the_page_says_it_and_lets_nothing_through(found):
    text = found.page.read_text(encoding="utf-8")
    counts = found.summary.iloc[0]
    assert f"{counts['found']} of {counts['tested']} latents that fire often enough correlate" in text
    assert "on images that their autoencoder was not trained on" in text
    assert "IN SAMPLE" not in text
    assert "&lt;i" in text
    assert "<i1" not in text
    assert text.count('<article class="card"') == found.table[found.table["seed"] == 0]["rho"].notna().sum()
    assert 'id="search"' in text
    assert "data:image/jpeg" in text
    assert "atlas_images" not in text
    assert text.count("<circle") > 4 * F
    assert {path.name for path in (found.out / "figures").iterdir()} == {"map_cls_layer_1.png", "map_cls_layer_1.pdf"}
    promised = json.loads((found.out / "run.json").read_text())["outputs"]
    assert {"atlas.html", "latents.csv", "summary.parquet"} <= set(promised)
    assert any(name.startswith("atlas.zarr/") for name in promised)
    assert not list(found.out.glob(".firings*"))


def test_a_large_page_has_its_images_beside_it(features, saes, dataset, tmp_path):
    settings = AtlasSettings(least_firings=10, page_mb=0.1, cards=40)
    big = memjax.atlas(saes, features, settings, tmp_path / "big", dataset, progress=False)
    text = big.page.read_text(encoding="utf-8")
    assert "data:image/jpeg" not in text
    files = list((big.out / "atlas_images").iterdir())
    assert files
    assert text.count('src="atlas_images/') == len(files)
    assert all(file.read_bytes().startswith(b"\xff\xd8") for file in files)


def test_autoencoders_that_saw_all_say_in_sample(features, saes, tmp_path):
    seen = [
        one.replace(fold=None, origin=dataclasses.replace(one.origin, parts=1)) for one in saes.saes if one.fold == 0
    ]
    found = memjax.atlas(seen, features, AtlasSettings(), tmp_path / "atlas", progress=False)
    assert found.table["scored"].eq("in sample").all()
    assert found.table["n"].eq(N - 1).all()
    assert found.table["fold"].isna().all()
    assert found.table["seeds"].eq(1).all()
    assert "folds" not in found.table
    text = found.page.read_text(encoding="utf-8")
    assert "IN SAMPLE" in text
    assert "no image" in text


@pytest.mark.slow
def test_patches_by_the_largest_or_the_mean(features, dataset, tmp_path):
    of_patches = trained(features, tmp_path / "saes", token="patches", seeds=(0,), block=30)
    by = {
        pool: memjax.atlas(
            of_patches,
            features,
            AtlasSettings(least_firings=10, pool=pool, memory_mb=16),
            None,
            dataset,
            progress=False,
        )
        for pool in ("max", "mean")
    }
    from memjax.store import open_features

    one, used = of_patches.saes[1], np.arange(N) != 3
    ids = np.array(IDS)[used]
    mine = scored_images(one, "made up", ids, "patches").images
    x = open_features(features)["enc"]["patches"].values[used][mine, 0]
    latents = np.asarray(one.encode(x.reshape(-1, D))).reshape(len(x), PATCHES, F)
    for pool, values in (("max", latents.max(axis=1)), ("mean", latents.mean(axis=1))):
        rows = by[pool].table.query("fold == 1").set_index("latent")
        np.testing.assert_array_equal(rows["firings"], (values > 0).sum(axis=0))
        fires = rows["firings"] > 0
        np.testing.assert_allclose(rows["mean"][fires], [c[c > 0].mean() for c in values.T[fires]], rtol=1e-4)
        for latent in rows.index[rows["rho"].notna()][:3]:
            y = memorability(features)[used][mine]
            np.testing.assert_allclose(
                rows.loc[latent, "rho"], scipy.stats.spearmanr(values[:, latent], y)[0], atol=2e-3
            )


def memorability(features: Path) -> np.ndarray:
    return pd.read_parquet(features / "images.parquet")["memorability"].to_numpy()


def test_autoencoders_of_another_data_set_are_told_as_such(features, saes):
    moved = [one.replace(origin=dataclasses.replace(one.origin, dataset="others")) for one in saes.saes[:1]]
    found = memjax.atlas(moved, features, progress=False)
    assert found.table["scored"].eq("other data set").all()
    assert found.table["n"].eq(N - 1).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layer": 7}, "the run kept cls of layers 0, 1"),
        ({"token": ""}, "token of the autoencoder of layer 1: expected a token, got none"),
        ({"token": "mean"}, "no variable 'mean' there"),
        ({"encoder": "other"}, "model: expected one of enc, got other"),
    ],
)
def test_autoencoders_that_do_not_fit_are_refused_in_a_line(features, saes, tmp_path, change, said):
    one = saes.saes[0]
    if "token" in change:
        one = one.replace(origin=dataclasses.replace(one.origin, token=change["token"]))
    else:
        one = one.replace(**change)
    with pytest.raises(InputError, match=said) as error:
        memjax.atlas(one, features, out=tmp_path / "out", progress=False)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out" / "run.json").exists()


def test_transcoders_and_autoencoders_are_not_matched_with_each_other(features, saes, tmp_path):
    one, x = saes.saes[0], np.random.default_rng(0).normal(size=(40, D)).astype(np.float32)
    other = memjax.sae.fit(x, "relu", target=x[:, :3], progress=False).saes[0]
    other = other.replace(layer=one.layer, encoder=one.encoder, origin=one.origin)
    with pytest.raises(InputError, match="saes: expected autoencoders, or transcoders into one width, got both"):
        memjax.atlas([one, other], features, out=tmp_path / "out", progress=False)
    found = memjax.atlas(other, features, AtlasSettings(least_firings=10), tmp_path / "alone", progress=False)
    assert set(found.table["latent"]) == set(range(other.config.latents))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--saes", "nowhere"], "features with saes: expected both, got no features"),
        (["--features", "RUN"], "features with saes: expected both, got no saes"),
        (["--features", "RUN", "--saes", "nowhere"], "nowhere"),
        (
            ["--features", "RUN", "--saes", "SAES", "--images", "a", "--dataset", "demo"],
            "expected one of them, got both",
        ),
        (
            ["--features", "RUN", "--saes", "SAES", "--least-firings", "2"],
            "least_firings: expected a whole number from 10",
        ),
        (["--features", "RUN", "--saes", "SAES", "--memory-mb", "1"], "memory_mb: expected a whole number from 16"),
    ],
)
def test_wrong_words_are_told_in_a_line(features, saes, tmp_path, words, said):
    from memjax.cli import atlas

    given = [str({"RUN": features, "SAES": saes.out}.get(word, word)) for word in words]
    with pytest.raises(InputError, match=said):
        atlas.main([*given, "--out", str(tmp_path / "out")])


def test_the_command_tells_what_it_found(features, saes, tmp_path, capsys):
    from memjax.cli import atlas

    words = ["--features", str(features), "--saes", str(saes.out), "--least-firings", "10", "--cards", "4"]
    assert atlas.main([*words, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "enc, cls, layer 1, out of sample:" in said
    assert "found again in all folds:" in said
    assert "atlas.html" in said
    first = pd.read_csv(tmp_path / "out" / "latents.csv")
    assert atlas.main([*words, "--out", str(tmp_path / "out")]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "latents.csv"), first)


def test_autoencoders_know_the_images_that_they_were_trained_on(saes):
    origin = saes.saes[0].origin
    assert origin.images_sha256 == images_digest([name for place, name in enumerate(IDS) if place != 3])
    assert origin.block == N - 1
    assert origin.parts == 2
    assert type(origin).from_json(json.loads(json.dumps(origin.to_json()))) == origin
