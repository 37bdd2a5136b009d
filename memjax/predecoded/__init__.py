"""Images kept as an encoder reads them: decoded, resized and cropped, uint8, so that no second run decodes them again.

A folder that the user names holds one folder for each data set and geometry (size, filter, orientation, decoder, version of
Pillow: `memjax.predecoded.layout`), shared by all encoders whose pixels differ by normalisation alone. In it lie parts: an
array_record file of pixels, and an index, written last, that says of which images they are. Every process writes parts of
its own, so that those of a run of many need not know of one another. An image costs ``3 y x`` bytes: 151 kB at 224 pixels,
151 GB a million.

Nothing that a run writes depends on whether an image came from here: an image whose file has another stamp is read, and
decoded unless its contents are the same; one without a stamp is always read; one that is not as it was written is decoded
again; one that cannot be decoded is never kept.
"""

from memjax.predecoded.caching import ImageCache, image_cache
from memjax.predecoded.reading import KeptImage, KeptImages

__all__ = ["ImageCache", "KeptImage", "KeptImages", "image_cache"]
