"""Compiled kernels that are kept on disk: never older than what they are made of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twin.jit import stamp_of

KERNELS = """
from twin.jit import njit
from sizes import SIZE
from helpers import twice

@njit
def answer():
    return twice(SIZE)
"""
HELPERS = """
from twin.jit import njit
from more import FACTOR

@njit
def twice(x):
    return FACTOR * x
"""


def answer(folder: Path) -> float:
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(root)])}
    env["NUMBA_CACHE_DIR"] = str(folder / "cache")
    code = "import kernels; print(kernels.answer())"
    done = subprocess.run([sys.executable, "-B", "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (
        ("kernels", KERNELS),
        ("helpers", HELPERS),
        ("sizes", "SIZE = 3.0"),
        ("more", "FACTOR = 2.0"),
    ):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_constant_of_another_file_is_heeded(folder: Path) -> None:
    assert answer(folder) == 6.0
    kept = {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*.nb?")}
    assert kept and answer(folder) == 6.0
    # Nothing was compiled again.
    assert {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*.nb?")} == kept
    (folder / "sizes.py").write_text("SIZE = 5.0", encoding="utf-8")
    assert answer(folder) == 10.0
    (folder / "more.py").write_text("FACTOR = 3.0", encoding="utf-8")
    assert answer(folder) == 15.0


def test_what_is_the_same_has_the_same_stamp() -> None:
    names = {"__name__": "here", "A": 1.5, "B": True, "text": "no matter"}
    assert stamp_of(names) == stamp_of(dict(reversed(names.items())))
    assert stamp_of(names) != stamp_of({**names, "A": 1.25})
    assert stamp_of(names) == stamp_of({**names, "text": "other"})
