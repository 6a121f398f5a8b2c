"""Steps run when they must, files appear whole."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pipelines.provenance import HashCache, forget, is_done, mark_done, step
from twin.errors import TwinError
from twin.io.atomic import plain, sha256_file, write_json, write_text, writing


def test_a_step_runs_again_only_when_something_changed(tmp_path: Path) -> None:
    result = tmp_path / "model" / "a.txt"
    write_text(result, "hello")
    made = step("build", {"in": "abc"}, {"cell": 0.5})
    assert not is_done(tmp_path, made)
    mark_done(tmp_path, made, [result])
    assert is_done(tmp_path, made)
    assert not is_done(tmp_path, step("build", {"in": "abd"}, {"cell": 0.5}))
    assert not is_done(tmp_path, step("build", {"in": "abc"}, {"cell": 0.6}))
    write_text(result, "hello, changed")
    assert not is_done(tmp_path, made)
    write_text(result, "hello")
    assert is_done(tmp_path, made)
    forget(tmp_path, "build")
    assert not is_done(tmp_path, made)


def test_a_damaged_stamp_counts_as_not_done(tmp_path: Path) -> None:
    made = step("build", {}, {})
    mark_done(tmp_path, made, [])
    (tmp_path / ".steps" / "build.json").write_text('{"key": ')
    assert not is_done(tmp_path, made)


@pytest.mark.parametrize("fault", [ValueError("x"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_nothing_half_written_is_left(tmp_path: Path, fault: BaseException) -> None:
    path = tmp_path / "deep" / "result.tif"
    expected = TwinError if isinstance(fault, OSError) else type(fault)
    with pytest.raises(expected), writing(path) as temporary:
        temporary.write_bytes(b"half")
        raise fault
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(TwinError, match="disk is full"), writing(tmp_path / "a.bin"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_older_result_survives_a_failed_write(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match=r"not JSON compliant|Out of range"):
        write_json(path, {"a": float("nan")})
    assert path.read_text() == '{\n  "a": 1\n}\n'


def test_the_hash_cache_notices_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    cache = HashCache.load(tmp_path / "hashes.json")
    first = cache.sha256(path)
    assert first == sha256_file(path) == HashCache.load(tmp_path / "hashes.json").sha256(path)
    path.write_bytes(b"three")
    assert cache.sha256(path) != first


def test_plain_values_hold_no_nan() -> None:
    assert plain({"a": float("inf"), 1: (1, 2)}) == {"a": None, "1": [1, 2]}
