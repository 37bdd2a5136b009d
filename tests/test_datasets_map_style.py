"""`open_table` of data sets with ``len`` and ``[i]``, as Hugging Face and torch make them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from memjax.checks import InputError
from memjax.datasets import open_table
from tests.own_images import SCORES, Columns, N, Pairs, files_in, forms, levels


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return files_in(tmp_path / "images")


@pytest.mark.parametrize("form", ["in memory", "arrays", "paths", "bytes"])
def test_data_sets_with_len_and_items(files, form):
    images = forms(files)[form]
    frame = open_table(pd.DataFrame({"image": images, "memorability": SCORES, "category": list("abcde")}))
    items = [{"image": i, "memorability": s, "category": c} for i, s, c in zip(images, SCORES, "abcde")]
    columns = Columns(image=images, memorability=SCORES, category=list("abcde"))
    for dataset in (open_table(items), open_table(columns)):
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
