"""Vectors that are sums of a few atoms, known to the tests, and some noise."""

import numpy as np


def planted_vectors(n: int = 400, d: int = 12, atoms: int = 18, active: int = 3, seed: int = 0) -> np.ndarray:
    """Each the sum of ``active`` of ``atoms`` unit vectors, with weights of 1 to 3, and noise of 0.05; float32 ``[n, d]``."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(atoms, d))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    weights = np.zeros((n, atoms))
    for mine in weights:
        mine[rng.choice(atoms, active, replace=False)] = rng.uniform(1, 3, active)
    return (weights @ rows + 0.05 * rng.normal(size=(n, d))).astype(np.float32)
