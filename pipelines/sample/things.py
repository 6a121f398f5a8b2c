"""What stands on the ground of the sample: true buildings, trees, and prisms for everything else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from pipelines.sample.shapes import Shape

Floats = NDArray[np.float64]

ABOVE_GROUND, GROUND, VEGETATION, WATER, BRIDGE, HIGH_VOLTAGE = 1, 2, 4, 9, 10, 15
"""Class codes of the Walloon campaign of 2021-2022."""


@dataclass(frozen=True, slots=True)
class Axes:
    """A place to build in: local origin and direction of the street.

    Parameters
    ----------
    x, y
        Local place of a = b = 0 [m].
    c, s
        Cosine and sine of the angle from east to the a axis.
    """

    x: float
    y: float
    c: float
    s: float

    def local(self, ab: Floats) -> Floats:
        """Local x, y (n, 2) of points in these axes (n, 2) [m]."""
        ab = np.asarray(ab, dtype=np.float64).reshape(-1, 2)
        x = self.x + ab[:, 0] * self.c - ab[:, 1] * self.s
        y = self.y + ab[:, 0] * self.s + ab[:, 1] * self.c
        return np.column_stack([x, y])

    def moved(self, a: float, b: float, quarter_turns: int = 0) -> Axes:
        """Axes with the origin at (a, b), turned left by quarters."""
        x, y = self.local(np.array([[a, b]]))[0]
        c, s = self.c, self.s
        for _ in range(quarter_turns % 4):
            c, s = -s, c
        return Axes(float(x), float(y), c, s)

    def rectangle(self, a0: float, b0: float, a1: float, b1: float) -> shapely.Polygon:
        """A rectangle of these axes in local space."""
        return shapely.Polygon(self.local(np.array([[a0, b0], [a1, b0], [a1, b1], [a0, b1]])))


@dataclass(frozen=True, eq=False)
class TrueBuilding:
    """A building as it truly is; what the footprint file says about it differs by its errors.

    Parameters
    ----------
    id
        Id in the footprint file.
    nature
        Kind of building in words, as the footprint file has it.
    shape
        Roof kind, plan points in local space [m], faces.
    bottom
        Height of the flat base: the lowest ground along the outline [m].
    overhang
        How far the roof stands out over the walls, which are what the footprint file shows [m].
    """

    id: str
    nature: str
    shape: Shape
    bottom: float
    overhang: float = 0.0

    @cached_property
    def outline(self) -> Any:
        """Outline of the roof in plan, a ``shapely.Polygon`` in local space."""
        parts = [shapely.Polygon(self.shape.points[[k for k, _ in face]]) for face in self.shape.faces]
        return shapely.union_all(parts) if len(parts) > 1 else parts[0]

    def planes(self) -> Floats:
        """(faces, 3) a, b, c of z = a x + b y + c, local space."""
        return np.array([plane_of(self.shape, face) for face in self.shape.faces])


def plane_of(shape: Shape, face: tuple[tuple[int, float], ...]) -> Floats:
    """a, b, c of z = a x + b y + c through a face (least squares; the corners lie on one plane)."""
    xy = shape.points[[k for k, _ in face]]
    z = np.array([h for _, h in face])
    middle = xy.mean(axis=0)
    slope, *_ = np.linalg.lstsq(np.column_stack([xy - middle, np.ones(len(xy))]), z, rcond=None)
    return np.array([slope[0], slope[1], slope[2] - slope[:2] @ middle])


@dataclass(frozen=True, slots=True)
class TrueTree:
    """A tree: an ellipsoid of twigs on a stem; ``density`` is the mean number of returns per metre."""

    id: str
    kind: str
    x: float
    y: float
    ground: float
    height: float
    crown_radius: float
    crown_base: float
    density: float


@dataclass(frozen=True, slots=True, eq=False)
class Prism:
    """An upright convex prism under one plane: parts of roofs, cars, decks, cables.

    Parameters
    ----------
    corners
        (n, 2) convex, counter-clockwise, local space [m].
    plane
        a, b, c of the top, z = a x + b y + c.
    bottom
        Lowest height [m]; far below the ground where it stands on it.
    code
        Class code of its returns.
    chance
        Share of the pulses that it stops (a cable or lattice stops few).
    owner
        Number of the building, -1 for things that are no building.
    """

    corners: Floats
    plane: Floats
    bottom: float
    code: int
    chance: float = 1.0
    owner: int = -1


def box(
    axes: Axes, rectangle: tuple[float, float, float, float], heights: tuple[float, float], code: int
) -> Prism:
    """An upright box: ``rectangle`` a0, b0, a1, b1 in the axes, ``heights`` bottom and top [m]."""
    a0, b0, a1, b1 = rectangle
    corners = axes.local(np.array([[a0, b0], [a1, b0], [a1, b1], [a0, b1]]))
    return Prism(corners, np.array([0.0, 0.0, heights[1]]), heights[0], code)


def roof_prisms(building: TrueBuilding, number: int) -> list[Prism]:
    """The building's faces as prisms that stand on the ground."""
    planes = building.planes()
    return [
        Prism(building.shape.points[[k for k, _ in face]], plane, -1e3, ABOVE_GROUND, 1.0, number)
        for face, plane in zip(building.shape.faces, planes, strict=True)
    ]
