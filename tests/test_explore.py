"""Charts of a page that answer: they read the table, they compile, and (slow) a browser draws them under the page's policy."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import vl_convert

from memjax.report import figures, page
from memjax.report.explore import drawn_ceiling, explorer
from memjax.report.heatmap import rho_map
from memjax.report.labels import Context
from memjax.report.scores import score_distribution
from memjax.report.style import encoder_styles
from tests import fake_run
from tests.page_words import words
from tests.test_page import IDS, browse


def found(table: pd.DataFrame | None = None) -> dict:
    made = explorer(fake_run.table() if table is None else table, fake_run.CONTEXT)
    assert made is not None
    return made


def with_charts(folder: Path, table: pd.DataFrame) -> str:
    context, scores = fake_run.CONTEXT, np.linspace(0.2, 0.9, 60)
    lead = {"map": rho_map(table, context), "scores": score_distribution(scores, context)}
    shown = page.Page(
        run=fake_run.RUN,
        table=table,
        context=context,
        failures=fake_run.FAILURES,
        features=fake_run.features(IDS),
        figures={"overview": figures.overview(table, context)},
        lead=lead,
        thumbnails=fake_run.thumbnails,
    )
    page.write_report(folder / "report.html", shown)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_rows_are_those_of_the_table() -> None:
    table = fake_run.table()
    rows = pd.DataFrame(found(table)["rows"])
    kept = table[table["metric"] != "cls_sum"]  # a fixed multiple of cls_mean
    assert len(rows) == len(kept)
    both = rows.merge(kept, left_on=["encoder", "metric", "layer"], right_on=["model", "metric", "layer"])
    assert len(both) == len(kept)
    np.testing.assert_allclose(both["rho_x"].astype(float), both["rho_y"], atol=1e-5)
    assert (both["clear"] == (both["q_y"] < 0.05)).all()


def test_the_strongest_is_chosen_and_whole_images_are_told_from_layers() -> None:
    table = fake_run.table()
    best = table.loc[table["rho"].abs().idxmax()]
    made = found(table)
    assert made["chosen"] == {"encoder": best["model"], "metric": best["metric"]}
    assert {one["name"] for one in made["metrics"] if one["whole"]} == {"delta_total", "delta_first_last"}


def test_a_table_without_a_value_has_no_charts(tmp_path: Path, undrawn: None) -> None:
    empty = fake_run.table().assign(rho=np.nan, ci_low=np.nan, ci_high=np.nan, q=np.nan)
    assert explorer(empty, fake_run.CONTEXT) is None
    assert "vegaEmbed" not in with_charts(tmp_path, empty)
    assert "No correlation could be computed" in words(tmp_path / "report.html")


@pytest.mark.parametrize("name", ["map", "lines"])
def test_specifications_compile(name: str) -> None:
    made = found()
    spec = {**made[name], "data": {"values": made["rows"]}, "width": 600}
    compiled = vl_convert.vegalite_to_vega(spec)
    assert {"metric"} < {signal["name"] for signal in compiled["signals"]} | {"more"}
    assert compiled["marks"]


def test_the_ceiling_is_drawn_where_it_leaves_the_values_their_room() -> None:
    table = fake_run.table()
    top = fake_run.CEILING.ceiling
    assert drawn_ceiling(table.assign(rho=-0.6), fake_run.CONTEXT) == -top
    assert drawn_ceiling(table.assign(rho=0.1), fake_run.CONTEXT) is None
    assert drawn_ceiling(table, Context()) is None


def test_contents_lead_to_sections(tmp_path: Path, undrawn: None) -> None:
    text = with_charts(tmp_path, fake_run.table())
    listed = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a>', text)
    assert len(listed) >= 9
    assert listed == re.findall(r'<h2 id="([^"]+)">([^<]+)</h2>', text), "each section once, in order, by its heading"


def test_every_encoder_has_the_look_that_it_has_in_the_figures() -> None:
    table = pd.concat([fake_run.table().assign(model=f"encoder {i}") for i in range(12)], ignore_index=True)
    made = found(table)["lines"]
    colours, dashes, shapes = (
        made["encoding"]["color"], made["layer"][2]["encoding"]["strokeDash"], made["layer"][3]["encoding"]["shape"]
    )  # fmt: skip
    assert colours["scale"]["range"] == [look.colour for look in encoder_styles(table).values()]
    looks = zip(colours["scale"]["range"], shapes["scale"]["range"])
    assert len(set(looks)) == 12
    assert len(dashes["scale"]["range"]) == 12


def test_hostile_names_stay_data(tmp_path: Path, undrawn: None) -> None:
    evil = "</script><script>alert(1)</script>"
    text = with_charts(tmp_path, fake_run.table().replace({"model": {fake_run.MODELS[0]: evil}}))
    assert "<script>alert" not in text
    data = re.search(r'<script type="application/json" id="explorer-data">(.*?)</script>', text, flags=re.S)
    assert data is not None
    assert evil in json.loads(data[1])["encoders"]


@pytest.mark.slow
def test_a_browser_draws_them_under_the_policy_of_the_page(tmp_path: Path) -> None:
    table = fake_run.table()
    with_charts(tmp_path, table)
    dom, log = browse(tmp_path / "report.html", tmp_path / "profile")
    assert not [line for line in log.splitlines() if "CONSOLE" in line and "WARN Dropping" not in line]
    assert dom.count("marks") >= 2
    cells = re.search(r'<g class="mark-rect role-mark[^"]*layer_0_marks".*?</g>', dom, flags=re.S)
    assert cells is not None
    model = found(table)["chosen"]["encoder"]
    shown = table[(table["model"] == model) & table["rho"].notna() & (table["metric"] != "cls_sum")]
    assert cells[0].count("<path") == len(shown)
    assert "Download CSV" in dom
