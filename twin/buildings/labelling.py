"""Which plane covers which cell: the least misfit of the points with the shortest borders, by alpha expansion.

Boykov, Veksler and Zabih (2001): each step solves one minimum cut, exact for one label against all.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from twin.buildings.cells import Cells
from twin.buildings.mincut import source_side
from twin.buildings.planes import RoofPlanes
from twin.jit import njit

MISFIT_M = 1.0
"""A point counts with its distance in height from the plane, at most so much [m]."""
BORDER_M = 0.06
"""Misfit over an area that a border may cost for each of its metres [m]."""
REACH_M = 1.5
"""A plane may cover cells within this of its points [m], and cells without points at a price."""
FAR_M = 0.25
"""Price of a plane for each metre beyond its points, over the cell's area [m]."""
ROUNDS = 8


def label_cells(
    cells: Cells, xyz: NDArray[np.float64], found: RoofPlanes, density: float
) -> NDArray[np.int32]:
    """The plane (len(cells),) of each cell.

    Parameters
    ----------
    cells
        The cut footprint.
    xyz
        (n, 3) roof points [m].
    found
        Their planes; at least one.
    density
        Points per square metre.
    """
    cost = plane_costs(cells, xyz, found, density)
    inner = np.flatnonzero((cells.twin >= 0) & (np.arange(len(cells.twin)) < cells.twin))
    pairs = np.column_stack([cells.cell[inner], cells.cell[cells.twin[inner]]]).astype(np.int32)
    weight = BORDER_M * cells.lengths[inner]
    label: NDArray[np.int32] = np.argmin(cost, axis=1).astype(np.int32)
    _expand(cost, pairs, weight, label, ROUNDS)
    return label


def points_in(cells: Cells, xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cell (n,) of points (n, 2); -1 outside."""
    tree = shapely.STRtree(cells.polygons)
    point, cell = tree.query(shapely.points(xy), predicate="intersects")
    out = np.full(len(xy), -1, dtype=np.int64)
    # On a border the first cell.
    out[point[::-1]] = cell[::-1]
    return out


def plane_costs(
    cells: Cells, xyz: NDArray[np.float64], found: RoofPlanes, density: float
) -> NDArray[np.float64]:
    """Misfit (cells, planes) of each plane over each cell [m3]."""
    use = ~found.wall
    points, planes = xyz[use], found.planes
    cell = points_in(cells, points[:, :2])
    inside = cell >= 0
    points, cell = points[inside], cell[inside]
    cost = np.zeros((len(cells), len(planes)))
    for k, (a, b, c) in enumerate(planes):
        off = np.abs(points[:, 2] - a * points[:, 0] - b * points[:, 1] - c)
        cost[:, k] = np.bincount(cell, np.minimum(off, MISFIT_M) / density, len(cells))
    return cost + _extent_costs(cells, xyz, found)


def _extent_costs(cells: Cells, xyz: NDArray[np.float64], found: RoofPlanes) -> NDArray[np.float64]:
    """Price of planes beyond the reach of their points."""
    corners, of = shapely.get_coordinates(cells.polygons, return_index=True)
    middle = shapely.get_coordinates(shapely.point_on_surface(cells.polygons))
    marks, of = np.vstack([corners, middle]), np.concatenate([of, np.arange(len(cells))])
    out = np.empty((len(cells), len(found.planes)))
    areas = cells.areas
    for k in range(len(found.planes)):
        away = np.asarray(cKDTree(xyz[found.label == k, :2]).query(marks)[0], dtype=np.float64)
        nearest = np.full(len(cells), np.inf)
        np.minimum.at(nearest, of, away)
        # The middle counts by half its distance: a cell far from the points but touching them is not theirs.
        inside = away[-len(cells) :]
        apart = np.maximum(nearest, 0.5 * inside)
        out[:, k] = areas * FAR_M * np.maximum(0.0, apart - REACH_M)
    return out


def _expand(
    cost: NDArray[np.float64],
    pairs: NDArray[np.int32],
    weight: NDArray[np.float64],
    label: NDArray[np.int32],
    rounds: int,
) -> None:
    """Expand each label in turn until nothing gets cheaper."""
    if cost.shape[1] < 2 or len(pairs) == 0:
        return
    energy = _energy(cost, pairs, weight, label)
    for _ in range(rounds):
        before = energy
        for alpha in range(cost.shape[1]):
            new = _expansion(cost, pairs, weight, label, alpha)
            found = _energy(cost, pairs, weight, new)
            if found < energy - 1e-9:
                label[:] = new
                energy = found
        if energy >= before - 1e-9:
            return


def _energy(
    cost: NDArray[np.float64], pairs: NDArray[np.int32], weight: NDArray[np.float64], label: NDArray[np.int32]
) -> float:
    data = cost[np.arange(len(label)), label].sum()
    return float(data + weight[label[pairs[:, 0]] != label[pairs[:, 1]]].sum())


@njit
def _expansion(
    cost: NDArray[np.float64],
    pairs: NDArray[np.int32],
    weight: NDArray[np.float64],
    label: NDArray[np.int32],
    alpha: int,
) -> NDArray[np.int32]:
    """The best labelling in which some cells turn to ``alpha`` and the others stay (Kolmogorov and Zabih 2004)."""
    n = len(label)
    source, sink = n, n + 1
    # Cost of turning (cut from the source) less cost of staying.
    turn = np.empty(n)
    for i in range(n):
        turn[i] = cost[i, alpha] - cost[i, label[i]]
    tails = np.empty(n + len(pairs), dtype=np.int32)
    heads = np.empty(n + len(pairs), dtype=np.int32)
    forth = np.zeros(n + len(pairs))
    back = np.zeros(n + len(pairs))
    for e in range(len(pairs)):
        p, q = pairs[e, 0], pairs[e, 1]
        stay = weight[e] if label[p] != label[q] else 0.0
        q_turns = weight[e] if label[p] != alpha else 0.0
        p_turns = weight[e] if label[q] != alpha else 0.0
        turn[p] += p_turns - stay
        turn[q] += -p_turns
        tails[n + e], heads[n + e] = p, q
        forth[n + e] = q_turns + p_turns - stay
    for i in range(n):
        # A cell on the source's side stays; cutting it from the source turns it.
        if turn[i] >= 0.0:
            tails[i], heads[i], forth[i] = source, i, turn[i]
        else:
            tails[i], heads[i], forth[i] = i, sink, -turn[i]
    stays = source_side(n + 2, tails, heads, forth, back)
    out = label.copy()
    for i in range(n):
        if not stays[i]:
            out[i] = alpha
    return out
