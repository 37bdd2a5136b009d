"""`memjax.paper`, `memjax.reproduce_paper`, its command, `benchmarks/bootstrap.py`: made-up and released files."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import memjax
from benchmarks import bootstrap
from memjax.checks import InputError
from memjax.cli import paper as command
from memjax.cli.arguments import told
from memjax.paper import published, tables
from memjax.paper.released import LAYERWISE, read_isola, read_memcat, read_released
from memjax.paper.results import compute
from memjax.paper.settings import PaperSettings, PaperSources
from memjax.pipelines import paper as pipeline
from memjax.report import epochs
from memjax.stats.reliability import Reliability
from memjax.stats.table import correlation_table, stack

N = 60
CONTRACT = ["model", "metric", "layer", "rho", "ci_low", "ci_high", "p", "q", "n"]


@pytest.fixture
def made_up(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, Path]:
    """A folder in the released layout for two encoders, and a table in MemCat's."""
    responses = rng.integers(60, 100, size=N)
    hits = rng.binomial(responses, rng.uniform(0.3, 1, size=N))
    score = (hits - 2) / responses
    names = [f"{i:04d}.jpg" for i in range(N)]
    table = pd.DataFrame({"image_file": names, "category": np.repeat(["food", "animal"], N // 2), "subcategory": "any"})
    table = table.assign(H=hits, FA=2, n_resp=responses, memorability_w_fa_correction=score)
    csv = tmp_path / "memcat_image_data.csv"
    table.to_csv(csv, index=False)
    folder = tmp_path / "memvis"
    folder.mkdir()
    for prefix, copied in (("clip", False), ("dinov2", True)):
        for ending, (metric, first) in LAYERWISE.items():
            rows = {str(i): (score + rng.normal(size=N)).tolist() for i in range(13 - first)}
            if metric.startswith("cls"):
                rows["0"] = [1.5] * N
            if metric == "cls_max_abs" and copied:
                rows["10"] = json.loads((folder / f"{prefix}_activations_max.json").read_text())["10"]
            (folder / f"{prefix}_{ending}.json").write_text(json.dumps(rows))
        (folder / f"{prefix}_activations_delta_total.json").write_text(json.dumps(score.tolist()))
    losses = dict(zip(names, score.tolist(), strict=True))
    (folder / "dict_memcat_ALL_vitmae_BASE_losses.json").write_text(json.dumps(dict(reversed(losses.items()))))
    epochs_file = folder / "autoencoder_loss_correlation_stats_SigLIP2_nobatchnosplit1e4.json"
    epochs_file.write_text(json.dumps({"0": [0.1, 0.3], "1": [0.4, 0.5]}))
    return folder, csv


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["reproduce_paper.py", *map(str, arguments)])
    return command.main()


def test_files_stand_at_their_layers_and_join_by_id(made_up) -> None:
    folder, csv = made_up
    scores = read_memcat(csv)
    found = read_released(folder, scores.index)
    clip = found.measures["CLIP"]
    assert set(found.measures) == {"CLIP", "DINOv2"}
    assert clip["cls_mean"].shape == clip["attention_entropy"].shape == clip["delta_total"].shape == (N, 13)
    entropy = json.loads((folder / "clip_attentions_entropy.json").read_text())
    np.testing.assert_array_equal(clip["attention_entropy"][:, 3], entropy["2"])
    assert np.isnan(clip["attention_entropy"][:, 0]).all()
    assert np.isnan(clip["delta_total"][:, :12]).all()
    np.testing.assert_array_equal(found.mae_loss["base"], scores["memorability"])
    table = correlation_table(stack(tables.per_image_measures(found)), scores["memorability"].to_numpy(), n_boot=0)
    assert table["rho"].tolist() == pytest.approx([1.0])


def test_the_command_writes_every_table_and_figure(made_up, tmp_path: Path, monkeypatch, capsys) -> None:
    folder, csv = made_up
    out = tmp_path / "out"
    code = run(monkeypatch, "--memvis", folder, "--memcat", csv, "--out", out, "--bootstraps", 20, "--folds", 3)
    assert code == 0
    names = ["correlations", "categories", "controls", "comparison", "sae_epochs", "glm", "readout", "readout_weights"]
    read = {name: pd.read_csv(out / f"{name}.csv") for name in names}
    assert all(len(pd.read_parquet(out / f"{name}.parquet")) == len(read[name]) for name in names)
    assert read["correlations"].columns.tolist()[:9] == CONTRACT
    constant = read["correlations"].query("metric == 'cls_mean' and layer == 0")
    assert constant["rho"].isna().all()
    assert (constant["n"] == N).all()
    assert set(read["categories"]["category"]) == {"all", "pooled", "food", "animal"}
    assert read["readout"]["model"].tolist() == ["CLIP", "DINOv2", "all encoders"]
    assert (out / "figures" / "attention_entropy.pdf").is_file()
    assert (out / "figures" / "sae_epochs.png").is_file()
    said = (out / "disagreements.txt").read_text()
    assert "GLM, DINOv2: design of rank 5 with 6 columns: cls_max_abs follows" in said
    assert "-0.68" in said
    assert set(json.loads((out / "run.json").read_text())["files"]) >= {csv.name, "clip_activations_mean.json"}
    assert "readout, all encoders" in capsys.readouterr().out.replace("\n", " ")
    ceiling = json.loads((out / "run.json").read_text())["ceiling"]["ceiling"]
    for name, column in (("correlations", "rho"), ("readout", "rho"), ("sae_epochs", "mean")):
        np.testing.assert_allclose(read[name]["rho_over_ceiling"], read[name][column] / ceiling)
    compared = read["comparison"].dropna(subset="rho_over_ceiling")
    assert set(compared["part"]) == {"correlations", "MAE baseline", "SAE loss"}
    np.testing.assert_allclose(compared["rho_over_ceiling"], compared["ours"] / ceiling)
    for name in ("categories", "controls"):  # each with the ceiling of its own images or controls
        np.testing.assert_allclose(read[name]["rho_over_ceiling"], read[name]["rho"] / read[name]["ceiling"])
        assert "readout" in set(read[name]["metric"])
    assert read["categories"].groupby("category")["ceiling"].first()["all"] == pytest.approx(ceiling)
    assert set(read["controls"]["controls"]) == {"none", "category"}
    page = (out / "report.html").read_text()
    for part in ("Readout: all measures together", "Controls held constant", "Within categories", "linear model"):
        assert part in page, part


def test_one_call_gives_a_typed_result(made_up) -> None:
    """From Python, without a folder: the temporary one lives as long as the result."""
    folder, csv = made_up
    sources = memjax.PaperSources(memvis=str(folder), memcat=str(csv))
    result = memjax.reproduce_paper(sources, settings=memjax.PaperSettings(bootstraps=20, folds=3))
    assert result.report.is_file()
    pd.testing.assert_frame_equal(pd.read_parquet(result.out / "readout.parquet"), result.tables["readout"])
    assert result.ceiling is not None
    assert result.run.settings["folds"] == 3
    out = result.out
    del result
    assert not out.exists()


def test_groups_stay_together(made_up, tmp_path: Path, monkeypatch) -> None:
    """Two categories are too few; with subcategories whole groups are left out. Unknown groups are refused."""
    folder, csv = made_up
    arguments = ("--memvis", folder, "--memcat", csv, "--out", tmp_path / "out", "--bootstraps", 0, "--groups")
    with pytest.raises(InputError, match="groups: expected three or more, got 2"):
        run(monkeypatch, *arguments, "category")
    table = pd.read_csv(csv)
    table.assign(subcategory=np.arange(N) % 7).to_csv(csv, index=False)
    settings = PaperSettings(groups="subcategory", bootstraps=0)
    found = compute(pipeline.read_inputs(PaperSources(memvis=folder, memcat=csv), settings), settings).readouts["CLIP"]
    assert all(len(set(found.fold[np.arange(N) % 7 == g])) == 1 for g in range(7))


def test_features_of_ones_own_give_the_same_tables(made_up, tmp_path: Path) -> None:
    """The same measures through a feature store, images in another order."""
    import xarray as xr
    import zarr

    folder, csv = made_up
    scores = read_memcat(csv)
    shuffled = scores.index.to_numpy()[::-1]
    for name, metrics in read_released(folder, scores.index).measures.items():
        group = {"CLIP": "openai--clip-vit-base-patch32", "DINOv2": "facebook--dinov2-base"}[name]
        data = xr.Dataset(
            {k: (("image", "layer"), v[::-1]) for k, v in metrics.items()},
            coords={
                "image": shuffled.astype(object),
                "layer": np.arange(13),
                "memorability": ("image", scores["memorability"].to_numpy()[::-1]),
            },
        )
        data.to_zarr(tmp_path / "run" / "features.zarr", group=group, mode="a", consolidated=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")  # as memjax.store does, and why
        zarr.consolidate_metadata(tmp_path / "run" / "features.zarr")
    settings = PaperSettings(bootstraps=0, folds=0)
    sources = PaperSources(memvis=folder, memcat=csv), PaperSources(features=tmp_path / "run", memcat=csv)
    results = [compute(pipeline.read_inputs(one, settings), settings) for one in sources]
    keys = ["model", "metric", "layer"]
    a, b = (found.tables["correlations"].set_index(keys)["rho"].sort_index() for found in results)
    assert results[0].ceiling is not None
    assert results[1].ceiling is not None
    assert results[1].disagreements[0].startswith("GLM, DINOv2")
    np.testing.assert_allclose(a.reindex(b.index), b, atol=1e-9)
    assert len(b) == len(a) - 1  # all but the MAE's loss, which has a file of its own


def test_wrong_input_is_one_clear_line(made_up, tmp_path: Path, monkeypatch) -> None:
    folder, csv = made_up
    monkeypatch.setenv("MEMJAX_REFERENCE_DATA", str(tmp_path / "absent"))
    cases = [
        ((), "reference data"),
        (("--memvis", folder), "both"),
        (("--memvis", tmp_path / "none", "--memcat", csv), "none: expected a folder"),
        (("--memvis", tmp_path, "--memcat", csv), "none of them"),
        (("--memvis", folder, "--memcat", folder), "MemCat table"),
        (("--memvis", folder, "--memcat", csv, "--folds", 1), "--folds"),
        (("--memvis", folder, "--memcat", csv, "--bootstraps", -1), "--bootstraps"),
        (("--features", tmp_path, "--memvis", folder), "one of them"),
        (("--features", tmp_path), "feature store"),
        (("--memvis", folder, "--memcat", csv, "--images", tmp_path / "none"), "--images"),
        (
            ("--memvis", folder, "--memcat", csv, "--dataset", "lnsim"),
            "--dataset: expected features of the same data set",
        ),
        (("--memvis", folder, "--memcat", csv, "--data-dir", folder), "--data-dir: expected a data set's name"),
        (("--features", tmp_path, "--dataset", "lnsim", "--groups", "kind"), "kind"),
    ]
    for arguments, message in cases:
        with pytest.raises(InputError) as caught:
            run(monkeypatch, *arguments, "--out", tmp_path / "out")
        assert message in told(caught.value)
        assert "\n" not in told(caught.value)
    monkeypatch.setattr(pipeline, "compute", lambda *inputs: pytest.fail("told before the work"))
    with pytest.raises(InputError, match="can't be written"):
        run(monkeypatch, "--memvis", folder, "--memcat", csv, "--out", csv / "below")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("clip_activations_mean.json", "{", "JSON"),
        ("clip_activations_mean.json", '{"0": [1, 2]}', f"list of {N} numbers"),
        ("clip_activations_mean.json", "[1, 2]", 'keys "0"'),
        ("clip_activations_mean.json", '{"0": ["a"]}', f"list of {N} numbers"),
        ("dict_memcat_ALL_vitmae_BASE_losses.json", '{"other.jpg": 1.0}', "no image in common"),
    ],
)
def test_broken_files_are_named(made_up, name: str, text: str, message: str) -> None:
    folder, csv = made_up
    (folder / name).write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_released(folder, read_memcat(csv).index)
    assert name in str(caught.value)


def test_figure_of_epochs() -> None:
    table = tables.sae_table({"CLIP": np.array([[0.1, 0.3], [0.4, 0.6]])})
    assert table["std"].tolist() == pytest.approx([0.1, 0.1])
    figure = epochs.rho_by_epoch(table, Reliability(0.8))
    assert "CLIP +0.500" in figure.get_label()
    with pytest.raises(InputError, match="at least one epoch"):
        epochs.rho_by_epoch(table[:0])


@pytest.mark.parametrize("method", ["spearman", "pearson", "kendall"])
def test_the_benchmark_runs_and_agrees(monkeypatch, capsys, method: str) -> None:
    sizes = ["--images", "80", "--columns", "3", "--n-boot", "40", "--method"]
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", *sizes, method])
    assert bootstrap.main() == 0
    assert float(capsys.readouterr().out.rsplit(" ", 1)[-1]) < 1e-5


@pytest.mark.slow
def test_all_published_clip_correlations(memvis_dir: Path, memcat_csv: Path) -> None:
    scores = read_memcat(memcat_csv)
    released = read_released(memvis_dir, scores.index)
    y = scores["memorability"].to_numpy()
    measures = {**released.measures, **tables.per_image_measures(released)}
    table = correlation_table(stack(measures), y, n_boot=0)
    compared = tables.compare(table, tables.sae_table(released.sae_rho))
    clip = compared[(compared["part"] == "correlations") & (compared["model"] == "CLIP")]
    assert len(clip[~clip["quantity"].str.startswith("delta_")]) == 73
    assert len(clip) == 75
    assert (clip["difference"].abs() < 1e-4).all()
    mae = compared[compared["part"] == "MAE baseline"]
    assert len(mae) >= 1
    assert (mae["difference"].abs() < 1e-4).all()
    rest = compared[compared["part"].isin(["SAE loss", "SAE latent magnitude"])]
    assert len(rest) >= 12
    assert (rest["difference"].abs() < 1e-3 / 2).all()  # published to three decimals


@pytest.mark.slow
def test_isola_numbers(isola_dir: Path) -> None:
    table = tables.isola_table(read_isola(isola_dir)).set_index("measure")
    assert table["rho"].round(2).tolist() == [0.29, 0.36, 0.16]
    for measure, (_, low, high) in published.ISOLA.items():
        assert table.loc[measure, "ci_low"] == pytest.approx(low, abs=0.01)
        assert table.loc[measure, "ci_high"] == pytest.approx(high, abs=0.01)


@pytest.mark.slow
def test_glm_on_clip(memvis_dir: Path, memcat_csv: Path) -> None:
    """No number is published for CLIP: least squares on the same columns must give the same deviance."""
    scores = read_memcat(memcat_csv)
    metrics, y = read_released(memvis_dir, scores.index).measures["CLIP"], scores["memorability"].to_numpy()
    fit, note = tables.paper_glm(metrics, y)
    assert fit is not None
    assert note == ""
    columns = [metrics[name][:, 11 if name == "attention_entropy" else 10] for name in published.GLM_COLUMNS]
    design = np.column_stack([np.ones(len(y)), *columns])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    assert fit.deviance == pytest.approx((residual**2).sum(), rel=1e-6)
    assert fit.coef[0] == pytest.approx(published.GLM["DINOv2"]["coef intercept"], abs=1e-4)  # the mean score
