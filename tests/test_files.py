"""Files are written whole, with the permissions they should have."""

import os
import sys

import pytest

from skflow._files import STALE, check_writable, remove_stale, write_whole

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")


@posix
def test_permissions(tmp_path):
    """Of a new file as the process gives them, of one that is replaced as they were."""
    path = tmp_path / "file"
    former = os.umask(0o027)
    try:
        write_whole(path, b"1")
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o604)
        write_whole(path, b"2")
    finally:
        os.umask(former)
    assert path.stat().st_mode & 0o777 == 0o604
    assert path.read_bytes() == b"2"
    assert os.listdir(tmp_path) == ["file"]


def test_what_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"1")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"2")
    assert path.read_bytes() == b"1"
    assert os.listdir(tmp_path) == ["file"]


def test_what_cannot_be_written_is_known_before(tmp_path):
    check_writable(tmp_path / "file")
    assert not os.listdir(tmp_path)
    with pytest.raises(ValueError, match="must be a file"):
        check_writable(tmp_path)
    with pytest.raises(OSError, match="there is no folder"):
        check_writable(tmp_path / "no" / "file")


def test_only_what_is_old_and_ours_is_removed(tmp_path):
    old, new = (tmp_path / f".part-1-{digit * 32}" for digit in "ab")
    others = [tmp_path / name for name in (".part-1-short", ".env", ".part-2-" + "a" * 32)]
    for path in (old, new, *others):
        path.touch()
        os.utime(path, (0, 0))
    os.utime(new)
    remove_stale(tmp_path, "part-1")
    assert not old.exists()
    assert all(path.exists() for path in (new, *others))
    assert STALE > 1
