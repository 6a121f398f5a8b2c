"""Lines along which a roof may change its plane: where planes cut one another, and where one stands above another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError

from twin.buildings.planes import RoofPlanes, spacing_scale
from twin.jit import njit
from twin.model.arrays import readonly

GAP_M = 4.0
"""Points of two planes farther apart than this say nothing of the line between them [m]."""
CUT_M = 0.45
"""Farthest place of a change of plane from the line in which the planes cut one another [m]."""
STEP_M = 0.30
"""Planes farther apart in height where they meet stand in a step [m]."""
LEAST_TURN = math.tan(math.radians(5.0))
"""Planes whose slopes differ less than this do not cut one another in a line worth drawing."""
LEAST_M = 0.9
"""Shortest line, at the usual density [m]."""
WINDOW_M = 0.40
"""Width of the strip in which the places of one step lie [m]."""
BIN_M = 0.5
"""Places of a step are counted by pieces of this length [m]."""
MOST_DIRECTIONS = 10
"""Directions of an outline that steps are looked for in."""
SAME_DEG = 8.0
"""Edges of an outline that differ less are of one direction [degree]."""
TOGETHER_M = 0.35
"""Parallel lines nearer than this are one [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class RoofLines:
    """Straight lines across a roof.

    Parameters
    ----------
    ends
        (m, 2, 2) supported part of each line, from end to end [m].
    cut
        (m,) bool, whether two planes cut one another there; else a step.
    """

    ends: NDArray[np.float64]
    cut: NDArray[np.bool_]

    def __post_init__(self) -> None:
        object.__setattr__(self, "ends", readonly(np.reshape(self.ends, (-1, 2, 2)), np.float64))
        object.__setattr__(self, "cut", readonly(self.cut, np.bool_))


def find_lines(
    xyz: NDArray[np.float64], found: RoofPlanes, outline: shapely.Polygon, density: float
) -> RoofLines:
    """Lines of a roof: cuts first, steps after them, from the best supported on.

    Parameters
    ----------
    xyz
        (n, 3) roof points [m].
    found
        Their planes.
    outline
        The footprint.
    density
        Points per square metre.
    """
    scale = spacing_scale(density)
    pairs, places, jump = _changes(xyz, found, 1.0 / math.sqrt(max(density, 0.05)))
    planes = found.planes
    cuts: list[NDArray[np.float64]] = []
    left: list[tuple[tuple[int, int], NDArray[np.float64]]] = []
    for pair in np.unique(pairs, axis=0):
        own = (pairs == pair).all(axis=1)
        segments, rest = _cuts(planes[pair[0]], planes[pair[1]], places[own], jump[own], scale)
        cuts += segments
        left.append(((int(pair[0]), int(pair[1])), rest))
    directions = _directions(outline, cuts)
    steps: list[tuple[int, float, float, float, int]] = []
    for _, rest in left:
        steps += _steps(rest, directions, scale)
    merged = _merged(steps, directions, outline, cuts)
    ends = [*cuts, *merged]
    return RoofLines(np.array(ends).reshape(-1, 2, 2), np.arange(len(ends)) < len(cuts))


def _changes(
    xyz: NDArray[np.float64], found: RoofPlanes, spacing: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Places where neighbouring points lie on different planes: pairs (m, 2), places (m, 2), heights apart (m,)."""
    nothing = (np.zeros((0, 2), np.int64), np.zeros((0, 2)), np.zeros(0))
    known = np.flatnonzero(found.label >= 0)
    _, first = np.unique(xyz[known, :2], axis=0, return_index=True)
    known = known[np.sort(first)]
    if len(known) < 4 or len(found.planes) < 2:
        return nothing
    try:
        corners = Delaunay(xyz[known, :2]).simplices
    except QhullError:
        return nothing
    edges = np.sort(known[np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]])], axis=1)
    edges = np.unique(edges, axis=0)
    label = found.label[edges]
    edges, label = edges[label[:, 0] != label[:, 1]], label[label[:, 0] != label[:, 1]]
    a, b = xyz[edges[:, 0]], xyz[edges[:, 1]]
    length = np.hypot(*(b - a)[:, :2].T)
    near = length < GAP_M
    edges, label, a, b, length = edges[near], label[near], a[near], b[near], length[near]
    # A step hides what lies behind it: it stands close to the last point of the higher plane.
    a_higher = a[:, 2] > b[:, 2]
    share = np.minimum(0.5, 0.5 * spacing / np.maximum(length, 1e-9))
    tall = np.abs(a[:, 2] - b[:, 2]) > STEP_M
    from_a = np.where(tall, np.where(a_higher, share, 1.0 - share), 0.5)
    places = a[:, :2] + from_a[:, None] * (b - a)[:, :2]
    za, zb = (
        found.planes[label[:, k], 0] * places[:, 0]
        + found.planes[label[:, k], 1] * places[:, 1]
        + found.planes[label[:, k], 2]
        for k in (0, 1)
    )
    turn = label[:, 0] > label[:, 1]
    pairs = np.where(turn[:, None], label[:, ::-1], label).astype(np.int64)
    return pairs, places, np.where(turn, zb - za, za - zb)


def _cuts(
    one: NDArray[np.float64],
    two: NDArray[np.float64],
    places: NDArray[np.float64],
    jump: NDArray[np.float64],
    scale: float,
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Supported parts of the line in which two planes cut one another, and the places that are on none."""
    turn = one - two
    size = math.hypot(turn[0], turn[1])
    if size < LEAST_TURN:
        return [], places
    normal = turn[:2] / size
    along = np.array([-normal[1], normal[0]])
    foot = -turn[2] / size * normal
    off = (places - foot) @ normal
    near = np.abs(off) < CUT_M * scale
    t = np.sort((places[near] - foot) @ along)
    segments = []
    for part in np.split(t, np.flatnonzero(np.diff(t) > 2.5 * scale) + 1):
        if len(part) >= 3 and part[-1] - part[0] >= LEAST_M * scale:
            segments.append(np.stack([foot + part[0] * along, foot + part[-1] * along]))
    return segments, places[~near] if segments else places


def _directions(outline: shapely.Polygon, cuts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Angles (k,) of the outline's and the cuts' main directions, modulo half a turn, the longest first [rad]."""
    rings = [np.asarray(ring.coords)[:, :2] for ring in (outline.exterior, *outline.interiors)]
    runs = np.concatenate([np.diff(ring, axis=0) for ring in rings])
    weight = np.ones(len(runs))
    if cuts:
        more = np.array([cut[1] - cut[0] for cut in cuts])
        runs, weight = np.concatenate([runs, more]), np.concatenate([weight, np.full(len(more), 0.7)])
    length = np.hypot(runs[:, 0], runs[:, 1]) * weight
    angle = np.mod(np.arctan2(runs[:, 1], runs[:, 0]), np.pi)
    chosen: list[float] = []
    left = length.copy()
    while left.max(initial=0.0) > 0.0 and len(chosen) < MOST_DIRECTIONS:
        k = int(np.argmax(left))
        apart = np.abs(np.mod(angle - angle[k] + np.pi / 2, np.pi) - np.pi / 2)
        near = (apart < math.radians(SAME_DEG)) & (left > 0)
        turn = np.mod(angle[near] - angle[k] + np.pi / 2, np.pi) - np.pi / 2
        chosen.append(float(np.mod(angle[k] + np.average(turn, weights=length[near]), np.pi)))
        left[near] = 0.0
    for angle_ in tuple(chosen[:3]):
        square = math.fmod(angle_ + math.pi / 2, math.pi)
        apart = np.abs(np.mod(np.array(chosen) - square + np.pi / 2, np.pi) - np.pi / 2)
        if apart.min() > math.radians(SAME_DEG):
            chosen.append(square)
    return np.array(chosen)


def _steps(
    places: NDArray[np.float64], directions: NDArray[np.float64], scale: float
) -> list[tuple[int, float, float, float, int]]:
    """Lines (direction, offset, from, to, places) through the places of a step, the longest first."""
    lines = []
    left = places
    window, least = WINDOW_M * scale, max(2, round(LEAST_M * scale / BIN_M))
    while len(left) >= 3:
        k, offset, t0, t1, bins = _best_line(left, directions, window, BIN_M)
        if bins < least:
            break
        u = np.array([math.cos(directions[k]), math.sin(directions[k])])
        n = np.array([-u[1], u[0]])
        s, t = left @ n, left @ u
        near = (np.abs(s - offset) <= window / 2 + 1e-9) & (t >= t0 - 1e-9) & (t <= t1 + 1e-9)
        lines.append((int(k), float(np.median(s[near])), float(t0), float(t1), int(near.sum())))
        wide = (np.abs(s - offset) <= 0.75 * window) & (t >= t0 - BIN_M) & (t <= t1 + BIN_M)
        left = left[~wide]
    return lines


@njit
def _best_line(
    places: NDArray[np.float64], directions: NDArray[np.float64], window: float, width: float
) -> tuple[int, float, float, float, int]:
    """The strip that holds the longest gapless row of places: direction, middle, from, to, pieces."""
    best = (-1, 0.0, 0.0, 0.0, 0)
    best_score = 0.0
    n = len(places)
    for k in range(len(directions)):
        ux, uy = math.cos(directions[k]), math.sin(directions[k])
        s = places[:, 1] * ux - places[:, 0] * uy
        t = places[:, 0] * ux + places[:, 1] * uy
        order = np.argsort(s)
        start = 0
        for end in range(n):
            while s[order[end]] - s[order[start]] > window:
                start += 1
            if end + 1 < n and s[order[end + 1]] - s[order[start]] <= window:
                continue
            if end - start < 2:
                continue
            inside = np.sort(t[order[start : end + 1]])
            # The longest row without a gap of more than three pieces.
            first = 0
            for i in range(len(inside)):
                if i + 1 < len(inside) and inside[i + 1] - inside[i] <= 3 * width:
                    continue
                pieces, last = 1, math.floor(inside[first] / width)
                for j in range(first + 1, i + 1):
                    piece = math.floor(inside[j] / width)
                    if piece != last:
                        pieces += 1
                        last = piece
                count = i - first + 1
                score = pieces + 1e-3 * count - 0.02 * k
                if count >= 3 and score > best_score:
                    middle = 0.5 * (s[order[start]] + s[order[end]])
                    best_score = score
                    best = (k, middle, inside[first], inside[i], pieces)
                first = i + 1
    return best


def _merged(
    steps: list[tuple[int, float, float, float, int]],
    directions: NDArray[np.float64],
    outline: shapely.Polygon,
    cuts: list[NDArray[np.float64]],
) -> list[NDArray[np.float64]]:
    """Steps with parallel neighbours drawn together; those along the outline or a cut are left to these."""
    kept: list[NDArray[np.float64]] = []
    edge = outline.boundary
    cut_lines = np.asarray(shapely.linestrings(cuts), dtype=object) if cuts else None
    for k in sorted({step[0] for step in steps}):
        own = sorted((s for s in steps if s[0] == k), key=lambda s: (s[1], s[2]))
        groups: list[list[tuple[int, float, float, float, int]]] = []
        for step in own:
            if groups and step[1] - groups[-1][0][1] <= TOGETHER_M:
                groups[-1].append(step)
            else:
                groups.append([step])
        u = np.array([math.cos(directions[k]), math.sin(directions[k])])
        n = np.array([-u[1], u[0]])
        for group in groups:
            offset = sum(s[1] * s[4] for s in group) / sum(s[4] for s in group)
            for t0, t1 in _spans([(s[2], s[3]) for s in group]):
                ends = np.stack([offset * n + t0 * u, offset * n + t1 * u])
                marks = np.asarray(
                    shapely.points(ends[0] + np.linspace(0.1, 0.9, 5)[:, None] * (ends[1] - ends[0])),
                    dtype=object,
                )
                if (shapely.distance(marks, edge) < TOGETHER_M).all():
                    continue
                if (
                    cut_lines is not None
                    and (
                        shapely.distance(marks[:, None], cut_lines[None]).max(axis=0) < 0.7 * TOGETHER_M
                    ).any()
                ):
                    continue
                kept.append(ends)
    return sorted(kept, key=lambda e: (-float(np.hypot(*(e[1] - e[0]))), *e.ravel().tolist()))


def _spans(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Overlapping stretches, and those less than 2 m apart, as one."""
    out: list[tuple[float, float]] = []
    for low, high in sorted(spans):
        if out and low - out[-1][1] < 2.0:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return out
