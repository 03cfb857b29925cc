"""`get` from end to end, against a server on loopback with a synthetic archive of two nuclei images."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data import install, registry
from minitorch_seg.data.prepare import prepare_nuclei
from minitorch_seg.errors import DataError


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def archive(extra=(), seed=0):
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for identifier in ("id0", "id1"):
            folder = f"top/stage1_train/{identifier}"
            mask = np.zeros((256, 256), np.uint8)
            mask[40:90, 60:120] = 255
            picture = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
            file.writestr(f"{folder}/images/{identifier}.png", png(picture))
            file.writestr(f"{folder}/masks/m.png", png(mask))
        for name in extra:
            file.writestr(name, b"x")
    return buffer.getvalue()


@pytest.fixture
def facts(monkeypatch, tmp_path):
    """The registry knows a set `nuclei` of two pairs: what the synthetic archive gives."""
    real = vars(registry.entry("nuclei"))
    unknown = [registry.Pair("train", "a", "?", "id0"), registry.Pair("test", "b", "?", "id1")]
    (tmp_path / "plain.zip").write_bytes(archive())
    with install.SourceArchive(tmp_path / "plain.zip") as source:
        prepared = list(prepare_nuclei(source, registry.Entry(**{**real, "pairs": tuple(unknown)})))
    pairs = tuple(
        registry.Pair(pair.split, pair.stem, registry.pair_hash(image, mask), pair.source)
        for pair, image, mask in prepared
    )
    known = registry.Entry(**{**real, "pairs": pairs})
    for module in (registry, install):
        monkeypatch.setattr(module, "entry", lambda name: known)
    return known


@pytest.fixture
def server(loopback, facts):
    loopback.content = archive()
    return loopback


def contents(folder):
    return sorted(path.name for path in folder.iterdir())


def test_get_downloads_prepares_and_verifies(server, tmp_path):
    seen = []
    result = install.get("nuclei", tmp_path / "sets", server.url, lambda *step: seen.append(step))
    folder = tmp_path / "sets" / "nuclei"
    assert result.ok and result.equal == 2 and result.folder == folder
    assert contents(folder / "images") == contents(folder / "masks") == ["a.png", "b.png"]
    assert json.loads((folder / "split.json").read_text()) == {"train": ["a"], "val": [], "test": ["b"]}
    assert json.loads((folder / "manifest.json").read_text())["classes"][1] == "nucleus"
    assert server.url in (folder / "SOURCE.txt").read_text("utf-8")
    assert "CC0" in (folder / "LICENSE.txt").read_text("utf-8")
    assert contents(tmp_path / "sets") == ["downloads", "nuclei"] and not contents(
        tmp_path / "sets" / "downloads"
    )
    assert seen[-1] == ("prepare", 2, 2) and seen[0][0] == "download"


def test_a_set_that_is_there_is_not_downloaded_again(server, tmp_path):
    install.get("nuclei", tmp_path, server.url)
    assert install.get("nuclei", tmp_path, server.url).ok
    assert len(server.requests) == 1


def test_a_changed_set_is_replaced_only_with_force(server, tmp_path):
    install.get("nuclei", tmp_path, server.url)
    path = tmp_path / "nuclei" / "masks" / "a.png"
    Image.new("L", (128, 128)).save(path)
    with pytest.raises(DataError, match=r"1 differ and 0 are missing.* get nuclei --force"):
        install.get("nuclei", tmp_path, server.url)
    assert install.get("nuclei", tmp_path, server.url, force=True).ok
    assert registry.verify("nuclei", tmp_path / "nuclei").ok


def test_the_default_place_is_the_cache_where_load_looks(server, no_sets):
    install.get("nuclei", source_url=server.url)
    assert registry.find("nuclei") == registry.cache_folder() / "nuclei"
    assert len(registry.load_registered("nuclei").train) == 1


def test_other_pixels_are_installed_and_reported(server, tmp_path):
    server.content = archive(seed=1)
    result = install.get("nuclei", tmp_path, server.url)
    assert not result.ok and result.different == ["a", "b"]
    assert "cannot be compared" in result.text()
    assert json.loads((tmp_path / "nuclei" / "verification.json").read_text())["different"] == ["a", "b"]


@pytest.mark.parametrize(
    "content, says",
    [
        (b"<html>no</html>", "no whole zip archive"),
        (archive(extra=["../../evil"]), "climbs out of the folder"),
        (archive()[:-300], "no whole zip archive"),
    ],
)
def test_a_bad_archive_leaves_nothing_and_the_next_call_starts_afresh(server, tmp_path, content, says):
    server.content = content
    with pytest.raises(DataError, match=says):
        install.get("nuclei", tmp_path / "sets", server.url)
    assert contents(tmp_path / "sets") == ["downloads"] and not contents(tmp_path / "sets" / "downloads")
    assert not (tmp_path / "evil").exists()
    server.content, server.etag = archive(), '"v2"'
    assert install.get("nuclei", tmp_path / "sets", server.url).ok


def test_an_archive_of_something_else(server, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("top/readme", "hello")
    server.content = buffer.getvalue()
    with pytest.raises(DataError, match=r"it holds no stage1_train/id0/images/id0\.png"):
        install.get("nuclei", tmp_path, server.url)
    assert contents(tmp_path) == ["downloads"] or "nuclei" not in contents(tmp_path)


def test_an_interruption_leaves_no_half_set_and_keeps_the_download(server, tmp_path):
    def interrupted(stage, done, total):
        if stage == "prepare":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install.get("nuclei", tmp_path / "sets", server.url, interrupted)
    assert contents(tmp_path / "sets") == ["downloads"]
    assert install.get("nuclei", tmp_path / "sets", server.url).ok
    assert len(server.requests) == 1


def test_a_missing_source_and_a_broken_line(server, tmp_path):
    server.statuses = [404]
    with pytest.raises(DataError, match="the server answers 404"):
        install.get("nuclei", tmp_path, server.url)
    server.break_after = [len(server.content) // 3]
    assert install.get("nuclei", tmp_path, server.url).ok
