"""Shards on a web server that answers ranges: asked for in parts, never as a whole."""

import http.server
import re
import threading
from pathlib import Path

import pytest

import memjax
from tests.damage import IMAGES, SETTINGS
from tests.shards_made import pack_parquet, pack_tar

pytest.importorskip("aiohttp", reason="uv sync --group remote")
pytestmark = pytest.mark.usefixtures("small_chunks")


class Ranges(http.server.BaseHTTPRequestHandler):
    """Files of a folder, by ranges of bytes; it notes how many bytes it gave."""

    folder: Path
    given: list[int]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        file = self.folder / self.path.rpartition("/")[2]
        if not file.is_file():
            self.send_error(404)
            return
        data = file.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        first, last = (int(wanted[1]), int(wanted[2] or len(data) - 1)) if wanted else (0, len(data) - 1)
        part = data[first : last + 1]
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.send_header("ETag", f'"{file.stat().st_mtime_ns}"')
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
        self.end_headers()
        if body:
            self.given.append(len(part))
            self.wfile.write(part)

    def log_message(self, form: str, *words: object) -> None:
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The address of a server of ``tmp_path / "served"``, and what it gave."""
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "served").mkdir()
    handler = type("Handler", (Ranges,), {"folder": tmp_path / "served", "given": []})
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}", handler.given
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.mark.slow
def test_a_sweep_over_served_shards_is_the_folders(server, photos, tmp_path):
    url, given = server
    pack_tar(photos, tmp_path / "served", 4)
    pack_parquet(photos, tmp_path / "served", 2)
    folder = memjax.open_folder(photos, photos / "scores.csv")
    memjax.sweep(folder, "memjax/tiny", tmp_path / "folder", SETTINGS, progress=False)
    for kind, pattern in (("tar", "train-{000..003}.tar"), ("parquet", "train-0000{0..1}-of-00002.parquet")):
        dataset = memjax.open_shards(f"{url}/{pattern}", photos / "scores.csv")
        memjax.sweep(dataset, "memjax/tiny", tmp_path / kind, SETTINGS, progress=False)
        tables = [(tmp_path / out / "correlations.csv").read_bytes() for out in ("folder", kind)]
        assert tables[0] == tables[1], kind
    given.clear()
    memjax.open_shards(f"{url}/train-{{000..003}}.tar", photos / "scores.csv")
    assert given == [], "the index is kept"
    with pytest.raises(memjax.InputError, match="expected a shard, got nothing there"):
        memjax.open_shards(f"{url}/train-{{003..004}}.tar")


@pytest.mark.slow
def test_a_single_image_is_asked_for_alone_and_neighbours_together(server, photos, tmp_path):
    url, given = server
    pack_tar(photos, tmp_path / "served", 1)
    dataset = memjax.open_shards(f"{url}/train-000.tar", photos / "scores.csv")
    given.clear()
    assert dataset.records[7].data == (photos / "07.bmp").read_bytes()
    assert given == [(photos / "07.bmp").stat().st_size]
    given.clear()
    for row in range(IMAGES):
        assert dataset.records[row].data == (photos / f"{row:02d}.bmp").read_bytes()
    assert given == [(tmp_path / "served/train-000.tar").stat().st_size]
