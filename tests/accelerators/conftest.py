"""What the tests of this folder share."""

import jax
import pytest


@pytest.fixture(autouse=True)
def no_precision_from_outside():
    """The other tests ask JAX for full precision everywhere; here the code has to ask for it."""
    with jax.default_matmul_precision("default"):
        yield
