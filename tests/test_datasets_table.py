"""`open_table`: tables and data sets that are already in Python, with every form of image, with scores and without."""

import contextlib
import io
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from memjax.checks import InputError
from memjax.cli.arguments import told
from memjax.datasets import Dataset, open_folder, open_table
from memjax.decoding import decode
from memjax.loader import batches
from memjax.preprocessing import Preprocessing
from tests.miniatures import pixels, write_image

N = 5
SCORES = [0.5, 0.25, 0.75, 1.0, 0.0]
PRE = Preprocessing(resize=(8, 8), crop=None)


def levels(dataset: Dataset, **options: int) -> list[np.ndarray]:
    """What an encoder gets of each image."""
    found = list(batches(dataset, PRE, 2, **options))
    assert not [failure for batch in found for failure in batch.failures]
    return [row for batch in found for row in batch.pixels[batch.valid]]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "images" / f"{i}.png" for i in range(N)]
    for i, path in enumerate(paths):
        write_image(path, seed=i)
    return paths


def forms(files: list[Path]) -> dict[str, list]:
    """The same images in every form that a column may have."""
    images = [Image.fromarray(pixels(i)) for i in range(N)]
    return {
        "text": [str(path) for path in files],
        "paths": files,
        "bytes": [path.read_bytes() for path in files],
        "in memory": images,
        "arrays": [np.asarray(image) for image in images],
        "stored": [{"bytes": path.read_bytes(), "path": None} for path in files],
    }


class Pairs:
    """A data set in the style of torch: (image, score)."""

    def __init__(self, images: list, scores: list | None):
        self.images, self.scores = images, scores

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> object:
        return self.images[index] if self.scores is None else (self.images[index], self.scores[index])


class Columns:
    """A data set in the style of Hugging Face: columns by name, rows by number."""

    def __init__(self, **columns: list):
        self.columns = columns
        self.rows_read: list[int] = []

    @property
    def column_names(self) -> list[str]:
        return list(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key: int | str) -> object:
        if isinstance(key, str):
            assert key != "image", "the column of images as a whole would hold them all"
            return self.columns[key]
        self.rows_read.append(key)
        return {name: values[key] for name, values in self.columns.items()}


def test_every_form_of_image_gives_the_pixels_of_the_folder(files, tmp_path):
    scores = tmp_path / "scores.csv"
    scores.write_text("image,memorability\n" + "".join(f"{f.name},{s}\n" for f, s in zip(files, SCORES)))
    wanted = levels(open_folder(tmp_path / "images", scores))
    marks = {}
    for form, column in forms(files).items():
        dataset = open_table(pd.DataFrame({"image": column, "memorability": SCORES}))
        assert dataset.scored
        assert dataset.rejected == []
        assert dataset.table["memorability"].tolist() == SCORES
        ids = [str(f) for f in files] if form in ("text", "paths") else [f"row-{i:06d}" for i in range(N)]
        assert dataset.table.index.tolist() == ids
        for found, row in zip(levels(dataset), wanted, strict=True):
            np.testing.assert_array_equal(found, row, err_msg=form)
        marks[form] = dataset.info["fingerprint"]
    assert marks["text"] == marks["paths"]
    assert marks["in memory"] == marks["arrays"]
    assert marks["bytes"] == marks["stored"]


def test_images_that_were_opened_only_are_not_read_into_memory(files):
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(Image.open(path)) for path in files]
        dataset = open_table(pd.DataFrame({"image": opened, "memorability": SCORES}), name="opened")
        for found, wanted in zip(levels(dataset), levels(open_table(Pairs(files, SCORES))), strict=True):
            np.testing.assert_array_equal(found, wanted)
        assert all(image.tile for image in opened)


def test_worker_processes_read_tables_too(files):
    dataset = open_table(pd.DataFrame({"image": forms(files)["bytes"], "memorability": SCORES}))
    for found, row in zip(levels(dataset, workers=1), levels(dataset), strict=True):
        np.testing.assert_array_equal(found, row)
    assert pickle.loads(pickle.dumps(dataset.records))[3].data == dataset.records[3].data
    with pytest.raises(IndexError):
        dataset.records[N]


def test_where_the_images_of_a_table_may_be(files, tmp_path):
    arrays = forms(files)["arrays"]
    frame = pd.DataFrame({"memorability": SCORES, "photo": arrays}, index=[f.name for f in files])
    folder, column, given, stacked = (
        open_table(frame, images) for images in (tmp_path / "images", "photo", arrays, np.stack(arrays))
    )
    for dataset in (folder, column, given, stacked):
        assert dataset.table.index.tolist() == [f.name for f in files]
        for found, row in zip(levels(dataset), levels(folder), strict=True):
            np.testing.assert_array_equal(found, row)
    named = open_table(frame.assign(image=[f"id{i}" for i in range(N)]), "photo")
    assert named.table.index.tolist() == [f"id{i}" for i in range(N)]
    with pytest.raises(InputError, match="a sequence of 5 images, one for each row, got 3"):
        open_table(frame, arrays[:3])
    with pytest.raises(InputError, match="or one of memorability, photo"):
        open_table(frame, "photos")
    with pytest.raises(InputError, match="expected a column 'image', got columns memorability, photo"):
        open_table(frame)
    with pytest.raises(InputError, match="names files below it"):
        open_table(frame.reset_index(drop=True), tmp_path / "images")


def test_rows_that_cannot_be_used_are_told(files, tmp_path):
    images: list = [
        *forms(files)["bytes"],
        b"nothing",
        None,
        np.zeros((3, 8, 8), np.float32),
        files[0].parent / "no.png",
    ]
    frame = pd.DataFrame({"image": images, "memorability": ["0.5", "x", "nan", "inf", None, 1, 1, 1, 1]})
    dataset = open_table(frame, name="mine")
    assert dataset.table.index.tolist() == ["row-000000", "row-000005", "row-000008"]
    errors = {failure.image: failure for failure in dataset.rejected}
    assert [errors[f"row-00000{i}"].stage for i in (1, 2, 3, 4)] == ["scores"] * 4
    assert "mine, row 2: expected a finite score, got 'x'" in errors["row-000001"].error
    assert "an empty cell" in errors["row-000004"].error
    assert errors["row-000006"].stage == "read"
    assert "got float32 [3, 8, 8]" in errors["row-000007"].error
    assert len(errors) == len(dataset.rejected) == 6
    told_later = [failure for batch in batches(dataset, PRE, 4) for failure in batch.failures]
    assert [(f.image, f.stage) for f in told_later] == [("row-000005", "decode"), ("row-000008", "read")]
    with pytest.raises(InputError, match=r"no usable image \(1 set aside, the first: .*uint8 array \[y, x\]"):
        open_table([{"image": 3.0}])
    outside = pd.DataFrame({"image": ["0.png", "../images/1.png"], "memorability": [1, 2]})
    assert "refused" in open_table(outside, tmp_path / "images").rejected[0].error
    doubled = pd.DataFrame({"image": ["0.png", "0.png"], "memorability": [1, 2]})
    with pytest.raises(InputError, match=r"more than once: 0\.png"):
        open_table(doubled, tmp_path / "images")


def test_further_columns_that_are_known_are_kept(files):
    frame = pd.DataFrame(
        {"image": files, "score": SCORES, "category": list("abcde"), "hits": range(N), "colour": "red"}
    )
    dataset = open_table(frame, score="score", limit=3)
    assert list(dataset.table) == ["memorability", "category", "hits"]
    assert dataset.table["memorability"].tolist() == SCORES[:3]
    assert dataset.table["hits"].tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(InputError, match="positive"):
        open_table(frame, limit=0)


@pytest.mark.parametrize("form", ["in memory", "arrays", "paths", "bytes"])
def test_data_sets_with_len_and_items(files, form):
    images = forms(files)[form]
    frame = open_table(pd.DataFrame({"image": images, "memorability": SCORES, "category": list("abcde")}))
    items = [{"image": i, "memorability": s, "category": c} for i, s, c in zip(images, SCORES, "abcde")]
    columns = Columns(image=images, memorability=SCORES, category=list("abcde"))
    for dataset in (open_table(items), open_table(columns) if form != "paths" else open_table(items)):
        pd.testing.assert_frame_equal(dataset.table, frame.table, check_exact=True)
        assert dataset.info == frame.info
        for found, row in zip(levels(dataset), levels(frame), strict=True):
            np.testing.assert_array_equal(found, row)
    pairs = open_table(Pairs(images, SCORES))
    assert pairs.table["memorability"].tolist() == SCORES
    assert pairs.info["fingerprint"] == frame.info["fingerprint"]
    limited = Columns(image=images, memorability=SCORES)
    assert len(open_table(limited, limit=2)) == 2
    assert set(limited.rows_read) == {0, 1}, "no more is read than was asked for"


def test_items_that_cannot_be_read_are_told(files):
    class Broken(Pairs):
        def __getitem__(self, index: int) -> object:
            if index == 1:
                raise RuntimeError("disk is gone")
            return super().__getitem__(index)

    dataset = open_table(Broken(forms(files)["arrays"], SCORES))
    assert len(dataset) == N - 1
    assert [(f.image, f.stage) for f in dataset.rejected] == [("row-000001", "scores")] or "disk" in str(
        dataset.rejected
    )


def test_what_is_no_table_is_refused(files):
    for table, match in (
        ({"train": Pairs([], []), "test": Pairs([], [])}, "pass one of its parts: train, test"),
        ([], "no rows"),
        (pd.DataFrame({"image": []}), "got 0 rows"),
        (Columns(photo=[1]), "expected a column 'image', got columns photo"),
    ):
        with pytest.raises(InputError, match=match):
            open_table(table)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the name of the column of images"):
        open_table(Pairs(forms(files)["arrays"], SCORES), files[0].parent)


def test_data_without_scores(files, tmp_path):
    images = forms(files)["arrays"]
    folder = open_folder(tmp_path / "images")
    assert folder.table.index.tolist() == [f.name for f in files]
    tables = (
        pd.DataFrame({"image": images}),
        pd.DataFrame({"image": images, "memorability": SCORES}),
        [{"image": image} for image in images],
        Columns(image=images),
        Pairs(images, None),
        [(image,) for image in images],
    )
    opened = [open_table(table, score=None if i == 1 else "memorability") for i, table in enumerate(tables)]
    for dataset in (folder, *opened):
        assert len(dataset) == N
        assert not dataset.scored
        assert dataset.rejected == []
        assert np.isnan(dataset.table["memorability"]).all()
        for found, row in zip(levels(dataset), levels(folder), strict=True):
            np.testing.assert_array_equal(found, row)
    assert len({dataset.info["fingerprint"] for dataset in opened}) == 1
    (tmp_path / "images" / "0.png").write_bytes(b"other")
    assert open_folder(tmp_path / "images").info["fingerprint"] != folder.info["fingerprint"]
    assert len(open_folder(tmp_path / "images", limit=2)) == 2


def test_a_column_of_scores_that_is_not_there_is_refused(files):
    for columns, score, match in (
        ({"memorabilty": SCORES}, "memorability", "say score='memorabilty', or score=None"),
        ({"Memorability": SCORES}, "memorability", "say score='Memorability'"),
        ({"hits": SCORES}, "score", "expected a column of scores 'score', got columns image, hits"),
    ):
        for table in (pd.DataFrame({"image": files, **columns}), Columns(image=files, **columns)):
            with pytest.raises(InputError, match=match) as caught:
                open_table(table, score=score)
            assert told(caught.value).endswith("(--score)")


def test_the_fingerprint_follows_ids_scores_and_images(files):
    arrays = forms(files)["arrays"]
    frame = pd.DataFrame({"image": arrays, "memorability": SCORES}, index=list("abcde"))
    changed = [arrays[0] // 2, *arrays[1:]]
    marks = [
        open_table(table).info["fingerprint"]
        for table in (frame, frame.assign(memorability=0.5), frame.set_index(pd.Index(list("abcdf"))))
    ] + [open_table(frame, changed).info["fingerprint"], open_table(frame.copy(), arrays).info["fingerprint"]]
    assert len(set(marks[:4])) == 4
    assert marks[4] == marks[0]


def test_a_real_hugging_face_data_set(files):
    hugging_face = pytest.importorskip("datasets", reason="pip install datasets")
    features = hugging_face.Features({"image": hugging_face.Image(), "memorability": hugging_face.Value("float64")})
    columns = {"image": [str(f) for f in files], "memorability": SCORES}
    dataset = open_table(hugging_face.Dataset.from_dict(columns, features=features))
    wanted = open_table(pd.DataFrame({"image": forms(files)["arrays"], "memorability": SCORES}))
    pd.testing.assert_frame_equal(dataset.table, wanted.table, check_exact=True)
    for found, row in zip(levels(dataset), levels(wanted), strict=True):
        np.testing.assert_array_equal(found, row)
    split = hugging_face.DatasetDict({"train": hugging_face.Dataset.from_dict(columns)})
    with pytest.raises(InputError, match="pass one of its parts: train"):
        open_table(split)


def test_an_image_is_decoded_as_it_is_stored(files):
    """Bytes go through memjax's own decoder: orientation is not applied, whatever the data set would do."""
    image, file = Image.fromarray(pixels(0, 6, 9)), io.BytesIO()
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, "JPEG", exif=exif)
    dataset = open_table([{"image": file.getvalue(), "memorability": 1.0}])
    assert decode(dataset.records[0].data).size == (9, 6)
