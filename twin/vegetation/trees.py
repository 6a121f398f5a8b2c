"""Single trees from the canopy: local maxima of the height above ground, crowns by flooding downhill.

Stems stand at the centre of the crown's returns: in leafless crowns it lies nearer to the stem than the highest twig.
"""

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
from twin.model.canopy import Canopy
from twin.model.objects import Tree
from twin.model.raster import Raster
from twin.vegetation.crowns import (
    MIN_RADIUS_M,
    MIN_RADIUS_SHARE,
    Cells,
    Crowns,
    bases,
    measure_crowns,
    tops,
)

MIN_HEIGHT_M = 3.0
"""Lower vegetation is shrub [m]."""

SMOOTH_M = 0.5
"""Standard deviation of the smoothing before maxima are sought [m]: one crown has many twigs."""

MIN_CROWN_M2 = 1.0
"""A smaller crown is a pole, a wire or a stray echo [m2]."""

CROWN_FLOOR = 0.4
"""A crown reaches down to this share of its top's height."""

MIN_RETURNS = 3
"""Fewer vegetation returns are no crown."""

LINE_WIDTH, LINE_LENGTH_M = 0.25, 0.5
"""What is narrower than this share of its length, and longer than this (standard deviations in plan), is a wire, a
crane's arm or the edge of a roof."""

MAX_HEIGHT_M = 60.0
"""Nothing higher is a tree here: masts and pylons [m]."""


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
    canopy: Canopy,
    dtm: Raster,
    exclude: Sequence[shapely.Polygon | shapely.MultiPolygon] = (),
    *,
    min_height_m: float = MIN_HEIGHT_M,
) -> tuple[Tree, ...]:
    """Trees where vegetation points are high.

    Parameters
    ----------
    canopy
        Vegetation points of each cell.
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
    Height, base and radius are estimates for the whole crown, not its extreme returns (``twin.vegetation.crowns``).
    The window follows Popescu and Wynne (2004), "Seeing the trees in the forest", Photogrammetric Engineering and
    Remote Sensing 70(5).
    """
    canopy.top.require_same_grid(dtm)
    if not (np.isfinite(min_height_m) and min_height_m > 0):
        raise InputError(
            f"the least height of a tree must be a positive number of metres; got {min_height_m}"
        )
    raw, barred = _above_ground(canopy.top, dtm, exclude)
    labels, places, area = _crowns(raw, barred, canopy.grid.cell_size, min_height_m)
    if not len(places):
        return ()
    cells = _cells(canopy, dtm, labels, raw > 0)
    crowns = measure_crowns(cells, len(places))
    stems = _stems(crowns, labels, places, dtm)
    ground = dtm.values.ravel()[stems[2]].astype(np.float64)
    _, height = tops(cells, ground)
    base, seen = bases(cells, ground, height)
    line = (crowns.width < LINE_WIDTH * crowns.length) & (crowns.length > LINE_LENGTH_M)
    # An estimate alone makes no shrub a tree: a return must show the least height over the ground below it.
    tallest = np.zeros(len(places) + 1)
    np.maximum.at(tallest, labels.ravel(), raw.ravel())
    keep = (
        (tallest[1:] >= min_height_m)
        & (height >= min_height_m)
        & (height <= MAX_HEIGHT_M)
        & (area >= MIN_CROWN_M2)
    )
    keep &= (crowns.returns >= MIN_RETURNS) & ~line
    rows = [
        (
            float(stems[0][k]),
            float(stems[1][k]),
            float(ground[k]),
            float(height[k]),
            float(base[k]),
            bool(seen[k]),
        )
        for k in np.flatnonzero(keep)
    ]
    return _trees(dtm, rows, crowns, np.flatnonzero(keep), cells.area)


def _crowns(
    raw: NDArray[np.float64], barred: NDArray[np.bool_], cell: float, min_height_m: float
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """Crown of each cell (from 1, 0 for none), and of each crown the cell of its top and its area [m2]."""
    # Closing fills the pits between twigs before the smoothing would pull the top down.
    closed = np.where(barred, 0.0, grey_closing(raw, size=(3, 3)))
    smooth = gaussian_filter(closed, SMOOTH_M / cell, mode="nearest", truncate=3.0)
    smooth[barred] = 0.0
    labels = np.zeros(raw.shape, dtype=np.int32)
    # The top of a slim crown is smoothed below the least height; the raw height decides further down.
    count = int(_tops(smooth, cell, 0.5 * min_height_m, labels))
    places = np.flatnonzero(labels)
    if count:
        wooded = np.flatnonzero(smooth > 0.2 * min_height_m)
        order = wooded[np.argsort(-smooth.ravel()[wooded], kind="stable")]
        _flood(smooth, order, cell, (places, smooth.ravel()[places]), labels)
    filled = np.bincount(np.where(closed > 0, labels, 0).ravel(), minlength=count + 1)[1:]
    return labels, places, (filled * (cell * cell)).astype(np.float64)


def _cells(canopy: Canopy, dtm: Raster, labels: NDArray[np.int32], leafy: NDArray[np.bool_]) -> Cells:
    """The cells of crowns that have returns."""
    grid = canopy.grid
    rows, cols = np.nonzero(leafy & (labels > 0))

    def of(raster: Raster) -> NDArray[np.float64]:
        return raster.values[rows, cols].astype(np.float64)

    return Cells(
        labels[rows, cols].astype(np.int64) - 1,
        grid.x_centres()[cols],
        grid.y_centres()[rows],
        of(canopy.top),
        of(canopy.low),
        of(dtm),
        of(canopy.returns),
        grid.cell_size**2,
    )


def _stems(
    crowns: Crowns, labels: NDArray[np.int32], places: NDArray[np.int64], dtm: Raster
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """x, y and cell of the stems: the centre of the returns where it lies in the crown, else the top."""
    grid = dtm.grid
    x, y = grid.x_centres()[places % grid.cols], grid.y_centres()[places // grid.cols]
    known = np.isfinite(crowns.x)
    rows, cols = grid.rows_cols(np.where(known, crowns.x, x), np.where(known, crowns.y, y))
    cell = rows.astype(np.int64) * grid.cols + cols
    own = known & (labels.ravel()[cell] == np.arange(1, len(places) + 1))
    return np.where(own, crowns.x, x), np.where(own, crowns.y, y), np.where(own, cell, places)


def _above_ground(
    top: Raster, dtm: Raster, exclude: Sequence[Any]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Canopy less ground [m], 0 where there is none; and the cells where no tree may stand."""
    ground, grid = dtm.values, top.grid
    raw = top.values.astype(np.float64) - ground
    raw = np.where(np.isfinite(raw), np.maximum(raw, 0.0), 0.0)
    barred = ~np.isfinite(ground)
    if len(exclude):
        barred |= PolygonIndex(exclude).contains(grid.centres()).reshape(grid.shape)
    raw[barred] = 0.0
    return raw, barred


def _trees(
    dtm: Raster,
    rows: Sequence[tuple[float, float, float, float, float, bool]],
    crowns: Crowns,
    numbers: NDArray[np.int64],
    cell_area: float,
) -> tuple[Tree, ...]:
    """The trees in the order of their ids; places are told apart by decimetres."""
    frame, found = dtm.grid.frame, {}
    for (x, y, ground, height, base, seen), k in zip(rows, numbers.tolist(), strict=True):
        spread = float(crowns.radius[k])
        radius = max(spread, MIN_RADIUS_M, MIN_RADIUS_SHARE * height)
        east, north = np.rint(10 * frame.to_world(np.array([[x, y]]))[0]).astype(np.int64).tolist()
        found[(east, north)] = Tree(
            id=f"t-{east}-{north}",
            frame=frame,
            x=round(x, 3),
            y=round(y, 3),
            ground=ground,
            height=round(height, 3),
            crown_radius=round(radius, 3),
            crown_base=round(base, 3),
            crown_base_seen=seen,
            crown_returns=int(crowns.returns[k]),
            crown_cover=round(min(1.0, float(crowns.cells[k]) * cell_area / (np.pi * radius**2)), 3),
        )
    return tuple(found[key] for key in sorted(found))
