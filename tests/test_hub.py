"""Hub ids, revisions and the offline cache, without a network: the client's download is replaced."""

from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

import memjax
from memjax.models import hub
from tests import tiny_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The cache as the client lays it out, ``snapshots/<commit>``; what was asked for is recorded."""
    folder, calls = tiny_model.write(tmp_path / "snapshots" / COMMIT), []

    def download(hub_id, revision=None, allow_patterns=None):
        calls.append((hub_id, revision, tuple(allow_patterns)))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return calls


@pytest.mark.parametrize(("name", "revision"), [("owner/model", None), ("owner/model@v1.0", "v1.0")])
def test_hub_id_and_revision(asked, name, revision):
    encoder = memjax.load(name)
    assert asked[0][:2] == ("owner/model", revision)
    assert (encoder.name, encoder.revision) == ("owner/model", COMMIT)
    assert not any(p.endswith((".bin", ".pt", ".pth", ".py")) or p == "*" for p in asked[0][2])


def test_presets_load_at_their_pinned_revision(asked):
    pinned = next(row for row in memjax.encoders() if row.id == "facebook/dinov2-small")
    assert pinned.revision is not None
    assert len(pinned.revision) == 40
    memjax.load("facebook/dinov2-small")
    memjax.load("facebook/dinov2-small@main")
    assert [call[1] for call in asked] == [pinned.revision, "main"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LocalEntryNotFoundError("nothing"), "not in the local cache and the hub can't be reached"),
        (HFValidationError("bad name"), "not a hub id"),
        (OSError("disk\nfull"), "the hub does not give it; disk"),
        (
            HfHubHTTPError("404\nlong", response=SimpleNamespace(headers={}, request=None)),
            "the hub does not give it; 404",
        ),
    ],
)
def test_downloads_that_fail_are_one_line(monkeypatch, error, words):
    def download(*_, **__):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(memjax.InputError) as caught:
        memjax.load("owner/model")
    assert words in str(caught.value)
    assert "owner/model" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_offline_without_a_cache(tmp_path, monkeypatch):
    """The real client, told to stay offline (as all tests are), with an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(memjax.InputError, match="not in the local cache"):
        memjax.load("memjax-tests/nowhere")


@pytest.mark.parametrize("name", ["nowhere", "a/b/c", "./nowhere", "/nowhere/model", "../x", ""])
def test_names_that_are_neither(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(memjax.InputError):
        memjax.load(name)


def test_a_file_is_not_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "model").write_text("")
    with pytest.raises(memjax.InputError, match="hub id"):
        hub.locate("owner/model")


def test_the_packaged_encoder():
    source = hub.locate(hub.TINY)
    assert source.revision == "packaged"
    assert memjax.load(hub.TINY).config.decoder is not None
