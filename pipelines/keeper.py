"""Keeps what a long study has counted, so that it can be stopped and continued."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipelines.console import Ticker
from twin.io.atomic import remove, writing
from twin.study.watch import State

EVERY_S = 20.0
"""A running study keeps its counts this often [s]."""


class Keeper:
    """A progress that also keeps the counts of a run in a folder (``twin.study.watch.Resumable``).

    Parameters
    ----------
    folder
        Where the counts are kept until the study is done.
    tick
        Who is told how far it is.
    """

    def __init__(self, folder: Path, tick: Ticker) -> None:
        self.folder, self.tick = folder, tick
        self._last = time.monotonic()
        self._written: list[Path] = []

    def __call__(self, done: float, total: float, text: str = "") -> None:
        """See ``Progress``."""
        self.tick(done, total, text)

    def load(self, key: str) -> State | None:
        """What a stopped run has counted; None where it cannot be read."""
        path = self._path(key)
        if not path.is_file():
            return None
        self._written.append(path)
        try:
            with np.load(path, allow_pickle=False) as kept:
                return {name: kept[name] for name in kept.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError):
            return None

    def save(self, key: str, state: Callable[[], State]) -> None:
        """Keep the counts, at most every ``EVERY_S``."""
        if time.monotonic() - self._last < EVERY_S:
            return
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path) as temporary, temporary.open("wb") as out:
            np.savez(out, allow_pickle=False, **state())
        self._written.append(path)
        self._last = time.monotonic()

    def drop(self) -> None:
        """The study is done: nothing is kept any more."""
        for path in self._written:
            remove(path)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key[:24]}.npz"
