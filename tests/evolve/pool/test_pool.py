"""The pool: a part is whole or not there, damage is found and named, a full disk and a second writer are refused."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from evolve.pool.files import write_file
from evolve.pool.lock import Busy, exclusive
from evolve.pool.lookup import Lookup
from evolve.pool.pool import Pool
from evolve.pool.table import DamagedPart
from prompts.errors import UserError


def _response(i: int, **values: Any) -> dict[str, Any]:
    return {"id": f"{i:024x}", "prompt_id": f"{i // 5:024x}", "sampler_id": "s", "sample_index": i % 5} | values


def _ids(pool: Pool) -> list[str]:
    return [one for part in pool.responses("s").scan(["id"]) for one in part["id"].to_pylist()]


def _filled(folder: Path, n_parts: int = 3, rows: int = 10) -> Pool:
    pool = Pool(folder)
    with pool.growing("s"):
        for part in range(n_parts):
            pool.responses("s").append(_response(part * rows + i, text="ünïcode\x00 " * i) for i in range(rows))
            pool.flush()
    return pool


def test_what_is_flushed_is_read_by_another_process_in_order(tmp_path: Path) -> None:
    _filled(tmp_path)
    code = (
        "import sys; from pathlib import Path; from evolve.pool.pool import Pool; "
        "[print(i, len(t)) for p in Pool(Path(sys.argv[1])).responses('s').scan(['id', 'text']) "
        "for i, t in zip(p['id'].to_pylist(), p['text'].to_pylist())]"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines() == [f"{i:024x} {9 * (i % 10)}" for i in range(30)]


def test_rows_are_not_there_before_they_are_written(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    with pool.growing("s"):
        pool.responses("s").append([_response(1)])
        assert _ids(Pool(tmp_path)) == []
        pool.flush()
        assert _ids(Pool(tmp_path)) == _ids(pool) == [f"{1:024x}"]


def test_a_full_buffer_becomes_a_part_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolve.pool.table.ROWS_PER_PART", 4)
    pool = Pool(tmp_path)
    with pool.growing("s"):
        for i in range(10):
            pool.responses("s").append([_response(i)])
        pool.flush()
    assert [part.num_rows for part in pool.responses("s").scan(["id"])] == [4, 4, 2]
    assert len(_ids(pool)) == 10


def test_every_value_comes_back_as_it_went_in(tmp_path: Path) -> None:
    messages = [
        {"role": "system", "content": ""},
        {"role": "user", "content": "{prompt} <|eot_id|> \U0001f600\r\n\x00"},
    ]
    rows = {
        "prompts": {"key": "a" * 24, "messages": messages, "verdict": "kept", "reward_limit": 2**40, "logp": -0.1},
        "responses": _response(7, text="", logp=-1e-300, seed=2**48, token_ids=[0, 2**31 - 1], error=None),
    }
    pool = Pool(tmp_path)
    with pool.growing("s"):
        pool.prompts.append([rows["prompts"]])
        pool.responses("s").append([rows["responses"]])
        pool.flush()
    for table, row in ((pool.prompts, rows["prompts"]), (pool.responses("s"), rows["responses"])):
        ((found,),) = (part.to_pylist() for part in table.scan(table.schema.names))
        assert {name: found[name] for name in row} == row
        assert all(found[name] is None for name in found if name not in row)


def test_numbers_of_parts_go_on_after_a_restart(tmp_path: Path) -> None:
    _filled(tmp_path, n_parts=2)
    pool = Pool(tmp_path)
    with pool.growing("s"):
        pool.responses("s").append([_response(99)])
        pool.flush()
    assert [part.path.name[:8] for part in pool.responses("s").parts()] == ["00000000", "00000001", "00000002"]
    assert _ids(pool)[-1] == f"{99:024x}"


def test_an_unfinished_part_is_no_part_and_is_cleared_away_by_its_owner_only(tmp_path: Path) -> None:
    pool = _filled(tmp_path, n_parts=1)
    whole = pool.responses("s").parts()[0].path
    unfinished = whole.with_name(f".{whole.name.replace('00000000', '00000001')}.unfinished")
    unfinished.write_bytes(whole.read_bytes()[:100])
    assert len(_ids(Pool(tmp_path))) == 10
    assert unfinished.exists()
    with Pool(tmp_path).growing("s"):
        assert not unfinished.exists()


def _truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip(data: bytes) -> bytes:
    """One bit, in the middle."""
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


DAMAGES = {
    "truncated": _truncate,
    "bit flipped": _flip,
    "emptied": lambda data: b"",
    "longer": lambda data: data + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_refused_by_a_reader_and_set_aside_by_the_owner(tmp_path: Path, damage: str) -> None:
    path = _filled(tmp_path).responses("s").parts()[1].path
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(DamagedPart, match=f"{path.name} is damaged"):
        _ids(Pool(tmp_path))
    assert path.exists()

    pool = Pool(tmp_path)
    with pool.growing("s"):
        assert _ids(pool) == [f"{i:024x}" for i in (*range(10), *range(20, 30))]
        assert not path.exists()
        assert path.with_suffix(".damaged").exists()
        assert len(Lookup(pool.responses("s"), "id").fetch([f"{25:024x}"], ["text"])) == 1
    assert len(_ids(Pool(tmp_path))) == 20


def test_a_part_damaged_after_it_was_listed_is_never_read(tmp_path: Path) -> None:
    pool = _filled(tmp_path)
    lookup = Lookup(pool.responses("s"), "id")
    path = pool.responses("s").parts()[2].path
    path.write_bytes(_flip(path.read_bytes()))
    assert lookup.fetch([f"{3:024x}"], ["text"]).num_rows == 1
    with pytest.raises(DamagedPart, match=path.name):
        lookup.fetch([f"{23:024x}"], ["text"])


def test_descriptions_survive_and_a_damaged_one_is_as_none(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    with pool.growing("s"):
        pool.describe("sampler", "abc", {"policy": "ünïcode", "n": 1})
    pool.describe("sampler", "abc", {"policy": "other"})  # what an id stands for does not change
    assert Pool(tmp_path).description("sampler", "abc") == {"policy": "ünïcode", "n": 1}
    assert pool.description("sampler", "other") == {}
    path = tmp_path / "settings" / "sampler-abc.json"
    path.write_bytes(path.read_bytes().replace(b'"n": 1', b'"n": 7'))
    assert pool.description("sampler", "abc") == {}
    pool.describe("sampler", "abc", {"policy": "again"})
    assert pool.description("sampler", "abc") == {"policy": "again"}


def _append_under_a_size_limit(folder: str, n_rows: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    pool = Pool(Path(folder))
    with pool.growing("s"):
        try:
            pool.responses("s").append(_response(1_000 + i, text=os.urandom(50).hex()) for i in range(n_rows))
            pool.flush()
        except UserError as error:
            assert "larger than this system allows" in str(error), error  # noqa: PT017  (in a process of its own)
            os._exit(42)
    os._exit(0)


def test_a_part_larger_than_the_system_allows_is_said_and_what_was_there_stays(tmp_path: Path) -> None:
    _filled(tmp_path)
    codes = []
    for n_rows in (2_000, 5):
        child = multiprocessing.get_context("spawn").Process(
            target=_append_under_a_size_limit, args=(str(tmp_path), n_rows)
        )
        child.start()
        child.join()
        codes.append(child.exitcode)
    assert codes == [42, 0]  # a part that is small enough is written
    assert _ids(Pool(tmp_path)) == [f"{i:024x}" for i in (*range(30), *range(1_000, 1_005))]
    assert not list(tmp_path.rglob(".*"))


def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match=r"file/pool/a: it can't be written \(Not a directory\)"):
        write_file(tmp_path / "file" / "pool" / "a", b"")
    with (
        pytest.raises(UserError, match=r"file/pool: it can't be written \(Not a directory\)"),
        Pool(tmp_path / "file" / "pool").growing("s"),
    ):
        pass


def test_one_writer_at_a_time_and_the_second_is_told_who_has_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from evolve.pool.pool import Pool\n"
        "with Pool(Path(sys.argv[1])).growing('s'): print('held', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes) as holder:  # type: ignore[call-overload]
        assert holder.stdout.readline() == "held\n"
        for _ in range(2):  # being refused does not take the lock away from its holder
            with pytest.raises(Busy, match=f"in use by another process .*process {holder.pid} on"):
                Pool(tmp_path).growing("s").__enter__()
        assert Pool(tmp_path).is_growing()
        with Pool(tmp_path).scoring("reward"):  # rewards are another worker's
            pass
        holder.kill()
        holder.wait()
    assert not Pool(tmp_path).is_growing()
    with Pool(tmp_path).growing("s"), Pool(tmp_path).scoring("one"), Pool(tmp_path).scoring("two"):
        pass


def test_a_lock_is_free_after_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "lock", "It"):
            assert json.dumps(os.getpid()) in (tmp_path / "lock").read_text()


def test_rows_that_took_long_are_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolve.pool.table.SECONDS_PER_PART", 0.05)
    pool = Pool(tmp_path / "pool")
    with pool.growing("s"):
        table = pool.responses("s")
        table.append([_response(1)])
        time.sleep(0.1)  # a slow engine
        table.append([_response(2)])
        pool.close()  # waits for the writer and flushes nothing: no later append was needed
        assert len(table.parts()) == 1
