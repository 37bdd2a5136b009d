"""A measure of the whole image has one value an image: no caption, heading or sentence puts it at a layer."""

import re

import numpy as np
import pandas as pd
import pytest

from memjax.report import encoder_pairs, figures, gallery, readout
from memjax.report.labels import Context
from tests import fake_run

WHOLE, LAYERED = "delta_total", "cls_mean"
IDS = [f"{i}.jpg" for i in range(30)]


@pytest.mark.parametrize("metric", [WHOLE, LAYERED])
def test_captions_of_a_metric(metric: str) -> None:
    caption = str(figures.rho_by_layer(fake_run.table(), metric).get_label())
    assert len(re.findall(r"layer \d", caption)) == (2 if metric == LAYERED else 0), caption
    start = "Strongest in {}: layer " if metric == LAYERED else "In {}: "
    assert all(start.format(model) in caption for model in fake_run.MODELS)


@pytest.mark.parametrize("metric", [WHOLE, LAYERED])
def test_titles_of_a_scatter(metric: str) -> None:
    values = np.arange(60.0)
    figure = figures.score_scatter(values, values, ("m", metric, 12))
    assert ("layer 12" in str(figure.get_label())) == (metric == LAYERED)


@pytest.mark.parametrize("metric", [WHOLE, LAYERED])
def test_headings_of_a_gallery(metric: str) -> None:
    table = fake_run.table()
    best = table[(table["metric"] == metric) & (table["layer"] == 12)].iloc[0]
    shown = gallery.gallery(fake_run.features(IDS), best, None, Context())
    assert len(shown.strips) == 4
    assert [", layer 12: " in strip.title for strip in shown.strips] == [False, metric == LAYERED] * 2


@pytest.mark.parametrize("kind", ["weights", "importance"])
def test_the_largest_of_a_readout(kind: str) -> None:
    rows = pd.DataFrame({"model": "m", "metric": [WHOLE, LAYERED, LAYERED], "layer": [12, 11, 12]})
    rows = rows.assign(weight=[0.9, 0.1, 0.2], importance=[0.9, 0.1, 0.2])
    largest = Context().label(WHOLE).title
    assert f"Largest: {largest}." in readout.layer_map(rows, "m", kind).get_label()
    turned = rows.assign(weight=[0.1, 0.9, 0.2], importance=[0.1, 0.9, 0.2])
    assert f"Largest: {Context().label(LAYERED).title}, layer 11." in readout.layer_map(turned, "m", kind).get_label()


@pytest.mark.parametrize(
    ("single", "said"), [(f"{WHOLE}, layer 12, m", f"({WHOLE}, m)"), ("cls_mean, layer 3", "(cls_mean, layer 3)")]
)
def test_the_best_single_measure_of_a_readout(single: str, said: str) -> None:
    row = {"model": "m", "rho": 0.3, "ci_low": 0.2, "ci_high": 0.4, "p": 0.01, "n": 60, "columns": 2, "within": "fold"}
    row |= {"pooled_rho": 0.3, "best_single": single, "best_single_rho": 0.2}
    assert said in readout.sentences(pd.DataFrame([row]), None)[0]


def test_tables_of_pairs_and_of_corrected_values() -> None:
    pair = {"compared": "strongest measure", "first": f"{WHOLE}, layer 12", "second": "cls_mean, layer 3", "n": 60}
    pair |= dict.fromkeys(
        ("first_rho", "second_rho", "difference", "difference_low", "difference_high", "p", "p_holm"), 0.1
    )
    (section,) = encoder_pairs.pair_sections(pd.DataFrame([pair]))
    assert section.table[["first", "second"]].iloc[0].tolist() == [WHOLE, "cls_mean, layer 3"]
    row = {"what": f"{WHOLE}, layer 12", "model": "m", "n": 60}
    row |= dict.fromkeys(
        ("rho", "corrected", "corrected_low", "corrected_high", "ceiling", "ceiling_low", "ceiling_high"), 0.1
    )
    (section,) = encoder_pairs.corrected_sections(pd.DataFrame([row]))
    assert section.table["what"].tolist() == [WHOLE]
