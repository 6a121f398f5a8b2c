"""Synthetic grounds, outlines and scenes for the tests of buildings and proposals."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.affinity import rotate, translate

from twin.buildings.lod12 import reconstruct_lod12
from twin.frame import Frame
from twin.model.objects import Footprint, Tree
from twin.model.raster import Grid, Raster
from twin.model.scene import Scene
from twin.model.surface import Surface
from twin.model.terrain import Terrain
from twin.terrain.sampler import TinSampler
from twin.terrain.tin import simplify

FRAME = Frame(CRS.from_epsg(3812), "EPSG:5710", (732446, 643915))

CENTRE = (31.7, -58.3)
"""Middle of the worlds: off the origin, so that no sign hides."""

Height = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def ramp(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """A plane that rises 0.3 to the east and falls 0.12 to the north."""
    return 61.5 + 0.3 * (x - CENTRE[0]) - 0.12 * (y - CENTRE[1])


def hills(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """A slope with waves of some metres."""
    return ramp(x, y) + 2.0 * np.sin(x / 6.0) * np.cos(y / 5.0)


def terrain(height: Height, side: float = 60.0, cell: float = 0.5, error: float = 0.05) -> Terrain:
    """A square of ground about ``CENTRE``."""
    n = int(side / cell)
    grid = Grid(FRAME, CENTRE[0] - side / 2, CENTRE[1] + side / 2, cell, n, n)
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    dtm = Raster(grid, height(x, y).astype(np.float64))
    tin, measured = simplify(dtm, error)
    return Terrain(dtm, tin, measured)


def sampler(height: Height, side: float = 60.0) -> TinSampler:
    """Triangles of that ground."""
    return TinSampler(terrain(height, side).tin)


def block(
    width: float, depth: float, at: tuple[float, float] = (0.0, 0.0), turn: float = 27.0
) -> shapely.Polygon:
    """A rectangle, turned and placed relative to ``CENTRE``."""
    box = rotate(shapely.box(-width / 2, -depth / 2, width / 2, depth / 2), turn, origin=(0, 0))
    return translate(box, CENTRE[0] + at[0], CENTRE[1] + at[1])


def court(width: float = 20.0, depth: float = 16.0, inner: float = 6.0) -> shapely.Polygon:
    """A block with a courtyard."""
    return shapely.Polygon(block(width, depth).exterior, [block(inner, inner, (1.0, -0.5)).exterior])


def existing(name: str, polygon: shapely.Polygon, ground: TinSampler, top: float):
    """A building of LoD 1.2 with a flat roof."""
    made = reconstruct_lod12(Footprint(name, FRAME, polygon), np.full(40, top), ground)
    assert made.failure is None, made.failure
    return made


def town() -> Scene:
    """Three buildings and three trees on a ramp."""
    land = terrain(ramp)
    ground = TinSampler(land.tin)
    buildings = (
        existing("b-1", block(8, 6, (-15, 5)), ground, 75.0),
        existing("b-2", block(8, 6, (0, 5)), ground, 75.0),
        existing("b-3", court(10, 9, 4), ground, 75.0),
    )
    places = {"t-1": (-20.0, -20.0), "t-2": (12.0, -12.0), "t-3": (20.0, 20.0)}
    trees = tuple(
        Tree(name, FRAME, CENTRE[0] + x, CENTRE[1] + y, 60.0, 9.0, 2.0, 3.0)
        for name, (x, y) in places.items()
    )
    return Scene("existing", "0" * 64, land, buildings, (), trees)


def feet(geometry) -> NDArray[np.float64]:
    """Points (n, 3) along the lower edges of all walls."""
    out = []
    for rings, code in zip(geometry.surfaces, geometry.semantics, strict=True):
        if code == Surface.WALL:
            low = geometry.vertices[list(rings[0][:-2])]
            for a, b in pairwise(low):
                out.append(a + np.linspace(0, 1, 9)[:, None] * (b - a))
    return np.concatenate(out)
