"""Synthetic worlds with known shadows and sight lines, for the tests of studies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
from pyproj import CRS

from twin.frame import Frame
from twin.model.geometry import solid
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, CityObject, Tree
from twin.model.raster import Grid, Raster
from twin.model.results import SunInstant
from twin.model.scene import Scene
from twin.model.surface import Surface
from twin.model.terrain import Terrain

FRAME = Frame(CRS.from_epsg(3812), "EPSG:5710", (732446, 643915))
NOON = dt.datetime(2026, 3, 21, 12, tzinfo=dt.UTC)


def sun_at(azimuth_grid_deg: float, altitude_deg: float, frame: Frame = FRAME) -> SunInstant:
    """A sun where the test wants it; its time means nothing."""
    return SunInstant(NOON, NOON, 12.0, altitude_deg, frame.azimuth_true(azimuth_grid_deg), azimuth_grid_deg)


def terrain_of(
    height: Callable[[np.ndarray, np.ndarray], np.ndarray], half_m: float, cells: int, frame: Frame = FRAME
) -> Terrain:
    """A terrain of 2 * cells^2 triangles around the local origin."""
    line = np.linspace(-half_m, half_m, cells + 1)
    x, y = (a.ravel() for a in np.meshgrid(line, line))
    vertices = np.column_stack([x, y, height(x, y)])
    i = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = (part.ravel() for part in (i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]))
    faces = np.vstack([np.column_stack([a, b, c]), np.column_stack([a, c, d])]).astype(np.int32)
    tin = TriangleMesh(frame, vertices, faces, np.full(len(faces), Surface.TERRAIN, np.uint8))
    grid = Grid(frame, -half_m, half_m, half_m / 4, 8, 8)
    gx, gy = np.meshgrid(grid.x_centres(), grid.y_centres())
    return Terrain(Raster(grid, height(gx, gy)), tin, 0.0)


def flat(half_m: float, height_m: float = 0.0, frame: Frame = FRAME) -> Terrain:
    """A level ground."""
    return terrain_of(lambda x, y: np.full_like(x, height_m), half_m, 2, frame)


def box(
    name: str,
    centre: tuple[float, float],
    size: tuple[float, float, float],
    turn_deg: float = 0.0,
    base_m: float = 0.0,
    frame: Frame = FRAME,
) -> Building:
    """A closed box of width, depth and height, turned counter-clockwise about its centre [m]."""
    width, depth, height = size
    turn = np.radians(turn_deg)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    ring = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, depth / 2] @ turned.T + centre
    low, high = np.full(4, base_m), np.full(4, base_m + height)
    vertices = np.vstack([np.column_stack([ring, low]), np.column_stack([ring, high])])
    walls = [((k, (k + 1) % 4, (k + 1) % 4 + 4, k + 4),) for k in range(4)]
    surfaces = [((0, 3, 2, 1),), ((4, 5, 6, 7),), *walls]
    return Building(
        name, frame, (solid("1.2", vertices, surfaces, [Surface.GROUND, Surface.ROOF, *[Surface.WALL] * 4]),)
    )


def deck(
    name: str, centre: tuple[float, float], size: tuple[float, float, float], turn_deg: float, under_m: float
) -> CityObject:
    """The deck of a bridge: a slab (width, depth, thickness) whose underside lies at ``under_m`` [m]."""
    slab = box(name, centre, size, turn_deg, under_m)
    return CityObject(name, "Bridge", slab.frame, slab.geometries)


def scene_of(
    terrain: Terrain,
    buildings: tuple[Building, ...] = (),
    proposed: tuple[Building, ...] = (),
    trees: tuple[Tree, ...] = (),
) -> Scene:
    """A scene with a made-up hash."""
    return Scene(
        "plan" if proposed else "existing", f"{len(proposed):064x}", terrain, buildings, proposed, trees
    )


def local_grid(half_m: float, cell_m: float, frame: Frame = FRAME) -> Grid:
    """Square grid around the local origin."""
    count = round(2 * half_m / cell_m)
    return Grid(frame, -half_m, half_m, cell_m, count, count)
