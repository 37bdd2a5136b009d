"""What the loss of a part does to metrics, and other images that stand in for it (resample ablation)."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import memjax
from memjax.causes import CausesSettings, measure_effects
from memjax.causes.measuring import drawn_rows
from memjax.causes.table import metric_effects_table
from memjax.causes.units import BLOCK, HEAD, MLP
from memjax.checks import InputError
from tests.causes.made import IMAGES, score_of_streams, without_unit


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
