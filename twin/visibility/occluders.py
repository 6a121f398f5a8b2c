"""The two kinds of things that block rays: triangles and height fields, as bare arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.visibility.tolerances import EXTENT_LIMIT_M


def _frozen(values: Any, dtype: Any) -> NDArray[Any]:
    """A C-contiguous array that cannot be written; one that is so already is not copied."""
    array = np.ascontiguousarray(values, dtype=dtype)
    if array.flags.writeable:
        if array is values or array.base is not None:
            array = array.copy()
        array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, eq=False)
class Triangles:
    """Triangles that block rays from both sides.

    Parameters
    ----------
    vertices
        (n, 3) float64 local space [m].
    faces
        (m, 3) int32 indices of vertices; none blocks nothing. All are kept: a face's place here is its number
        in ``Hits.face``. One without area is never hit.

    Raises
    ------
    InputError
        Another shape, coordinates that are not finite or farther than ``EXTENT_LIMIT_M`` from the local
        origin in x or y, indices out of range.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]

    def __post_init__(self) -> None:
        vertices, faces = np.asarray(self.vertices), np.asarray(self.faces)
        if vertices.size == 0:
            vertices = np.zeros((0, 3))
        if faces.size == 0:
            faces = np.zeros((0, 3), dtype=np.int32)
        if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
            raise InputError(
                f"triangles need vertices (n, 3) and faces (m, 3); got {vertices.shape} and {faces.shape}"
            )
        if not np.issubdtype(faces.dtype, np.integer):
            raise InputError(f"faces are whole indices of vertices; got {faces.dtype}")
        _check_vertices(vertices)
        if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise InputError(
                f"faces name vertices {faces.min()} to {faces.max()}, but there are {len(vertices)} vertices "
                f"(0 to {len(vertices) - 1})"
            )
        object.__setattr__(self, "vertices", _frozen(vertices, np.float64))
        object.__setattr__(self, "faces", _frozen(faces, np.int32))


def _check_vertices(vertices: NDArray[Any]) -> None:
    bad = ~np.isfinite(vertices).all(axis=1)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{int(bad.sum())} of {len(vertices)} vertices are not finite, the first is vertex {first}: "
            f"{vertices[first]}"
        )
    if len(vertices):
        reach = float(np.abs(vertices[:, :2]).max())
        if reach > EXTENT_LIMIT_M:
            raise InputError(
                f"triangles reach {reach:,.1f} m from the local origin, rays are cast within "
                f"{EXTENT_LIMIT_M:,.0f} m: take an origin inside the site, or a smaller site"
            )


@dataclass(frozen=True, slots=True, eq=False)
class HeightField:
    """Heights on a grid, read linearly between the cell centres; everything below blocks.

    Parameters
    ----------
    heights
        (rows, cols) float64, height at the cell centres [m]; row 0 is north; NaN blocks nothing.
    dx, dy
        Cell size along columns and rows [m].
    x0, y0
        Local coordinates of the centre of cell [0, 0] [m]; x grows with the column, y falls with the row.

    Raises
    ------
    InputError
        Heights that are not a grid or are infinite, a cell size that is not positive.
    """

    heights: NDArray[np.float64]
    dx: float
    dy: float
    x0: float
    y0: float

    def __post_init__(self) -> None:
        heights = np.asarray(self.heights)
        if heights.ndim != 2 or heights.size == 0:
            raise InputError(f"a height field needs (rows, cols) heights; got {heights.shape}")
        if np.isinf(heights).any():
            raise InputError("a height field holds infinite heights; use NaN where nothing is known")
        if not (np.isfinite([self.dx, self.dy]).all() and self.dx > 0 and self.dy > 0):
            raise InputError(f"cell sizes of a height field are positive metres; got {self.dx} x {self.dy}")
        if not np.isfinite([self.x0, self.y0]).all():
            raise InputError(f"a height field needs a finite place; got {self.x0}, {self.y0}")
        object.__setattr__(self, "heights", _frozen(heights, np.float64))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.heights.shape[0], self.heights.shape[1]

    @property
    def highest(self) -> float:
        """Greatest height [m]; minus infinity where there is none."""
        known = self.heights[~np.isnan(self.heights)]
        return float(known.max()) if known.size else -np.inf

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x (cols,) and y (rows,) of the cell centres, local space [m]."""
        rows, cols = self.shape
        x = self.x0 + self.dx * np.arange(cols, dtype=np.float64)
        y = self.y0 - self.dy * np.arange(rows, dtype=np.float64)
        return x, y


Occluders = Triangles | HeightField
"""What a caster is made of."""
