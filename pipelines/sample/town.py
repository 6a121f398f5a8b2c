"""The town under construction: takes what fits, numbers it, and knows what is already there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from pipelines.sample.ground import Valley
from pipelines.sample.shapes import Shape
from pipelines.sample.sizes import SampleSize
from pipelines.sample.things import Axes, Prism, TrueBuilding, TrueTree
from twin.region import Region

EDGE_M = 2.0
"""Buildings keep this far from the edge of the window [m], so that no true solid is cut."""

BUCKET_M = 25.0
"""Side of the squares that neighbours are looked up in [m]."""


@dataclass(frozen=True, slots=True)
class PlanSite:
    """A place that the sample's plan changes.

    Parameters
    ----------
    axes
        Its axes; a runs from 0 to length, b from 0 to depth.
    length, depth
        Extent [m].
    buildings
        Ids of the existing buildings on it.
    """

    axes: Axes
    length: float
    depth: float
    buildings: tuple[str, ...]

    @property
    def polygon(self) -> shapely.Polygon:
        """The site in local space."""
        return self.axes.rectangle(0, 0, self.length, self.depth)


@dataclass(slots=True)
class Town:
    """Everything that stands on the ground; filled by the layout, then only read.

    Parameters
    ----------
    size
        Which sample.
    seed
        Seed of the whole sample.
    valley
        The ground.
    window
        The site, local space [m].
    """

    size: SampleSize
    seed: int
    valley: Valley
    window: Region
    buildings: list[TrueBuilding] = field(default_factory=list)
    trees: list[TrueTree] = field(default_factory=list)
    prisms: list[Prism] = field(default_factory=list)
    sites: dict[str, PlanSite] = field(default_factory=dict)
    _buckets: dict[tuple[int, int], list[shapely.Polygon]] = field(default_factory=dict)

    def rng(self, *key: int) -> np.random.Generator:
        """Random numbers for one part of the town, whatever was built before it."""
        return np.random.default_rng([self.seed, *(k % 2**32 for k in key)])

    def inside(self, polygon: shapely.Polygon, edge: float = EDGE_M) -> bool:
        """Whether a polygon lies wholly in the window."""
        west, south, east, north = polygon.bounds
        w = self.window.buffered(-edge)
        return west >= w.west and south >= w.south and east <= w.east and north <= w.north

    def near(self, axes: Axes, reach: float) -> bool:
        """Whether a place lies in the window or not farther out than ``reach`` [m]."""
        w = self.window.buffered(reach)
        return w.west <= axes.x <= w.east and w.south <= axes.y <= w.north

    def build(self, axes: Axes, shape: Shape, nature: str, overhang: float = 0.0) -> TrueBuilding | None:
        """Stand a building on the ground; None where it does not fit in the window or among the others.

        Parameters
        ----------
        axes
            Axes of the shape's plan points.
        shape
            Its heights are above the ground at the middle of the building.
        nature
            Kind in words.
        overhang
            See ``TrueBuilding``.
        """
        points = axes.local(shape.points)
        hull: Any = shapely.convex_hull(shapely.MultiPoint(points))
        if not self.inside(hull):
            return None
        rim = np.concatenate([points, points.mean(axis=0)[None]])
        ground = self.valley.heights(rim[:, 0], rim[:, 1])
        base = float(ground[-1])
        if ground.min() < 62.0:
            return None
        faces = tuple(tuple((k, z + base) for k, z in face) for face in shape.faces)
        placed = Shape(shape.kind, points, faces)
        number = len(self.buildings) + 1
        building = TrueBuilding(f"b-{number}", nature, placed, self._lowest(hull), overhang)
        if not self._claim(building.outline):
            return None
        self.buildings.append(building)
        return building

    def _lowest(self, hull: shapely.Polygon) -> float:
        ring = np.array(shapely.segmentize(hull, 1.0).exterior.coords)
        return float(self.valley.heights(ring[:, 0], ring[:, 1]).min())

    def _claim(self, outline: shapely.Polygon) -> bool:
        """Keep the place for a building unless another stands there; party walls may touch."""
        core = outline.buffer(-0.05)
        west, south, east, north = (int(v // BUCKET_M) for v in outline.bounds)
        cells = [(i, j) for i in range(west, east + 1) for j in range(south, north + 1)]
        for cell in cells:
            if any(core.intersects(other) for other in self._buckets.get(cell, ())):
                return False
        for cell in cells:
            self._buckets.setdefault(cell, []).append(outline)
        return True

    def clear(self, x: float, y: float, distance: float) -> bool:
        """Whether nothing is built within ``distance`` of a place, at most a bucket's side [m]."""
        here = shapely.Point(x, y)
        i, j = int(x // BUCKET_M), int(y // BUCKET_M)
        cells = [(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        return not any(
            here.dwithin(other, distance) for cell in cells for other in self._buckets.get(cell, ())
        )

    def keep_free(self, polygon: shapely.Polygon) -> None:
        """Let nothing be built on a place."""
        self._claim(polygon)

    def clear_trees(self, polygon: shapely.Polygon) -> None:
        """Take away the trees of a place, where the plan will build."""
        kept = [t for t in self.trees if not polygon.contains(shapely.Point(t.x, t.y))]
        self.trees = [replace(t, id=f"t-{k + 1}") for k, t in enumerate(kept)]

    def plant(self, kind: str, x: float, y: float, rng: np.random.Generator, scale: float = 1.0) -> None:
        """Plant one tree or shrub of a kind."""
        ground = self.valley.height(x, y)
        w = self.window
        if ground <= 60.5 or not (w.west < x < w.east and w.south < y < w.north):
            return
        mean, spread, slender, base, density = KINDS[kind]
        height = max(1.2, scale * rng.normal(mean, spread))
        radius = max(0.6, height * slender * rng.uniform(0.85, 1.15))
        number = len(self.trees) + 1
        self.trees.append(TrueTree(f"t-{number}", kind, x, y, ground, height, radius, base * height, density))


KINDS: dict[str, tuple[float, float, float, float, float]] = {
    "street": (9.5, 1.0, 0.30, 0.28, 0.22),
    "broadleaf": (14.0, 2.5, 0.30, 0.25, 0.17),
    "wood": (17.0, 2.5, 0.21, 0.35, 0.15),
    "conifer": (15.0, 3.0, 0.19, 0.12, 0.9),
    "garden": (6.0, 1.5, 0.32, 0.25, 0.24),
    "shrub": (2.0, 0.5, 0.55, 0.1, 0.9),
}
"""Height mean and spread [m], crown radius / height, crown base / height, returns per metre, leaf-off."""


def points_clear_of(
    buildings: list[TrueBuilding], points: NDArray[np.float64], distance: float
) -> NDArray[np.bool_]:
    """Which points (n, 2) keep a distance from every building [m]."""
    clear = np.ones(len(points), dtype=bool)
    if buildings and len(points):
        tree = shapely.STRtree([b.outline for b in buildings])
        hit, _ = tree.query(shapely.points(points), predicate="dwithin", distance=distance)
        clear[hit] = False
    return clear
