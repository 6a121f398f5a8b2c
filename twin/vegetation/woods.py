"""Woods: where crowns close over a stated area, the ground under them becomes one ``PlantCover``.

The trees stay objects of their own: they shade, hide and are counted. The wood is the ground that they cover, draped on
the terrain a hand above it, so studies, which let nothing lower than 0.5 m block, count no tree twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.model.geometry import Geometry, Rings
from twin.model.mesh import TriangleMesh
from twin.model.objects import CityObject, Tree
from twin.model.surface import Surface

MIN_AREA_M2 = 500.0
"""Least area of a wood [m2]."""
MIN_TREES = 5
"""Least number of stems in a wood."""
GAP_M = 3.0
"""Crowns no farther apart than twice this, a crown's width, close [m]: some trees of a wood stay unseen."""
CORE_WIDTH_M, MIN_WIDTH_M = 25.0, 10.0
"""A wood is somewhere wider than the first, which boulevards with their rows are not; arms narrower than the second are
no part of it [m]."""
CLEARING_M2 = 100.0
"""Smaller clearings are filled [m2]."""
OUTLINE_M = 0.25
"""Outlines are simplified within this [m]."""
LIFT_M = 0.1
"""The cover lies this far above the terrain [m], so that pictures show it."""
SLIVER_M2, GRID_M = 0.05, 0.01
"""Smaller pieces are left out; corners of pieces in plan lie on this grid [m]."""


def find_woods(trees: Sequence[Tree], tin: TriangleMesh) -> tuple[CityObject, ...]:
    """Woods of a site.

    Parameters
    ----------
    trees
        Single trees.
    tin
        The terrain, on which the covers are draped.

    Returns
    -------
    tuple of CityObject
        ``PlantCover``, a MultiSurface of LoD 1, in the order of their ids (``w-<east>-<north>`` of a stem within, in
        decimetres, world space), with ``averageHeight`` [m], ``area_m2``, ``tree_count`` and ``height_max_m``.
    """
    outlines = wood_outlines(trees)
    if not outlines:
        return ()
    stems = shapely.points([(t.x, t.y) for t in trees])
    within = shapely.STRtree(stems)
    drape = _Drape(tin)
    found = []
    for outline in outlines:
        inside = np.sort(within.query(outline, predicate="intersects"))
        shape = drape.cover(outline)
        if len(inside) < MIN_TREES or shape is None:
            continue
        mine = [trees[k] for k in inside]
        heights = np.array([t.height for t in mine])
        about = {
            "averageHeight": round(float(heights.mean()), 2),
            "height_max_m": round(float(heights.max()), 2),
            "area_m2": round(float(outline.area), 1),
            "tree_count": len(mine),
        }
        key = min(t.id for t in mine).replace("t-", "w-", 1)
        found.append(CityObject(key, "PlantCover", tin.frame, (shape,), about))
    return tuple(sorted(found, key=lambda wood: wood.id))


def wood_outlines(trees: Sequence[Tree]) -> list[shapely.Polygon]:
    """Outlines of closed crowns that are large and wide enough, local space."""
    if len(trees) < MIN_TREES:
        return []
    radius = np.array([t.crown_radius for t in trees])
    circles = shapely.buffer(shapely.points([(t.x, t.y) for t in trees]), radius + GAP_M, quad_segs=6)
    closed = shapely.union_all(circles).buffer(-GAP_M, quad_segs=4)
    whole = shapely.union_all([_without_clearings(part) for part in shapely.get_parts(closed)])
    wide = whole.buffer(-MIN_WIDTH_M / 2, quad_segs=4).buffer(MIN_WIDTH_M / 2, quad_segs=4)
    out = []
    for part in shapely.get_parts(wide):
        outline = part.simplify(OUTLINE_M)
        if not isinstance(outline, shapely.Polygon) or not outline.is_valid:
            continue
        if outline.area >= MIN_AREA_M2 and not outline.buffer(-CORE_WIDTH_M / 2).is_empty:
            out.append(outline)
    return out


def _without_clearings(part: shapely.Polygon) -> shapely.Polygon:
    """The outline with its small holes filled."""
    holes = [ring for ring in part.interiors if shapely.Polygon(ring).area >= CLEARING_M2]
    return shapely.Polygon(part.exterior, holes)


class _Drape:
    """Cuts outlines into pieces that lie flat on the triangles of the terrain."""

    def __init__(self, tin: TriangleMesh) -> None:
        self.corners: NDArray[np.float64] = tin.vertices[tin.faces]
        flat: Any = shapely.polygons(self.corners[:, :, :2])
        self.flat = flat
        self.tree = shapely.STRtree(flat)

    def cover(self, outline: shapely.Polygon) -> Geometry | None:
        """The outline as a MultiSurface above the terrain; None where there is no terrain."""
        vertices: list[NDArray[np.float64]] = []
        surfaces: list[Rings] = []
        count = 0
        for k in np.sort(self.tree.query(outline, predicate="intersects")).tolist():
            cut = shapely.intersection(self.flat[k], outline, grid_size=GRID_M)
            for piece in shapely.get_parts(cut):
                if not isinstance(piece, shapely.Polygon) or piece.area < SLIVER_M2:
                    continue
                rings: list[tuple[int, ...]] = []
                for ring in (piece.exterior, *piece.interiors):
                    # Seen from above the outline turns counter-clockwise, holes the other way.
                    turned = ring.is_ccw != (not rings)
                    xy = (
                        shapely.get_coordinates(ring)[:0:-1] if turned else shapely.get_coordinates(ring)[:-1]
                    )
                    vertices.append(np.column_stack([xy, self._heights(k, xy) + LIFT_M]))
                    rings.append(tuple(range(count, count + len(xy))))
                    count += len(xy)
                surfaces.append(tuple(rings))
        if not surfaces:
            return None
        codes = np.full(len(surfaces), Surface.PLANT_COVER, np.uint8)
        shells = np.zeros((len(surfaces), 2), np.int32)
        return Geometry("MultiSurface", "1", np.vstack(vertices), tuple(surfaces), codes, shells)

    def _heights(self, k: int, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Heights of the plane of triangle ``k`` [m]."""
        a, b, c = self.corners[k]
        normal = np.cross(b - a, c - a)
        out: NDArray[np.float64] = a[2] - ((xy - a[:2]) @ normal[:2]) / normal[2]
        return out
