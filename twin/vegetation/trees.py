"""Single trees from the canopy: local maxima of the height above ground, crowns by flooding downhill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, grey_closing

from twin.buildings.inside import PolygonIndex
from twin.errors import InputError
from twin.jit import njit
from twin.model.objects import Tree
from twin.model.raster import Raster

MIN_HEIGHT_M = 3.0
"""Lower vegetation is shrub [m]."""

SMOOTH_M = 0.4
"""Standard deviation of the smoothing before maxima are sought [m]: one crown has many twigs."""

MIN_CROWN_M2 = 1.0
"""A smaller crown is a pole, a wire or a stray echo [m2]."""

CROWN_FLOOR = 0.4
"""A crown reaches down to this share of its top's height."""

CROWN_BASE = 0.3
"""The canopy seen from above does not show where a crown begins: this share of the height is assumed."""

SPACINGS = 3
"""Gaps between the highest cells of a crown that say how far the top lies above them."""
MOST_ADDED_M = 1.0
"""No top is lifted farther than this above its highest return [m]: a lone echo is no crown."""

MIN_RADIUS_SHARE, MIN_RADIUS_M = 0.08, 0.5
"""Least crown radius as a share of the height and outright [m]: leafless crowns return few points."""


@njit
def _window(height: float) -> float:
    """Radius in which a tree is alone [m]; diameter 2.51503 + 0.00901 h^2 (Popescu and Wynne 2004)."""
    return 0.5 * (2.51503 + 0.00901 * height * height)


@njit
def _tops(heights: NDArray[np.float64], cell: float, lowest: float, out: NDArray[np.int32]) -> int:
    """Number the cells that are highest in their own window; the first in row order wins a tie."""
    rows, cols = heights.shape
    count = 0
    for row in range(rows):
        for col in range(cols):
            h = heights[row, col]
            if h < lowest:
                continue
            reach = max(1.0, _window(h) / cell)
            n = int(reach)
            top = True
            # The nearest rings first: most cells are no top, and a neighbour shows it.
            for dr, dc in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                r, c = row + dr, col + dc
                if 0 <= r < rows and 0 <= c < cols and heights[r, c] > h:
                    top = False
            if not top:
                continue
            for r in range(max(0, row - n), min(rows, row + n + 1)):
                for c in range(max(0, col - n), min(cols, col + n + 1)):
                    if (r - row) ** 2 + (c - col) ** 2 > reach * reach:
                        continue
                    other = heights[r, c]
                    if other > h or (other == h and (r < row or (r == row and c < col))):
                        top = False
                        break
                if not top:
                    break
            if top:
                count += 1
                out[row, col] = count
    return count


@njit
def _flood(
    heights: NDArray[np.float64],
    order: NDArray[np.int64],
    cell: float,
    tops: tuple[NDArray[np.int64], NDArray[np.float64]],
    labels: NDArray[np.int32],
) -> None:
    """Give each cell, from the highest down, to the crown of its highest neighbour that may reach so far."""
    rows, cols = heights.shape
    places, top_heights = tops
    for k in range(len(order)):
        row, col = order[k] // cols, order[k] % cols
        if labels[row, col] > 0:
            continue
        best, label = -1.0, 0
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                r, c = row + dr, col + dc
                if not (0 <= r < rows and 0 <= c < cols):
                    continue
                tree = labels[r, c]
                if tree == 0 or heights[r, c] <= best:
                    continue
                h = top_heights[tree - 1]
                far_r, far_c = row - places[tree - 1] // cols, col - places[tree - 1] % cols
                reach = 1.5 * _window(h) / cell
                if heights[row, col] >= CROWN_FLOOR * h and far_r**2 + far_c**2 <= reach * reach:
                    best, label = heights[r, c], tree
        labels[row, col] = label


def detect_trees(
    canopy: Raster,
    dtm: Raster,
    exclude: Sequence[shapely.Polygon | shapely.MultiPolygon] = (),
    *,
    min_height_m: float = MIN_HEIGHT_M,
) -> tuple[Tree, ...]:
    """Trees where vegetation points are high.

    Parameters
    ----------
    canopy
        Highest vegetation point of each cell above the datum [m]; NaN where there is none.
    dtm
        Ground on the same grid [m]; no tree stands where it is NaN.
    exclude
        Polygons without trees, such as buildings, local space.
    min_height_m
        Least height above ground [m].

    Returns
    -------
    tuple of Tree
        In the order of their ids, ``t-<east>-<north>`` in decimetres, world space.

    Raises
    ------
    FrameMismatchError
        The rasters lie on different grids.
    InputError
        The least height is no positive number.

    Notes
    -----
    The crown's radius is that of a circle of the crown's area. The window follows Popescu and Wynne (2004),
    "Seeing the trees in the forest", Photogrammetric Engineering and Remote Sensing 70(5).
    """
    canopy.require_same_grid(dtm)
    if not (np.isfinite(min_height_m) and min_height_m > 0):
        raise InputError(
            f"the least height of a tree must be a positive number of metres; got {min_height_m}"
        )
    raw, barred = _above_ground(canopy, dtm, exclude)
    cell = canopy.grid.cell_size
    # Closing fills the pits between twigs before the smoothing would pull the top down.
    closed = np.where(barred, 0.0, grey_closing(raw, size=(3, 3)))
    smooth = gaussian_filter(closed, SMOOTH_M / cell, mode="nearest", truncate=3.0)
    smooth[barred] = 0.0
    labels = np.zeros(raw.shape, dtype=np.int32)
    # The top of a slim crown is smoothed below the least height; the raw height decides further down.
    count = int(_tops(smooth, cell, 0.5 * min_height_m, labels))
    if not count:
        return ()
    places = np.flatnonzero(labels)
    wooded = np.flatnonzero(smooth > 0.2 * min_height_m)
    order = wooded[np.argsort(-smooth.ravel()[wooded], kind="stable")]
    _flood(smooth, order, cell, (places, smooth.ravel()[places]), labels)
    crowns = np.where(closed > 0, labels, 0).ravel()
    area = (np.bincount(crowns, minlength=count + 1)[1:] * (cell * cell)).astype(np.float64)
    height = _top_heights(raw.ravel(), crowns, count)
    keep = (height >= min_height_m) & (area >= MIN_CROWN_M2)
    return _trees(dtm, places[keep], height[keep], area[keep])


def _top_heights(raw: NDArray[np.float64], crowns: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Height of each crown's top (count,): its highest cell, and what a few returns leave of a rounded top.

    The highest returns lie below the top by as much, on average, as they lie apart: the estimate of an end point
    from its order statistics (Robson and Whitlock 1964, Biometrika 51), with the mean of ``SPACINGS`` gaps.
    """
    cells = np.flatnonzero((crowns > 0) & (raw > 0))
    order = cells[np.lexsort((-raw[cells], crowns[cells]))]
    owner = crowns[order]
    first = np.searchsorted(owner, np.arange(1, count + 2))
    size = np.diff(first)
    height = np.zeros(count)
    some = size > 0
    height[some] = raw[order[first[:-1][some]]]
    enough = size > SPACINGS
    spread = height[enough] - raw[order[first[:-1][enough] + SPACINGS]]
    height[enough] += np.minimum(spread / SPACINGS, MOST_ADDED_M)
    return height


def _above_ground(
    canopy: Raster, dtm: Raster, exclude: Sequence[Any]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Canopy less ground [m], 0 where there is none; and the cells where no tree may stand."""
    ground, grid = dtm.values, canopy.grid
    raw = canopy.values.astype(np.float64) - ground
    raw = np.where(np.isfinite(raw), np.maximum(raw, 0.0), 0.0)
    barred = ~np.isfinite(ground)
    if len(exclude):
        barred |= PolygonIndex(exclude).contains(grid.centres()).reshape(grid.shape)
    raw[barred] = 0.0
    return raw, barred


def _trees(
    dtm: Raster, places: NDArray[np.int64], height: NDArray[np.float64], area: NDArray[np.float64]
) -> tuple[Tree, ...]:
    grid = dtm.grid
    x, y = grid.x_centres()[places % grid.cols], grid.y_centres()[places // grid.cols]
    world = np.rint(10 * grid.frame.to_world(np.column_stack([x, y]))).astype(np.int64)
    least = np.maximum(MIN_RADIUS_M, MIN_RADIUS_SHARE * height)
    radius = np.maximum(np.sqrt(area / np.pi), least)
    found = [
        Tree(
            id=f"t-{world[k, 0]}-{world[k, 1]}",
            frame=grid.frame,
            x=float(x[k]),
            y=float(y[k]),
            ground=float(dtm.values.ravel()[places[k]]),
            height=round(float(height[k]), 3),
            crown_radius=round(float(radius[k]), 3),
            crown_base=round(float(CROWN_BASE * height[k]), 3),
        )
        for k in np.lexsort((world[:, 1], world[:, 0]))
    ]
    return tuple(found)
