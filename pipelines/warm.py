"""The first run on a machine compiles the kernels: those of buildings beside the steps before them, and once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twin.jit import cache_folder

LAST = "quality._distances"
"""The kernel that is compiled last: where it is kept, all are."""
CODE = "from pipelines.warm import compile_kernels; compile_kernels()"


def start() -> subprocess.Popen[bytes] | None:
    """Begin to compile the kernels of buildings in a process of its own; None where they are compiled."""
    import twin.buildings

    elsewhere = os.environ.get("NUMBA_CACHE_DIR")
    kept = Path(elsewhere) if elsewhere else Path(twin.buildings.__path__[0]) / "__pycache__"
    if cache_folder() is not None or any(kept.rglob(f"{LAST}*.nbi")):
        return None
    return subprocess.Popen(
        [sys.executable, "-c", CODE],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait(process: subprocess.Popen[bytes] | None) -> None:
    """Wait for the kernels; a process that failed costs time, no more."""
    if process is not None:
        process.wait()


def compile_kernels() -> None:
    """Reconstruct a house of two planes, so that every kernel of buildings is compiled and kept."""
    import numpy as np
    import shapely
    from pyproj import CRS

    from twin.buildings.reconstruct import reconstruct
    from twin.classify.roofs import roof_mask
    from twin.frame import Frame
    from twin.model.mesh import TriangleMesh
    from twin.model.objects import Footprint
    from twin.terrain.sampler import TinSampler

    frame = Frame(CRS.from_epsg(3812), "EPSG:5710", (732446, 643915))
    corners = np.array([[-20.0, -20, 60], [20, -20, 60], [20, 20, 61], [-20, 20, 61]])
    ground = TriangleMesh(frame, corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), np.zeros(2, np.uint8))
    x, y = (v.ravel() for v in np.meshgrid(np.arange(-5, 5, 0.3), np.arange(-4, 4, 0.3)))
    points = np.column_stack([x, y, 72.0 - np.abs(y) + np.where(x > 3, 4.0, 0.0)])
    ones = np.ones(len(points), dtype=np.uint8)
    roof_mask(points, points[:, 2] - 60.5, ones, ones)
    reconstruct(Footprint("warm", frame, shapely.box(-5, -4, 5, 4)), points, TinSampler(ground))
