"""Text cells of CSV files: no formula for a spreadsheet, and nothing lost."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memjax.datasets import Failure
from memjax.outputs import failure_table, read_failures, write_failures, write_table
from memjax.spreadsheets import as_text_cells, as_written

STARTS = "=+-@\t\r"


@pytest.mark.parametrize("start", STARTS)
def test_no_cell_is_a_formula_and_numbers_stay_numbers(start, tmp_path):
    text = f"{start}cmd|'/c calc'!A1"
    table = pd.DataFrame({"model": [text, "memjax/tiny"], "rho": [-0.5, 0.25], "layer": [0, 1], "kept": [True, False]})
    write_table(table, tmp_path, "t")
    read = pd.read_csv(tmp_path / "t.csv")
    assert read["model"].tolist() == [f"'{text}", "memjax/tiny"]
    assert read[["rho", "layer", "kept"]].equals(table[["rho", "layer", "kept"]])
    assert pd.read_parquet(tmp_path / "t.parquet")["model"].tolist() == table["model"].tolist()


def test_a_table_of_usual_names_has_the_bytes_that_pandas_gives(tmp_path):
    table = pd.DataFrame({"model": ["facebook/dinov2-small"], "metric": ["cls_mean"], "rho": [-1e-3], "n": [12]})
    write_table(table, tmp_path, "t")
    assert (tmp_path / "t.csv").read_text() == table.to_csv(index=False)


@given(st.lists(st.text(alphabet=f"{STARTS}'ab,\"", max_size=5), min_size=1))
def test_what_is_written_comes_back(texts):
    table = pd.DataFrame({"image": texts}, dtype=object)
    safe = as_text_cells(table)
    assert not [text for text in safe["image"] if text[:1] in tuple(STARTS)]
    assert as_written(safe)["image"].tolist() == texts
    assert table["image"].tolist() == texts


def test_failures_come_back_as_they_were(tmp_path):
    failures = failure_table([Failure("=1+1.png", "read", "-1 is no size"), Failure("'=a.png", "decode", "none")])
    write_failures(failures, tmp_path)
    pd.testing.assert_frame_equal(read_failures(tmp_path), failures, check_dtype=False)
    assert (tmp_path / "failures.csv").read_text().splitlines()[1] == "'=1+1.png,read,'-1 is no size"
