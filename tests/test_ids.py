"""Ids and files: which file an id means, what is passed over, what links do; nothing matched in silence."""

import json
import sys
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from memjax.checks import InputError
from memjax.cli import sweep as sweep_command
from memjax.datasets import Dataset, open_dataset, open_folder, open_table
from memjax.datasets.listing import find_images
from memjax.datasets.paths import ImageFolder
from tests import miniatures
from tests.command import exit_code
from tests.miniatures import link, write_image

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the file system itself lets case or accents go")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path_factory.mktemp("cache")))


def folder_of(home: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        write_image(home / "photos" / name, seed)
    return home / "photos"


def opened(photos: Path, *ids: str, **options: bool) -> Dataset:
    table = pd.DataFrame({"image": ids, "memorability": [0.1 * (i + 1) for i in range(len(ids))]})
    table.to_csv(photos.parent / "s.csv", index=False)
    return open_folder(photos, photos.parent / "s.csv", **options)


NFD, NFC = (unicodedata.normalize(form, "Bär.png") for form in ("NFD", "NFC"))


@pytest.mark.parametrize(
    ("image", "file", "said"),
    [
        ("./k.png", "k.png", "another way of writing the path"),
        ("sub//k.png", "sub/k.png", "another way of writing the path"),
        ("sub/./k.png", "sub/k.png", "another way of writing the path"),
        ("sub\\k.png", "sub/k.png", "another way of writing the path"),
        ("photos/sub/k.png", "sub/k.png", "another way of writing the path"),
        ("{home}/photos/sub/k.png", "sub/k.png", "another way of writing the path"),
        ("k", "k.jpeg", "no extension"),
        ("sub/k.v2", "sub/k.v2.png", "no extension"),
        ("photos/k", "k.jpeg", "no extension"),
        ("k.png", "sub/deep/k.png", "the file name alone"),
        ("deep/k.png", "sub/deep/k.png", "the file name alone"),
        ("k", "sub/k.png", "the file name alone, without extension"),
        pytest.param("K.PNG", "k.png", "letter case", marks=LINUX),
        pytest.param("K", "sub/k.png", "the file name alone, without extension", marks=LINUX),
        pytest.param(NFC, NFD, "another form of accents", marks=LINUX),
        pytest.param(NFD, f"sub/{NFC}", "the file name alone", marks=LINUX),
        pytest.param("STRASSE.png", "straße.png", "letter case", marks=LINUX),
    ],
)
def test_an_id_that_can_mean_one_file_means_it(tmp_path, image, file, said):
    image = image.format(home=tmp_path)
    photos = folder_of(tmp_path, file, "other.png")
    dataset = opened(photos, image, "other.png")
    assert dataset.table.index.tolist() == [image, "other.png"], "the table's ids are kept"
    assert dataset.records[0] == (image, (photos / file).read_bytes())
    assert dataset.rejected == []
    assert dataset.info["ids_matched"] == f"1 of 2 ids matched by {said} ({image} is {file})"
    frame = pd.DataFrame({"image": [image, "other.png"], "memorability": [0.1, 0.2]})
    table = open_table(frame, photos)
    assert table.records[0] == dataset.records[0]
    assert table.info["ids_matched"] == dataset.info["ids_matched"]


def test_exact_ids_come_first_and_nothing_is_said(tmp_path):
    photos = folder_of(tmp_path, "a.png", "sub/a.png", "photos/a.png")
    (photos / "a").write_bytes(b"another")
    dataset = opened(photos, "a.png", "a", "sub/a.png", "photos/a.png")
    wanted = [(photos / name).read_bytes() for name in dataset.table.index]
    assert [dataset.records[i].data for i in range(4)] == wanted
    assert "ids_matched" not in dataset.info


@pytest.mark.parametrize(
    ("files", "image", "reason"),
    [
        (["k.png", "k.jpg"], "k", "k.jpg or k.png can be meant"),
        (["a/k.png", "b/k.png"], "k.png", "a/k.png or b/k.png can be meant"),
        (["0052.jpg"], "52.jpg", "did you mean 0052.jpg?"),
        (["0052.jpg"], "52", "did you mean 0052.jpg?"),
        (["0052.jpg"], "0052.png", "did you mean 0052.jpg?"),
        (["indoor/kitchen.png"], "indoor/kitchn.png", "did you mean indoor/kitchen.png?"),
        (["indoor/001.png"], "outdoor/001.png", "did you mean indoor/001.png?"),
        (
            [f"{i:05d}.jpg" for i in range(600)] + ["scene_of_a_lake.jpg"],
            "scene_of_lake.jpg",
            "did you mean scene_of_a_",
        ),
    ],
)
def test_no_unique_match_is_told_with_what_may_be_meant(tmp_path, files, image, reason):
    photos = tmp_path / "photos"
    for name in files:
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(b"x")
    dataset = opened(folder_of(tmp_path, "other.png"), image, "other.png")
    (failure,) = [failure for failure in dataset.rejected if failure.image == image]
    assert failure.stage == "read"
    assert f"{image}: no such image in {photos}; " in failure.error
    assert reason in failure.error
    assert len(dataset) == 1


def test_what_a_reason_names_is_not_counted_again(tmp_path):
    photos = folder_of(tmp_path, "k.png", "k.jpg", "other.png")
    assert [failure.image for failure in opened(photos, "k", "other.png").rejected] == ["k"]


def test_a_guess_takes_no_file_that_another_row_names(tmp_path):
    photos = folder_of(tmp_path, "sub/k.png")
    dataset = opened(photos, "k.png", "sub/k.png")
    assert dataset.table.index.tolist() == ["sub/k.png"]
    assert [failure.image for failure in dataset.rejected] == ["k.png"]


@pytest.mark.parametrize(
    "ids",
    [
        ("k.png", ".//k.png"),
        ("k.png", "photos/k.png"),
        ("{home}/photos/k.png", "k.png"),
        ("sub/m.png", "sub//m.png"),
        ("sub\\m.png", "sub/m.png"),
        ("gone.png", "./gone.png"),
        ("only", "ONLY"),
        pytest.param(("k.png", "K.png"), marks=LINUX),
        pytest.param((NFC, NFD), marks=LINUX),
    ],
)
def test_two_ids_of_one_file_are_refused(tmp_path, ids):
    photos = folder_of(tmp_path, "k.png", "sub/m.png", NFC, "only.png")
    ids = [image.format(home=tmp_path) for image in ids]
    with pytest.raises(InputError, match=r"ids there more than once: .* and .* are one file; keep one row") as caught:
        opened(photos, *ids)
    assert "\n" not in str(caught.value)


def test_a_file_and_a_link_to_it_are_one(tmp_path):
    photos = folder_of(tmp_path, "k.png", "sub/m.png", "store/1.png")
    link(photos / "l.png", "k.png")
    link(photos / "way", "sub")
    for ids in (("k.png", "l.png"), ("l.png", "k.png"), ("sub/m.png", "way/m.png")):
        with pytest.raises(InputError, match="are one file"):
            opened(photos, *ids)
    link(photos / "x.png", "store/1.png")
    link(photos / "y.png", "store/1.png")
    assert len(opened(photos, "x.png", "y.png", "l.png")) == 3, "a store that keeps equal files once"


def test_ids_that_leave_the_folder_stay_refused(tmp_path):
    write_image(tmp_path / "secret.png")
    photos = folder_of(tmp_path, "k.png")
    ids = ["../secret.png", "photos/../../secret.png", "..\\secret.png", f"{tmp_path}/secret.png", "/etc/passwd"]
    dataset = opened(photos, "k.png", *ids, follow_links=True)
    assert dataset.table.index.tolist() == ["k.png"]
    assert len(dataset.rejected) == len(ids)


def test_what_nobody_means_is_passed_over(tmp_path):
    photos = folder_of(tmp_path, "a.png", "sub/b.png", ".hidden.png")
    names = ["._a.png", "sub/._b.png", "__MACOSX/a.png", "__MACOSX/sub/._b.png", ".ipynb_checkpoints/a-checkpoint.png"]
    names += ["Thumbs.db", ".DS_Store", ".git/annex/objects/k.png", "run/features.zarr/x.png", "run/figures/f.png"]
    names += ["old/run.json", "old/figures/entropy.png", "figures/mine.png", "sub/Thumbs.db"]
    for name in names:
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(b"\0")
    dataset = opened(photos, "a.png", "sub/b.png", ".hidden.png", "figures/mine.png")
    assert dataset.rejected == []
    assert open_folder(photos).table.index.tolist() == [".hidden.png", "a.png", "figures/mine.png", "sub/b.png"]
    assert opened(photos, "._a.png").table.index.tolist() == ["._a.png"], "unless a row names it"


def test_results_in_the_images_folder_itself_are_passed_over(monkeypatch, tmp_path):
    photos = folder_of(tmp_path, *(f"{i}.png" for i in range(5)))
    opened(photos, *(f"{i}.png" for i in range(5)))
    for out in (photos, photos / "out"):
        for _ in range(2):
            arguments = ("--images", photos, "--scores", tmp_path / "s.csv", "--bootstraps", 20, "--out", out)
            assert exit_code(monkeypatch, sweep_command, *arguments) == 0
        assert len(find_images(ImageFolder(photos), [])) == 5


def farm(home: Path) -> Path:
    """A folder of links, as git-annex makes it."""
    for i in range(5):
        write_image(home / "annex" / f"KEY-{i}.png", i)
        (home / "photos" / "deep").mkdir(parents=True, exist_ok=True)
        link(home / "photos" / "deep" / f"{i}.png", f"../../annex/KEY-{i}.png")
    link(home / "photos" / "way", home / "annex")
    link(home / "photos" / "deep" / "loop", "..")
    return home / "photos"


def test_links_out_of_the_folder_are_used_when_asked_for(monkeypatch, tmp_path, capsys):
    photos = farm(tmp_path)
    ids = [f"deep/{i}.png" for i in range(5)]
    dataset = opened(photos, *ids, follow_links=True)
    assert [dataset.records[i].data for i in range(5)] == [(photos / name).read_bytes() for name in ids]
    found = open_folder(photos, follow_links=True).table.index.tolist()
    assert found == [*ids, *(f"way/KEY-{i}.png" for i in range(5))], "each folder once"
    frame = pd.DataFrame({"image": ids, "memorability": 0.5})
    assert len(open_table(frame, photos, follow_links=True)) == 5
    with pytest.raises(InputError, match=r"symbolic link that leads out of .*follow_links"):
        open_table(frame, photos)
    arguments = ("--images", photos, "--scores", tmp_path / "s.csv", "--bootstraps", 20, "--out", tmp_path / "out")
    assert exit_code(monkeypatch, sweep_command, *arguments) == 2
    assert "symbolic link that leads out" in capsys.readouterr().err
    assert exit_code(monkeypatch, sweep_command, *arguments, "--follow-links") == 1, "the images of way have no row"
    failures = pd.read_csv(tmp_path / "out" / "failures.csv")
    assert set(failures["image"]) == {f"way/KEY-{i}.png" for i in range(5)}


def test_a_published_data_set_behind_links(tmp_path):
    miniatures.memcat(tmp_path / "real")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "memcat_image_data.csv").write_bytes((tmp_path / "real/memcat_image_data.csv").read_bytes())
    for file in (tmp_path / "real").rglob("*.jpg"):
        there = tmp_path / "linked" / file.relative_to(tmp_path / "real")
        there.parent.mkdir(parents=True, exist_ok=True)
        link(there, file)
    with pytest.raises(InputError, match=r"no usable image .*symbolic link"):
        open_dataset("memcat", tmp_path / "linked")
    dataset = open_dataset("memcat", tmp_path / "linked", follow_links=True)
    plain = open_dataset("memcat", tmp_path / "real")
    assert dataset.info["fingerprint"] == plain.info["fingerprint"]
    assert dataset.records[1] == plain.records[1]


def test_links_to_nowhere_are_failures_and_say_so(tmp_path):
    miniatures.memcat(tmp_path)
    image = tmp_path / "MemCat/food/soup/1.jpg"
    image.unlink()
    link(image, "../../nowhere.jpg")
    (failure,) = open_dataset("memcat", tmp_path).rejected
    assert failure.stage == "read"
    assert "a symbolic link to a file that is not there" in failure.error


def sweep_of(monkeypatch, name: str, folder: Path, out: Path) -> int:
    return exit_code(
        monkeypatch, sweep_command, "--dataset", name, "--data-dir", folder, "--bootstraps", 20, "--out", out
    )


def test_a_part_of_a_published_data_set_is_no_failure(monkeypatch, tmp_path, capsys):
    names = [f"{i}.jpg" for i in range(12)]
    miniatures.memcat(tmp_path / "data", names)
    for name in names[:3]:
        next((tmp_path / "data").rglob(name)).unlink()
    dataset = open_dataset("memcat", tmp_path / "data")
    assert [(failure.image, failure.stage) for failure in dataset.rejected] == [(name, "absent") for name in names[:3]]
    assert (dataset.info["images_absent"], dataset.info["images_listed"]) == (3, 12)
    out = tmp_path / "out"
    for _ in range(2):  # the second time it is finished
        assert sweep_of(monkeypatch, "memcat", tmp_path / "data", out) == 0
        assert "3 of 12 images that the data set lists are not in the folder" in capsys.readouterr().out
    run = json.loads((out / "run.json").read_text())
    assert run["dataset"]["images_absent"] == 3
    assert run["failures"] == 0
    assert pd.read_csv(out / "failures.csv")["stage"].tolist() == ["absent"] * 3
    assert "Images not in the folder" in (out / "report.html").read_text()


def test_a_broken_image_of_a_published_data_set_is_a_failure(monkeypatch, tmp_path):
    names = [f"{i}.jpg" for i in range(12)]
    miniatures.memcat(tmp_path / "data", names)
    next((tmp_path / "data").rglob("3.jpg")).unlink()
    next((tmp_path / "data").rglob("4.jpg")).write_bytes(b"broken")
    assert sweep_of(monkeypatch, "memcat", tmp_path / "data", tmp_path / "out") == 1
    assert json.loads((tmp_path / "out" / "run.json").read_text())["failures"] == 1


def test_an_absent_image_without_a_score_is_absent(tmp_path):
    miniatures.things(tmp_path)
    (tmp_path / "images/abacus/abacus_02s.jpg").unlink()  # its score is empty
    dataset = open_dataset("things", tmp_path)
    assert [(f.image, f.stage) for f in dataset.rejected] == [("abacus/abacus_02s.jpg", "absent")]
    assert dataset.info["images_listed"] == 4


def test_ones_own_missing_image_stays_a_failure(tmp_path):
    (failure,) = opened(folder_of(tmp_path, "a.png"), "a.png", "gone.png").rejected
    assert (failure.image, failure.stage) == ("gone.png", "read")
