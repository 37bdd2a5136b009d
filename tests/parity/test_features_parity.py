"""From image files to correlations, against transformers' processor and eager model and plain NumPy definitions."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="parity needs torch (CPU build) and transformers")
transformers = pytest.importorskip("transformers")

from PIL import Image
from scipy.io import loadmat
from scipy.stats import spearmanr

import memjax
from tests import oracles
from tests.parity import hf

COUNT = 64


@pytest.fixture
def lnsim(lnsim_dir) -> tuple[list, np.ndarray]:
    """Paths and scores of 64 images, spread over the data set: the mean of both halves over all splits."""
    halves = [loadmat(lnsim_dir / "Random_splits" / f"{n}.mat")[n] for n in ("subject_hrs1", "subject_hrs2")]
    rows = np.linspace(0, 2631, COUNT).astype(int)
    return [lnsim_dir / "Image_data" / f"{i + 1:04d}.jpg" for i in rows], np.mean(halves, axis=(0, 1))[rows]


@pytest.mark.slow
def test_metrics_and_correlations_of_lnsim_images(lnsim, dinov2_dir):
    """Each metric within 1e-4 relative (entropy 1e-4 bits), rho per layer within 0.002."""
    paths, scores = lnsim
    processor = transformers.AutoImageProcessor.from_pretrained(dinov2_dir, backend="pil")
    model = transformers.AutoModel.from_pretrained(dinov2_dir, dtype=torch.float32, attn_implementation="eager").eval()
    encoder = memjax.load(str(dinov2_dir))
    ours, theirs = [], []
    for start in range(0, COUNT, 8):
        files = paths[start : start + 8]
        images = [Image.open(file).convert("RGB") for file in files]
        pixels = processor(images=images, return_tensors="np")["pixel_values"].transpose(0, 2, 3, 1)
        read = memjax.read_images(files, encoder.preprocessing)
        np.testing.assert_allclose(read, pixels, atol=1e-6)
        inside = hf.inside(model, np.ascontiguousarray(pixels))
        ours.append(memjax.features(encoder, read))
        theirs += [oracles.features(h, a, cls=True, prefix=1) for h, a in zip(inside.hidden, inside.attention)]
    table = {name: np.concatenate([o[name] for o in ours]) for name in ours[0]}
    for name, values in table.items():
        wanted = np.stack([t[name] for t in theirs])
        np.testing.assert_array_equal(np.isnan(values), np.isnan(wanted), err_msg=name)
        if name == "attention_entropy":
            assert np.nanmax(np.abs(values - wanted)) < 1e-4
        else:  # relative to the metric's size at that layer: a mean of activations can come close to zero
            error = np.nanmax(np.abs(values - wanted) / (np.abs(wanted) + np.abs(wanted).mean(axis=0)))
            assert error < 1e-4, (name, error)
        for layer in np.flatnonzero(np.isfinite(wanted[0])):
            if np.ptp(wanted[:, layer]) > 1e-5 * np.abs(wanted[:, layer]).max():  # layer 0's cls is the same for all
                rho = [spearmanr(x[:, layer], scores).statistic for x in (values, wanted)]
                assert abs(rho[0] - rho[1]) < 0.002, (name, layer, rho)
