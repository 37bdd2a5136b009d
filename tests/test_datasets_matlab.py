"""Data sets published as MATLAB files (FIGRIM, Isola 2011), on miniatures in their published layout."""

import dataclasses
import functools
import io
import shutil

import numpy as np
import pytest
import scipy.io
from PIL import Image

from memjax.checks import InputError
from memjax.datasets import figrim, isola2011, open_dataset
from memjax.datasets.builder import open_built
from memjax.datasets.matlab import read_structs
from tests import miniatures
from tests.conftest import reference


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path_factory.mktemp("cache")))


def small_isola():
    return dataclasses.replace(
        isola2011.SPEC, read_source=functools.partial(isola2011.read_source, n_images=4), n_images=4
    )


@pytest.mark.parametrize("scenes", [figrim.SCENES, "Targets"])
def test_figrims_targets(tmp_path, scenes):
    miniatures.figrim(tmp_path, scenes=scenes)
    (tmp_path / scenes / "kitchen" / "sun_b.jpg").unlink()
    dataset = open_dataset("figrim", tmp_path)
    assert list(dataset.table.index) == ["badlands/sun_a.jpg", "badlands/sun_c.jpg", "kitchen/sun_d.jpg"]
    np.testing.assert_allclose(dataset.table["memorability"], [6 / 20, 8 / 20, 9 / 20])
    np.testing.assert_allclose(dataset.table["memorability_within"], [3 / 10, 5 / 10, 6 / 10])
    counted = dataset.table[["hits", "false_alarms", "responses", "first_showings"]]
    assert counted.iloc[1].tolist() == [8, 2, 20, 40]
    assert list(dataset.table["category"]) == ["badlands", "badlands", "kitchen"]
    assert dataset.records[2].data == (tmp_path / scenes / "kitchen" / "sun_d.jpg").read_bytes()
    assert set(miniatures.told(dataset)) == {"kitchen/sun_b.jpg"}


def test_figrims_public_release(tmp_path):
    """Counts of both games together; of two copies each is there, and the table says that they belong together."""
    miniatures.figrim_release(tmp_path)
    dataset = open_dataset("figrim", tmp_path)
    copy, _, first, _ = miniatures.FIGRIM_RELEASE
    assert list(dataset.table.index) == list(miniatures.FIGRIM_RELEASE)
    np.testing.assert_allclose(dataset.table["memorability"], [30 / 90, 35 / 90, 40 / 90, 45 / 90])
    assert dataset.table.loc[first, ["hits", "false_alarms", "responses", "first_showings"]].tolist() == [
        40,
        6,
        90,
        100,
    ]
    assert dataset.table["duplicates"].tolist() == [first, "", first, ""]
    assert "memorability_within" not in dataset.table
    assert dataset.info["table_form"] == "counts of both games together"
    assert not dataset.rejected
    (tmp_path / "Targets" / copy).unlink()
    fewer = open_dataset("figrim", tmp_path)
    assert fewer.info["images_absent"] == 1
    assert fewer.table.loc[first, "duplicates"] == first
    miniatures.figrim(tmp_path, scenes="Targets")
    both = open_dataset("figrim", tmp_path).table
    assert "memorability_within" in both, "the table of all targets goes before the release's"
    assert "duplicates" not in both, "no pair of copies is among these"


def test_figrims_copies_are_six_pairs():
    every = [image for pair in figrim.COPIES for image in pair]
    assert len(set(every)) == 12
    assert all(len({image.split("/")[0] for image in pair}) == 1 for pair in figrim.COPIES)
    assert figrim.copies_among(every) == [pair[0] for pair in figrim.COPIES for _ in pair]
    assert figrim.copies_among(every[::2]) is None, "one of each pair is no pair"


@pytest.mark.slow
def test_figrims_real_release(tmp_path):
    """The real counts; of the images, which are not there, generated ones for the copies."""
    shutil.copy(reference("figrim") / figrim.RELEASE, tmp_path)
    for i, image in enumerate(image for pair in figrim.COPIES for image in pair):
        miniatures.write_image(tmp_path / "Targets" / image, i)
    dataset = open_dataset("figrim", tmp_path)
    assert (dataset.info["images_listed"], dataset.info["images_absent"], len(dataset)) == (630, 624, 6)
    assert dataset.table.index.tolist() == [pair[0] for pair in figrim.COPIES], "the table lists one of each pair"
    assert "duplicates" not in dataset.table
    assert dataset.table["responses"].between(50, 200).all()


def test_figrims_fillers_that_were_never_repeated_are_set_aside(tmp_path):
    miniatures.figrim(tmp_path, "targets")
    miniatures.figrim(tmp_path, "fillers")
    dataset = open_dataset("figrim_fillers", tmp_path)
    assert len(dataset) == 3
    assert "finite score" in miniatures.told(dataset)["badlands/sun_a.jpg"]
    assert dataset.info["images_published"] == 7674


def test_structs_without_the_fields_are_refused_by_name(tmp_path):
    path = tmp_path / "image_data_targets.mat"
    for value, match in (
        (miniatures.structs([{"filename": "a.jpg", "kind": "b"}] * 2), "amt2.hits.*got filename, kind"),
        (np.zeros(3), "array of structs"),
    ):
        scipy.io.savemat(path, {"image_data_targets": value})
        with pytest.raises(InputError, match=match):
            open_dataset("figrim", tmp_path)
    with pytest.raises(InputError, match="a variable other, got image_data_targets"):
        read_structs(path, "other", (), ("hits",), "figrim")
    path.write_bytes(b"MATLAB 7.3 MAT-file" + b"\0" * 500)
    with pytest.raises(InputError, match="cannot be read as a MATLAB file"):
        open_dataset("figrim", tmp_path)


def test_isola_from_the_original_release(tmp_path):
    images, halves = miniatures.isola_original(tmp_path)
    dataset = open_built(small_isola(), tmp_path)
    assert list(dataset.table.index) == ["1", "2", "3", "4"]
    np.testing.assert_allclose(dataset.table["hit_rate"], [17 / 20, 10 / 20, 12 / 20, 5 / 20])
    np.testing.assert_allclose(dataset.table["memorability"], [15 / 20, 9 / 20, 8 / 20, 5 / 20])
    assert dataset.table.loc["3", ["hits", "false_alarms", "responses", "first_showings"]].tolist() == [12, 4, 20, 20]
    np.testing.assert_allclose(dataset.halves, halves)
    for i in range(4):
        with Image.open(io.BytesIO(dataset.records[i].data)) as opened:
            np.testing.assert_array_equal(np.asarray(opened), images[..., i])


def test_a_target_that_was_never_repeated_does_not_shift_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(miniatures, "ISOLA", [miniatures.ISOLA[0], (0, 0, 1, 9), *miniatures.ISOLA[2:]])
    images, halves = miniatures.isola_original(tmp_path)
    dataset = open_built(small_isola(), tmp_path)
    assert list(dataset.table.index) == ["1", "3", "4"]
    assert "finite score" in miniatures.told(dataset)["2"]
    np.testing.assert_allclose(dataset.halves, halves[:, :, [0, 2, 3]])
    with Image.open(io.BytesIO(dataset.records[1].data)) as opened:
        np.testing.assert_array_equal(np.asarray(opened), images[..., 2])


def test_isola_as_lin_et_al_keep_it_has_the_same_scores(tmp_path):
    miniatures.isola_original(tmp_path / "original")
    miniatures.isola_table(tmp_path / "table")
    original, table = (open_built(small_isola(), tmp_path / name) for name in ("original", "table"))
    for column in ("memorability", "hit_rate", "false_alarm_rate"):
        np.testing.assert_allclose(table.table[column], original.table[column], atol=1e-12)
    assert table.halves is None
    assert table.records[2].data == (tmp_path / "table/Images/Targets/3.jpg").read_bytes()


@pytest.mark.parametrize("damage", ["floats", "too few", "halves", "no counts"])
def test_an_original_release_that_is_not_whole_is_refused(tmp_path, damage):
    images, _ = miniatures.isola_original(tmp_path)
    data = tmp_path / "Data"
    if damage == "floats":
        scipy.io.savemat(data / "Image data" / "target_images.mat", {"img": images / 255.0})
    elif damage == "too few":
        scipy.io.savemat(data / "Image data" / "target_images.mat", {"img": images[..., :3]})
    elif damage == "halves":
        (data / "Random splits" / "subject_hrs1.mat").unlink()
    else:
        (data / "Experiment data" / "sorted_target_data.mat").unlink()
    match = {"floats": "uint8", "too few": "4 or more", "halves": "subject_hrs1", "no counts": "sorted_target_data"}
    with pytest.raises(InputError, match=match[damage]):
        open_built(small_isola(), tmp_path)


def test_an_isola_table_that_contradicts_itself_or_lacks_images(tmp_path):
    miniatures.isola_table(tmp_path)
    path = tmp_path / "Image_info" / isola2011.TABLE
    text = path.read_text()
    path.write_text(text.replace("0.85,", "0.95,"))
    with pytest.raises(InputError, match="first 1, where corrected_hit is not hit - fa"):
        open_dataset("isola2011", tmp_path)
    path.write_text(text)
    (tmp_path / "Images").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="images are not"):
        open_dataset("isola2011", tmp_path)


@pytest.mark.slow
def test_isolas_published_table_with_generated_images(isola_dir, tmp_path):
    (tmp_path / isola2011.TABLE).write_bytes((isola_dir / isola2011.TABLE).read_bytes())
    for i in range(1, 2223):
        miniatures.write_image(tmp_path / "Images" / "Targets" / f"{i}.jpg", i)
    dataset = open_dataset("isola2011", tmp_path)
    assert len(dataset) == isola2011.N_IMAGES
    assert dataset.rejected == []
    assert dataset.table["memorability"].iloc[-1] == pytest.approx(0.871068690345799)
