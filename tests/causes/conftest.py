"""A predictor of random weights, and a few images, for all tests of causes."""

import pytest

import memjax
from memjax.causes import CausesSettings, measure_effects
from memjax.causes.measuring import Effects
from memjax.predictor import Predictor
from tests.causes.made import IMAGES, random_predictor


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    return random_predictor()


@pytest.fixture(scope="session")
def dataset() -> memjax.Dataset:
    return memjax.open_dataset("demo", limit=IMAGES)


@pytest.fixture(scope="session")
def zeroed(predictor: Predictor, dataset: memjax.Dataset) -> Effects:
    return measure_effects(predictor.scored()[0], dataset, CausesSettings(ablation="zero"))
