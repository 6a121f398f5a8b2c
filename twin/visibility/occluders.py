"""Two kinds of thing that block rays: triangles and height fields, as bare arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.visibility.tolerances import REACH_M


def _frozen(values: Any, dtype: Any) -> NDArray[Any]:
    array = np.array(values, dtype=dtype, order="C")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, eq=False)
class Triangles:
    """Triangles that block rays from either side.

    Parameters
    ----------
    vertices
        (n, 3) float64, x east, y north, z up, local space, within 8,192 m of the origin in plan [m].
    faces
        (m, 3) int32; none means that nothing blocks.

    Raises
    ------
    InputError
        Coordinates that are not finite or too far out, faces that point past the vertices.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", _frozen(np.reshape(self.vertices, (-1, 3)), np.float64))
        object.__setattr__(self, "faces", _frozen(np.reshape(self.faces, (-1, 3)), np.int32))
        if not np.isfinite(self.vertices).all():
            raise InputError("occluders have vertices that are not finite numbers")
        if len(self.vertices) and np.abs(self.vertices[:, :2]).max() > REACH_M:
            far = float(np.abs(self.vertices[:, :2]).max())
            raise InputError(
                f"occluders reach {far:.0f} m from the local origin, more than {REACH_M:.0f} m: "
                "take a local origin in the middle of the site, or a smaller area"
            )
        if self.faces.size and (self.faces.min() < 0 or self.faces.max() >= len(self.vertices)):
            raise InputError("occluders have faces that point past their vertices")


@dataclass(frozen=True, slots=True, eq=False)
class HeightField:
    """Heights at cell centres, read linearly between them.

    Parameters
    ----------
    heights
        (rows, cols) float64 [m]; row 0 is north; NaN blocks nothing.
    dx, dy
        Distance of neighbouring centres [m], both positive.
    x0, y0
        Centre of cell (0, 0), local space [m].
    """

    heights: NDArray[np.float64]
    dx: float = 1.0
    dy: float = 1.0
    x0: float = 0.0
    y0: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "heights", _frozen(self.heights, np.float64))
        if self.heights.ndim != 2 or not self.heights.size:
            raise InputError(f"a height field has rows and columns; got the shape {self.heights.shape}")
        if np.isinf(self.heights).any():
            raise InputError("a height field has infinite heights")
        if not (self.dx > 0 and self.dy > 0 and np.isfinite([self.dx, self.dy, self.x0, self.y0]).all()):
            raise InputError(f"a height field needs positive spacings; got dx {self.dx}, dy {self.dy}")


Occluders = Triangles | HeightField


def heightfield_to_triangles(field: HeightField) -> Triangles:
    """Two triangles for each square of four known centres.

    The reading differs from the reference's by the diagonal of each square (north-west to south-east): both
    run through every height and are linear along rows and columns.
    """
    rows, cols = field.heights.shape
    x = field.x0 + np.arange(cols) * field.dx
    y = field.y0 - np.arange(rows) * field.dy
    gx, gy = np.meshgrid(x, y)
    known = np.isfinite(field.heights)
    vertices = np.column_stack([gx.ravel(), gy.ravel(), np.where(known, field.heights, 0.0).ravel()])
    index = np.arange(rows * cols).reshape(rows, cols)
    nw, ne, sw, se = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    lower = np.stack([nw, sw, se], axis=-1).reshape(-1, 3)
    upper = np.stack([nw, se, ne], axis=-1).reshape(-1, 3)
    faces = np.concatenate([lower, upper])
    whole = known.ravel()[faces].all(axis=1)
    return Triangles(vertices, faces[whole].astype(np.int32))
