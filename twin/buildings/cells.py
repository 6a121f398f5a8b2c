"""A footprint cut into cells by straight lines: a plan subdivision whose cells share their nodes and edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.model.arrays import readonly

GRID_M = 0.0001
"""Nodes lie on a grid of this width, as in a file [m]."""
FREE_LINES = 14
"""So many lines run through the whole outline; of more, each goes on by ``FURTHER_M`` beyond its ends."""
FURTHER_M = 4.0
"""How far a line goes on beyond its supported part, where there are many [m]."""
SHORTEST_M = 0.3
"""Parts of lines shorter than this are left out [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of a plan subdivision.

    Parameters
    ----------
    nodes
        (n, 2) [m].
    edges
        (m, 2) int32, directed edges with their cell on the left.
    cell
        (m,) int32, cell of each edge.
    twin
        (m,) int32, the same edge of the neighbour; -1 on the outline.
    polygons
        The cells as shapely polygons.
    """

    nodes: NDArray[np.float64]
    edges: NDArray[np.int32]
    cell: NDArray[np.int32]
    twin: NDArray[np.int32]
    polygons: NDArray[np.object_]

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", readonly(self.nodes, np.float64))
        for name in ("edges", "cell", "twin"):
            object.__setattr__(self, name, readonly(getattr(self, name), np.int32))

    def __len__(self) -> int:
        return len(self.polygons)

    @property
    def areas(self) -> NDArray[np.float64]:
        """Area of each cell [m2]."""
        found: NDArray[np.float64] = shapely.area(self.polygons)
        return found

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Length of each edge [m]."""
        run = self.nodes[self.edges[:, 1]] - self.nodes[self.edges[:, 0]]
        found: NDArray[np.float64] = np.hypot(run[:, 0], run[:, 1])
        return found


def cut_outline(outline: shapely.Polygon, ends: NDArray[np.float64]) -> Cells:
    """Cut an outline along lines.

    Parameters
    ----------
    outline
        Clean polygon, see ``clean_polygon`` [m].
    ends
        (m, 2, 2) supported parts of lines [m].
    """
    lines = _extended(outline, ends)
    pieces = shapely.intersection(lines, outline) if len(lines) else np.array([], dtype=object)
    parts = shapely.get_parts(pieces)
    parts = parts[shapely.length(parts) > SHORTEST_M]
    noded = shapely.union_all([outline.boundary, *parts], grid_size=GRID_M)
    found = shapely.get_parts(shapely.polygonize([noded]))
    inside = shapely.contains_xy(outline, *shapely.get_coordinates(shapely.point_on_surface(found)).T)
    return cells_of(found[inside])


def _extended(outline: shapely.Polygon, ends: NDArray[np.float64]) -> NDArray[np.object_]:
    if not len(ends):
        return np.array([], dtype=object)
    west, south, east, north = outline.bounds
    reach = float(np.hypot(east - west, north - south)) + 1.0
    if len(ends) > FREE_LINES:
        reach = min(reach, FURTHER_M)
    run = ends[:, 1] - ends[:, 0]
    unit = run / np.hypot(run[:, 0], run[:, 1])[:, None]
    both = np.stack([ends[:, 0] - reach * unit, ends[:, 1] + reach * unit], axis=1)
    return np.asarray(shapely.linestrings(both), dtype=object)


def cells_of(polygons: NDArray[np.object_]) -> Cells:
    """Polygons that share nodes as cells; in the order of their place."""
    polygons = np.asarray(polygons, dtype=object)
    polygons = shapely.orient_polygons(polygons)
    box = np.rint(shapely.bounds(polygons) / GRID_M).astype(np.int64)
    polygons = polygons[np.lexsort((shapely.area(polygons), *box.T[::-1]))]
    rings, of = shapely.get_rings(polygons, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    keys = np.rint(points / GRID_M).astype(np.int64)
    last = np.append(ring[1:] != ring[:-1], True)
    nodes, number = np.unique(keys, axis=0, return_inverse=True)
    number = number.reshape(-1)
    start = np.flatnonzero(~last)
    edges = np.column_stack([number[start], number[start + 1]])
    cell = of[ring[start]]
    size = len(nodes)
    code, back = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    order = np.argsort(code)
    place = np.searchsorted(code[order], back)
    place = np.minimum(place, len(code) - 1)
    twin = np.where(code[order][place] == back, order[place], -1)
    return Cells(
        np.asarray(nodes, dtype=np.float64) * GRID_M,
        edges.astype(np.int32),
        cell.astype(np.int32),
        twin.astype(np.int32),
        polygons,
    )
