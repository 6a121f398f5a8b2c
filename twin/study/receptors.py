"""Where studies ask: the ground at the cell centres of a grid, outside of buildings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.arrays import readonly
from twin.model.mesh import TriangleMesh
from twin.model.raster import Grid, Raster
from twin.study.occluders import FaceTable
from twin.terrain.sampler import rasterise

SURFACE_LIFT_M = 0.005
"""Least height of a point above the face that it lies on [m], so that the face does not block its own rays:
five to ten times the rounding of single-precision coordinates within 8 km of the origin."""

LIFT_PER_METRE = 1e-6
"""The same as a share of the largest coordinate of the scene."""

OPEN_UNDER_M = 2.0
"""Ground with a building at least this high above it is open (a passage, a bridge house, an eave) [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class Receptors:
    """Points on the ground of a grid.

    Parameters
    ----------
    grid
        The cells.
    z
        (n,) float64 height of each point, local space [m], at the asked height above the ground.
    index
        (n,) int64 place of each point in the grid, row by row.
    """

    grid: Grid
    z: NDArray[np.float64]
    index: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "z", readonly(self.z, np.float64))
        object.__setattr__(self, "index", readonly(self.index, np.int64))

    def __len__(self) -> int:
        return len(self.z)

    @property
    def xyz(self) -> NDArray[np.float64]:
        """(n, 3) float64 local space [m]."""
        return self.points(slice(None))

    def points(self, part: slice | NDArray[Any]) -> NDArray[np.float64]:
        """Some of the points (k, 3), local space [m]."""
        rows, cols = np.divmod(self.index[part], self.grid.cols)
        return np.column_stack([self.grid.x_centres()[cols], self.grid.y_centres()[rows], self.z[part]])

    def raster(self, values: NDArray[np.floating] | NDArray[np.bool_]) -> Raster:
        """Values (n,) of the points as a float32 raster; NaN where there is no point."""
        out = np.full(self.grid.rows * self.grid.cols, np.nan, dtype=np.float32)
        out[self.index] = values
        out = out.reshape(self.grid.shape)
        out.flags.writeable = False
        return Raster(self.grid, out)


def surface_lift(table: FaceTable) -> float:
    """How far points are kept off the faces that they lie on [m]."""
    return max(SURFACE_LIFT_M, LIFT_PER_METRE * float(np.abs(table.vertices).max()))


def ground_receptors(
    table: FaceTable,
    grid: Grid,
    sample_height_m: float = 0.0,
    mask: NDArray[np.bool_] | None = None,
) -> Receptors:
    """The ground at the cell centres.

    Parameters
    ----------
    table
        Faces of the scene.
    grid
        Cells in the same frame.
    sample_height_m
        Height above the ground [m]; never less than ``surface_lift``.
    mask
        (rows, cols) bool, the cells that count; all where None.

    Returns
    -------
    Receptors
        Cells outside the terrain, outside the mask, or with the centre inside an existing or proposed
        building have no point.

    Raises
    ------
    InputError
        A height that is not finite or negative, or a mask of another shape.
    FrameMismatchError
        The grid lies in another frame.
    """
    if not (np.isfinite(sample_height_m) and sample_height_m >= 0):
        raise InputError(f"a sample height is a number of metres from 0 on; got {sample_height_m}")
    if mask is not None and mask.shape != grid.shape:
        raise InputError(f"a mask of {mask.shape} cells does not fit a grid of {grid.shape}")
    ground = rasterise(table.mesh(table.in_layers("terrain")), grid).values
    wanted = np.isfinite(ground) & ~inside_buildings(table, grid, ground)
    if mask is not None:
        wanted &= mask
    index = np.flatnonzero(wanted)
    height = ground.ravel()[index] + max(sample_height_m, surface_lift(table))
    return Receptors(grid, height, index)


def inside_buildings(table: FaceTable, grid: Grid, ground: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which cell centres (rows, cols) stand inside a building: some face lies over them, and not merely an
    underside at least ``OPEN_UNDER_M`` above the ground."""
    building = table.in_layers("buildings", "proposals")
    if not building.any():
        return np.zeros(grid.shape, dtype=bool)
    a, b, c = (table.vertices[table.faces[:, k], :2] for k in range(3))
    turn = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    lowest = _lowest(table, building, grid)
    underside = _lowest(table, building & (turn < 0), grid)
    covered = np.isfinite(lowest)
    # An object without an underside (a bare roof) is taken as massive down to the ground.
    open_below = covered & (underside <= lowest + 1e-6) & (underside >= ground + OPEN_UNDER_M)
    inside: NDArray[np.bool_] = covered & ~open_below
    return inside


def _lowest(table: FaceTable, faces: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    mirrored = table.vertices * np.array([1.0, 1.0, -1.0])
    mesh = TriangleMesh(table.frame, mirrored, table.faces[faces], table.semantics[faces])
    return -np.asarray(rasterise(mesh, grid).values)
