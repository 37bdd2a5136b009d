"""Batches: a fixed order, padding with a mask, failures told and not raised."""

import numpy as np
import pytest
from PIL import Image

from memjax.checks import InputError
from memjax.datasets import open_folder
from memjax.images import decode, resize_crop
from memjax.loader import batches
from memjax.preprocessing import Preprocessing

PRE = Preprocessing(resize=(12, 16), crop=None)


@pytest.fixture
def dataset(tmp_path):
    """Seven images; number 3 is no image at all."""
    rows = ["image,memorability"]
    rng = np.random.default_rng(1)
    for i in range(7):
        Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{i / 10}")
    (tmp_path / "3.png").write_bytes(b"nothing")
    (tmp_path / "scores.csv").write_text("\n".join(rows))
    return open_folder(tmp_path, tmp_path / "scores.csv")


@pytest.mark.parametrize("workers", [0, 2])
def test_order_padding_and_failures(dataset, workers):
    found = list(batches(dataset, PRE, 4, workers=workers))
    assert [b.positions.tolist() for b in found] == [[0, 1, 2, 3], [4, 5, 6, -1]]
    assert [b.valid.tolist() for b in found] == [[True, True, True, False], [True, True, True, False]]
    assert found[0].ids == ["0.png", "1.png", "2.png", "3.png"]
    assert found[1].ids[3] == ""
    assert [f.image for b in found for f in b.failures] == ["3.png"]
    assert found[0].failures[0].stage == "decode"
    for batch in found:
        assert batch.pixels.shape == (4, 12, 16, 3)
        for position, valid, pixels in zip(batch.positions, batch.valid, batch.pixels):
            if valid:
                np.testing.assert_array_equal(pixels, resize_crop(decode(dataset.records[int(position)].data), PRE))
            else:
                assert not pixels.any()


def test_only_the_positions_asked_for_in_their_order(dataset):
    found = list(batches(dataset, PRE, 2, np.array([6, 0, 5])))
    assert [b.ids for b in found] == [["6.png", "0.png"], ["5.png", ""]]
    assert list(batches(dataset, PRE, 2, np.array([], np.int64))) == []


def test_wrong_arguments(dataset):
    with pytest.raises(InputError, match="batch size"):
        batches(dataset, PRE, 0)
    with pytest.raises(InputError, match="positions"):
        batches(dataset, PRE, 2, np.array([7]))
