"""The report page: what it says, that nothing hostile gets through, and (slow) what a browser makes of it."""

import dataclasses
import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from memjax.outputs import DatasetRecord, Run
from memjax.report import figures, page
from memjax.report.gallery import EDGE, data_uri
from memjax.report.headline import best_row, caveats, headline
from memjax.report.labels import Context
from memjax.stats.strongest import Strongest
from tests import fake_run
from tests.page_words import words

IDS = [f"{i:04d}.jpg" for i in range(1, 61)]


def written(folder: Path, **changes: Any) -> str:
    table = changes.get("table", fake_run.table())
    shown = page.Page(
        run=fake_run.RUN,
        table=table,
        context=fake_run.CONTEXT,
        failures=fake_run.FAILURES,
        features=fake_run.features(IDS),
        figures={"rho_by_layer_cls_mean": figures.rho_by_layer(table, "cls_mean", fake_run.CONTEXT)},
        thumbnails=fake_run.thumbnails,
    )
    page.write_report(folder / "report.html", dataclasses.replace(shown, **changes))
    return (folder / "report.html").read_text(encoding="utf-8")


def test_page_holds_every_part(tmp_path: Path) -> None:
    text = words(written(tmp_path, findings=["All together do better."]))
    parts = [
        "All together do better.",
        "Result",
        "Human ceiling",
        "+0.779 ([+0.765, +0.792] over splits)",
        "at most the square root of that, 0.936",
        "rho / ceiling",
        "All correlations",
        "truncated image",
    ]
    parts += ["arXiv:2509.01453", "IEEE Transactions", "models[1].revision", "9f2c9f2c", "People: least memorable"]
    for part in parts:
        assert part in text, part
    assert text.count("cls_norm") >= 26  # a row for each layer and encoder


def test_nothing_is_requested_from_outside(tmp_path: Path) -> None:
    text = written(tmp_path)
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert len(sources) > 20
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "default-src 'none'" in text
    assert "@import" not in text
    assert "url(" not in text


def test_same_input_same_bytes(tmp_path: Path) -> None:
    assert written(tmp_path) == written(tmp_path)


def test_hostile_text_is_escaped(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>'
    run = Run(DatasetRecord(evil, citation=evil), settings={evil: evil})
    failures = pd.DataFrame([(evil, evil, evil)], columns=["image", "stage", "error"])
    table = fake_run.table().replace({"model": {fake_run.MODELS[0]: evil}})
    features = dict(zip((evil, fake_run.MODELS[1]), fake_run.features([evil, *IDS]).values()))
    figure = figures.rho_by_layer(table, "cls_mean")
    section = page.Section(evil, [evil], {evil: figure}, pd.DataFrame({evil: [evil]}))
    text = written(
        tmp_path, run=run, table=table, features=features, failures=failures, figures={evil: figure}, sections=[section]
    )
    assert "<script>alert" not in text
    assert '"><' + "script>alert" not in text
    assert text.count("<script>") == 1
    assert evil in words(text) or "alert(1)" in words(text)


def test_synthetic_data_are_labelled(tmp_path: Path) -> None:
    text = words(written(tmp_path, context=Context(synthetic=True)))
    assert "Synthetic data. Images and scores were generated" in text
    assert "nothing here is evidence about human memory" in text
    assert "Synthetic data." not in words(written(tmp_path))


def test_empty_run_still_makes_a_page(tmp_path: Path) -> None:
    table = fake_run.table().assign(rho=np.nan, ci_low=np.nan, ci_high=np.nan, p=np.nan, q=np.nan)
    text = words(
        written(
            tmp_path,
            table=table,
            run=Run(DatasetRecord("")),
            features={},
            context=Context(),
            failures=fake_run.FAILURES[:0],
        )
    )
    assert "No correlation could be computed" in text
    assert "None: every image with a score was used." in text
    assert "Not known: it needs half-splits" in text


def test_headline_names_the_largest_and_its_interval() -> None:
    table = fake_run.table()
    best = best_row(table)
    assert best is not None
    assert abs(best.rho) == table.rho.abs().max()
    sentence = headline(table, fake_run.CONTEXT).replace("\xa0", " ")
    assert f"({best.metric}) of {best.model} is the strongest" in sentence, (
        "a measure of the whole image is at no layer"
    )
    ceiling = np.sqrt(2 * 0.779 / 1.779)  # of all observers' scores, from their halves
    assert f"{100 * abs(best.rho) / ceiling:.0f} % of the human ceiling" in sentence
    by_layer = table[~table.metric.isin(["delta_first_last", "delta_total"])]
    best = best_row(by_layer)
    assert best is not None
    assert f"({best.metric}) at layer {best.layer} of {best.model} is the strongest" in headline(
        by_layer, fake_run.CONTEXT
    )


def test_headline_claims_nothing_where_chance_would_do() -> None:
    quiet = fake_run.table(n=40, strength=0.03)
    assert headline(quiet, Context()).startswith("No metric is clearly related to memorability")


def test_caveats_count_those_that_the_paired_test_leaves() -> None:
    table = pd.DataFrame(
        [("m", "a", 0, 0.5, 0.4, 0.6), ("m", "a", 1, -0.35, -0.45, -0.25), ("m", "a", 2, 0.1, 0.0, 0.2)],
        columns=fake_run.COLUMNS[:6],
    ).assign(p=0.01, q=0.01, n=100)
    strongest = Strongest("m", "a", 0, 0.5, 100, 3, 0.001, 100, 10_000, 1)
    notes = caveats(table, False, strongest)
    assert any(note.startswith("1 of the other 2 correlations cannot be told from it") for note in notes)
    assert not any("overlap" in note or "told from" in note for note in caveats(table, synthetic=False))


@pytest.mark.parametrize("sign", [1, -1])
def test_gallery_follows_score_and_sign(tmp_path: Path, sign: int) -> None:
    table = fake_run.table()
    table = table.assign(rho=sign * table.rho.abs(), ci_low=0.3 * sign, ci_high=0.6 * sign)
    best = best_row(table)
    assert best is not None
    data = fake_run.features(IDS)[best.model]
    values = sign * data[best.metric].sel(layer=best.layer)
    text = written(tmp_path, table=table, features={best.model: data})
    strips = re.findall(r'<section class="strip".*?</section>', text, flags=re.S)
    shown = [re.findall(r'alt="Image ([^"]+)"', strip) for strip in strips]
    assert shown[0][0] == str(data.image.values[int(data.memorability.values.argmax())])
    assert shown[1][0] == str(data.image.values[int(values.values.argmax())])
    assert shown[2][0] == str(data.image.values[int(data.memorability.values.argmin())])
    assert shown[3][0] == str(data.image.values[int(values.values.argmin())])


def test_thumbnails_are_small_and_bad_ones_are_left_out(tmp_path: Path) -> None:
    import base64
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGBA", (900, 500), "red").save(buffer, "PNG")
    small = Image.open(io.BytesIO(base64.b64decode(data_uri(buffer.getvalue()).split(",")[1])))
    assert max(small.size) == EDGE
    assert data_uri(b"no image") == ""
    assert words(written(tmp_path, thumbnails=lambda ids: {})).count("no image") == 24


def chromium() -> str:
    """The browser, or skip."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return found or pytest.skip("no chromium on the path")


def browse(address: Path, profile: Path) -> tuple[str, str]:
    """(DOM after the scripts ran, what the browser logged)."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
             "--virtual-time-budget=20000", "--window-size=1400,1000", f"--user-data-dir={profile}",
             "--dump-dom"]  # fmt: skip
    done = subprocess.run([chromium(), *flags, address.as_uri()], capture_output=True, text=True, timeout=120)
    return done.stdout, done.stderr


@pytest.mark.slow
def test_browser_logs_no_error_and_tables_sort(tmp_path: Path) -> None:
    written(tmp_path)
    dom, log = browse(tmp_path / "report.html", tmp_path / "profile")
    assert "CONSOLE" not in log
    assert dom.count("<button") >= 9  # made by the script: the content policy lets it run


PROBE = """<script>%s</script><script>addEventListener("load", async () => {
const button = document.querySelectorAll("th button")[3]; button.click();
const heading = button.parentElement.getAttribute("aria-sort");
const values = [...document.querySelectorAll("table.sortable tbody tr")].map((row) => row.cells[3].dataset.sort);
const found = await axe.run(document, {iframes: false});
const bad = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
const faults = bad.map((v) => [v.id, v.nodes[0].html]);
const wide = document.documentElement.scrollWidth;
parent.postMessage({wide, seen: innerWidth, faults, heading, values}, "*"); });</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_no_overflow_and_no_serious_fault(tmp_path: Path, width: int) -> None:
    axe = Path(os.environ.get("MEMJAX_AXE", "axe.min.js"))
    if not axe.is_file():
        pytest.skip("axe-core absent: set MEMJAX_AXE to its axe.min.js")
    table = fake_run.table()
    text = written(
        tmp_path, figures={"overview": figures.overview(table)}, sections=[page.Section("More", ["x"], {}, table[:20])]
    )
    text = re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", PROBE % axe.read_text("utf-8") + "</body>")
    (tmp_path / "probed.html").write_text(text, encoding="utf-8")
    frame = '<iframe src="probed.html" style="width:%dpx;height:900px;border:0"></iframe><pre id="r"></pre><script>'
    frame += 'addEventListener("message", (e) => {document.getElementById("r").textContent = '
    frame += "JSON.stringify(e.data)})</script>"
    (tmp_path / "frame.html").write_text(frame % width, encoding="utf-8")
    dom, _ = browse(tmp_path / "frame.html", tmp_path / "profile")
    answer = re.search(r'<pre id="r">(.+?)</pre>', dom, flags=re.S)
    assert answer, dom[-2000:]
    found = json.loads(html.unescape(answer[1]))
    assert found["seen"] == width
    assert found["wide"] <= width
    assert found["faults"] == []
    assert found["heading"] == "ascending"
    numbers = [float(value) for value in found["values"][:20]]  # the first table on the page, sorted by rho
    assert numbers == sorted(table.rho[:20].dropna())[: len(numbers)]
