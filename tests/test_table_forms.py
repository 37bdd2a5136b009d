"""Tables of scores in the forms that spreadsheets and publications leave them in: read alike and said, or refused."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memjax.checks import InputError
from memjax.datasets import Dataset, lamem, memcat, open_dataset, open_folder
from memjax.datasets.scores import numbers, read_score_file
from memjax.datasets.table_form import plain_numbers
from tests import miniatures

N = 6


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("forms") / "images"
    for i in range(N):
        miniatures.write_image(folder / f"ä {i}.png", seed=i)
    return folder


def opened(images: Path, data: bytes, name: str = "scores.csv") -> Dataset:
    file = images.parent / name
    file.write_bytes(data)
    return open_folder(images, file)


def text_of(scores: list[str], separator: str, mark: str, end: str, quoted: bool) -> str:
    """A table with a column too many, and the image's name written with whatever it takes."""
    rows = [["nr", "image", "memorability", "category"]]
    rows += [[str(i), f"ä {i}.png", score.replace(".", mark), f"c{i % 2}"] for i, score in enumerate(scores)]
    needs = quoted or separator == mark
    return "".join(separator.join(f'"{cell}"' if needs else cell for cell in row) + end for row in rows)


SCORES = st.lists(st.integers(0, 999_999).map(lambda n: f"0.{n:06d}"), min_size=N, max_size=N)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scores=SCORES,
    separator=st.sampled_from([",", ";", "\t"]),
    mark=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoted=st.booleans(),
)
def test_one_table_in_any_form_is_one_data_set(images, scores, separator, mark, encoding, end, quoted):
    plain = opened(images, text_of(scores, ",", ".", "\n", False).encode())
    assert plain.table["memorability"].tolist() == [float(score) for score in scores]
    assert "table_form" not in plain.info
    found = opened(images, text_of(scores, separator, mark, end, quoted).encode(encoding))
    pd.testing.assert_frame_equal(found.table, plain.table, check_exact=True)
    assert found.rejected == plain.rejected == []
    assert found.info["fingerprint"] == plain.info["fingerprint"]
    said = found.info.get("table_form", "")
    assert ("semicolons" in said, "tabs" in said) == (separator == ";", separator == "\t")
    assert ("decimal commas" in said) == (mark == ",")
    assert ("encoded as" in said) == (encoding not in ("utf-8", "utf-8-sig"))


@settings(deadline=None, max_examples=40)
@given(
    values=st.lists(st.decimals(0, 100, places=2).map(str), min_size=1, max_size=8),
    space=st.sampled_from(["", " ", "\u00a0"]),
    mark=st.sampled_from([".", ","]),
)
def test_percents_of_a_whole_column_are_hundredths(values, space, mark):
    column = pd.Series([f"{value.replace('.', mark)}{space}%" for value in values])
    found, said = plain_numbers(column, ";", "t")
    assert numbers(found).tolist() == [float(f"{value}e-2") for value in values]
    assert "percent, divided by 100" in said


def test_percents_of_a_few_rows_are_no_scores(images):
    rows = ["0.5", "50 %", "0.25", "1", "0", "0.75"]
    dataset = opened(images, text_of(rows, ",", ".", "\n", False).encode())
    assert [failure.image for failure in dataset.rejected] == ["ä 1.png"]
    assert "table_form" not in dataset.info


def test_single_commas_among_points_are_told(images):
    rows = ["0.5", "0.25", "0.75", "0.1", "0.2", "X"]
    data = text_of(rows, ";", ".", "\n", False).replace("X", "0,3").encode()
    dataset = opened(images, data)
    assert len(dataset) == N - 1
    assert dataset.rejected[0].error.endswith("got '0,3', with a decimal comma")


@pytest.mark.parametrize(
    ("separator", "cells", "match"),
    [
        (",", ['"1,234"', '"2,345"', '"12,345"'], r"'1,234' can be read as 1\.234 \(decimal comma\) or as 1234"),
        ("\t", ["1,234", "2,345", "3,456"], r"can be read as 1\.234 \(decimal comma\) or as 1234 \(thousands\)"),
        (";", ["0,5", "0,25", "1.234"], r"decimal commas \(2 rows, '0,5'\) and points \(1, '1\.234'\)"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways_are_refused(images, separator, cells, match):
    rows = [separator.join(("image", "memorability"))]
    rows += [f"ä {i}.png{separator}{cell}" for i, cell in enumerate(cells)]
    with pytest.raises(InputError, match=match) as caught:
        opened(images, "\n".join(rows).encode())
    assert "column memorability" in str(caught.value)
    assert caught.value.argument == "scores"
    assert "\n" not in str(caught.value)


def test_a_header_that_can_be_read_in_two_ways_is_refused(images):
    with pytest.raises(InputError, match=r"can be read with commas \(image, memorability, ;.*\) or with semicolons"):
        opened(images, b"image,memorability,;image;memorability;\na.png,1,;\n")


@pytest.mark.parametrize(
    "cell",
    ["1.234,5", "1,234.5", "1 234", "1_0", "0x10", "1e999", "٠٫٥", "−0.5", "15. Mrz", "#DIV/0!", "True", "--1", "."],
)
def test_what_is_no_number_is_none(images, cell):
    data = text_of(["0.5", "0.25", "0.75", "0.1", "0.2", "X"], ";", ".", "\n", False).replace("X", cell)
    dataset = opened(images, data.encode())
    assert len(dataset) == N - 1
    assert repr(cell) in dataset.rejected[0].error


def test_unquoted_decimal_commas_are_refused(images):
    with pytest.raises(InputError, match=r"more cells than the header.*a decimal comma needs quotes"):
        opened(images, "image,memorability\nä 0.png,0,5\nä 1.png,0,25\n".encode())


def test_a_missing_column_is_told_with_the_separator_that_is_there(images):
    with pytest.raises(InputError, match=r"got image, score; add or rename memorability"):
        opened(images, "image;score\nä 0.png;0,5\n".encode())


def test_excels_own_line_about_the_separator(images):
    found = opened(images, ("sep=;\r\n" + text_of(["0.5"] * N, ";", ",", "\r\n", False)).encode("cp1252"))
    assert found.table["memorability"].tolist() == [0.5] * N


def test_an_excel_workbook_is_the_same_data_set(images, monkeypatch):
    scores = [0.25, 1, 0.123456789, 0, 0.7, 0.35]
    frame = pd.DataFrame({"image": [f"ä {i}.png" for i in range(N)], "memorability": scores, "category": "c"})
    book = io.BytesIO()
    with pd.ExcelWriter(book, engine="openpyxl") as writer:
        frame.to_excel(writer, sheet_name="ratings", index=False)
        frame.iloc[:2].to_excel(writer, sheet_name="notes", index=False)
    found = opened(images, book.getvalue(), "scores.xlsx")
    plain = opened(images, frame.to_csv(index=False).encode())
    pd.testing.assert_frame_equal(found.table, plain.table, check_exact=True)
    assert found.info["fingerprint"] == plain.info["fingerprint"]
    assert found.info["table_form"] == "Excel workbook, sheet 'ratings', the first of 2"
    with pytest.raises(InputError, match="cannot be read as an Excel workbook"):
        opened(images, b"image,memorability\n", "scores.xlsx")
    with pytest.raises(InputError, match=r"save it as \.xlsx or as CSV"):
        opened(images, b"", "scores.xls")
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(InputError, match="can't be read without openpyxl; install the package openpyxl") as caught:
        opened(images, book.getvalue(), "scores.xlsx")
    assert "\n" not in str(caught.value)


def test_other_bytes_are_one_line(images):
    for data in (b"", b"\0" * 50, b"\xff\xfea", b"\x89PNG\r\n\x1a\n", b'"', b"image,memorability\n", b"PK\x03\x04"):
        with pytest.raises(InputError) as caught:
            opened(images, data)
        assert "\n" not in str(caught.value)


def resaved(path: Path, separator: str = ",", mark: str = ".", digits: int | None = None) -> None:
    """A table as a spreadsheet saves it."""
    table = pd.read_csv(path)
    table.round(digits if digits is not None else 17).to_csv(path, sep=separator, decimal=mark, index=False)


@pytest.mark.parametrize(
    ("separator", "mark", "digits"), [(";", ",", None), (",", ".", 3), ("\t", ",", 4), (";", ".", 9)]
)
def test_memcat_saved_again(tmp_path, separator, mark, digits):
    scores = miniatures.memcat(tmp_path)
    resaved(tmp_path / memcat.TABLE, separator, mark, digits)
    dataset = open_dataset("memcat", tmp_path)
    wanted = scores if digits is None else np.round(scores, digits)
    np.testing.assert_allclose(dataset.table["memorability"], wanted, atol=1e-15)
    assert dataset.table["hits"].tolist() == [50, 53, 56, 59]
    said = dataset.info.get("table_form", "")
    assert ("decimal commas" in said) == (mark == ",")
    assert (f"rounded to {digits} digits" in said) == (digits in (3, 4))
    again = open_dataset("memcat", tmp_path)  # from the cache
    assert again.info == dataset.info


def test_rounding_explains_no_more_than_itself(tmp_path):
    miniatures.memcat(tmp_path)
    resaved(tmp_path / memcat.TABLE, digits=4)
    path = tmp_path / memcat.TABLE
    score = f"{round((53 - 5) / 91, 4)}"
    path.write_text(path.read_text().replace(score, f"{float(score) + 0.0002:.4f}"))
    with pytest.raises(InputError, match=r"1 rows, first 2\.jpg, where memorability_w_fa_correction is not"):
        open_dataset("memcat", tmp_path)


def test_isola_saved_again(tmp_path):
    miniatures.isola_table(tmp_path)
    path = tmp_path / "Image_info" / "target_info_IsolaEtAl.csv"
    resaved(path, ";", ",", 2)
    dataset = open_dataset("isola2011", tmp_path)
    hits = [h / (h + m) - f / (f + c) for h, m, f, c in miniatures.ISOLA]
    np.testing.assert_allclose(dataset.table["memorability"], hits, atol=0.006)


@pytest.mark.parametrize(("separator", "mark"), [(",", "."), (";", ","), ("\t", ","), (" ", ",")])
def test_lamem_saved_again(tmp_path, separator, mark):
    ids, scores, parts = miniatures.lamem_files(tmp_path)
    for file in (tmp_path / "splits").iterdir():
        lines = [line.split() for line in file.read_text().splitlines()]
        file.write_text("".join(f"{name}{separator}{score.replace('.', mark)}\r\n" for name, score in lines))
    dataset = open_dataset("lamem", tmp_path)
    assert list(dataset.table.index) == ids
    np.testing.assert_allclose(dataset.table["memorability"], scores.mean(axis=0))
    assert list(dataset.table["split_2"]) == parts[1]
    assert dataset.info["table_form"]
    assert len(scores) == lamem.N_OFFICIAL


def test_things_with_backslashes(tmp_path):
    miniatures.things(tmp_path)
    path = tmp_path / "THINGS_Memorability_Scores.csv"
    plain = open_dataset("things", tmp_path)
    path.write_text(path.read_text().replace("/", "\\"))
    dataset = open_dataset("things", tmp_path)
    pd.testing.assert_frame_equal(dataset.table, plain.table)
    assert dataset.info["table_form"] == "paths with backslashes"


def test_a_score_file_says_what_it_is(tmp_path):
    (tmp_path / "t.csv").write_bytes("a;b\nx;0,5\n".encode("utf-16"))
    rows, form = read_score_file(tmp_path / "t.csv", ["a", "b"], ["b"])
    assert rows.to_dict("list") == {"a": ["x"], "b": ["0.5"]}
    assert form == "semicolons between cells, encoded as UTF-16, decimal commas"
