"""Long runs: who is told how far they are, and what is kept so that they can go on after a stop."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Progress = Callable[[float, float, str], None]
"""Called with (done, total, text)."""
PART_S = 4.0
"""Parts of a loop that take longer do not grow [s]."""
State = Mapping[str, NDArray[Any]]
"""What a run has counted so far, by name."""


@runtime_checkable
class Resumable(Protocol):
    """A progress that also keeps the state of a run."""

    def __call__(self, done: float, total: float, text: str) -> None:
        """As ``Progress``."""

    def load(self, key: str) -> State | None:
        """The state that was kept under a key; None where there is none."""

    def save(self, key: str, state: Callable[[], State]) -> None:
        """Keep a state; called often, so it may leave most calls undone."""


class Ticker:
    """Counts what is done and tells the caller.

    Parameters
    ----------
    progress
        Who is told.
    total
        What will be done, in any unit.
    key
        Name of the run's state, where ``progress`` keeps it.
    """

    def __init__(self, progress: Progress | None, total: float, key: str = "") -> None:
        self._progress, self._total, self._key = progress, float(total), key
        self._done = 0.0
        self._keeper = progress if key and isinstance(progress, Resumable) else None

    def add(self, done: float, text: str) -> None:
        """So much more is done."""
        self._done += done
        if self._progress is not None:
            self._progress(self._done, self._total, text)

    def steps(self, name: str, count: int, weight: float, state: State) -> Iterator[int]:
        """Numbers of the steps of a loop that are still to be done.

        Parameters
        ----------
        name
            The loop's name within the run.
        count
            Steps in all.
        weight
            What each adds to what is done.
        state
            Arrays that the loop adds up in place; those of an earlier run that was stopped are put into them first.
        """
        for part in self.spans(name, count, weight, state, 1):
            yield part.start

    def spans(self, name: str, count: int, weight: float, state: State, most: int) -> Iterator[range]:
        """Parts of a loop that are still to be done, as the numbers of their steps.

        They grow while they take less than ``PART_S``: quick steps go together, and somebody who waits sees that it
        goes on. So results may not depend on the parts.

        Parameters
        ----------
        name, count, weight, state
            As ``steps``.
        most
            Steps in a part, at most.
        """
        kept = self.kept(name)
        end = 0
        if kept is not None:
            end = int(kept["done"])
            for key, values in state.items():
                values[...] = kept[key]
            self.add(end * weight, name)
        size = 1
        while end < count:
            start, end, begun = end, min(count, end + size), time.perf_counter()
            yield range(start, end)
            self.keep(partial(_at, end, state), name)
            self.add((end - start) * weight, name)
            if time.perf_counter() - begun < PART_S:
                size = min(most, 2 * size)

    def kept(self, name: str = "") -> State | None:
        """What an earlier run of the same key, or a loop in it, has counted."""
        return self._keeper.load(self._place(name)) if self._keeper is not None else None

    def keep(self, state: Callable[[], State], name: str = "") -> None:
        """Keep what is counted so far."""
        if self._keeper is not None:
            self._keeper.save(self._place(name), state)

    def _place(self, name: str) -> str:
        return hashlib.sha256(f"{self._key} {name}".encode()).hexdigest() if name else self._key


def _at(done: int, state: State) -> State:
    return {"done": np.array(done), **state}
