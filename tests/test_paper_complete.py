"""The paper's models with category intercepts and ViT-MAE by source, against other libraries and the released files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy.stats import spearmanr

from memjax.paper import published, tables
from memjax.paper.by_source import WITHOUT, source_table
from memjax.paper.given_category import COLUMNS, glm_given_category
from memjax.paper.released import read_memcat, read_released


@pytest.fixture
def studied(rng) -> tuple[dict[str, dict[str, np.ndarray]], pd.DataFrame]:
    """Measures of one encoder at thirteen layers and scores of 240 images; a category decides over much of both."""
    category = np.arange(240) % 4
    y = 0.2 * category + 0.1 * rng.normal(size=240)
    metrics = {
        name: category[:, None] * rng.uniform(-1, 1) + rng.normal(size=(240, 13)) + (i == 2) * y[:, None]
        for i, name in enumerate(published.GLM_COLUMNS)
    }
    table = pd.DataFrame({"memorability": y, "category": [f"kind {i}" for i in category]})
    return {"CLIP": metrics}, table


def test_category_intercepts_are_those_of_statsmodels(studied):
    measures, scores = studied
    scores = scores.assign(memorability=scores["memorability"].where(scores.index != 5))
    measures["CLIP"]["cls_mean"][17, 10] = np.nan
    y = scores["memorability"].to_numpy()
    fit, _ = tables.paper_glm(measures["CLIP"], y)
    assert fit is not None
    found = glm_given_category({"CLIP": fit}, measures, scores)
    assert tuple(found.columns) == COLUMNS
    names, x = tables.glm_columns(measures["CLIP"])
    kept = np.isfinite(x).all(axis=1) & np.isfinite(y)
    data = scores[kept].assign(**{name: (c - c.mean()) / c.std() for name, c in zip(names, x[kept].T, strict=True)})
    terms = " + ".join(names)
    alone = smf.ols("memorability ~ C(category)", data).fit()
    plain, both = (
        smf.ols(f"memorability ~ {terms}", data).fit(),
        smf.ols(f"memorability ~ C(category) + {terms}", data).fit(),
    )
    np.testing.assert_allclose(found["coef"], plain.params[names])
    np.testing.assert_allclose(found["coef_given_category"], both.params[names])
    np.testing.assert_allclose(found["z_given_category"], both.tvalues[names])
    assert found["r2_category"].iloc[0] == pytest.approx(alone.rsquared)
    assert found["r2"].iloc[0] == pytest.approx(plain.rsquared)
    assert found["increment"].iloc[0] == pytest.approx(both.rsquared - alone.rsquared)
    assert set(found["n"]) == {238}
    assert glm_given_category({}, measures, scores).empty


def test_sources_one_by_one_and_without_imagenet(rng):
    y, source = rng.normal(size=120), np.array(["imagenet", "coco", "sun", "imagenet"])[np.arange(120) % 4]
    loss = np.column_stack([np.full((120, 3), np.nan), y + rng.normal(size=120)])
    scores = pd.DataFrame({"memorability": y, "source": source})
    found = source_table({"E": {"cls_mean": loss}, "M": {"mae_loss": loss}}, scores, n_boot=0).set_index("source")
    assert list(found.index) == ["all", "coco", "imagenet", "sun", WITHOUT]
    assert set(found["model"]) == {"M"}
    masks = {"all": source != "", "coco": source == "coco", WITHOUT: source != "imagenet"}
    for name, mask in masks.items():
        rho, p = spearmanr(loss[mask, -1], y[mask])
        assert found.loc[name, "rho"] == pytest.approx(rho)
        assert found.loc[name, "p"] == pytest.approx(p)
        assert found.loc[name, "n"] == mask.sum()
    assert source_table({"E": {"cls_mean": loss}}, scores, n_boot=0).empty
    assert WITHOUT not in set(source_table({"M": {"mae_loss": loss}}, scores.assign(source="coco"), 0)["source"])


def test_ours_beside_the_published_has_them(rng):
    sources = pd.DataFrame({"model": ["ViT-MAE large"] * 2, "source": ["coco", "sun"], "rho": [0.1, 0.2]})
    given = pd.DataFrame({"model": ["CLIP"] * 2, "term": ["a", "b"], "r2_category": 0.4, "increment": 0.01})
    nothing = pd.DataFrame(columns=["model", "metric", "layer", "rho"])
    found = tables.compare(nothing, sources=sources, given_category=given).set_index("quantity")
    assert found.loc["mae_loss, coco", ["ours", "theirs"]].tolist() == [
        0.1,
        published.MAE_RHO_BY_SOURCE["large"]["coco"],
    ]
    assert found.loc["increment, category intercepts", "theirs"] == published.GLM_GIVEN_CATEGORY["CLIP"]["increment"]
    assert len(found) == 3
    assert tables.is_rho(found.reset_index()).tolist() == [True, False, False]


@pytest.mark.slow
def test_the_released_files_give_the_published_numbers(memvis_dir: Path, memcat_csv: Path) -> None:
    """Each figure that the released files allow; which encoders' they are, they say themselves."""
    scores = read_memcat(memcat_csv)
    released = read_released(memvis_dir, scores.index)
    y = scores["memorability"].to_numpy()
    fits = {model: fit for model, m in released.measures.items() if (fit := tables.paper_glm(m, y)[0]) is not None}
    sources = source_table(tables.per_image_measures(released), scores, n_boot=0)
    given = glm_given_category(fits, released.measures, scores)
    nothing = pd.DataFrame(columns=["model", "metric", "layer", "rho"])
    found = tables.compare(nothing, None, fits, None, sources, given)
    by_name = found.set_index(["model", "quantity"])
    assert by_name.loc[("ViT-MAE base", "mae_loss, coco"), "ours"] == pytest.approx(0.0865, abs=5e-5)
    assert by_name.loc[("ViT-MAE base", "mae_loss, without imagenet"), "ours"] == pytest.approx(0.1177, abs=5e-5)
    assert sources.set_index("source").loc[["coco", WITHOUT], "n"].tolist() == [2187, 4383]
    assert by_name.loc[("CLIP", "cox_snell_r2"), "ours"] == pytest.approx(0.2229, abs=5e-5)
    assert by_name.loc[("CLIP", "increment, category intercepts"), "ours"] == pytest.approx(0.012, abs=5e-4)
    assert by_name.loc[("CLIP", "r2_category, category intercepts"), "ours"] == pytest.approx(0.442, abs=5e-4)
    uniformity = given[(given["model"] == "CLIP") & (given["term"] == "patch_uniformity")].iloc[0]
    assert uniformity["coef"] < 0 < uniformity["coef_given_category"], "its sign is that of the categories"
