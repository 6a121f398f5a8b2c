"""Clean outlines: millimetre coordinates, no repeated or idle vertices, rings that do not touch."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.polygon import orient

GRID_M = 0.001
"""Outlines are rounded to whole millimetres, so that no two vertices fall together when a file rounds [m]."""

SIMPLIFY_M = 0.005
"""Vertices nearer than this to the line between their neighbours are idle [m]."""

GAP_M = 0.02
"""A courtyard that touches another ring in a point is drawn in by this much [m]: four walls on one vertical
edge would not enclose a two-manifold solid."""

MIN_AREA_M2 = 0.1
"""Outlines and courtyards below this area are none [m2]."""


def clean_polygon(polygon: shapely.Polygon) -> shapely.Polygon | None:
    """An outline ready to be extruded; it moves by at most about ``SIMPLIFY_M``.

    Parameters
    ----------
    polygon
        Valid polygon, local space [m].

    Returns
    -------
    shapely.Polygon or None
        Outer ring counter-clockwise, courtyards clockwise; the largest part where thin necks fall apart;
        None where nothing of ``MIN_AREA_M2`` remains.
    """
    found = _largest(shapely.set_precision(shapely.force_2d(polygon), GRID_M))
    if found is None:
        return None
    found = _largest(shapely.set_precision(_apart(found), GRID_M))
    if found is None:
        return None
    # Where a ring begins, no vertex is idle to GEOS: the second time it begins elsewhere.
    for _ in range(2):
        simple = _largest(found.simplify(SIMPLIFY_M, preserve_topology=True))
        if simple is None or not simple.is_valid:
            break
        found = _begun_elsewhere(simple)
    return orient(found, 1.0)


def _begun_elsewhere(polygon: shapely.Polygon) -> shapely.Polygon:
    """The polygon with rings that begin half way round."""

    def turned(ring: shapely.LinearRing) -> NDArray[np.float64]:
        corners = np.asarray(ring.coords)[:-1]
        return np.roll(corners, -(len(corners) // 2), axis=0)

    return shapely.Polygon(turned(polygon.exterior), [turned(ring) for ring in polygon.interiors])


def _largest(shape: shapely.Geometry) -> shapely.Polygon | None:
    """The largest polygon of a shape without its tiny courtyards; None below ``MIN_AREA_M2``."""
    polygons = [p for p in shapely.get_parts(shape) if isinstance(p, shapely.Polygon)]
    if not polygons:
        return None
    best = max(polygons, key=lambda p: p.area)
    if best.area < MIN_AREA_M2:
        return None
    kept = [ring for ring in best.interiors if shapely.Polygon(ring).area >= MIN_AREA_M2]
    return shapely.Polygon(best.exterior, kept)


def _apart(polygon: shapely.Polygon) -> shapely.Polygon:
    """The polygon with each courtyard that touches another ring drawn in a little."""
    if not polygon.interiors:
        return polygon
    rings = [polygon.exterior, *polygon.interiors]
    holes: list[shapely.LinearRing] = []
    for number, hole in enumerate(polygon.interiors, start=1):
        others = [ring for k, ring in enumerate(rings) if k != number]
        if min(shapely.distance(hole, others)) > GRID_M:
            holes.append(hole)
            continue
        drawn_in = shapely.Polygon(hole).buffer(-GAP_M, join_style="mitre")
        parts = [p for p in shapely.get_parts(drawn_in) if isinstance(p, shapely.Polygon) and not p.is_empty]
        holes.extend(part.exterior for part in parts)
    return shapely.Polygon(polygon.exterior, holes)
