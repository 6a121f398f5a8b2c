"""numba's compiler with a cache that also works where the package folder is read-only.

numba writes its cache beside the source; in a read-only installation, and with no home folder, it raises.
The cache is then put into a temporary folder, per user. And numba knows a kernel as stale only when its own file
changes: here also when a constant or a kernel does that its module has from another file.
"""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK)


def cache_folder() -> Path | None:
    """Folder for numba's cache, or None where numba's own choice works."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return None
    here = Path(__file__).parent
    if _writable(here):
        return None
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getpid())
    folder = Path(tempfile.gettempdir()) / f"valley-twin-{user}" / "numba"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


_folder = cache_folder()
if _folder is not None:
    os.environ["NUMBA_CACHE_DIR"] = str(_folder)


def njit(function: F) -> F:
    """Compile ``function`` without the interpreter lock, cached on disk, in strict IEEE arithmetic."""
    import numba

    compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    # Of numba's own: without it there is only the time and the size of the file.
    kept: Any = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if hasattr(kept, "_source_stamp"):
        kept._source_stamp = (kept._source_stamp, stamp_of(function.__globals__))
    return compiled  # type: ignore[no-any-return]


def stamp_of(names: Mapping[str, Any]) -> tuple[tuple[str, object], ...]:
    """What kernels of a module depend on besides its file: constants, and kernels from other files, by name.

    Parameters
    ----------
    names
        The globals of the module, so far as they are there: its imports are.
    """
    stamp: list[tuple[str, object]] = []
    for name, value in names.items():
        if isinstance(value, (bool, int, float, np.number)):
            stamp.append((name, repr(value)))
        elif isinstance(value, np.ndarray):
            stamp.append((name, (value.shape, str(value.dtype), value.tobytes())))
        else:
            inner = getattr(value, "py_func", None)
            if inner is not None and inner.__module__ != names["__name__"]:
                file = Path(inner.__code__.co_filename).stat()
                stamp.append((name, (file.st_mtime, file.st_size, stamp_of(inner.__globals__))))
    return tuple(sorted(stamp, key=lambda entry: entry[0]))
