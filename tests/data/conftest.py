"""Small generated folders, and a machine without any registered set."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def write_pair(folder: Path, stem: str, image: np.ndarray, mask: np.ndarray) -> None:
    for kind, array in (("images", image), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / kind / f"{stem}.png")


@pytest.fixture
def make_folder(tmp_path):
    """make_folder(n, values, size, manifest, split, name) -> a folder of n random RGB images with masks."""

    def make(n=6, values=(0, 1), size=(8, 6), manifest=None, split=None, name="set"):
        folder = tmp_path / name
        rng = np.random.default_rng(0)
        for i in range(n):
            image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            mask = rng.choice(np.array(values), size).astype(np.uint8 if max(values) < 256 else np.uint16)
            mask.flat[: len(values)] = values
            write_pair(folder, f"i{i}", image, mask)
        for file, content in (("manifest", manifest), ("split", split)):
            if content is not None:
                (folder / f"{file}.json").write_text(json.dumps(content))
        return folder

    return make


@pytest.fixture
def no_sets(tmp_path, monkeypatch):
    """A machine without any registered set; the user's cache is an empty folder."""
    cache = tmp_path / "cache"
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(cache))
    monkeypatch.delenv("MINITORCH_SEG_DATA", raising=False)
    return cache


class Loopback:
    """A server on this machine that hands out one file, and misbehaves on request."""

    def __init__(self) -> None:
        self.content = b""
        self.etag: str | None = '"v1"'
        self.ranges = True  # answers Range with 206
        self.with_length = True
        self.break_after: list[int] = []  # the n-th answer is cut after that many bytes
        self.statuses: list[int] = []  # the n-th answer is this status instead
        self.requests: list[dict[str, str]] = []
        self.url = ""


@pytest.fixture
def loopback(monkeypatch):
    """A running Loopback server; stopped at the end."""
    monkeypatch.setenv("no_proxy", "*")
    state = Loopback()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.requests.append(dict(self.headers))
            if state.statuses:
                self.send_response(state.statuses.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body, start = state.content, 0
            asked = self.headers.get("Range")
            same = self.headers.get("If-Range") in (None, state.etag)
            if asked and state.ranges and same:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            if state.etag:
                self.send_header("ETag", state.etag)
            body = body[start:]
            if state.with_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.break_after.pop(0)] if state.break_after else body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/set.zip"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()
