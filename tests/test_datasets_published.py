"""Published data sets, on miniatures in their published layout: every score meets its own image, nothing goes silently."""

import shutil

import numpy as np
import pytest

import memjax
from memjax.checks import InputError
from memjax.datasets import SPECS, lamem, memcat, names, open_dataset
from memjax.datasets.base import ABSENT, COLUMNS
from memjax.paper.released import read_memcat
from tests import miniatures
from tests.conftest import reference


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_every_data_set_says_what_a_user_has_to_know():
    assert {"demo", "lnsim", "memcat", "lamem", "figrim", "isola2011", "things"} <= set(names())
    for name, spec in SPECS.items():
        assert spec.name == name
        assert spec.description
        assert spec.licence
        assert spec.source.startswith("http") or spec.synthetic
        assert any(year in spec.citation for year in ("2011", "2015", "2019", "2020", "2023")) or spec.synthetic
        if not spec.synthetic:
            with pytest.raises(InputError, match="a data folder is needed"):
                memjax.open_dataset(name)
            assert spec.n_images
            assert len(spec.instructions) > 40


@pytest.mark.parametrize("name", [name for name in SPECS if name != "demo"])
def test_an_empty_folder_is_one_line_that_names_the_file(name, tmp_path):
    with pytest.raises(InputError, match=name.split("_")[0]) as caught:
        open_dataset(name, tmp_path)
    assert "nothing there" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_memcat(tmp_path):
    scores = miniatures.memcat(tmp_path)
    dataset = open_dataset("memcat", tmp_path)
    assert list(dataset.table.index) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    np.testing.assert_allclose(dataset.table["memorability"], scores)
    assert list(dataset.table["category"]) == ["food", "animal", "food", "animal"]
    assert list(dataset.table["subcategory"]) == ["soup", "bear", "soup", "bear"]
    assert dataset.table.loc["3.jpg", ["hits", "false_alarms", "responses"]].tolist() == [56, 6, 92]
    assert dataset.records[1].data == (tmp_path / "MemCat/animal/bear/2.jpg").read_bytes()
    assert dataset.rejected == []
    assert list(dataset.table) == [name for name in COLUMNS if name in dataset.table], "columns in their order"
    assert dataset.info["images_published"] == 10_000
    assert dataset.info["images_listed"] == 4
    limited = open_dataset("memcat", tmp_path, limit=2)
    assert list(limited.table["hits"]) == [50, 53]


def test_memcat_as_its_two_archives_unpack(tmp_path):
    miniatures.memcat(tmp_path)
    (tmp_path / "MemCat_data").mkdir()
    (tmp_path / "MemCat_images").mkdir()
    (tmp_path / memcat.TABLE).rename(tmp_path / "MemCat_data" / memcat.TABLE)
    (tmp_path / "MemCat").rename(tmp_path / "MemCat_images" / "MemCat")
    assert len(open_dataset("memcat", tmp_path)) == 4


def test_memcats_table_without_images_says_to_ask_the_authors(tmp_path):
    miniatures.memcat(tmp_path)
    (tmp_path / "MemCat").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"images are not.*ask the authors") as caught:
        open_dataset("memcat", tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "MemCat").mkdir()
    with pytest.raises(InputError, match=r"no usable image.*4 set aside.*ask the authors"):
        open_dataset("memcat", tmp_path)


def test_memcat_lists_what_it_cannot_use(tmp_path):
    secret = tmp_path / "secret.jpg"
    miniatures.write_image(secret)
    miniatures.memcat(tmp_path, ["1.jpg", "2.jpg", "../../../secret.jpg", "4.jpg", "5.jpg", "6.jpg"])
    (tmp_path / "MemCat/animal/bear/2.jpg").unlink()
    (tmp_path / "MemCat/animal/bear/4.jpg").unlink()
    miniatures.link(tmp_path / "MemCat/animal/bear/4.jpg", secret)
    table = (tmp_path / memcat.TABLE).read_text().splitlines()
    table[5] = table[5].rpartition(",")[0] + ',"NA"'
    (tmp_path / memcat.TABLE).write_text("\n".join(table))
    dataset = open_dataset("memcat", tmp_path)
    assert list(dataset.table.index) == ["1.jpg", "6.jpg"]
    errors = miniatures.told(dataset)
    assert "no such image" in errors["2.jpg"]
    assert "refused" in errors["../../../secret.jpg"]
    assert "symbolic link" in errors["4.jpg"]
    assert "'NA'" in errors["5.jpg"]
    assert dataset.info["images_listed"] == 6


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('"memorability_w_fa_correction"', '"score"', "memorability_w_fa_correction"),
        ('"2.jpg"', '"1.jpg"', "more than once: 1.jpg"),
        ('"coco",53,5,91', '"coco",43,5,91', "first 2.jpg, where memorability_w_fa_correction is not"),
        ('"2","2.jpg"', '"2","2.jpg","too","many"', "cannot be read|more cells"),
    ],
)
def test_a_memcat_table_that_contradicts_itself_is_refused(tmp_path, old, new, match):
    miniatures.memcat(tmp_path)
    text = (tmp_path / memcat.TABLE).read_text()
    assert old in text
    (tmp_path / memcat.TABLE).write_text(text.replace(old, new))
    with pytest.raises(InputError, match=match):
        open_dataset("memcat", tmp_path)


def test_lamem_keeps_its_official_splits(tmp_path):
    ids, scores, parts = miniatures.lamem_files(tmp_path)
    dataset = open_dataset("lamem", tmp_path)
    table = dataset.table
    assert list(table.index) == ids
    np.testing.assert_allclose(table["memorability"], scores.mean(axis=0))
    for k in range(5):
        assert list(table[f"split_{k + 1}"]) == parts[k]
        np.testing.assert_allclose(table[f"score_{k + 1}"], scores[k])
    test = table[table["split_1"] == "test"]
    assert list(test.index) == [name for name, part in zip(ids, parts[0]) if part == "test"]
    for i, name in enumerate(ids):
        assert dataset.records[i].data == (tmp_path / "images" / name).read_bytes()


def test_lamem_lists_missing_images_and_scores(tmp_path):
    ids, scores, _ = miniatures.lamem_files(tmp_path)
    (tmp_path / "images" / ids[2]).unlink()
    file = next(p for p in sorted((tmp_path / "splits").glob("*_4.txt")) if ids[5] in p.read_text())
    file.write_text(file.read_text().replace(f"{ids[5]} {scores[3, 5]:.6f}", f"{ids[5]} n/a"))
    dataset = open_dataset("lamem", tmp_path)
    assert list(dataset.table.index) == [name for i, name in enumerate(ids) if i not in (2, 5)]
    assert "no such image" in miniatures.told(dataset)[ids[2]]
    assert f"{file.name}, row" in miniatures.told(dataset)[ids[5]]
    assert dataset.info["images_listed"] == 7


@pytest.mark.parametrize("damage", ["twice", "one split only", "file missing", "three columns"])
def test_lamem_splits_that_do_not_fit_together_are_refused(tmp_path, damage):
    miniatures.lamem_files(tmp_path)
    file = tmp_path / "splits" / "val_3.txt"
    text = file.read_text()
    if damage == "twice":  # in val and in test of one split
        other = (tmp_path / "splits" / "test_3.txt").read_text().splitlines()[0]
        file.write_text(text + other + "\n")
    elif damage == "one split only":
        file.write_text("".join(text.splitlines(keepends=True)[1:]))
    elif damage == "file missing":
        file.unlink()
    else:
        file.write_text("".join(f"{line} 9\n" for line in text.splitlines()))
    match = {
        "twice": "val and test of split 3: ids there more than once",
        "one split only": "only one of split 1 and split 3",
        "file missing": "val_3.txt: expected a file",
        "three columns": "val_3.txt.*more cells",
    }
    with pytest.raises(InputError, match=match[damage]):
        open_dataset("lamem", tmp_path)


def test_lamem_names_out_of_the_folder_are_refused(tmp_path):
    ids, _, _ = miniatures.lamem_files(tmp_path)
    for file in (tmp_path / "splits").iterdir():
        file.write_text(file.read_text().replace(ids[0], "../splits/train_1.txt"))
    dataset = open_dataset("lamem", tmp_path)
    assert list(dataset.table.index) == ids[1:]
    assert "refused" in miniatures.told(dataset)["../splits/train_1.txt"]


def test_things_has_the_means_of_its_concepts(tmp_path):
    miniatures.things(tmp_path)
    (tmp_path / "images/aardvark/aardvark_02s.jpg").unlink()
    dataset = open_dataset("things", tmp_path)
    assert list(dataset.table.index) == ["aardvark/aardvark_01b.jpg", "abacus/abacus_01b.jpg"]
    np.testing.assert_allclose(dataset.table["memorability"], [0.8, 0.9])
    np.testing.assert_allclose(dataset.table["concept_memorability"], [0.7, 0.9])
    assert list(dataset.table["category"]) == ["aardvark", "abacus"]
    assert set(miniatures.told(dataset)) == {"aardvark/aardvark_02s.jpg", "abacus/abacus_02s.jpg"}
    assert dataset.records[0].data == (tmp_path / "images/aardvark/aardvark_01b.jpg").read_bytes()


def test_things_refuses_doubles_and_sets_paths_out_of_the_folder_aside(tmp_path):
    miniatures.things(tmp_path, {"images/a/1.jpg": 0.5, "images/../../secret.jpg": 0.6})
    miniatures.write_image(tmp_path.parent / "secret.jpg")
    dataset = open_dataset("things", tmp_path)
    assert list(dataset.table.index) == ["a/1.jpg"]
    assert "refused" in miniatures.told(dataset)["../../secret.jpg"]
    miniatures.things(tmp_path, {"images/a/1.jpg": 0.5, "a/1.jpg": 0.6})
    with pytest.raises(InputError, match=r"file_path: ids there more than once: a/1\.jpg"):
        open_dataset("things", tmp_path)


def test_lamem_has_as_many_splits_as_its_columns():
    assert {f"split_{k}" for k in range(1, 6)} == {name for name in COLUMNS if name.startswith("split_")}
    assert lamem.N_OFFICIAL == 5


@pytest.mark.slow
def test_memcats_published_table(memcat_csv):
    table = memcat.to_table(memcat.read_rows(memcat_csv))
    assert len(table) == memcat.SPEC.n_images == 10_000
    assert table["category"].value_counts().to_dict() == dict.fromkeys(
        ("animal", "food", "landscape", "sports", "vehicle"), 2000
    )
    assert np.isfinite(table.select_dtypes("number")).all(axis=None)
    assert table["memorability"].iloc[0] == pytest.approx((55 - 4) / 98)
    again = read_memcat(memcat_csv)  # the reader of the paper's tables
    assert (again[list(table)] == table).all(axis=None)
    with pytest.raises(InputError, match="ask the authors"):
        open_dataset("memcat", memcat_csv.parent)


@pytest.mark.slow
def test_things_real_table_and_some_of_its_images(tmp_path, monkeypatch):
    """Most images are not there, which is no failure; the image without a score is one only where it is there."""
    folder = reference("things")
    dataset = open_dataset("things", folder)
    assert (dataset.info["images_listed"], dataset.info["images_published"], len(dataset)) == (26_107, 26_107, 464)
    assert {failure.stage for failure in dataset.rejected} == {ABSENT}
    assert dataset.info["images_absent"] == len(dataset.rejected) == 26_107 - 464
    few = open_dataset("things", folder, limit=10)
    assert len(few) == 10
    assert {failure.stage for failure in few.rejected} == {ABSENT}
    (tmp_path / "images" / "goalpost").mkdir(parents=True)
    shutil.copy(folder / "THINGS_Memorability_Scores.csv", tmp_path)
    for i in range(8, 10):
        miniatures.write_image(tmp_path / "images" / "goalpost" / f"goalpost_{i:02d}s.jpg", i)
    part = open_dataset("things", tmp_path)
    assert [(f.image, f.stage) for f in part.rejected if f.stage != ABSENT] == [("goalpost/goalpost_08s.jpg", "scores")]
    assert part.table["concept_memorability"].between(0, 1).all()


def test_memcat_says_where_its_images_are_from(tmp_path):
    miniatures.memcat(tmp_path)
    assert open_dataset("memcat", tmp_path).table["source"].tolist() == ["coco"] * 4
