"""Grids and rasters: row 0 is north, cells are square, NaN is the only nodata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import FrameMismatchError, InputError
from twin.frame import Frame
from twin.model.arrays import readonly
from twin.region import Region


@dataclass(frozen=True, slots=True)
class Grid:
    """Square cells over a rectangle; a cell's value belongs to its centre.

    Parameters
    ----------
    frame
        Frame of the local coordinates.
    west, north
        Outer corner of cell (0, 0), local space [m].
    cell_size
        Side of a cell [m].
    rows, cols
        Number of cells; row 0 is the northernmost.
    """

    frame: Frame
    west: float
    north: float
    cell_size: float
    rows: int
    cols: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.cell_size) and self.cell_size > 0):
            raise InputError(f"a cell size must be a positive number of metres; got {self.cell_size}")
        if self.rows < 1 or self.cols < 1:
            raise InputError(f"a grid needs at least one cell; got {self.rows} x {self.cols}")

    @staticmethod
    def over(frame: Frame, region: Region, cell_size: float) -> Grid:
        """The grid of whole cells that covers a region, aligned to whole cells in world space."""
        east0, north0 = frame.origin
        west = np.floor((region.west + east0) / cell_size + 1e-9) * cell_size - east0
        south = np.floor((region.south + north0) / cell_size + 1e-9) * cell_size - north0
        cols = max(1, int(np.ceil((region.east - west) / cell_size - 1e-9)))
        rows = max(1, int(np.ceil((region.north - south) / cell_size - 1e-9)))
        return Grid(frame, float(west), float(south + rows * cell_size), cell_size, rows, cols)

    def window(self, region: Region) -> Grid | None:
        """The cells that a region touches, as a grid of its own; None where it misses them all."""
        first_row, first_col = self.rows_cols(np.array([region.west]), np.array([region.north]))
        last_row, last_col = self.rows_cols(np.array([region.east]), np.array([region.south]))
        r0, c0 = max(0, int(first_row[0])), max(0, int(first_col[0]))
        r1, c1 = min(self.rows, int(last_row[0]) + 1), min(self.cols, int(last_col[0]) + 1)
        if r0 >= r1 or c0 >= c1:
            return None
        west, north = self.west + c0 * self.cell_size, self.north - r0 * self.cell_size
        return Grid(self.frame, west, north, self.cell_size, r1 - r0, c1 - c0)

    def place_of(self, part: Grid) -> tuple[int, int]:
        """Row and column of this grid at which a window of it starts.

        Raises
        ------
        FrameMismatchError
            The part is no window of this grid.
        """
        row = round((self.north - part.north) / self.cell_size)
        col = round((part.west - self.west) / self.cell_size)
        fits = 0 <= row <= self.rows - part.rows and 0 <= col <= self.cols - part.cols
        same = self.frame == part.frame and self.cell_size == part.cell_size
        off = abs(self.north - row * self.cell_size - part.north) + abs(
            self.west + col * self.cell_size - part.west
        )
        if not (fits and same and off < 1e-6 * self.cell_size):
            raise FrameMismatchError(f"{part} is no window of {self}")
        return row, col

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.rows, self.cols

    @property
    def region(self) -> Region:
        """Outer rectangle, local space [m]."""
        return Region(
            self.west,
            self.north - self.rows * self.cell_size,
            self.west + self.cols * self.cell_size,
            self.north,
        )

    def x_centres(self) -> NDArray[np.float64]:
        """Local x of the column centres (cols,) [m]."""
        x: NDArray[np.float64] = self.west + (np.arange(self.cols, dtype=np.float64) + 0.5) * self.cell_size
        return x

    def y_centres(self) -> NDArray[np.float64]:
        """Local y of the row centres (rows,), falling [m]."""
        y: NDArray[np.float64] = self.north - (np.arange(self.rows, dtype=np.float64) + 0.5) * self.cell_size
        return y

    def centres(self) -> NDArray[np.float64]:
        """Local x, y of all cell centres (rows * cols, 2), row by row [m]."""
        x, y = np.meshgrid(self.x_centres(), self.y_centres())
        return np.column_stack([x.ravel(), y.ravel()])

    def rows_cols(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column of local points; outside the grid the numbers lie outside the shape."""
        cols = np.floor((np.asarray(x) - self.west) / self.cell_size).astype(np.int64)
        rows = np.floor((self.north - np.asarray(y)) / self.cell_size).astype(np.int64)
        return rows, cols

    def world_transform(self) -> tuple[float, float, float, float, float, float]:
        """Affine (a, b, c, d, e, f) from column, row to world x, y, as GDAL and rasterio count."""
        east0, north0 = self.frame.origin
        return self.cell_size, 0.0, self.west + east0, 0.0, -self.cell_size, self.north + north0


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Values on a grid.

    Parameters
    ----------
    grid
        Cells, local space.
    values
        (rows, cols); heights [m] and hours are float32 or float64 with NaN as nodata, masks are bool.
    """

    grid: Grid
    values: NDArray[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", readonly(self.values))
        if self.values.shape != self.grid.shape:
            raise InputError(
                f"a raster of {self.values.shape} cells does not fit a grid of {self.grid.shape}"
            )

    def require_same_grid(self, other: Raster) -> None:
        """Raise FrameMismatchError unless both rasters share one grid."""
        if self.grid != other.grid:
            raise FrameMismatchError(f"rasters on different grids: {self.grid} and {other.grid}")

    def to_xarray(self) -> Any:
        """An ``xarray.DataArray`` with world coordinates of the cell centres [m]; needs xarray."""
        from twin.io.interop import to_xarray

        return to_xarray(self)
