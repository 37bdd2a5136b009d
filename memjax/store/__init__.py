"""The feature store: one zarr group an encoder, labelled axes, written chunk by chunk, resumed where it stopped.

Layout of ``features.zarr/<encoder>``: one float32 variable a metric, dimensions ``image, layer`` (``image, layer, head`` where
it is per head; ``image, layer, width`` for token vectors, ``image, patch_layer, patch, width`` for patches), its attributes
``title``, ``unit`` and ``reference``; coordinates ``image`` (ids, text), ``memorability`` and ``layer``; attributes say what
made it, and with which versions.
Chunks hold whole images. A chunk counts as done when its marker (``progress/<encoder>/<chunk>.json``: its failures, checksums
of its values and of its images, how many were turned upright) stands beside the store; a marker is written last, so a run
that dies loses at most the chunk it was writing. Before a run goes on, or its store is read, values are compared with the
markers (`memjax.store.mending`, `memjax.store.verifying`).
"""

from memjax.store.design import CREATED
from memjax.store.identity import SHOWN
from memjax.store.layout import METRIC_DIMS, OWN, PROGRESS, STORE, Variable
from memjax.store.markers import DamagedError, images_turned, marked_chunks
from memjax.store.mending import mend
from memjax.store.opening import Opening
from memjax.store.reading import metric_variables, open_features, store_place
from memjax.store.same_run import DECODING, known_identity
from memjax.store.verifying import found_design, inspect_group, verify_group
from memjax.store.writer import (
    MADE_BY,
    MEASURED_WITH,
    Writer,
    add_metrics,
    consolidate,
    note_versions,
    open_writer,
    versions_of,
)

__all__ = [
    "CREATED",
    "DECODING",
    "MADE_BY",
    "MEASURED_WITH",
    "METRIC_DIMS",
    "OWN",
    "PROGRESS",
    "SHOWN",
    "STORE",
    "DamagedError",
    "Opening",
    "Variable",
    "Writer",
    "add_metrics",
    "consolidate",
    "found_design",
    "images_turned",
    "inspect_group",
    "known_identity",
    "marked_chunks",
    "mend",
    "metric_variables",
    "note_versions",
    "open_features",
    "open_writer",
    "store_place",
    "verify_group",
    "versions_of",
]
