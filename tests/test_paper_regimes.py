"""The authors' autoencoders in their regimes: published, released, and runs of one's own beside them."""

import json
from pathlib import Path

import numpy as np
import pytest

import memjax
from memjax.checks import InputError
from memjax.paper import published, tables
from memjax.paper.regimes import SEED_0, SINGLE, SPLIT, read_own, regime_table
from tests.fake_store import make_store

FEW = {"epochs": 2, "bootstraps": 5}


def test_published_and_released_values_stand_side_by_side():
    released = tables.sae_table({"CLIP": np.array([[0.1, 0.3], [0.4, 0.6]])})
    found = regime_table(released)
    assert list(found.columns) == ["model", "regime", "epoch", "published", "released"]
    assert found.groupby("regime").size().to_dict() == {SINGLE: 10, SEED_0: 20, SPLIT: 10}
    clip = found[(found["model"] == "CLIP") & (found["regime"] == SINGLE)]
    assert clip["published"].tolist() == list(published.SAE_MEAN["CLIP"])
    assert clip["released"].tolist()[:2] == pytest.approx([0.2, 0.5])
    assert clip["released"].isna().sum() == 3
    twenty = found[found["regime"] == SEED_0]
    assert twenty["epoch"].tolist() == list(range(1, 21))
    assert twenty.loc[twenty["published"].idxmax(), "epoch"] == 5
    assert "released" not in regime_table(None)


def test_figures_and_text_agree_where_both_have_a_number():
    """Five epochs of five seeds, and twenty of one of them: the best run after epoch 5 is that one."""
    assert published.SAE_TWENTY_EPOCHS["SigLIP2"][4] == pytest.approx(published.SAE_BEST["SigLIP2"], abs=1e-3)
    for values in (*published.SAE_SPLIT_MEAN.values(), *published.SAE_MEAN.values()):
        assert len(values) == 5
        assert all(0.2 < value < 0.6 for value in values)


def test_runs_of_ones_own_join_by_regime(tmp_path):
    store = make_store(tmp_path / "sweep")
    single = memjax.SAESettings(seeds=(0, 7), **FEW)
    split = memjax.SAESettings(protocol="paper-split", seeds=(3,), **FEW)
    runs = [tmp_path / "single", tmp_path / "split"]
    made = [memjax.train_saes(store, how, out, progress=False) for how, out in zip((single, split), runs, strict=True)]
    sources = memjax.PaperSources(features=store.parent, saes=tuple(map(str, runs)))
    result = memjax.reproduce_paper(sources, tmp_path / "out", memjax.PaperSettings(bootstraps=0, folds=0))
    mine = result.tables["sae_regimes"].query("model == 'enc'").set_index(["regime", "epoch"])
    rho = [one.by_epoch.groupby(["space", "epoch"])["rho"].mean() for one in made]
    seed_0 = made[0].by_epoch.query("seed == 0").set_index(["space", "epoch"])["rho"]
    for regime, values in ((SINGLE, rho[0]), (SPLIT, rho[1]), (SEED_0, seed_0)):
        for space in ("raw", "standardised"):
            assert mine.loc[regime, f"own_{space}"].tolist() == pytest.approx(values[space].tolist())
    assert mine["published"].isna().all()
    assert result.run.settings["saes"] == [str(run) for run in runs]
    assert "Sparse autoencoder in the authors" in result.report.read_text(encoding="utf-8")
    named = read_own(runs[0], {"enc": "CLIP"})
    both = regime_table(None, [named]).query("model == 'CLIP' and regime == 'single'")
    assert both["published"].notna().all()
    assert both["own_raw"].notna().sum() == 2


def hand_made(
    folder: Path, protocol: str, folds: int = 1, epochs: str = "layer,epoch,seed,space,rho\n2,1,0,raw,0.5\n"
) -> Path:
    """As much of a run of train_saes as is read."""
    folder.mkdir()
    run = {"dataset": {"name": "x"}, "models": [{"model": "enc"}], "protocol": protocol, "settings": {"folds": folds}}
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "sae_epochs.csv").write_text(epochs)
    return folder


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("modern", 2), "protocol paper without folds, or paper-split, got modern with 2 folds"),
        (("paper", 5), "got paper with 5 folds"),
        (("native",), "got native with 1 folds"),
        (("paper", 1, "model,layer\nenc,2\n"), "not as train_saes wrote it"),
        (("paper-split", 1, "\0\0\0"), "not as train_saes wrote it"),
    ],
)
def test_other_runs_are_refused_in_one_line(tmp_path, given, message):
    with pytest.raises(InputError, match=message) as caught:
        read_own(hand_made(tmp_path / "run", *given), {})
    assert caught.value.argument == "saes"
    assert len(str(caught.value).splitlines()) == 1


def test_other_folders_are_refused_and_good_ones_read(tmp_path):
    assert read_own(hand_made(tmp_path / "good", "paper-split"), {"enc": "CLIP"}).model == "CLIP"
    (tmp_path / "empty").mkdir()
    for name, message in (("empty", "run.json and sae_epochs.csv of a run"), ("nowhere", "expected a folder")):
        with pytest.raises(InputError, match=message) as caught:
            read_own(tmp_path / name, {})
        assert caught.value.argument == "saes"
