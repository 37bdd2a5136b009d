"""Where a centre crop stands, for either rounding of an odd margin, and that what was written before still reads."""

import numpy as np
import pytest
from PIL import Image

import memjax
from memjax.images import resize_crop
from memjax.predecoded.layout import geometry
from memjax.preprocessing import Preprocessing


@pytest.mark.parametrize("side", [20, 21, 22, 23, 24, 25, 27])
def test_the_corner_is_transformers_or_torchvisions(side):
    """transformers halves and floors; torchvision rounds half a pixel to the even number."""
    ramp = np.arange(side * 31, dtype=np.uint16).reshape(side, 31)
    image = np.stack([ramp % 256, ramp // 256, np.zeros_like(ramp)], axis=-1).astype(np.uint8)
    for centre, half in (("down", lambda x: x // 2), ("even", lambda x: int(round(x / 2.0)))):  # noqa: RUF046
        found = resize_crop(Image.fromarray(image), Preprocessing(resize=None, crop=(20, 20), centre=centre))
        top, left = half(side - 20), half(31 - 20)
        np.testing.assert_array_equal(found, image[top : top + 20, left : left + 20])


def test_what_is_written_is_what_it_was_unless_it_is_new():
    old, new = Preprocessing(), Preprocessing(centre="even")
    assert "centre" not in old.to_json()
    assert new.to_json() == old.to_json() | {"centre": "even"}
    for pre in (old, new):
        assert Preprocessing.from_json(pre.to_json()) == pre
    assert geometry(old) != geometry(new), "images kept for one are not read for the other"
    with pytest.raises(memjax.InputError, match="centre: expected one of down, even"):
        Preprocessing.from_json(new.to_json() | {"centre": "up"})
    with pytest.raises(memjax.InputError, match="expected the fields"):
        Preprocessing.from_json({name: value for name, value in new.to_json().items() if name != "crop"})


def test_the_fast_decoder_crops_at_the_same_place():
    pytest.importorskip("simplejpeg")
    image = np.zeros((64, 71, 3), np.uint8)
    image[:, 35:] = 255
    made = [
        memjax.read_images([image], Preprocessing(resize=64, crop=(64, 64), centre="even", decoder=decoder))
        for decoder in ("exact", "fast")
    ]
    assert np.abs(made[0] - made[1]).max() < 0.1
