"""Protected views: the plane from a standpoint to the foot of what must stay seen, and what breaks through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.raster import Grid, Raster
from twin.study.occluders import FaceTable
from twin.study.sight import bend_of

Verdict = Literal["met", "not met", "too close to call"]
SHORTEST_M = 1.0
"""Least distance of a landmark, and least width of a view [m]."""


@dataclass(frozen=True, slots=True)
class ProtectedView:
    """A view to a landmark that is to stay open.

    Its plane runs through the eye and both ends of the landmark's threshold (the line above which it is to be seen).
    With curvature the plane is one of sight lines: at a place its height is that of the straight plane in the ground
    lowered by (1 - k) d2 / (2 R), plus that drop.

    Parameters
    ----------
    eye
        x, y, z, local space [m].
    left, right
        Ends of the threshold as seen from the eye, x, y, z, local space [m].
    behind_m
        How far the view goes on behind the landmark [m].
    curvature, refraction_k
        Earth's curvature and refraction.
    """

    eye: tuple[float, float, float]
    left: tuple[float, float, float]
    right: tuple[float, float, float]
    behind_m: float = 0.0
    curvature: bool = True
    refraction_k: float = 0.13

    def __post_init__(self) -> None:
        if not np.isfinite([*self.eye, *self.left, *self.right, self.behind_m]).all() or self.behind_m < 0:
            raise InputError(
                "a protected view has finite coordinates, and goes on from 0 m behind its landmark"
            )
        a, b = self._sides()
        if min(np.hypot(*a), np.hypot(*b)) < SHORTEST_M or np.hypot(*(b - a)) < SHORTEST_M:
            raise InputError(
                f"a landmark stands at least {SHORTEST_M:g} m from the eye and is as wide; "
                f"got ends {self.left} and {self.right}"
            )
        if float(a[0] * b[1] - a[1] * b[0]) >= 0:
            raise InputError(
                "the landmark's left end lies to the right of its right end, as seen from the eye"
            )

    def _sides(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        eye = np.array(self.eye[:2])
        return np.array(self.left[:2]) - eye, np.array(self.right[:2]) - eye

    def drop(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the ground falls below the eye's horizontal plane at places (n, 2) [m]."""
        bend = bend_of(self.refraction_k) if self.curvature else 0.0
        off = np.reshape(xy, (-1, 2)) - np.array(self.eye[:2])
        drop: NDArray[np.float64] = bend * np.einsum("ij,ij->i", off, off)
        return drop

    def limit(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Height of the plane at places (n, 2), local space [m]; also where they lie beside the view."""
        ends = np.array([self.left, self.right])
        rise = ends[:, 2] - self.drop(ends[:, :2]) - self.eye[2]
        slope = np.linalg.solve(np.stack(self._sides()), rise)
        off = np.reshape(xy, (-1, 2)) - np.array(self.eye[:2])
        height: NDArray[np.float64] = self.eye[2] + off @ slope + self.drop(xy)
        return height

    def outline(self) -> NDArray[np.float64]:
        """Corners (3 or 4, 2) of the view in plan, counter-clockwise from the eye."""
        eye, (a, b) = np.array(self.eye[:2]), self._sides()
        longer = [side * (1.0 + self.behind_m / np.hypot(*side)) for side in (a, b)]
        return np.array([eye, eye + longer[1], eye + longer[0]])

    def raster(self, grid: Grid) -> Raster:
        """Height of the plane at the cell centres [m]; NaN beside the view."""
        centres = grid.centres()
        inside = shapely.contains_xy(shapely.Polygon(self.outline()), centres[:, 0], centres[:, 1])
        values = np.full(len(centres), np.nan, dtype=np.float32)
        values[inside] = self.limit(centres[inside])
        return Raster(grid, values.reshape(grid.shape))


@dataclass(frozen=True, slots=True)
class Clearance:
    """How far an object keeps below the plane.

    Parameters
    ----------
    id, layer
        The object.
    clearance_m
        Least height of the plane above the object; negative where it breaks through [m].
    place
        x, y, z of where that is, local space [m].
    """

    id: str
    layer: str
    clearance_m: float
    place: tuple[float, float, float]

    def verdict(self, error_m: float) -> Verdict:
        """Whether it keeps below; ``too close to call`` within the stated error of heights [m]."""
        if abs(self.clearance_m) <= error_m:
            return "too close to call"
        return "met" if self.clearance_m > 0 else "not met"


def clearances(view: ProtectedView, table: FaceTable, *layers: str) -> list[Clearance]:
    """Clearance of every object of some layers that reaches into the view, the least first.

    The faces are cut at the sides of the view; what counts are their corners within it, where their edges meet its
    sides, and their height at its own corners.
    """
    outline = view.outline()
    wanted = np.array([layer in layers for layer in table.layers])[table.objects]
    faces, objects = table.faces[wanted], table.objects[wanted]
    corners = table.vertices[faces]
    low, high = corners[..., :2].min(axis=1), corners[..., :2].max(axis=1)
    near = ((high >= outline.min(axis=0)) & (low <= outline.max(axis=0))).all(axis=1)
    corners, objects = corners[near], objects[near]
    if not len(corners):
        return []
    points, owners = [], []
    for k in range(3):
        inside, found = _cut(corners[:, k], corners[:, (k + 1) % 3], outline)
        for end in found:
            points.append(end[inside])
            owners.append(objects[inside])
    for corner in outline:
        place, owner = _at(corners, objects, corner)
        points.append(place)
        owners.append(owner)
    xyz, owner_of = np.concatenate(points), np.concatenate(owners)
    keep = view.limit(xyz[:, :2]) - xyz[:, 2]
    out = []
    for number in np.unique(owner_of):
        mine = np.flatnonzero(owner_of == number)
        worst = mine[np.argmin(keep[mine])]
        x, y, z = (float(v) for v in xyz[worst])
        out.append(Clearance(table.ids[number], table.layers[number], float(keep[worst]), (x, y, z)))
    return sorted(out, key=lambda one: (one.clearance_m, one.id))


def _cut(
    start: NDArray[np.float64], end: NDArray[np.float64], outline: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Which segments (n, 3) reach into a convex outline, and the ends of their parts in it (Cyrus and Beck 1978)."""
    first, last = np.zeros(len(start)), np.ones(len(start))
    line = end - start
    for k in range(len(outline)):
        a, b = outline[k], outline[(k + 1) % len(outline)]
        inward = np.array([-(b - a)[1], (b - a)[0]])
        at, along = (start[:, :2] - a) @ inward, line[:, :2] @ inward
        with np.errstate(divide="ignore", invalid="ignore"):
            t = -at / along
        first = np.where(along > 0, np.maximum(first, t), first)
        last = np.where(along < 0, np.minimum(last, t), last)
        last = np.where((along == 0) & (at < 0), -1.0, last)
    return first <= last, (start + first[:, None] * line, start + last[:, None] * line)


def _at(
    corners: NDArray[np.float64], objects: NDArray[np.int32], xy: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Points (k, 3) of faces over or under a place, and their objects."""
    a, b, c = (corners[:, k, :2] for k in range(3))
    d = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    flat = np.abs(d) <= 1e-9
    d = np.where(flat, 1.0, d)
    v = ((xy[0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (xy[1] - a[:, 1]) * (c[:, 0] - a[:, 0])) / d
    w = ((b[:, 0] - a[:, 0]) * (xy[1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (xy[0] - a[:, 0])) / d
    over = ~flat & (v >= 0) & (w >= 0) & (v + w <= 1)
    z = (1.0 - v - w) * corners[:, 0, 2] + v * corners[:, 1, 2] + w * corners[:, 2, 2]
    return np.column_stack([np.tile(xy, (int(over.sum()), 1)), z[over]]), objects[over]
