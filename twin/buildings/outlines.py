"""Outlines of buildings where no map has them: from smooth patches of points above the ground.

Cells that hold roof points are closed, joined, traced, thinned, and turned to their main directions. Houses that
share a wall come as one outline. The raster is fixed in world space and points are judged in fixed squares, so
tiles, chunks and the order of points change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_opening, find_objects, label

from twin.classify.roofs import RoofSettings, roof_mask
from twin.errors import InputError
from twin.frame import Frame
from twin.model.objects import Footprint
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid, Raster
from twin.terrain.sampler import sample_bilinear

SQUARE_M, MARGIN_M = 100.0, 15.0
"""Points are judged in squares of this side, with the points of a margin around them [m]."""
MIN_AREA_M2 = 12.0
"""A smaller patch is a shed, a lorry or a dense crown [m2]."""
MIN_COURT_M2 = 9.0
"""A smaller hole is a gap between points [m2]."""
TURN_DEG = 25.0
"""A side this close to a main direction is turned into it [degree]."""
STRICT = RoofSettings(min_height_m=0.0, patch_m2=4.0, roughness_m=0.12, beside_m=0.0, touch_m=0.0)
"""Without an outline there are trees and lorries to be told apart: only points on patches count."""


@dataclass(frozen=True, slots=True)
class _Kept:
    millimetres: NDArray[np.int32]
    returns: NDArray[np.uint8]


class HighPointCollector:
    """Keeps the points of roof classes that stand above the ground; 14 bytes each.

    Parameters
    ----------
    dtm
        Height of the ground [m], voids filled.
    roof_classes
        Codes of the points that may be roof.
    min_height_m
        Least height above the DTM, exclusive [m].
    """

    def __init__(self, dtm: Raster, roof_classes: Any, *, min_height_m: float) -> None:
        self.frame = dtm.grid.frame
        self.min_height_m = min_height_m
        self._dtm: Raster | None = dtm
        self._is_roof = np.zeros(256, dtype=np.bool_)
        self._is_roof[[int(code) for code in roof_classes]] = True
        self._kept: list[_Kept] = []

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_dtm": None}

    def add(self, cloud: PointCloud) -> None:
        """Take the points of a chunk."""
        if self._dtm is None:
            raise InputError("a collector from another process can be merged and read, not added to")
        self.frame.require_same(cloud.frame, "a point cloud")
        which = np.flatnonzero(self._is_roof[cloud.classification])
        xyz = cloud.xyz[which]
        high = xyz[:, 2] - sample_bilinear(self._dtm, xyz[:, :2]) > self.min_height_m
        which = which[high]
        returns = np.column_stack([cloud.return_number[which], cloud.number_of_returns[which]])
        self._kept.append(_Kept(np.rint(xyz[high] * 1000.0).astype(np.int32), returns))

    def merge(self, other: HighPointCollector) -> None:
        """Take what another collector has kept."""
        self.frame.require_same(other.frame, "a collector of points")
        self._kept.extend(other._kept)

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Places (n, 3) local space [m], return number and number of returns (n, 2)."""
        if not self._kept:
            return np.empty((0, 3)), np.empty((0, 2), dtype=np.uint8)
        places = np.concatenate([kept.millimetres for kept in self._kept]) / 1000.0
        return places, np.concatenate([kept.returns for kept in self._kept])


def derive_outlines(collector: HighPointCollector, grid: Grid) -> list[Footprint]:
    """Outlines of the buildings that the points show.

    Parameters
    ----------
    collector
        Points above the ground.
    grid
        Area of the site; its cells do not matter.

    Returns
    -------
    list
        Footprints from north to south, ``id`` from the world place of the middle.
    """
    xyz, returns = collector.points()
    if not len(xyz):
        return []
    roof, spacing = _roofs(xyz, returns, collector.frame)
    cell = float(np.clip(np.ceil(spacing * 14.0) / 10.0, 0.5, 3.0))
    cells = Grid.over(collector.frame, grid.region, cell)
    mask = _mask(xyz[roof], cells)
    shapes = []
    labels, _ = label(mask)
    for number, place in enumerate(find_objects(labels), start=1):
        shape = _traced(labels[place] == number, cells, (place[0].start, place[1].start))
        if shape.area >= MIN_AREA_M2:
            shapes.append(regularised(shape, cell))
    return _named([shape for shape in shapes if shape.area >= MIN_AREA_M2], collector.frame)


def _roofs(
    xyz: NDArray[np.float64], returns: NDArray[np.uint8], frame: Frame
) -> tuple[NDArray[np.bool_], float]:
    """Which points are on roof patches, square by square, and the usual distance between points [m]."""
    world = xyz[:, :2] + np.asarray(frame.origin, dtype=np.float64)
    square = np.floor(world / SQUARE_M).astype(np.int64)
    roof = np.zeros(len(xyz), dtype=np.bool_)
    order = np.lexsort((square[:, 1], square[:, 0]))
    rows = square[order]
    starts = np.flatnonzero(np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)])
    blocks = {tuple(rows[a]): order[a:b] for a, b in zip(starts, [*starts[1:], len(rows)], strict=True)}
    occupied = 0
    for (i, j), own in blocks.items():
        near = [
            blocks[i + di, j + dj] for di in (-1, 0, 1) for dj in (-1, 0, 1) if (i + di, j + dj) in blocks
        ]
        around = np.concatenate(near)
        low, high = np.array([i, j]) * SQUARE_M - MARGIN_M, np.array([i + 1, j + 1]) * SQUARE_M + MARGIN_M
        around = around[((world[around] >= low) & (world[around] < high)).all(axis=1)]
        found = roof_mask(xyz[around], np.ones(len(around)), returns[around, 0], returns[around, 1], STRICT)
        inside = (square[around] == (i, j)).all(axis=1)
        roof[around[inside]] = found[inside]
        occupied += len(np.unique(np.floor(world[own] / 2.0).astype(np.int64), axis=0))
    return roof, float(np.sqrt(4.0 * occupied / len(xyz)))


def _mask(xyz: NDArray[np.float64], cells: Grid) -> NDArray[np.bool_]:
    """Cells of buildings: those with roof points, small gaps closed, thin things gone."""
    rows, cols = cells.rows_cols(xyz[:, 0], xyz[:, 1])
    inside = (rows >= 0) & (rows < cells.rows) & (cols >= 0) & (cols < cells.cols)
    mask = np.zeros(cells.shape, dtype=np.bool_)
    mask[rows[inside], cols[inside]] = True
    block = np.ones((3, 3), dtype=np.bool_)
    mask = np.pad(mask, 2)
    mask = binary_opening(binary_closing(mask, block), block)[2:-2, 2:-2]
    holes, count = label(~mask)
    small = np.bincount(holes.ravel(), minlength=count + 1) * cells.cell_size**2 < MIN_COURT_M2
    small[0] = False
    filled: NDArray[np.bool_] = mask | small[holes]
    return filled


def _traced(mask: NDArray[np.bool_], cells: Grid, corner: tuple[int, int]) -> shapely.Polygon:
    """The outline of a patch of cells, each of its rows as boxes."""

    def place(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Local place of columns and rows that count from the corner."""
        at = (xy + np.array([corner[1], -corner[0]])) * cells.cell_size
        local: NDArray[np.float64] = at + np.array([cells.west, cells.north])
        return local

    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    steps = np.diff(padded, axis=1)
    row, first = np.nonzero(steps == 1)
    _, last = np.nonzero(steps == -1)
    # Whole numbers: sides of neighbouring boxes are then the same to the bit.
    whole = shapely.union_all(shapely.box(first, -(row + 1), last, -row))
    # Cells reach a quarter of a cell over the last points, on the average.
    shrunk = shapely.transform(whole.buffer(-0.25, join_style="mitre"), place)
    parts = [p for p in shapely.get_parts(shrunk) if not p.is_empty]
    return max(parts, key=lambda p: p.area) if parts else shapely.Polygon()


def regularised(polygon: shapely.Polygon, cell: float) -> shapely.Polygon:
    """A traced outline without its stairs, its sides turned into two directions at right angles where they fit.

    Parameters
    ----------
    polygon
        Outline along cells.
    cell
        Their side [m].
    """
    fine = polygon.segmentize(cell)
    smooth = shapely.Polygon(
        _middles(np.asarray(fine.exterior.coords)), [_middles(np.asarray(r.coords)) for r in fine.interiors]
    )
    thin = smooth.simplify(0.8 * cell)
    if not isinstance(thin, shapely.Polygon) or thin.is_empty or not thin.is_valid:
        return polygon
    main = _main_direction(np.asarray(smooth.exterior.simplify(1.3 * cell).coords))
    rings = [_squared(np.asarray(ring.coords), main, cell) for ring in (thin.exterior, *thin.interiors)]
    if rings[0] is None:
        return thin
    courts = [r for r in rings[1:] if r is not None and shapely.Polygon(r).area >= MIN_COURT_M2]
    square = shapely.Polygon(rings[0], courts)
    if not square.is_valid or square.is_empty:
        return thin
    common = square.intersection(polygon).area / square.union(polygon).area
    before = thin.intersection(polygon).area / thin.union(polygon).area
    return square if common >= before - 0.06 else thin


def _middles(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middles of the sides of a closed ring: those of a stair lie along the line that it follows."""
    middles = (ring[:-1] + ring[1:]) / 2.0
    closed: NDArray[np.float64] = np.vstack([middles, middles[:1]])
    return closed


def _main_direction(ring: NDArray[np.float64]) -> float:
    """Direction [radian] along which, and across, the ring is walked with the least detour."""
    sides = np.diff(ring[:, :2], axis=0)
    length, angle = np.hypot(sides[:, 0], sides[:, 1]), np.arctan2(sides[:, 1], sides[:, 0])
    tried = np.radians(np.arange(0.0, 90.0, 0.5))
    off = angle[None, :] - tried[:, None]
    walked = (length * (np.abs(np.cos(off)) + np.abs(np.sin(off)))).sum(axis=1)
    return float(tried[int(np.argmin(np.round(walked, 9)))])


def _squared(ring: NDArray[np.float64], main: float, cell: float) -> NDArray[np.float64] | None:
    """A ring with its sides turned; None where it falls together."""
    corners = ring[:-1, :2]
    sides = np.roll(corners, -1, axis=0) - corners
    angles = np.arctan2(sides[:, 1], sides[:, 0])
    quarter = np.round((angles - main) / (np.pi / 2.0))
    snapped = main + quarter * np.pi / 2.0
    middles = corners + sides / 2.0
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    off = np.abs(angles - snapped)
    # A long side that would move far is a wall of its own direction.
    turn = (off <= np.radians(TURN_DEG)) & (lengths / 2.0 * np.sin(off) <= 1.5 * cell)
    angles = np.where(turn, snapped, angles)
    # What cuts a corner off, or is a step askew, follows from its neighbours.
    lines = [
        (middles[k], angles[k], lengths[k]) for k in range(len(corners)) if turn[k] or lengths[k] > 4 * cell
    ]
    lines = _joined(lines, cell)
    if len(lines) < 3:
        return None
    out = []
    for k in range(len(lines)):
        (p, a, _), (q, b, _) = lines[k - 1], lines[k]
        cross = np.sin(b - a)
        if abs(cross) < 0.1:
            # Parallel, and apart: a short side between them, where the two ends are half way.
            between = (np.dot(p, _unit(a)) + np.dot(q, _unit(a))) / 2.0
            out += [
                p + _unit(a) * (between - np.dot(p, _unit(a))),
                q + _unit(a) * (between - np.dot(q, _unit(a))),
            ]
            continue
        d = q - p
        out.append(p + _unit(a) * ((d[0] * np.sin(b) - d[1] * np.cos(b)) / cross))
    return np.array(out)


def _unit(angle: float) -> NDArray[np.float64]:
    return np.array([np.cos(angle), np.sin(angle)])


def _joined(lines: list[tuple[NDArray[np.float64], float, float]], cell: float) -> list[Any]:
    """Consecutive lines of one direction that lie within a cell of each other, as one."""
    done = list(lines)
    k = 0
    while len(done) > 3 and k < len(done):
        (p, a, m), (q, b, n) = done[k - 1], done[k]
        apart = abs(float(np.dot(q - p, _unit(a + np.pi / 2.0))))
        if abs(np.sin(b - a)) < 0.02 and np.cos(b - a) > 0 and apart < 1.5 * cell:
            done[k - 1] = ((p * m + q * n) / (m + n), a if m >= n else b, m + n)
            del done[k]
        else:
            k += 1
    return done


def _named(shapes: list[shapely.Polygon], frame: Frame) -> list[Footprint]:
    """Footprints with an id from their place, so that a building keeps its id when others come and go."""
    order = sorted(shapes, key=lambda s: (-round(s.centroid.y, 3), round(s.centroid.x, 3)))
    used: dict[str, int] = {}
    found = []
    for shape in order:
        middle = shape.centroid
        east, north = middle.x + frame.origin[0], middle.y + frame.origin[1]
        name = f"outline-{east:.0f}-{north:.0f}"
        used[name] = used.get(name, 0) + 1
        unique = name if used[name] == 1 else f"{name}-{used[name]}"
        found.append(Footprint(unique, frame, shape, {"outline_source": "derived from points"}))
    return found
