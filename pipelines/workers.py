"""Work spread over processes or machines, always through Dask; results come in the order of the items."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from twin.errors import MissingDependencyError, UsageError

T = TypeVar("T")
R = TypeVar("R")

SCHEDULER_VARIABLE = "TWIN_DASK_SCHEDULER"
"""Address of a Dask scheduler (tcp://host:8786) to use instead of processes on this machine."""

MOST_PROCESSES = 61
"""More cannot be waited for on Windows."""

START_S = 4.0
"""What it takes until a new process has its packages and can do the first item [s]."""

_kept: ProcessPoolExecutor | None = None
"""The processes of the block that ``one_pool`` is around."""


def worker_count(asked: int | None) -> int:
    """Number of workers: as asked, else the number of cores this process may use."""
    if asked is not None and asked < 1:
        raise UsageError(f"--workers counts from 1; got {asked}")
    if asked is not None:
        return asked
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else (os.cpu_count() or 1)


def map_tasks(
    function: Callable[[T], R],
    items: Sequence[T],
    workers: int,
    progress: Callable[[int, int], None] | None = None,
    each_s: float | None = None,
) -> list[R]:
    """``[function(item) for item in items]`` over several processes, or a Dask cluster where one is named.

    Parameters
    ----------
    function
        A module-level function (it travels to other processes).
    items
        What to do; each should take seconds rather than milliseconds.
    workers
        Number of processes; 1 stays in this one.
    progress
        Called with (done, total).
    each_s
        What an item takes, about [s]: few quick ones are done in this process, sooner than others would start.

    Raises
    ------
    MissingDependencyError
        A cluster is named but the extra for it is not installed.
    """
    address = os.environ.get(SCHEDULER_VARIABLE)
    total = len(items)
    if address:
        return _on_cluster(function, items, address)
    if workers == 1 or total <= 1 or _sooner_here(total, workers, each_s):
        done = []
        for item in items:
            done.append(function(item))
            if progress:
                progress(len(done), total)
        return done
    import dask
    from dask.callbacks import Callback
    from dask.multiprocessing import RemoteException

    finished = 0

    def tick(*_: Any) -> None:
        nonlocal finished
        finished += 1
        if progress:
            progress(min(finished, total), total)

    tasks = [dask.delayed(function, pure=False)(item) for item in items]
    # Dask hands out six items at a time where it is not told otherwise: too many for items that take seconds.
    how = {"scheduler": "processes", "optimize_graph": False, "chunksize": 1}
    how |= {"num_workers": min(workers, total, MOST_PROCESSES)} if _kept is None else {"pool": _kept}
    try:
        with Callback(posttask=tick):
            return list(dask.compute(*tasks, **how))
    except RemoteException as error:
        # Dask's wrapper carries the other process's traceback in its text.
        raise error.exception from None


def _sooner_here(total: int, workers: int, each_s: float | None) -> bool:
    """Whether new processes would save less than it takes to start them."""
    if each_s is None or _kept is not None:
        return False
    return each_s * total * (1.0 - 1.0 / min(workers, total)) < START_S


@contextmanager
def one_pool(workers: int) -> Iterator[None]:
    """All calls of ``map_tasks`` in the block share their processes, which then start once, at the first."""
    global _kept
    if workers == 1 or _kept is not None or SCHEDULER_VARIABLE in os.environ:
        yield
        return
    import dask
    from dask.multiprocessing import get_context, initialize_worker_process

    _kept = ProcessPoolExecutor(
        min(workers, MOST_PROCESSES),
        mp_context=get_context(),
        initializer=partial(initialize_worker_process, dask.config.get("multiprocessing.initializer", None)),
    )
    try:
        yield
    finally:
        pool, _kept = _kept, None
        pool.shutdown(cancel_futures=True)


def _on_cluster(function: Callable[[T], R], items: Sequence[T], address: str) -> list[R]:
    try:
        from distributed import Client
    except ImportError:
        raise MissingDependencyError(
            f"{SCHEDULER_VARIABLE} names a Dask cluster, but dask.distributed is not installed: "
            "pip install 'valley-twin[cluster]'"
        ) from None
    with Client(address) as client:
        return list(client.gather(client.map(function, items, pure=False)))
