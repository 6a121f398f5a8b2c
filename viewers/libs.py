"""What the two windows need from the machine, looked for before VTK or Open3D are loaded.

Without its libraries VTK dies with a segmentation fault and Open3D does not import: neither can be caught.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
import time
from typing import Literal

from twin.errors import MissingDependencyError

Package = Literal["pyvista", "open3d"]

LIBRARIES: dict[Package, tuple[tuple[str, str], ...]] = {
    "pyvista": (("libGL.so.1", "libgl1"), ("libEGL.so.1", "libegl1"), ("libX11.so.6", "libx11-6")),
    "open3d": (
        ("libGL.so.1", "libgl1"),
        ("libEGL.so.1", "libegl1"),
        ("libX11.so.6", "libx11-6"),
        ("libudev.so.1", "libudev1"),
        ("libidn2.so.0", "libidn2-0"),
        ("libgomp.so.1", "libgomp1"),
        ("libusb-1.0.so.0", "libusb-1.0-0"),
    ),
}
"""Shared libraries of Linux and the Debian packages that bring them."""

RETRY_S = 1.0
"""After this long a display that does not answer is asked once more [s]."""

FROM_WHEEL = "libusb-1.0.so.0"
"""The library that the wheel libusb-package brings too."""


def require_window(package: Package, off_screen: bool) -> None:
    """Make sure that a window can be opened.

    Parameters
    ----------
    package
        ``pyvista`` (the model) or ``open3d`` (raw clouds).
    off_screen
        Whether a picture without a display will do; only for ``pyvista``.

    Raises
    ------
    MissingDependencyError
        The package, a library or a display is missing; one line says which and what to install.
    """
    problem = _problem(package, off_screen)
    if problem is not None:
        raise MissingDependencyError(problem)


def window_problems() -> list[str]:
    """What keeps the windows from opening, a line each; none where both open."""
    packages: tuple[Package, ...] = ("pyvista", "open3d")
    return [text for package in packages if (text := _problem(package, off_screen=False)) is not None]


def _problem(package: Package, off_screen: bool) -> str | None:
    if importlib.util.find_spec(package) is None:
        return f"{package} is missing: pip install 'valley-twin[desktop]'"
    if not sys.platform.startswith("linux"):
        return None
    missing = [(name, deb) for name, deb in LIBRARIES[package] if not _loads(name)]
    if missing:
        names = ", ".join(name for name, _ in missing)
        return f"{package} needs {names}: apt install {' '.join(deb for _, deb in missing)}"
    if off_screen:
        return None
    return _display_problem(package)


def _loads(name: str) -> bool:
    try:
        # Globally, so that a wheel linked against it finds it loaded.
        ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return name == FROM_WHEEL and _loads_from_wheel()
    return True


def _loads_from_wheel() -> bool:
    if importlib.util.find_spec("libusb_package") is None:
        return False
    path = importlib.import_module("libusb_package").get_library_path()
    if path is None:
        return False
    try:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


def _display_problem(package: Package) -> str | None:
    name = os.environ.get("DISPLAY", "")
    hint = " (`twin view SITE --screenshot FILE.png` needs no display)" if package == "pyvista" else ""
    if not name:
        return f"{package} needs a display and DISPLAY is not set: log in to a desktop, or xvfb-run{hint}"
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(name.encode())
    if not display:
        # A server that has just lost its last window may be starting anew.
        time.sleep(RETRY_S)
        display = x11.XOpenDisplay(name.encode())
    if not display:
        return (
            f"{package} needs a display and {name} cannot be opened: log in to a desktop, or xvfb-run{hint}"
        )
    x11.XCloseDisplay(display)
    return None
