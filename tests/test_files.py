"""Files are written whole or not at all, and what is no file is written to, never replaced."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from rasp.errors import DataFault
from rasp.files import write_whole


def test_a_file_is_replaced_whole_and_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "a", tmp_path / "b"
    link.symlink_to(target)
    write_whole(link, "é")
    write_whole(link, b"more")
    assert (target.read_bytes(), link.is_symlink()) == (b"more", True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_named_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_whole(pipe, "through")
    reader.join(10)
    assert found == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_an_open_pipe_is_written_to() -> None:
    reading, writing = os.pipe()
    try:
        write_whole(Path(f"/dev/fd/{writing}"), "through")
        assert os.read(reading, 100) == b"through"
    finally:
        os.close(reading)
        os.close(writing)


def test_a_device_is_written_to(tmp_path: Path) -> None:
    leading, following = os.openpty()
    try:
        link = tmp_path / "device"
        link.symlink_to(os.ttyname(following))
        write_whole(link, "through\n")
        assert os.read(leading, 100).startswith(b"through")
        assert stat.S_ISCHR(link.stat().st_mode)
        assert link.is_symlink()
    finally:
        os.close(leading)
        os.close(following)


@pytest.mark.parametrize("name", ["", "missing/file", "a\0b", "x" * 300])
def test_what_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataFault, match="cannot write"):
        write_whole(tmp_path / name, "text")
    assert list(tmp_path.iterdir()) == []


def test_half_characters_are_written_as_json_names_them(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "\ud800")
    assert (tmp_path / "a").read_text() == "\\ud800"
