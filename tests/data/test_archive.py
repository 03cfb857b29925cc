import stat
import zipfile

import pytest

from minitorch_seg.data import archive
from minitorch_seg.data.archive import SourceArchive
from minitorch_seg.errors import DataError


def write(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_reads_below_the_one_top_folder(tmp_path):
    path = write(tmp_path / "a.zip", {"repo-1/": b"", "repo-1/a/b.txt": b"hello", "repo-1/c.txt": b""})
    with SourceArchive(path) as source:
        assert sorted(source.names) == ["a/b.txt", "c.txt"]
        assert source.read("a/b.txt") == b"hello"
        with pytest.raises(DataError, match=r"it holds no d.txt; this is not the archive"):
            source.read("d.txt")


def test_keeps_names_without_a_common_folder(tmp_path):
    with SourceArchive(write(tmp_path / "a.zip", {"x/a": b"1", "y/a": b"2"})) as source:
        assert sorted(source.names) == ["x/a", "y/a"]


@pytest.mark.parametrize(
    "name, says",
    [
        ("../evil", "climbs"),
        ("top/../../evil", "climbs"),
        ("/etc/passwd", "absolute"),
        ("C:/evil", "absolute"),
        ("top\\..\\evil", "climbs"),
        ("\\\\server\\share", "absolute"),
    ],
)
def test_hostile_names_are_refused(tmp_path, name, says):
    path = write(tmp_path / "a.zip", {"top/good": b"", name: b"x"})
    with pytest.raises(DataError, match=rf"a\.zip: refused: .*{says}"):
        SourceArchive(path)


def test_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("top/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        SourceArchive(tmp_path / "a.zip")


def test_limits(tmp_path, monkeypatch):
    path = write(tmp_path / "a.zip", {"top/a": bytes(5000), "top/b": bytes(5000)})
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 4999)
    with pytest.raises(DataError, match="is larger than"):
        SourceArchive(path)
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 9999)
    with pytest.raises(DataError, match="more than"):
        SourceArchive(path)


def test_what_is_no_archive(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"<html>sorry</html>")
    with pytest.raises(DataError, match="no whole zip archive"):
        SourceArchive(tmp_path / "a.zip")
    whole = write(tmp_path / "b.zip", {"top/a": bytes(range(256)) * 50}).read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="no whole zip archive"):
        SourceArchive(tmp_path / "b.zip")


def test_damaged_content_is_noticed(tmp_path):
    content = bytes(range(256)) * 50
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_STORED) as file:
        file.writestr("top/a", content)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[200] ^= 1
    (tmp_path / "a.zip").write_bytes(data)
    with SourceArchive(tmp_path / "a.zip") as source, pytest.raises(DataError, match="a in it is damaged"):
        source.read("a")
