"""Water on the ground: outlines, level lakes, rivers that fall downstream and never stand above their banks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from twin.errors import InputError
from twin.model.geometry import Geometry
from twin.model.mesh import TriangleMesh
from twin.model.objects import CityObject, attributes_of, best_geometry
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.terrain.profile import River, river_levels

SEEN_WATER, SEEN_GROUND, SEEN_BRIDGE, SEEN_CANOPY, SEEN_OTHER = 1, 2, 4, 8, 16
"""Bits of what fell into a cell."""
ROUNDED_CELLS = 2.0
"""Spread of the smoothing of outlines [cells]."""
SIMPLE_CELLS = 1.0
"""Tolerance of simplified outlines [cells]."""
WIDE_M = 3.0
"""An empty patch beside water that holds a square so wide is water too: still water mirrors pulses away [m]."""
BANK_CELLS = 3
"""Width of the strip of ground beside water that is its bank [cells]."""
BANK_SHARE = 0.2
"""Of the heights on a bank, the share that is lower than what counts as its height."""
ON_OUTLINE_M = 0.002
"""A centre so near to an outline lies on it [m]."""
LONG = 4.0
"""Water so much longer than it is wide is a river, and so is what crosses the border of the site."""
LEVEL_M = 0.05
"""A river that falls less from end to end is one level [m]."""
NEAR_CELLS = 3
"""Cells by which levels go on beyond the outlines, so that outlines can be read off them."""


@dataclass(frozen=True, slots=True, eq=False)
class WaterSurface:
    """One connected piece of water.

    Parameters
    ----------
    id
        ``w-EAST-NORTH`` of a point in it, to 10 m.
    outline
        Outline with islands as holes, local space [m].
    kind
        ``lake`` (one level) or ``river``.
    attributes
        For the city model.
    """

    id: str
    outline: shapely.Polygon
    kind: str
    attributes: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", attributes_of(self.attributes))


@dataclass(frozen=True, slots=True, eq=False)
class Waters:
    """All water of a site.

    Parameters
    ----------
    bodies
        From the south-west.
    inside
        Bool: cells whose centre is in an outline.
    levels
        Level of the water [m] inside and ``NEAR_CELLS`` around, NaN elsewhere.
    no_land
        Bool: cells inside, and those near an outline that only water points fell into.
    """

    bodies: tuple[WaterSurface, ...]
    inside: Raster
    levels: Raster
    no_land: Raster

    def flatten(self, dtm: Raster) -> Raster:
        """Heights with the water's level where there is water."""
        dtm.require_same_grid(self.inside)
        values = np.where(self.inside.values, self.levels.values, dtm.values).astype(np.float32)
        values.flags.writeable = False
        return Raster(dtm.grid, values)

    def land(self, ground: Raster) -> Raster:
        """Ground heights without those of the water, so that voids at a quay wall do not lean on it."""
        ground.require_same_grid(self.no_land)
        values = np.where(self.no_land.values, np.nan, ground.values).astype(np.float32)
        values.flags.writeable = False
        return Raster(ground.grid, values)


def mask_outlines(mask: NDArray[np.bool_], place: tuple[float, float, float]) -> list[shapely.Polygon]:
    """Outlines of the marked cells, simplified within ``SIMPLE_CELLS``, islands as holes.

    Parameters
    ----------
    mask
        (rows, cols), row 0 is north.
    place
        West and north corner and the cell [m].
    """
    west, north, cell = place
    edge = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, first = np.nonzero(edge == 1)
    _, last = np.nonzero(edge == -1)
    runs = shapely.box(west + first * cell, north - (row + 1) * cell, west + last * cell, north - row * cell)
    whole = shapely.union_all(runs, grid_size=cell * 1e-3)
    parts = [p for p in shapely.get_parts(whole) if isinstance(p, shapely.Polygon)]
    # A buffer by nothing parts what touches in one point.
    out = []
    for part in parts:
        for piece in shapely.get_parts(part.simplify(SIMPLE_CELLS * cell).buffer(0.0)):
            if isinstance(piece, shapely.Polygon) and piece.area > 0:
                out.append(piece)
    return out


def outlines_from(seen: Raster, min_area_m2: float) -> list[shapely.Polygon]:
    """Outlines of water from what fell into the cells (``SEEN_*``).

    A cell belongs to what is nearest: water or land. Bridges and crowns are neither, so that water goes on under
    them. Wide patches without any return that touch water are water.
    """
    window = _window(seen, SEEN_WATER)
    if window is None:
        return []
    at, grid = window
    bits = seen.values[at]
    cell = grid.cell_size
    water = (bits & SEEN_WATER) > 0
    land = ((bits & (SEEN_GROUND | SEEN_OTHER)) > 0) & ~water
    water |= _mirrors(bits == 0, water, max(3, round(WIDE_M / cell) | 1))
    mask = _nearer(bits == 0, water, land)
    mask = ndimage.gaussian_filter(mask.astype(np.float32), ROUNDED_CELLS, mode="nearest") > 0.5
    found = mask_outlines(mask, (grid.west, grid.north, cell))
    return [_without_islets(p, min_area_m2) for p in found if p.area >= min_area_m2]


def _nearer(empty: NDArray[np.bool_], water: NDArray[np.bool_], land: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which cells belong to water: of the nearest kind, but empty ones that are too far from dense land are water."""
    to_water = ndimage.distance_transform_edt(~water).astype(np.float32)
    to_land = ndimage.distance_transform_edt(~land).astype(np.float32)
    mask: NDArray[np.bool_] = to_water <= to_land
    land_gap, water_gap = _gap(land, ~mask & (land | empty)), _gap(water, mask & (water | empty))
    mask |= empty & (to_land > land_gap) & (to_water <= water_gap)
    return mask


def _gap(seen: NDArray[np.bool_], within: NDArray[np.bool_]) -> float:
    """How far an empty cell commonly is from a seen one: twice the mean, for points strewn evenly [cells]."""
    share = min(float(seen[within].mean()), 0.98) if within.any() else 0.98
    return float(max(1.0, 1.0 / np.sqrt(max(-np.log(1.0 - share), 1e-6))))


def _without_islets(polygon: shapely.Polygon, min_area_m2: float) -> shapely.Polygon:
    holes = [ring for ring in polygon.interiors if shapely.Polygon(ring).area >= min_area_m2]
    return shapely.Polygon(polygon.exterior, holes)


def _window(seen: Raster, bit: int) -> tuple[tuple[slice, slice], Grid] | None:
    """The rows and columns around the marked cells, and their grid."""
    rows = np.flatnonzero(((seen.values & bit) > 0).any(axis=1))
    cols = np.flatnonzero(((seen.values & bit) > 0).any(axis=0))
    if not len(rows):
        return None
    grid, edge = seen.grid, int(np.ceil(30.0 / seen.grid.cell_size))
    r0, r1 = max(0, rows[0] - edge), min(grid.rows, rows[-1] + 1 + edge)
    c0, c1 = max(0, cols[0] - edge), min(grid.cols, cols[-1] + 1 + edge)
    west, north = grid.west + c0 * grid.cell_size, grid.north - r0 * grid.cell_size
    part = Grid(grid.frame, float(west), float(north), grid.cell_size, int(r1 - r0), int(c1 - c0))
    return (slice(int(r0), int(r1)), slice(int(c0), int(c1))), part


def _mirrors(empty: NDArray[np.bool_], water: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Wide patches without returns that touch water."""
    square = np.ones((width, width), dtype=np.bool_)
    wide = ndimage.binary_opening(empty, square)
    number, count = ndimage.label(wide, structure=np.ones((3, 3), np.bool_))
    if not count:
        return wide
    touched = np.unique(number[ndimage.binary_dilation(water, np.ones((3, 3), np.bool_), iterations=2)])
    found: NDArray[np.bool_] = np.isin(number, touched[touched > 0])
    return found


def find_waters(
    ground: Raster,
    seen: Raster | None,
    *,
    outlines: Sequence[shapely.Polygon] | None = None,
    min_area_m2: float = 100.0,
) -> Waters | None:
    """The water of a site and its levels; None where there is none.

    Parameters
    ----------
    ground
        Height of ground and water where points fell [m], NaN elsewhere.
    seen
        uint8 bits (``SEEN_*``) of what fell into each cell; None where only heights are known.
    outlines
        Known outlines, local space; found among the points where None.
    min_area_m2
        Smaller pieces are left out, and so are smaller islands [m2].

    Raises
    ------
    InputError
        Neither outlines nor points, or a piece of water with no height on it and none around it.
    """
    grid = ground.grid
    if outlines is None and seen is None:
        raise InputError("water needs outlines, or points that show where it is")
    if outlines is None:
        found = outlines_from(seen, min_area_m2) if seen is not None else []
    else:
        box = shapely.box(*_corners(grid))
        cut = [part for p in outlines for part in shapely.get_parts(shapely.intersection(p, box))]
        merged = shapely.get_parts(shapely.union_all([p for p in cut if isinstance(p, shapely.Polygon)]))
        found = [p for p in merged if isinstance(p, shapely.Polygon) and p.area >= min_area_m2]
    found.sort(key=lambda p: p.bounds)
    inside = np.zeros(grid.shape, dtype=np.bool_)
    levels = np.full(grid.shape, np.nan, dtype=np.float32)
    bodies: list[WaterSurface] = []
    taken: set[str] = set()
    for outline in found:
        body = _lay(outline, ground, seen, (inside, levels), taken)
        if body is not None:
            bodies.append(body)
    if not bodies:
        return None
    no_land = inside
    if seen is not None:
        no_land = inside | (np.isfinite(levels) & ((seen.values & (SEEN_WATER | SEEN_GROUND)) == SEEN_WATER))
    for array in (inside, levels, no_land):
        array.flags.writeable = False
    return Waters(tuple(bodies), Raster(grid, inside), Raster(grid, levels), Raster(grid, no_land))


def _corners(grid: Grid) -> tuple[float, float, float, float]:
    region = grid.region
    return region.west, region.south, region.east, region.north


def _lay(
    outline: shapely.Polygon,
    ground: Raster,
    seen: Raster | None,
    out: tuple[NDArray[np.bool_], NDArray[np.float32]],
    taken: set[str],
) -> WaterSurface | None:
    """Mark the cells of one piece and write its level; None where no cell centre lies in it."""
    grid = ground.grid
    cell, (west, south, east, north) = grid.cell_size, outline.bounds
    edge = (BANK_CELLS + 2) * cell
    r0 = max(0, int((grid.north - north - edge) / cell))
    c0 = max(0, int((west - edge - grid.west) / cell))
    r1 = min(grid.rows, int((grid.north - south + edge) / cell) + 1)
    c1 = min(grid.cols, int((east + edge - grid.west) / cell) + 1)
    at = np.s_[r0:r1, c0:c1]
    x, y = np.meshgrid(grid.x_centres()[c0:c1], grid.y_centres()[r0:r1])
    # Centres on the outline are water: as vertices of the triangles they would lift it to the bank.
    grown = outline.buffer(ON_OUTLINE_M)
    shapely.prepare(grown)
    mask = shapely.contains_xy(grown, x, y)
    if not mask.any():
        return None
    z = ground.values[at].astype(np.float64)
    pure = (
        np.ones_like(mask) if seen is None else (seen.values[at] & (SEEN_WATER | SEEN_GROUND)) == SEEN_WATER
    )
    bank = (
        ndimage.binary_dilation(mask, np.ones((3, 3), np.bool_), iterations=BANK_CELLS)
        & ~mask
        & np.isfinite(z)
    )
    if seen is not None:
        bank &= (seen.values[at] & SEEN_GROUND) > 0
    wet = mask & pure & np.isfinite(z)
    if not (wet.any() or bank.any()):
        raise InputError(
            f"no height is known on or around the water at {outline.representative_point().wkt} (local space); "
            "take it out of the layer, or give points there"
        )
    border = np.zeros_like(mask)
    border[0] |= r0 == 0
    border[-1] |= r1 == grid.rows
    border[:, 0] |= c0 == 0
    border[:, -1] |= c1 == grid.cols
    level, kind, about = _levels(River(mask, wet, bank, z, border & mask, cell), outline)
    near = ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    around = ndimage.binary_dilation(mask, np.ones((3, 3), np.bool_), iterations=NEAR_CELLS)
    spread = level[tuple(near)]
    known = out[0][at]
    out[1][at] = np.where(around & ~known, spread, out[1][at])
    out[0][at] |= mask
    point = np.array(outline.representative_point().coords[0])
    e, n = np.rint((point + grid.frame.origin) / 10.0).astype(np.int64) * 10
    key, number = f"w-{e}-{n}", 2
    while key in taken:
        key, number = f"w-{e}-{n}-{number}", number + 1
    taken.add(key)
    about = {"class": kind, **about, "area_m2": round(outline.area, 1), "measured_cells": int(wet.sum())}
    return WaterSurface(key, outline, kind, about)


def _levels(river: River, outline: shapely.Polygon) -> tuple[NDArray[np.float64], str, dict[str, Any]]:
    """Level in each cell of one piece (NaN elsewhere), what it is, and its levels for the model."""
    half, area = outline.length / 4.0, outline.area
    # Length over width of the rectangle with this perimeter and area.
    root = np.sqrt(max(half * half - area, 0.0))
    long = bool(half + root >= LONG * max(half - root, 1e-9))
    if long or river.border.any():
        levels = river_levels(river, BANK_SHARE)
        low, high = float(np.nanmin(levels)), float(np.nanmax(levels))
        if high - low >= LEVEL_M:
            about = {"level_low_m": round(low, 3), "level_high_m": round(high, 3)}
            return levels, "river", about
    level = river.z[river.wet].mean() if river.wet.any() else np.inf
    if river.wet.any():
        level = float(np.median(river.z[river.wet]))
    if river.bank.any():
        level = min(level, float(np.quantile(river.z[river.bank], BANK_SHARE)))
    flat = np.where(river.mask, level, np.nan)
    return flat, "river" if long or river.border.any() else "lake", {"level_m": round(float(level), 3)}


def marked(tin: TriangleMesh, outlines: Sequence[shapely.Geometry]) -> TriangleMesh:
    """The triangles, those within outlines as ``Surface.WATER``."""
    if not outlines or not len(tin.faces):
        return tin
    whole = shapely.union_all(list(outlines))
    shapely.prepare(whole)
    middle = tin.vertices[tin.faces, :2].mean(axis=1)
    wet = shapely.contains_xy(whole, middle[:, 0], middle[:, 1])
    codes = np.where(wet, np.uint8(Surface.WATER), tin.semantics)
    return TriangleMesh(tin.frame, tin.vertices, tin.faces, codes)


def water_bodies(waters: Waters, tin: TriangleMesh) -> tuple[CityObject, ...]:
    """``WaterBody`` objects (LoD 1) of the terrain's own triangles, so that both fit without a gap."""
    middle = tin.vertices[tin.faces, :2].mean(axis=1)
    wet = np.flatnonzero(tin.semantics == Surface.WATER)
    made = []
    for body in waters.bodies:
        mine = wet[shapely.contains_xy(body.outline, middle[wet, 0], middle[wet, 1])]
        if not len(mine):
            continue
        used, number = np.unique(tin.faces[mine], return_inverse=True)
        faces = tuple((tuple(int(k) for k in row),) for row in number.reshape(-1, 3))
        codes = np.full(len(faces), Surface.WATER, np.uint8)
        shape = Geometry(
            "CompositeSurface", "1", tin.vertices[used], faces, codes, np.zeros((len(faces), 2), np.int32)
        )
        made.append(CityObject(body.id, "WaterBody", tin.frame, (shape,), body.attributes))
    return tuple(made)


def outlines_of_objects(others: Sequence[CityObject]) -> list[shapely.Geometry]:
    """Water in plan among the objects of a city model."""
    out: list[shapely.Geometry] = []
    for thing in others:
        shape = best_geometry(thing) if thing.type in ("WaterBody", "Waterway") else None
        if shape is not None:
            rings = [[shape.vertices[list(ring), :2] for ring in face] for face in shape.surfaces]
            flat = [shapely.make_valid(shapely.Polygon(face[0], face[1:])) for face in rings]
            out.append(shapely.union_all([f for f in flat if f.area > 0]))
    return out
