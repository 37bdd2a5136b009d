"""What is damaged, and how, in the folder of the finished sweep of `tests.damage`: cases that are made good and said."""

from tests.damage import (
    CHUNK,
    GROUP,
    IMAGES,
    OTHER_JSON,
    TORN,
    Damage,
    a_file,
    a_folder,
    delete,
    edited,
    gone,
    unsealed,
)

STORE = f"features.zarr/{GROUP}"
MARKERS = f"progress/{GROUP}"

TORN_FILES = [
    "features.zarr/zarr.json",
    f"{STORE}/zarr.json",
    f"{STORE}/cls_mean/zarr.json",
    f"{STORE}/cls/zarr.json",
    f"{STORE}/image/zarr.json",
    f"{STORE}/memorability/zarr.json",
    f"{STORE}/cls_mean/c/1/0",
    f"{STORE}/cls/c/2/0/0",
    f"{STORE}/image/c/0",
    f"{STORE}/memorability/c/0",
    f"{STORE}/layer/c/0",
    f"{MARKERS}/created",
    f"{MARKERS}/000001.json",
    "run.json",
    "correlations.csv",
    "correlations.parquet",
    "failures.csv",
    "report.html",
]
METADATA = [name for name in TORN_FILES if name.endswith("zarr.json")]
NOTHING_SAID = {(f"{MARKERS}/000001.json", delete), ("run.json", delete)}
"""Deleted, they are what an interrupted run leaves: it is resumed."""

AGAIN: list[tuple[str, Damage]] = [(name, damage) for name in TORN_FILES for damage in TORN]
AGAIN += [(name, damage) for name in (*METADATA, f"{MARKERS}/000000.json", "run.json") for damage in OTHER_JSON]
AGAIN += [(f"{STORE}/{name}", gone) for name in ("cls_mean", "cls", "image", "memorability", "layer", "cls_mean/c")]
AGAIN += [
    (f"{STORE}/cls_mean/zarr.json", edited(**change))
    for change in (
        {"data_type": "float64"},
        {"data_type": "int32"},
        {"shape": [IMAGES, 7]},
        {"shape": [10**12, 6]},
        {"shape": "wide"},
        {"fill_value": 0.0},
        {"dimension_names": ["layer", "image"]},
        {"dimension_names": None},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [10**9, 6]}}},
        {"codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]},
        {"codecs": []},
        {"codecs": [{"name": "no such codec"}]},
        {"node_type": "group"},
        {"zarr_format": 9},
    )
]
AGAIN += [
    (f"{MARKERS}/000001.json", damage)
    for damage in (
        edited(failures={}),
        edited(failures=[["a.png", "read"]]),
        edited(failures=[["a.png", "read", 3]]),
        edited(failures=[["a.png", "read", "none"]] * (CHUNK + 1)),
        edited(turned=-1),
        edited(turned=10**9),
        edited(turned="2"),
        edited(turned=True),
        edited(sums={}),
        edited(sums=[1]),
        edited(sums={"cls_mean": 3}),
        edited(contents=[["", None]] * (CHUNK + 1)),
        edited(contents=3),
        unsealed(),
        unsealed(turned=1),
    )
]
AGAIN += [
    ("run.json", damage)
    for damage in (
        edited(dataset=3),
        edited(dataset={}),
        edited(dataset={"name": 3}),
        edited(models="memjax/tiny"),
        edited(models=[3]),
        edited(metrics=[]),
        edited(outputs=["report.html"]),
        edited(outputs={"report.html": 3}),
        edited(ceiling={"consistency": "much"}),
        edited(readout={"folds": 5, "rows": [{}]}),
        edited(readout=[]),
        edited(failures="none"),
        unsealed(versions=3),
    )
]

LINES: list[tuple[str, str, Damage]] = [
    *(("", name, a_file) for name in ("progress", MARKERS, "features.zarr", STORE, f"{STORE}/cls_mean")),
    *(
        ("", name, a_folder)
        for name in (
            "features.zarr/zarr.json",
            f"{STORE}/zarr.json",
            f"{MARKERS}/created",
            f"{MARKERS}/000001.json",
            "run.json",
            "report.html",
            "correlations.csv",
        )
    ),
    (
        "made by another run",
        f"{MARKERS}/created",
        edited(identity={"images": IMAGES, "chunk": CHUNK, "model": "other"}),
    ),
    ("outside", "run.json", edited(outputs={"../../secret": "ab"})),
    ("outside", "run.json", edited(outputs={"/etc/hostname": "ab"})),
]
