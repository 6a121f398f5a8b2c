"""Bridge decks from the points of a cloud's bridge class: closed solids with a free underside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, label

from twin.model.geometry import Geometry, Rings, solid
from twin.model.objects import CityObject, Failure
from twin.model.raster import Raster
from twin.model.surface import Surface
from twin.terrain.sampler import sample_bilinear
from twin.terrain.water import mask_outlines

STATION_M = 5.0
"""Length of deck whose points give one height [m]."""
STATION_POINTS = 20
"""Fewer points give no height."""
PLANE_M = 0.15
"""A deck whose heights all lie within this of one slope is one plane [m]."""
BEND_M = 0.05
"""Otherwise it gets a bend where its planes would be farther off [m]."""
TAIL = 0.01
"""Share of the points left out at either end when a deck is measured; they are put back by the same share."""
RECTANGLE_IOU = 0.85
"""A deck that a rectangle covers so well is that rectangle."""
CARRY_M = 6.0
"""How far the ends of a deck are carried to ground of its own height [m]."""
CARRY_STEP_M = 0.25
"""In such steps [m]."""
POINTS_PER_CELL = 6.0
"""Points that a cell of the search for decks holds on average."""
GRID_M = 0.001
"""Corners lie on whole steps of this [m]."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The line along a deck: middle and direction in plan, local space."""

    x: float
    y: float
    c: float
    s: float

    def along(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Along and across (n, 2) of local points (n, 2) [m]."""
        dx, dy = xy[:, 0] - self.x, xy[:, 1] - self.y
        return np.column_stack([dx * self.c + dy * self.s, dy * self.c - dx * self.s])

    def local(self, st: NDArray[np.float64]) -> NDArray[np.float64]:
        """Local points (n, 2) of places along and across (n, 2) [m]."""
        return np.column_stack(
            [self.x + st[:, 0] * self.c - st[:, 1] * self.s, self.y + st[:, 0] * self.s + st[:, 1] * self.c]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Height over the length of a deck: straight between bends.

    Parameters
    ----------
    s, z
        (n,) rising places of the bends along the axis and the heights there [m].
    """

    s: NDArray[np.float64]
    z: NDArray[np.float64]

    def heights(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Heights (n,) [m]; beyond the ends the first and last slope go on."""
        out: NDArray[np.float64] = np.interp(s, self.s, self.z)
        for end, inner, side in ((0, 1, s < self.s[0]), (-1, -2, s > self.s[-1])):
            slope = (self.z[end] - self.z[inner]) / (self.s[end] - self.s[inner])
            out = np.where(side, self.z[end] + slope * (s - self.s[end]), out)
        return out


def make_bridges(
    points: NDArray[np.float64], dtm: Raster, *, thickness_m: float = 1.0, min_area_m2: float = 20.0
) -> tuple[tuple[CityObject, ...], tuple[Failure, ...]]:
    """Bridges as solids: top from the points, thickness as stated, since no point shows the underside.

    Parameters
    ----------
    points
        (n, 3) points of the bridge class, local space [m]; their order does not matter.
    dtm
        The ground, to which the ends of the decks are carried.
    thickness_m
        From the top of a deck to its underside [m].
    min_area_m2
        Smaller patches are left out [m2].

    Returns
    -------
    Bridges (CityJSON ``Bridge``, LoD 2), from the south-west, and why others could not be made.
    """
    made: list[CityObject] = []
    failures: list[Failure] = []
    taken: set[str] = set()
    for deck in clusters(points, min_area_m2):
        key = _id_of(deck, dtm, taken)
        taken.add(key)
        thing = _bridge(key, deck, dtm, thickness_m)
        if isinstance(thing, Failure):
            failures.append(thing)
        else:
            made.append(thing)
    return tuple(made), tuple(failures)


def _id_of(deck: NDArray[np.float64], dtm: Raster, taken: set[str]) -> str:
    """``br-EAST-NORTH`` of the middle, to 10 m in world space: the same in the next flight."""
    low, high = deck[:, :2].min(axis=0), deck[:, :2].max(axis=0)
    east, north = np.rint((0.5 * (low + high) + dtm.grid.frame.origin) / 10.0).astype(np.int64) * 10
    key, number = f"br-{east}-{north}", 2
    while key in taken:
        key, number = f"br-{east}-{north}-{number}", number + 1
    return key


def clusters(points: NDArray[np.float64], min_area_m2: float) -> Iterator[NDArray[np.float64]]:
    """Connected patches of points, each sorted, on cells that suit the density; small ones are left out."""
    if not len(points):
        return
    xyz = points[np.lexsort(points.T)]
    cell = _cell_for(xyz[:, :2])
    place = np.floor(xyz[:, :2] / cell).astype(np.int64)
    low = place.min(axis=0) - 2
    col, row = (place - low).T
    cells = np.zeros((int(row.max()) + 3, int(col.max()) + 3), dtype=np.bool_)
    cells[row, col] = True
    number, _ = label(binary_closing(cells, np.ones((3, 3), np.bool_)) | cells, structure=np.ones((3, 3)))
    of = number[row, col]
    sizes = np.bincount(number[cells])
    wanted = [k for k in np.unique(of) if sizes[k] * cell**2 >= min_area_m2]
    for k in sorted(wanted, key=lambda k: tuple(xyz[of == k, :2].min(axis=0))):
        yield xyz[of == k]


def _cell_for(xy: NDArray[np.float64]) -> float:
    """The cell [m] that holds ``POINTS_PER_CELL`` of the points (n, 2) on average, where there are any."""
    occupied = len(np.unique(np.floor(xy).astype(np.int64), axis=0))
    return float(np.clip(np.sqrt(POINTS_PER_CELL * occupied / len(xy)), 0.5, 4.0))


def _bridge(key: str, deck: NDArray[np.float64], dtm: Raster, thickness_m: float) -> CityObject | Failure:
    axis = _axis(deck)
    st = axis.along(deck[:, :2])
    profile, rmse = _profile(st[:, 0], deck[:, 2])
    if profile is None:
        return Failure(key, "no_deck", f"{len(deck)} points of the bridge class are too few for a deck")
    outline = _outline(st, axis, profile, dtm)
    made = deck_solid(outline, axis, profile, thickness_m)
    if made is None:
        return Failure(key, "no_deck", "the outline of the deck cannot be cut into planes")
    ends = outline.bounds
    about = {
        "thickness_m": thickness_m,
        "thickness_source": "assumed",
        "length_m": round(ends[2] - ends[0], 2),
        "area_m2": round(outline.area, 2),
        "deck_min_m": round(float(profile.z.min()), 3),
        "deck_max_m": round(float(profile.z.max()), 3),
        "deck_rmse_m": round(rmse, 3),
        "points": len(deck),
    }
    return CityObject(key, "Bridge", dtm.grid.frame, (made,), about)


def _axis(deck: NDArray[np.float64]) -> Axis:
    """Main direction of the occupied square metres, so that dense strips pull nothing."""
    cells = np.unique(np.floor(deck[:, :2]).astype(np.int64), axis=0) + 0.5
    middle = cells.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov((cells - middle).T) if len(cells) > 1 else np.eye(2))
    c, s = vectors[:, 1]
    if (c, s) < (0.0, 0.0):
        c, s = -c, -s
    return Axis(float(middle[0]), float(middle[1]), float(c), float(s))


def _extent(values: NDArray[np.float64]) -> tuple[float, float]:
    """Both ends of evenly spread values, without their noise."""
    low, high = np.quantile(values, [TAIL, 1.0 - TAIL])
    more = TAIL / (1.0 - 2 * TAIL) * (high - low)
    return float(low - more), float(high + more)


def _profile(s: NDArray[np.float64], z: NDArray[np.float64]) -> tuple[Profile | None, float]:
    """Median heights by station as few slopes, and the root mean square of the stations around them [m]."""
    first, last = _extent(s)
    count = max(1, round((last - first) / STATION_M))
    station = np.floor((s - first) / (last - first) * count).astype(np.int64)
    found = [
        (np.median(s[mine]), np.median(z[mine]))
        for k in range(count)
        for mine in [station == k]
        if mine.sum() >= STATION_POINTS
    ]
    if not found:
        return None, 0.0
    at, height = np.array(found).T
    if len(at) < 2:
        flat = Profile(np.array([at[0] - 1.0, at[0] + 1.0]), np.array([height[0], height[0]]))
        return flat, 0.0
    slope, level = np.polyfit(at, height, 1)
    if np.abs(level + slope * at - height).max() <= PLANE_M:
        ends = at[[0, -1]]
        profile = Profile(ends, level + slope * ends)
    else:
        smooth = height.copy()
        smooth[1:-1] = np.median(np.stack([height[:-2], height[1:-1], height[2:]]), axis=0)
        line = shapely.LineString(np.column_stack([at, smooth])).simplify(BEND_M)
        bends = shapely.get_coordinates(line)
        profile = Profile(bends[:, 0], bends[:, 1])
    return profile, float(np.sqrt(np.mean((profile.heights(at) - height) ** 2)))


def _outline(st: NDArray[np.float64], axis: Axis, profile: Profile, dtm: Raster) -> shapely.Polygon:
    """Outline of a deck along and across: a rectangle where one fits, else the outline of its cells."""
    (s0, s1), (t0, t1) = _extent(st[:, 0]), _extent(st[:, 1])
    box = shapely.box(s0, t0, s1, t1)
    cell = _cell_for(st)
    low = np.floor(st.min(axis=0) / cell).astype(np.int64) - 3
    col, row = (np.floor(st / cell).astype(np.int64) - low).T
    cells = np.zeros((int(row.max()) + 4, int(col.max()) + 4), dtype=np.bool_)
    cells[row, col] = True
    cells = binary_closing(cells, np.ones((5, 5), np.bool_))
    place = (float(low[0] * cell), float(low[1] * cell), cell)
    parts = mask_outlines(cells[::-1], (place[0], place[1] + cells.shape[0] * cell, cell))
    largest = max(parts, key=lambda p: p.area)
    common = largest.intersection(box).area
    if common / (largest.area + box.area - common) < RECTANGLE_IOU:
        return shapely.Polygon(largest.exterior)
    ends = [_carried(end, side, (t0 + t1) / 2, axis, profile, dtm) for end, side in ((s0, -1.0), (s1, 1.0))]
    return shapely.box(ends[0], t0, ends[1], t1)


def _carried(end: float, side: float, t: float, axis: Axis, profile: Profile, dtm: Raster) -> float:
    """The end of a deck, or the place a little farther where the ground has come up to it."""
    steps = end + side * np.arange(0.0, CARRY_M + CARRY_STEP_M / 2, CARRY_STEP_M)
    ground = sample_bilinear(dtm, axis.local(np.column_stack([steps, np.full_like(steps, t)])))
    met = np.flatnonzero(ground >= profile.heights(steps) - BEND_M)
    return float(steps[met[0]]) if len(met) else end


def deck_solid(outline: shapely.Polygon, axis: Axis, profile: Profile, thickness_m: float) -> Geometry | None:
    """A closed solid over an outline (along, across): plane tops, upright sides, undersides at the thickness."""
    west, south, east, north = outline.bounds
    cuts = profile.s[1:-1]
    cuts = cuts[(cuts > west + STATION_M / 5) & (cuts < east - STATION_M / 5)]
    lines = [shapely.LineString([(s, south - 1.0), (s, north + 1.0)]) for s in cuts]
    inside = shapely.get_parts(shapely.intersection(lines, outline)) if lines else np.array([])
    noded = shapely.union_all([outline.boundary, *inside], grid_size=GRID_M)
    faces = [
        shapely.orient_polygons(face)
        for face in shapely.get_parts(shapely.polygonize([noded]))
        if outline.contains(face.representative_point())
    ]
    if not faces:
        return None
    faces.sort(key=lambda face: face.bounds)
    rings = [shapely.get_coordinates(face.exterior)[:-1] for face in faces]
    corners, number = np.unique(np.concatenate(rings), axis=0, return_inverse=True)
    split = np.cumsum([len(ring) for ring in rings])[:-1]
    loops = [tuple(int(k) for k in part) for part in np.split(number.reshape(-1), split)]
    return _closed(axis.local(corners), profile.heights(corners[:, 0]), loops, thickness_m)


def _closed(
    xy: NDArray[np.float64], top: NDArray[np.float64], loops: list[tuple[int, ...]], thickness_m: float
) -> Geometry:
    """The solid between loops and the same loops farther down."""
    n = len(xy)
    vertices = np.concatenate([np.column_stack([xy, top]), np.column_stack([xy, top - thickness_m])])
    surfaces: list[Rings] = [(loop,) for loop in loops]
    codes = [Surface.OUTER_FLOOR] * len(loops)
    surfaces += [(tuple(k + n for k in reversed(loop)),) for loop in loops]
    codes += [Surface.OUTER_CEILING] * len(loops)
    sides = {(a, b) for loop in loops for a, b in zip(loop, (*loop[1:], loop[0]), strict=True)}
    for a, b in sorted(side for side in sides if side[::-1] not in sides):
        surfaces.append(((a, a + n, b + n, b),))
        codes.append(Surface.WALL)
    return solid("2", vertices, surfaces, [int(code) for code in codes])
