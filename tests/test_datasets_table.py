"""`open_table` of pandas tables: images in every form, with scores and without."""

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
from memjax.datasets import open_folder, open_table
from memjax.decoding import decode
from memjax.loader import batches
from tests.miniatures import pixels
from tests.own_images import PRE, SCORES, Columns, N, Pairs, files_in, forms, levels


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return files_in(tmp_path / "images")


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


def test_an_image_is_decoded_by_memjax(files):
    """Bytes go through memjax's own decoder, whatever the data set would do of the orientation."""
    image, file = Image.fromarray(pixels(0, 6, 9)), io.BytesIO()
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, "JPEG", exif=exif)
    dataset = open_table([{"image": file.getvalue(), "memorability": 1.0}])
    assert decode(dataset.records[0].data).size == (6, 9)
    assert decode(dataset.records[0].data, orient=False).size == (9, 6)
