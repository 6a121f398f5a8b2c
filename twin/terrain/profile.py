"""Levels of running water: one for each station along it, never rising downstream, never above the banks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import isotonic_regression
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import dijkstra

NODES = 20_000
"""Most places at which the way along the water is measured."""
STATION_M = 10.0
"""Length of water whose heights give one level [m]."""
STATION_CELLS = 8
"""Fewer cells give none."""
ENDS = 6
"""Most contacts with the border of the site that are looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class River:
    """One piece of water on cells (rows, cols).

    Parameters
    ----------
    mask
        The water.
    wet, bank
        Cells with measured heights: on it, and of the ground beside it.
    z
        Heights [m].
    border
        Water at the border of the site.
    cell
        Side of a cell [m].
    """

    mask: NDArray[np.bool_]
    wet: NDArray[np.bool_]
    bank: NDArray[np.bool_]
    z: NDArray[np.float64]
    border: NDArray[np.bool_]
    cell: float


def river_levels(river: River, bank_share: float) -> NDArray[np.float64]:
    """Level in each cell of the water [m], NaN elsewhere.

    Medians of the heights by distance along the water, made monotone by isotonic regression in the direction that
    fits better, and lowered to the banks.

    Parameters
    ----------
    river
        The water.
    bank_share
        Share of a bank's heights that are lower than what counts as its height.
    """
    along = distance_along(river)
    near = ndimage.distance_transform_edt(~river.mask, return_distances=False, return_indices=True)
    place = along[tuple(near)]
    longest = float(np.nanmax(along))
    count = max(1, round(longest / STATION_M))
    station = np.minimum((place / max(longest, 1e-9) * count).astype(np.int64), count - 1)
    wet = _by_station(station[river.wet], river.z[river.wet], count, 0.5)
    bank = _by_station(station[river.bank], river.z[river.bank], count, bank_share)
    level = np.where(np.isnan(wet[0]), bank[0], wet[0])
    weight = np.where(np.isnan(wet[0]), 1.0, wet[1])
    known = np.flatnonzero(np.isfinite(level))
    if not len(known):
        heights = river.z[river.wet | river.bank]
        return np.where(river.mask, np.quantile(heights, bank_share), np.nan)
    limit = np.where(np.isnan(bank[0]), np.inf, bank[0])[known]
    fitted = monotone(level[known], weight[known], limit)
    at = (known + 0.5) * longest / count
    return np.where(river.mask, np.interp(along, at, fitted), np.nan)


def monotone(
    level: NDArray[np.float64], weight: NDArray[np.float64], limit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Levels (n,) that only fall, or only rise, whichever fits better, and lie nowhere above their limits [m]."""
    fits = [isotonic_regression(level, weights=weight, increasing=up).x for up in (False, True)]
    off = [float((weight * (fit - level) ** 2).sum()) for fit in fits]
    rising = off[1] < off[0]
    best = np.minimum(fits[int(rising)], limit)
    # Lowered at one place, the water is no higher at any place downstream.
    run = best[::-1] if rising else best
    run = np.minimum.accumulate(run)
    out: NDArray[np.float64] = run[::-1] if rising else run
    return out


def _by_station(
    station: NDArray[np.int64], z: NDArray[np.float64], count: int, share: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A quantile of the heights at each station (NaN where there are too few), and how many there are."""
    out, weight = np.full(count, np.nan), np.zeros(count)
    order = np.lexsort((z, station))
    starts = np.searchsorted(station[order], np.arange(count + 1))
    for k in range(count):
        mine = z[order[starts[k] : starts[k + 1]]]
        if len(mine) >= STATION_CELLS:
            out[k], weight[k] = np.quantile(mine, share), len(mine)
    return out, weight


def distance_along(river: River) -> NDArray[np.float64]:
    """Way through the water from one of its ends [m], NaN elsewhere.

    Ends are where it meets the border of the site, the two that lie farthest apart; without two, the farthest
    place from the one, or from the farthest place of any.
    """
    factor = max(1, int(np.ceil(np.sqrt(river.mask.sum() / NODES))))
    coarse = _coarse(river.mask, factor)
    node = np.full(coarse.shape, -1, dtype=np.int64)
    node[coarse] = np.arange(int(coarse.sum()))
    graph = _graph(coarse, node, factor * river.cell)
    contacts, found = ndimage.label(
        _coarse(river.border, factor) & coarse, structure=np.ones((3, 3), np.bool_)
    )
    sets = [node[contacts == k + 1] for k in range(found)]
    sets = sorted(sets, key=lambda s: (-len(s), int(s[0])))[:ENDS]
    best: NDArray[np.float64]
    if len(sets) >= 2:
        ways = [_from(graph, one) for one in sets]
        reach = [max(float(way[other].min()) for other in sets) for way in ways]
        best = ways[int(np.argmax(reach))]
    else:
        first = _from(graph, sets[0] if sets else np.array([0]))
        best = first if sets else _from(graph, np.array([int(np.argmax(first))]))
    best = np.where(np.isfinite(best), best, 0.0)
    return _fine(best, node, river.mask, factor)


def _fine(
    values: NDArray[np.float64], node: NDArray[np.int64], mask: NDArray[np.bool_], factor: int
) -> NDArray[np.float64]:
    """Values of the nodes at the cells, linear between the nodes' centres."""
    known = node >= 0
    near = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = values[node[tuple(near)]]
    rows, cols = (((np.arange(n) + 0.5) / factor) - 0.5 for n in mask.shape)
    at = np.meshgrid(rows, cols, indexing="ij")
    whole = ndimage.map_coordinates(filled, at, order=1, mode="nearest")
    out: NDArray[np.float64] = np.where(mask, whole, np.nan)
    return out


def _coarse(mask: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """Blocks of cells with any in the mask."""
    rows, cols = (-(-n // factor) * factor for n in mask.shape)
    padded = np.zeros((rows, cols), dtype=np.bool_)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    blocks = padded.reshape(rows // factor, factor, cols // factor, factor)
    return np.asarray(blocks.any(axis=(1, 3)), dtype=np.bool_)


def _graph(coarse: NDArray[np.bool_], node: NDArray[np.int64], step: float) -> csr_matrix:
    """Neighbours by a side or a corner, with the way between them."""
    first, second, length = [], [], []
    rows, cols = coarse.shape
    for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = node[: rows - dr, max(0, -dc) : cols - max(0, dc)]
        b = node[dr:, max(0, dc) : cols - max(0, -dc)]
        both = (a >= 0) & (b >= 0)
        first.append(a[both])
        second.append(b[both])
        length.append(np.full(int(both.sum()), step * np.hypot(dr, dc)))
    n = int(coarse.sum())
    pairs = (np.concatenate(first), np.concatenate(second))
    return coo_matrix((np.concatenate(length), pairs), shape=(n, n)).tocsr()


def _from(graph: csr_matrix, start: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shortest way from any of the starting nodes to each node [m]."""
    way: NDArray[np.float64] = dijkstra(graph, directed=False, indices=start, min_only=True)
    way = np.where(np.isfinite(way), way, np.nan)
    return np.where(np.isnan(way), np.nanmax(way), way)
