"""What cells see of targets on faces: how many, the lowest of them, and the solid angle of what they stand for.

A target on a face is seen by the eyes before the face alone, and fills a part of their view: A cos i / d2, near it the
solid angle of its outline, by the formula for triangles of van Oosterom and Strackee (1983, IEEE Transactions on
Biomedical Engineering 30(2)). The one formula for every engine; the kernel ``shaders/expose.wgsl`` follows it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.jit import njit

NEAR_CELLS = 8.0
"""Within so many sides of a cell its solid angle is that of its outline, beyond it is A cos i / d2 (off by 0.5 %)."""
UNIT_SR = 2.0**-40
"""Solid angles are added up in whole units of this: no order and no batches change a sum [sr]."""
UPRIGHT = 1e-9
"""A face whose normal rises less is upright: what lies behind it in plan does not see it."""
CLEAR = 2
"""Rays behind an upright face that are carried all the same."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceTargets:
    """Targets that look one way, or all round.

    Parameters
    ----------
    points
        (n, 3) local space [m].
    normals
        (n, 3) unit normals of the faces that they lie on; 0 for those that look all round.
    marks
        (n,) what the lowest target is told by: heights, of either sign [m].
    areas
        (n,) what each stands for [m2]; 0 for nothing.
    outlines
        (n, most, 3) outline of that, local space [m]; what is beyond its corners counts for nothing.
    corners
        (n,) number of corners of each outline; below 3 there is none.
    patch
        (n,) the patch that the field has while each is asked; below 0, and where None, the field as it is.

    Raises
    ------
    InputError
        Arrays of other shapes, points or marks that are not finite.
    """

    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    marks: NDArray[np.float64]
    areas: NDArray[np.float64]
    outlines: NDArray[np.float64]
    corners: NDArray[np.int32]
    patch: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        count = len(self.points)
        if self.patch is None:
            object.__setattr__(self, "patch", np.full(count, -1, np.int32))
        shapes = {"points": (count, 3), "normals": (count, 3), "marks": (count,), "areas": (count,)}
        shapes |= {"outlines": (count, *self.outlines.shape[1:2], 3), "corners": (count,), "patch": (count,)}
        for name, shape in shapes.items():
            dtype = np.int32 if name in ("corners", "patch") else np.float64
            values = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            if values.shape != shape:
                raise InputError(f"{name} of {count} targets are an array of {shape}; got {values.shape}")
            if name != "outlines" and not np.isfinite(values).all():
                raise InputError(f"{name} of targets are finite numbers")
            object.__setattr__(self, name, values)
        if count and not 0 <= int(self.corners.min()) <= int(self.corners.max()) <= self.outlines.shape[1]:
            raise InputError(
                f"outlines hold 0 to {self.outlines.shape[1]} corners; got {self.corners.min()} to {self.corners.max()}"
            )

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, some: slice | NDArray[np.integer]) -> FaceTargets:
        return FaceTargets(
            self.points[some],
            self.normals[some],
            self.marks[some],
            self.areas[some],
            self.outlines[some],
            self.corners[some],
            None if self.patch is None else self.patch[some],
        )

    def runs(self) -> list[tuple[int, int, int]]:
        """First target, last (not counted) and patch of those that stand together with one patch."""
        patch = np.zeros(0, np.int32) if self.patch is None else self.patch
        ends = [0, *(np.flatnonzero(np.diff(patch)) + 1).tolist(), len(patch)]
        return [(a, b, int(patch[a])) for a, b in pairwise(ends) if a < b]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Heights that a field has in place of some of its own: without a building, for its own targets.

    Parameters
    ----------
    row, col
        The first of its cells.
    heights
        (rows, cols) at the cell centres [m]; NaN hides nothing.
    """

    row: int
    col: int
    heights: NDArray[np.float64]

    def within(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Its rows and columns in a field of some shape.

        Raises
        ------
        InputError
            They are not all in the field.
        """
        rows, cols = self.heights.shape
        if self.row < 0 or self.col < 0 or self.row + rows > shape[0] or self.col + cols > shape[1]:
            raise InputError(
                f"a patch of {rows} x {cols} cells at {self.row}, {self.col} leaves a field of {shape}"
            )
        return slice(self.row, self.row + rows), slice(self.col, self.col + cols)


@dataclass(frozen=True, slots=True, eq=False)
class Exposed:
    """What eyes over cells see of targets.

    Parameters
    ----------
    count
        (rows, cols) int32 targets seen.
    lowest
        (rows, cols) float32 least mark of them; infinite where none is seen.
    solid_angle
        (rows, cols) float64 what they stand for takes, in whole ``UNIT_SR`` [sr]: each a half space at most.
    """

    count: NDArray[np.int32]
    lowest: NDArray[np.float32]
    solid_angle: NDArray[np.float64]

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> Exposed:
        """Nothing seen yet."""
        return cls(np.zeros(shape, np.int32), np.full(shape, np.inf, np.float32), np.zeros(shape))


def padded(outlines: list[NDArray[np.float64] | None]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Outlines (k, 3) as one array (n, most, 3), and the number of corners of each (n,); 0 where there is none."""
    corners = np.array([0 if outline is None else len(outline) for outline in outlines], np.int32)
    out = np.zeros((len(outlines), int(corners.max(initial=0)), 3))
    for k, outline in enumerate(outlines):
        if outline is not None:
            out[k, : len(outline)] = outline
    return out, corners


def rays_before(
    rays: tuple[float, float, int], sign: int, rising: tuple[float, float] | None
) -> tuple[int, int]:
    """First and last ray (not counted) of a sector that run before an upright face, and some behind it.

    Parameters
    ----------
    rays
        Slope of the first as columns per row, step to the next, number.
    sign
        1 for the rows after the eye, -1 for those before.
    rising
        How far a row and a column after the eye's lie before the face [m]; None for a target that looks all round.
    """
    first, step, count = rays
    if rising is None or count < 2:
        return 0, count
    along, across = sign * rising[0], rising[1]
    if across == 0.0:
        return (0, count) if along >= 0.0 else (0, 0)
    place = min(max((-along / across - first) / step, -10.0), count + 10.0)
    if across > 0.0:
        return min(count, max(0, math.floor(place) - CLEAR)), count
    return 0, max(0, min(count, math.ceil(place) + CLEAR + 1))


def rising(normal: NDArray[np.float64], dx: float, dy: float) -> tuple[float, float] | None:
    """How far a row and a column lie before a face with a normal (3,) [m]; None unless it is upright."""
    x, y, z = (float(value) for value in normal)
    return None if abs(z) > UPRIGHT or (x == 0.0 and y == 0.0) else (-y * dy, x * dx)


@njit
def taken(
    off: tuple[float, float, float],
    normal: NDArray[np.float64],
    area: float,
    outline: NDArray[np.float64],
) -> float:
    """Solid angle that what a target stands for takes from an eye [sr]; below 0 where the eye is not before its face.

    ``off`` is the eye from the target, ``outline`` (k, 3) the corners from the target, [m].
    """
    x, y, z = off
    nx, ny, nz = normal[0], normal[1], normal[2]
    before = x * nx + y * ny + z * nz
    if before <= 0.0 and (nx != 0.0 or ny != 0.0 or nz != 0.0):
        return -1.0
    if area <= 0.0:
        return 0.0
    distance2 = max(x * x + y * y + z * z, 1e-6)
    out = area * max(before, 0.0) / (distance2 * math.sqrt(distance2))
    corners = len(outline)
    if corners >= 3 and distance2 < NEAR_CELLS * NEAR_CELLS * area:
        ax, ay, az = _towards(outline[0], off)
        bx, by, bz = _towards(outline[1], off)
        total = 0.0
        for k in range(2, corners):
            cx, cy, cz = _towards(outline[k], off)
            volume = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
            below = 1.0 + ax * bx + ay * by + az * bz + bx * cx + by * cy + bz * cz
            below += cx * ax + cy * ay + cz * az
            total += 2.0 * math.atan2(volume, below)
            bx, by, bz = cx, cy, cz
        out = abs(total)
    return float(min(out, 2.0 * math.pi))


@njit
def _towards(corner: NDArray[np.float64], off: tuple[float, float, float]) -> tuple[float, float, float]:
    """Unit vector from an eye to a corner, both from the target."""
    x, y, z = corner[0] - off[0], corner[1] - off[1], corner[2] - off[2]
    length = max(math.sqrt(x * x + y * y + z * z), 1e-9)
    return x / length, y / length, z / length


@njit
def in_units(angle: float) -> float:
    """A solid angle in whole units [sr]."""
    return float(math.floor(angle / UNIT_SR)) * UNIT_SR


@njit
def taken_by_each(
    offs: NDArray[np.float64], normal: NDArray[np.float64], area: float, outline: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``taken`` from eyes (n, 3); 0 where one is not before the face."""
    out = np.zeros(len(offs))
    for k in range(len(offs)):
        out[k] = max(0.0, taken((offs[k, 0], offs[k, 1], offs[k, 2]), normal, area, outline))
    return out


@njit
def add_seen(
    least: NDArray[np.float32],
    feet: NDArray[np.float32],
    found: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float64]],
    place: tuple[float, float, float, float],
    size: tuple[float, float],
    face: tuple[NDArray[np.float64], float, float, NDArray[np.float64]],
    part: tuple[int, int],
) -> None:
    """Add one target to what the cells of some rows have seen.

    ``least`` is from ``SightSweep.lowest_seen``, ``place`` row, column and height of the target and the height of the
    eyes above their feet, ``size`` a row and a column [m], ``face`` normal, mark, area, and corners from the target.
    """
    count, lowest, angle = found
    row, col, height, eye = place
    normal, mark, area, outline = face
    low, asked = np.float32(mark), np.float32(eye)
    for r in range(part[0], part[1]):
        north = (row - r) * size[0]
        for c in range(least.shape[1]):
            # Not where it is NaN, either.
            if least[r, c] <= asked:
                off = ((c - col) * size[1], north, np.float64(feet[r, c]) + eye - height)
                fills = taken(off, normal, area, outline)
                if fills >= 0.0:
                    count[r, c] += 1
                    lowest[r, c] = min(lowest[r, c], low)
                    if fills > 0.0:
                        angle[r, c] += in_units(fills)
