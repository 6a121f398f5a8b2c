"""numba's compiler with a cache that also works where the package folder is read-only.

numba writes its cache beside the source; in a read-only installation, and with no home folder, it raises.
The cache is then put into a temporary folder, per user.
"""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

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
    return compiled  # type: ignore[no-any-return]
