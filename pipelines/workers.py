"""Work spread over processes or machines, always through Dask; results come in the order of the items."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twin.errors import MissingDependencyError, UsageError

T = TypeVar("T")
R = TypeVar("R")

SCHEDULER_VARIABLE = "TWIN_DASK_SCHEDULER"
"""Address of a Dask scheduler (tcp://host:8786) to use instead of processes on this machine."""


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

    Raises
    ------
    MissingDependencyError
        A cluster is named but the extra for it is not installed.
    """
    address = os.environ.get(SCHEDULER_VARIABLE)
    total = len(items)
    if address:
        return _on_cluster(function, items, address)
    if workers == 1 or total <= 1:
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
    count = min(workers, total)
    try:
        with Callback(posttask=tick):
            return list(dask.compute(*tasks, scheduler="processes", num_workers=count, optimize_graph=False))
    except RemoteException as error:
        # Dask's wrapper carries the other process's traceback in its text.
        raise error.exception from None


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
