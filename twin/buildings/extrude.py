"""A roof in plan sewn to a closed solid: roof faces, upright walls between heights, feet on the terrain."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.buildings.prism import DECIMALS, MIN_WALL_M, clamped, feet_of, ground_faces
from twin.buildings.roofmap import STRAIGHT_M, RoofMap, off_line
from twin.buildings.seat import GroundProfile, ground_profile
from twin.model.geometry import Geometry, Rings, solid
from twin.model.surface import Surface
from twin.terrain.sampler import TinSampler


def extrude(
    roof: RoofMap, sampler: TinSampler, offset: NDArray[np.float64], lod: str
) -> tuple[Geometry, GroundProfile] | None:
    """The solid under a roof.

    Parameters
    ----------
    roof
        Settled, see ``settle``.
    sampler
        The terrain's triangles, local space.
    offset
        (2,) place of the roof's origin in local space [m].
    lod
        Level of detail.

    Returns
    -------
    The solid and the ground along its outline, local space; None where part of the outline has no terrain, or a roof
    goes down to the ground.
    """
    outline = roof.outline()
    xy = np.array(roof.xy) + offset
    polygon = shapely.Polygon(xy[outline[0]], [xy[ring] for ring in outline[1:]])
    profile = ground_profile(polygon, sampler)
    if profile is None:
        return None
    owners = roof.owners()
    lowest = min(
        min(roof.levels[a, owners[a, b]], roof.levels[b, owners[a, b]])
        for ring in outline
        for a, b in zip(ring, ring[1:] + ring[:1], strict=True)
    )
    if lowest < profile.lowest + MIN_WALL_M:
        return None
    builder = _Builder(roof, xy)
    plan, numbers = [], []
    for ring, ground in zip(outline, profile.rings, strict=True):
        feet, corner, bowed = feet_of(clamped(ground, lowest - MIN_WALL_M), _straight(roof, ring))
        low = builder.add(feet)
        builder.outer_walls(ring, low, np.flatnonzero(corner), owners)
        plan.append(bowed)
        numbers.append(low)
    bottom = ground_faces(plan, numbers)
    builder.inner_walls(owners)
    roofs = builder.roofs()
    walls = builder.walls
    codes = [Surface.GROUND] * len(bottom) + [Surface.WALL] * len(walls) + [Surface.ROOF] * len(roofs)
    geometry = solid(lod, np.round(np.array(builder.vertices), DECIMALS), [*bottom, *walls, *roofs], codes)
    return geometry, profile


def _straight(roof: RoofMap, ring: list[int]) -> NDArray[np.bool_]:
    """Which nodes of a ring lie in the line of their neighbours."""
    before, after = ring[-1:] + ring[:-1], ring[1:] + ring[:1]
    return np.array(
        [
            off_line(roof.xy[a], roof.xy[b], roof.xy[n]) < STRAIGHT_M
            for a, n, b in zip(before, ring, after, strict=True)
        ]
    )


class _Builder:
    """Vertices by node and height, and the walls between them."""

    def __init__(self, roof: RoofMap, xy: NDArray[np.float64]) -> None:
        self.roof, self.xy = roof, xy
        self.vertices: list[tuple[float, float, float]] = []
        self.walls: list[Rings] = []
        self._at: dict[tuple[int, float], int] = {}
        self._columns: dict[int, list[float]] = {}
        for (node, _), height in roof.levels.items():
            self._columns.setdefault(node, []).append(height)
        self._columns = {node: sorted(set(found)) for node, found in self._columns.items()}

    def add(self, points: NDArray[np.float64]) -> NDArray[np.int64]:
        start = len(self.vertices)
        self.vertices += [tuple(p) for p in points.tolist()]
        return np.arange(start, len(self.vertices))

    def vertex(self, node: int, height: float) -> int:
        key = (node, height)
        if key not in self._at:
            self._at[key] = len(self.vertices)
            self.vertices.append((float(self.xy[node, 0]), float(self.xy[node, 1]), height))
        return self._at[key]

    def column(self, node: int, low: float, high: float) -> list[int]:
        """Vertices of a node strictly between two heights, rising."""
        return [self.vertex(node, h) for h in self._columns[node] if low < h < high]

    def outer_walls(
        self,
        ring: list[int],
        feet: NDArray[np.int64],
        corners: NDArray[np.int64],
        owners: dict[tuple[int, int], int],
    ) -> None:
        """Walls from the feet to the roof along one ring of the outline."""
        levels = self.roof.levels
        for k, (a, b) in enumerate(zip(ring, ring[1:] + ring[:1], strict=True)):
            face = owners[a, b]
            stop = corners[k + 1] if k + 1 < len(corners) else len(feet)
            bottom = [*feet[corners[k] : stop].tolist(), int(feet[stop % len(feet)])]
            top_a, top_b = levels[a, face], levels[b, face]
            rise = self.column(b, -np.inf, top_b)
            fall = self.column(a, -np.inf, top_a)[::-1]
            self.walls.append(((*bottom, *rise, self.vertex(b, top_b), self.vertex(a, top_a), *fall),))

    def inner_walls(self, owners: dict[tuple[int, int], int]) -> None:
        """Walls between a higher and a lower face."""
        levels = self.roof.levels
        for (a, b), face in sorted(owners.items()):
            other = owners.get((b, a))
            if other is None:
                continue
            low_a, low_b = levels[a, other], levels[b, other]
            top_a, top_b = levels[a, face], levels[b, face]
            if top_a < low_a or top_b < low_b or (top_a == low_a and top_b == low_b):
                continue
            ring = [self.vertex(a, low_a)] if low_a < top_a else []
            ring += [self.vertex(b, low_b)] if low_b < top_b else []
            ring += [*self.column(b, low_b, top_b), self.vertex(b, top_b), self.vertex(a, top_a)]
            ring += self.column(a, low_a, top_a)[::-1]
            self.walls.append((tuple(ring),))

    def roofs(self) -> list[Rings]:
        """The roof faces."""
        levels = self.roof.levels
        return [
            tuple(tuple(self.vertex(node, levels[node, f]) for node in ring) for ring in rings)
            for f, rings in enumerate(self.roof.rings)
        ]
