"""Work spread over processes or machines, always through Dask; results come in the order of the items."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children
from typing import Any, TypeVar

from twin.errors import MissingDependencyError, TwinError, UsageError

T = TypeVar("T")
R = TypeVar("R")

SCHEDULER_VARIABLE = "TWIN_DASK_SCHEDULER"
"""Address of a Dask scheduler (tcp://host:8786) to use instead of processes on this machine."""

MOST_PROCESSES = 61
"""More cannot be waited for on Windows."""

PATIENCE_S = 2.0
"""How long processes have to clear up after an interrupt [s]."""

START_S = 4.0
"""What it takes until a new process has its packages and can do the first item [s]."""


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
    TwinError
        A process was killed.
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
    return _in_processes(function, items, workers, progress)


def _in_processes(
    function: Callable[[T], R],
    items: Sequence[T],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> list[R]:
    import dask
    from dask.callbacks import Callback
    from dask.multiprocessing import RemoteException

    finished = 0

    def tick(*_: Any) -> None:
        nonlocal finished
        finished += 1
        if progress:
            progress(min(finished, len(items)), len(items))

    tasks = [dask.delayed(_interruptible, pure=False)(function, item) for item in items]
    try:
        with _processes(min(workers, len(items))) as pool, Callback(posttask=tick):
            # Dask hands out six items at a time where it is not told otherwise: too many for items that take seconds.
            return list(
                dask.compute(*tasks, scheduler="processes", pool=pool, optimize_graph=False, chunksize=1)
            )
    except RemoteException as error:
        # Dask's wrapper carries the other process's traceback in its text.
        raise error.exception from None
    except BrokenProcessPool as error:
        _drop()
        raise TwinError(
            "a worker process ended in the middle of its work, most often because the machine ran out of memory: "
            "use fewer --workers, a smaller area or larger cells"
        ) from error


@dataclass(slots=True)
class _Kept:
    """Processes that several calls share; they start at the first."""

    pool: ProcessPoolExecutor
    used: bool = False


_kept: _Kept | None = None
"""Those of the block that ``one_pool`` is around."""


def _sooner_here(total: int, workers: int, each_s: float | None) -> bool:
    """Whether new processes would save less than it takes to start them."""
    if each_s is None or (_kept is not None and _kept.used):
        return False
    return each_s * total * (1.0 - 1.0 / min(workers, total)) < START_S


@contextmanager
def one_pool(workers: int) -> Iterator[None]:
    """All calls of ``map_tasks`` in the block share their processes, which then start once, at the first."""
    global _kept
    if workers == 1 or _kept is not None or os.environ.get(SCHEDULER_VARIABLE):
        yield
        return
    with _new_processes(workers) as pool:
        _kept = _Kept(pool)
        try:
            yield
        finally:
            _drop()


def _drop() -> None:
    """Later calls have processes of their own."""
    global _kept
    _kept = None


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """The shared processes, or new ones."""
    if _kept is not None:
        _kept.used = True
        yield _kept.pool
        return
    with _new_processes(count) as pool:
        yield pool


@contextmanager
def _new_processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes until the block ends; after an interrupt those that do not end by themselves are ended."""
    import dask
    from dask.multiprocessing import get_context

    # As Dask has it: strings hash alike in all of them.
    if os.environ.get("PYTHONHASHSEED") in (None, "0"):
        os.environ["PYTHONHASHSEED"] = "6640"
    others = set(active_children())
    pool = ProcessPoolExecutor(
        min(count, MOST_PROCESSES),
        mp_context=get_context(),
        initializer=partial(_begin, dask.config.get("multiprocessing.initializer", None)),
    )
    try:
        yield pool
    except KeyboardInterrupt:
        mine = set(active_children()) - others
        pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + PATIENCE_S
        for process in mine:
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()
            process.join()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(more: Callable[[], None] | None) -> None:
    """A new process: Ctrl-C in the terminal reaches it too, and is the other process's affair while it is idle."""
    from dask.multiprocessing import initialize_worker_process

    initialize_worker_process(more)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interruptible(function: Callable[[T], R], item: T) -> R:
    """One item; Ctrl-C ends it, so that what it has half written goes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return function(item)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


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
