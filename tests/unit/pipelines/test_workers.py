"""Work over processes: the order of the results, when processes are worth their start, and that they are shared."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import nullcontext
from multiprocessing import active_children
from threading import Timer

import pytest

from pipelines import workers
from pipelines.workers import START_S, map_tasks, one_pool
from twin.errors import TwinError


def squared(value: int) -> int:
    return value * value


def process_of(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def broken(value: int) -> int:
    raise ValueError(f"no {value}")


def killed(_: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def slow(value: int) -> int:
    time.sleep(30)
    return value


def test_results_come_in_the_order_of_the_items() -> None:
    told: list[tuple[int, int]] = []
    items = list(range(7))
    expected = [squared(k) for k in items]
    assert map_tasks(squared, items, 1, lambda *done: told.append(done)) == expected
    assert map_tasks(squared, items, 2, lambda *done: told.append(done)) == expected
    assert told == [(k + 1, 7) for k in items] * 2
    assert map_tasks(squared, [], 2) == []


def test_few_quick_items_stay_here() -> None:
    here = {os.getpid()}
    assert set(map_tasks(process_of, range(4), 2, each_s=START_S / 4)) == here
    assert set(map_tasks(process_of, range(3), 2, each_s=START_S)).isdisjoint(here)


def test_the_calls_of_a_block_share_their_processes() -> None:
    with one_pool(2):
        first = set(map_tasks(process_of, range(6), 2))
        # They are there: quick items go to them too.
        second = set(map_tasks(process_of, range(6), 2, each_s=0.01))
        with one_pool(2):
            third = set(map_tasks(process_of, range(6), 2))
    assert os.getpid() not in first and len(first | second | third) <= 2
    assert workers._kept is None


def test_a_block_starts_no_process_for_few_quick_items() -> None:
    with one_pool(2):
        assert set(map_tasks(process_of, range(4), 2, each_s=0.01)) == {os.getpid()}


def test_a_killed_process_is_an_error_in_words_and_later_calls_have_others() -> None:
    for _ in range(2):
        with pytest.raises(TwinError, match="ran out of memory"):
            map_tasks(killed, [0, 1], 2)
    with one_pool(2):
        with pytest.raises(TwinError, match="ran out of memory"):
            map_tasks(killed, [0, 1], 2)
        assert map_tasks(squared, [2, 3], 2) == [4, 9]


@pytest.fixture
def heard() -> Iterator[None]:
    """Interrupts are heard: a shell lets what it runs in the background ignore them, and all that this starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("shared", [True, False])
def test_an_interrupt_waits_for_no_process(shared: bool, heard: None) -> None:
    others, start = set(active_children()), time.monotonic()
    Timer(2.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), one_pool(2) if shared else nullcontext():
        map_tasks(slow, range(4), 2)
    assert time.monotonic() - start < 25
    assert set(active_children()) <= others and workers._kept is None
    assert map_tasks(squared, [2, 3], 2) == [4, 9]


def test_an_error_is_the_one_that_was_raised_and_ends_the_block() -> None:
    with pytest.raises(ValueError, match="no 1"), one_pool(2):
        map_tasks(broken, [1, 1], 2)
    assert workers._kept is None
    with one_pool(1):
        assert workers._kept is None
