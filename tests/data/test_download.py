import hashlib
import os
import socket

import pytest

from minitorch_seg.data.download import fetch
from minitorch_seg.errors import DataError

CONTENT = os.urandom(700_000)
FAST = {"wait": 0.01, "timeout": 5.0}


@pytest.fixture
def server(loopback):
    loopback.content = CONTENT
    return loopback


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "set.zip"


def leftovers(target):
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_arrives_whole_with_progress(server, target):
    seen = []
    fetch(server.url, target, lambda done, total: seen.append((done, total)), **FAST)
    assert target.read_bytes() == CONTENT
    assert leftovers(target) == ["set.zip"]
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and seen == sorted(seen)


def test_a_broken_connection_is_resumed_in_the_same_call(server, target):
    server.break_after = [300_000, 100_000]
    fetch(server.url, target, **FAST)
    assert target.read_bytes() == CONTENT
    assert [request.get("Range") for request in server.requests] == [None, "bytes=300000-", "bytes=400000-"]
    assert server.requests[1]["If-Range"] == '"v1"'


def test_a_later_call_goes_on_where_an_earlier_one_stopped(server, target):
    server.break_after, server.statuses = [200_000], []

    def interrupted(done, total):
        if done >= 200_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.url, target, interrupted, **FAST)
    assert not target.exists()
    assert leftovers(target) == ["set.zip.part", "set.zip.part.etag"]
    fetch(server.url, target, **FAST)
    assert target.read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == "bytes=200000-"


def test_another_version_is_not_spliced(server, target):
    target.parent.mkdir()
    (target.parent / "set.zip.part").write_bytes(b"old" * 1000)
    (target.parent / "set.zip.part.etag").write_text('"v0"')
    fetch(server.url, target, **FAST)
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_again(server, target):
    server.ranges, server.etag, server.break_after = False, None, [300_000]
    fetch(server.url, target, **FAST)
    assert target.read_bytes() == CONTENT


def test_a_weak_tag_is_not_sent_back(server, target):
    server.etag, server.break_after = 'W/"v1"', [300_000]
    fetch(server.url, target, **FAST)
    assert "If-Range" not in server.requests[1] and target.read_bytes() == CONTENT


def test_a_part_that_is_whole_already_and_one_that_is_too_long(server, target):
    target.parent.mkdir()
    part = target.parent / "set.zip.part"
    part.write_bytes(CONTENT)
    fetch(server.url, target, **FAST)
    assert target.read_bytes() == CONTENT
    part.write_bytes(CONTENT + b"more")
    fetch(server.url, target, **FAST)
    assert target.read_bytes() == CONTENT and not part.exists()


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_final_answer_is_not_asked_again(server, target, status):
    server.statuses = [status]
    with pytest.raises(DataError, match=f"{server.url}: the server answers {status} .* moved or closed"):
        fetch(server.url, target, **FAST)
    assert len(server.requests) == 1 and not target.exists()


def test_a_busy_server_is_asked_again_but_not_for_ever(server, target):
    server.statuses = [503, 429, 500]
    fetch(server.url, target, **FAST)
    assert target.read_bytes() == CONTENT
    server.statuses = [503] * 50
    with pytest.raises(DataError, match=r"503.*run the command again, it goes on where it stopped"):
        fetch(server.url, target, tries=3, **FAST)
    assert len(server.statuses) == 47


def test_a_connection_that_always_breaks_ends(server, target):
    server.break_after = [0] * 50
    with pytest.raises(DataError, match="closed after 0 of 700000 bytes"):
        fetch(server.url, target, tries=4, **FAST)
    assert len(server.break_after) == 46


def test_a_wrong_checksum_leaves_nothing(server, target):
    with pytest.raises(DataError, match="another checksum"):
        fetch(server.url, target, sha256="0" * 64, **FAST)
    assert leftovers(target) == []
    fetch(server.url, target, sha256=hashlib.sha256(CONTENT).hexdigest(), **FAST)
    assert target.exists()


@pytest.mark.parametrize("with_length", [True, False])
def test_too_large_a_file_is_refused(server, target, with_length):
    server.with_length = with_length
    with pytest.raises(DataError, match="larger than the 1000 bytes allowed"):
        fetch(server.url, target, max_bytes=1000, **FAST)


def test_nobody_listens(target):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DataError, match=r"the download failed .*check the connection"):
        fetch(f"http://127.0.0.1:{port}/x", target, tries=2, **FAST)


def test_a_server_that_never_answers_times_out(target, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(DataError, match="timed out"):
            fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/x", target, tries=2, wait=0.01, timeout=0.2)


def test_other_addresses_and_places(server, target, tmp_path):
    with pytest.raises(DataError, match="only http and https"):
        fetch("file:///etc/passwd", target)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be written .*choose another folder"):
        fetch(server.url, tmp_path / "file" / "set.zip", **FAST)
