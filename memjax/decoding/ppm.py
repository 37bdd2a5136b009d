"""PPM whose white is no full range: Pillow scales it pixel by pixel in Python, a minute for a camera's image."""

import numpy as np
from PIL import Image as PILImage


def scaled_ppm(data: bytes, image: PILImage.Image) -> PILImage.Image | None:
    """Its pixels as Pillow makes them, 8 bits or, grey of 16 bits, ``I;16``; None where Pillow has nothing to scale."""
    tiles = getattr(image, "tile", ())
    if image.format != "PPM" or image.mode not in ("L", "I", "RGB") or not tiles or tiles[0][0] != "ppm":
        return None
    offset, (_, white) = tiles[0][2:4]
    top, kind, mode = (65535, np.uint16, "I;16") if image.mode == "I" else (255, np.uint8, image.mode)
    stored = np.frombuffer(
        data, ">u2" if white > 255 else "u1", image.width * image.height * len(mode.split(";")[0]), offset
    )
    levels = np.minimum(top, np.rint(np.arange(65536) / white * top)).astype(kind)
    return PILImage.frombytes(mode, image.size, levels[stored].tobytes())
