"""Synthetic boxes at known world places, and scenes of them, for the tests of the formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from twin.frame import Frame
from twin.model.geometry import Geometry, solid
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, CityObject, Tree
from twin.model.raster import Grid, Raster
from twin.model.scene import Scene
from twin.model.surface import Surface
from twin.model.terrain import Terrain

FRAME = Frame(CRS.from_epsg(3812), "EPSG:5710", (732446, 643915))

CORNER = (732_512.345, 643_801.678, 66.789)
"""East, north, height of the lowest south-western corner of the box [m]; no two numbers can be swapped."""

SIZE = (8.0, 5.0, 11.0)
"""East, north and up size of the box [m]."""

VOLUME_M3 = SIZE[0] * SIZE[1] * SIZE[2]

NASTY = (
    "<b>& \"x\" 'y'</b>",
    "a/b\\..\\c",
    "two\nlines\rv 9 9 9",
    "next\u2028line\u0085and\x0btabs\t",
    "ends in a backslash\\",
    "#comment",
    "{C9D4A5CF-094A}",
    "{0} {",
    "100 % %s",
    "é ü ß 日本 🏠",
    "half a pair \ud83c",
    "\x00zero",
    "",
    "../../../etc/x",
)
"""Ids and names that break careless writers: markup, quotes, slashes, line ends, lone surrogates, nothing."""


def readable(name: str) -> str:
    """A name as UTF-8 can hold it."""
    return name.encode("utf-8", "replace").decode("utf-8")


BOX_RINGS = (
    ((0, 3, 2, 1),),
    ((4, 5, 6, 7),),
    ((0, 1, 5, 4),),
    ((1, 2, 6, 5),),
    ((2, 3, 7, 6),),
    ((3, 0, 4, 7),),
)
BOX_CODES = (Surface.GROUND, Surface.ROOF, *[Surface.WALL] * 4)


def box(
    corner: tuple[float, float, float] = CORNER,
    size: tuple[float, float, float] = SIZE,
    lod: str = "1.2",
    frame: Frame = FRAME,
) -> Geometry:
    """A solid box with its lowest south-western corner at a world place [m]."""
    unit = np.array(
        [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], float
    )
    local = frame.to_local(np.array([corner], dtype=np.float64)) + unit * np.array(size)
    return solid(lod, local, BOX_RINGS, [int(c) for c in BOX_CODES])


def building(name: str = "b-1", attributes: Mapping[str, Any] | None = None, **where: Any) -> Building:
    """A building of one box."""
    return Building(name, FRAME, (box(**where),), attributes or {})


def plane(z0: float = 60.0, slope: float = 0.1, cells: int = 80) -> Terrain:
    """Ground that rises to the east by ``slope``, at ``z0`` over the origin: a square of two triangles."""
    grid = Grid(FRAME, -20.0, 20.0, 2.0, cells, cells)
    x, _ = np.meshgrid(grid.x_centres(), grid.y_centres())
    dtm = Raster(grid, (z0 + slope * x).astype(np.float32))
    region = grid.region
    corners = [
        (region.west, region.south), (region.east, region.south),
        (region.east, region.north), (region.west, region.north),
    ]  # fmt: skip
    vertices = np.array([(px, py, z0 + slope * px) for px, py in corners])
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    return Terrain(dtm, TriangleMesh(FRAME, vertices, faces, np.full(2, Surface.TERRAIN, np.uint8)), 0.0)


def scene(
    buildings: tuple[Building, ...] | None = None,
    others: tuple[CityObject, ...] = (),
    scenario: str = "existing",
) -> Scene:
    """Ground, a box, a proposed box and a tree."""
    east, north, height = CORNER
    proposed = building("p-1", corner=(east + 20, north, height))
    tree = Tree("t-1", FRAME, 80.0, -60.0, 66.0, 9.0, 2.0, 3.0)
    standing = (building(),) if buildings is None else buildings
    return Scene(scenario, "ab" * 32, plane(), standing, (proposed,), (tree,), others)


def road(name: str = "r-1", kind: str = "Road") -> CityObject:
    """A flat surface with a hole, as another city object."""
    outer = [(0, 0), (10, 0), (10, 10), (0, 10)]
    inner = [(4, 4), (4, 6), (6, 6), (6, 4)]
    points = np.array([(x + 30.25, y - 40.5, 62.0) for x, y in (*outer, *inner)])
    shape = Geometry(
        "MultiSurface",
        "1",
        points,
        (((0, 1, 2, 3), (4, 5, 6, 7)),),
        np.array([Surface.TRAFFIC_AREA], np.uint8),
        np.zeros((1, 2), np.int32),
    )
    return CityObject(name, kind, FRAME, (shape,), {"surface": "asphalt"})


def nearest(points: NDArray[np.float64], place: tuple[float, float, float] = CORNER) -> float:
    """Distance from a place to the nearest of some points (n, 3) [m]."""
    return float(np.linalg.norm(np.asarray(points, dtype=np.float64) - np.array(place), axis=1).min())
