"""Files are whole or not there, whoever else writes them, and what is no regular file is not replaced."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from evolve.pool.files import whole_file, write_file
from prompts.errors import UserError


def _write_half(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"half")
        raise InterruptedError("in the middle of it")


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    with pytest.raises(UserError, match="in the middle of it"):
        _write_half(path)
    assert list(path.parent.iterdir()) == []
    write_file(path, b"whole")
    with pytest.raises(UserError, match="in the middle of it"):
        _write_half(path)
    assert path.read_bytes() == b"whole"


def test_a_full_disk_is_said_and_what_was_there_stays(tmp_path: Path) -> None:
    """The kernel's own full device in place of the file that is being written."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    path = tmp_path / "file"
    path.write_bytes(b"earlier")
    with pytest.raises(UserError, match=r"full: the disk is full.*intact. Free some space"):
        write_file(Path("/dev/full"), b"x" * 100_000)


def test_what_is_no_regular_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    write_file(Path(os.devnull), b"x")
    assert not Path(os.devnull).is_file()
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE)
    write_file(tmp_path / "pipe", b"through")
    assert reader.communicate()[0] == b"through"
    assert (tmp_path / "pipe").is_fifo()


def test_files_written_by_many_at_once_are_one_of_them_whole(tmp_path: Path) -> None:
    contents = [bytes([65 + i]) * 200_000 for i in range(8)]
    threads = [threading.Thread(target=write_file, args=(tmp_path / "file", one)) for one in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "file").read_bytes() in contents
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
