"""A narrow VGG-16 autoencoder with random weights, as a file with the published names, and images for it."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from safetensors.numpy import save_file

WIDTHS = ((4,), (4, 4), (6,))
"""Channels of each convolution, as `memjax.baselines.vgg.BLOCKS` has them of the real one."""


def random_state(seed: int = 0, widths: tuple[tuple[int, ...], ...] = WIDTHS) -> dict[str, np.ndarray]:
    """Weights in torch's layout, with running statistics that are not those of a new network."""
    rng, state, channels = np.random.default_rng(seed), {}, 3

    def convolution(key: str, shape: tuple[int, ...], inputs: int, outputs: int) -> None:
        state[f"{key}.weight"] = rng.normal(0, (2 / inputs) ** 0.5, shape).astype(np.float32)
        state[f"{key}.bias"] = rng.normal(0, 0.1, outputs).astype(np.float32)

    def norm(key: str, width: int) -> None:
        for part, low, high in (
            ("weight", 0.5, 1.5),
            ("bias", -0.2, 0.2),
            ("running_mean", -1, 1),
            ("running_var", 0.5, 2),
        ):
            state[f"{key}.{part}"] = rng.uniform(low, high, width).astype(np.float32)
        state[f"{key}.num_batches_tracked"] = np.array(7, np.int64)

    for number, block in enumerate(widths, 1):
        for i, width in enumerate(block):
            key = f"encoder.conv{number}.{i} EncoderLayer.layer"
            convolution(f"{key}.0", (width, channels, 3, 3), 9 * channels, width)
            norm(f"{key}.1", width)
            channels = width
    for number, block in enumerate(reversed(widths), 1):
        wide, place = block[-1], len(widths) - number
        narrow = widths[place - 1][-1] if place else 3
        convolution(f"decoder.conv{number}.0 UpSampling", (wide, wide, 2, 2), wide, wide)
        for i in range(1, len(block) + 1):
            key, outputs = f"decoder.conv{number}.{i} DecoderLayer.layer", narrow if i == len(block) else wide
            norm(f"{key}.0", wide)
            convolution(f"{key}.2", (outputs, wide, 3, 3), 9 * wide, outputs)
    return state


def save_random(file: Path, seed: int = 0) -> Path:
    """The weights as safetensors."""
    save_file(random_state(seed), file)
    return file


def make_images(home: Path, count: int = 14, broken: int | None = 5) -> Path:
    """Images with scores in ``home/scores.csv``, one of them cut short; the folder with the images."""
    images, rng = home / "images", np.random.default_rng(4)
    images.mkdir()
    for i in range(count):
        coarse = rng.integers(0, 255, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((50, 40 + i), Image.Resampling.BICUBIC).save(images / f"p{i}.png")
    if broken is not None:
        whole = (images / f"p{broken}.png").read_bytes()
        (images / f"p{broken}.png").write_bytes(whole[: len(whole) // 2])
    names = [f"p{i}.png" for i in range(count)]
    scores = pd.DataFrame({"image": names, "memorability": rng.permutation(np.linspace(0.2, 0.9, count))})
    scores.to_csv(home / "scores.csv", index=False)
    return images
