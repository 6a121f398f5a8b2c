"""Work over processes: the order of the results, when processes are worth their start, and that they are shared."""

from __future__ import annotations

import os
import time

import pytest

from pipelines import workers
from pipelines.workers import START_S, map_tasks, one_pool


def squared(value: int) -> int:
    return value * value


def process_of(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def broken(value: int) -> int:
    raise ValueError(f"no {value}")


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


def test_an_error_is_the_one_that_was_raised_and_ends_the_block() -> None:
    with pytest.raises(ValueError, match="no 1"), one_pool(2):
        map_tasks(broken, [1, 1], 2)
    assert workers._kept is None
    with one_pool(1):
        assert workers._kept is None
