"""Roofs as conforming plan subdivisions: faces that share points, each face one plane, each face convex.

All in the building's own axes: a along the street, b away from it, heights [m] above the datum. Neighbouring
faces share plan points, so that closed solids can be sewn without looking for T-junctions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Corner = tuple[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A roof in plan with heights.

    Parameters
    ----------
    kind
        Name of the roof kind.
    points
        (n, 2) plan points [m].
    faces
        Per face its corners, counter-clockwise: (index of the point, height [m]).
    """

    kind: str
    points: NDArray[np.float64]
    faces: tuple[tuple[Corner, ...], ...]


def _shape(kind: str, points: list[tuple[float, float]], faces: list[list[Corner]]) -> Shape:
    return Shape(kind, np.array(points, dtype=np.float64), tuple(tuple(face) for face in faces))


def gable(
    w: float, t: float, eave: float, ridge: float, annex: tuple[float, float, float] | None = None
) -> Shape:
    """Two planes with the ridge along the street; ``annex`` = width, depth, top of a lean-to at the back."""
    points = [(0, 0), (w, 0), (w, t / 2), (w, t), (0, t), (0, t / 2)]
    front = [(0, eave), (1, eave), (2, ridge), (5, ridge)]
    back = [(5, ridge), (2, ridge), (3, eave), (4, eave)]
    if annex is None:
        return _shape("gable", points, [front, back])
    wide, deep, top = annex
    points += [(wide, t), (wide, t + deep), (0, t + deep)]
    back.insert(3, (6, eave))
    lean = [(4, top), (6, top), (7, top - 0.5), (8, top - 0.5)]
    return _shape("gable", points, [front, back, lean])


def mansard(w: float, t: float, eave: float, knee: float, ridge: float) -> Shape:
    """Four planes: steep below, shallow above."""
    s = 1.2
    points = [(0, 0), (w, 0), (w, s), (w, t / 2), (w, t - s), (w, t), (0, t), (0, t - s), (0, t / 2), (0, s)]
    faces = [
        [(0, eave), (1, eave), (2, knee), (9, knee)],
        [(9, knee), (2, knee), (3, ridge), (8, ridge)],
        [(8, ridge), (3, ridge), (4, knee), (7, knee)],
        [(7, knee), (4, knee), (5, eave), (6, eave)],
    ]
    return _shape("mansard", points, faces)


def hip(w: float, t: float, eave: float, ridge: float) -> Shape:
    """Four planes of one pitch; w must not be less than t."""
    h = t / 2
    points = [(0, 0), (w, 0), (w, t), (0, t), (h, h), (w - h, h)]
    if w - t < 0.05:
        points = [(0, 0), (w, 0), (w, t), (0, t), (w / 2, h)]
        faces = [[(k, eave), ((k + 1) % 4, eave), (4, ridge)] for k in range(4)]
        return _shape("hip", points, faces)
    faces = [
        [(0, eave), (1, eave), (5, ridge), (4, ridge)],
        [(1, eave), (2, eave), (5, ridge)],
        [(2, eave), (3, eave), (4, ridge), (5, ridge)],
        [(3, eave), (0, eave), (4, ridge)],
    ]
    return _shape("hip", points, faces)


def flat(w: float, t: float, top: float) -> Shape:
    """One level plane."""
    return _shape("flat", [(0, 0), (w, 0), (w, t), (0, t)], [[(0, top), (1, top), (2, top), (3, top)]])


def shed(w: float, t: float, front: float, back: float) -> Shape:
    """One tilted plane."""
    return _shape("shed", [(0, 0), (w, 0), (w, t), (0, t)], [[(0, front), (1, front), (2, back), (3, back)]])


def saw_tooth(w: float, t: float, teeth: int, low: float, high: float) -> Shape:
    """Teeth along a: each rises from low to high and drops as a vertical glazed face."""
    edges = np.linspace(0, w, teeth + 1)
    points = [(float(a), 0.0) for a in edges] + [(float(a), t) for a in edges]
    n = teeth + 1
    faces = [[(k, low), (k + 1, high), (n + k + 1, high), (n + k, low)] for k in range(teeth)]
    return _shape("saw-tooth", points, faces)


def bays(w: float, t: float, count: int, eave: float, ridge: float) -> Shape:
    """Parallel gabled bays along a, ridges along b."""
    edges = np.linspace(0, w, 2 * count + 1)
    z = [eave if k % 2 == 0 else ridge for k in range(2 * count + 1)]
    n = len(edges)
    points = [(float(a), 0.0) for a in edges] + [(float(a), t) for a in edges]
    faces = [[(k, z[k]), (k + 1, z[k + 1]), (n + k + 1, z[k + 1]), (n + k, z[k])] for k in range(n - 1)]
    return _shape("gabled-bays", points, faces)


def _rings(w: float, t: float, insets: list[float]) -> list[tuple[float, float]]:
    return [p for i in insets for p in ((i, i), (w - i, i), (w - i, t - i), (i, t - i))]


def _ring_faces(outer: int, inner: int, z_out: float, z_in: float) -> list[list[Corner]]:
    return [
        [(outer + k, z_out), (outer + (k + 1) % 4, z_out), (inner + (k + 1) % 4, z_in), (inner + k, z_in)]
        for k in range(4)
    ]


def courtyard(w: float, t: float, wing: float, eave: float, ridge: float) -> Shape:
    """Four gabled wings around an open court."""
    points = _rings(w, t, [0.0, wing / 2, wing])
    return _shape("courtyard", points, _ring_faces(0, 4, eave, ridge) + _ring_faces(4, 8, ridge, eave))


def setback(w: float, t: float, inset: float, low: float, high: float) -> Shape:
    """A flat roof with a higher core: towers and halls with a lantern."""
    core: list[Corner] = [(4, high), (5, high), (6, high), (7, high)]
    return _shape("setback", _rings(w, t, [0.0, inset]), [*_ring_faces(0, 4, low, low), core])


def octagon(radius: float, top: float) -> Shape:
    """A flat octagon around the origin: stacks, stoves, tanks."""
    turn = np.radians(np.arange(8) * 45.0 + 22.5)
    points = [(float(radius * np.cos(a)), float(radius * np.sin(a))) for a in turn]
    return _shape("octagon", points, [[(k, top) for k in range(8)]])


def church(w: float, t: float, eave: float, ridge: float, tower: float) -> Shape:
    """A gabled nave along a with a tower of the nave's width under a pyramid at its western end."""
    tip = tower + 0.9 * t
    points = [(0, 0), (t, 0), (t, t / 2), (t, t), (0, t), (t / 2, t / 2), (w, 0), (w, t / 2), (w, t)]
    faces: list[list[Corner]] = [
        [(0, tower), (1, tower), (5, tip)],
        [(1, tower), (2, tower), (3, tower), (5, tip)],
        [(3, tower), (4, tower), (5, tip)],
        [(4, tower), (0, tower), (5, tip)],
        [(1, eave), (6, eave), (7, ridge), (2, ridge)],
        [(2, ridge), (7, ridge), (8, eave), (3, eave)],
    ]
    return _shape("church", points, faces)


def half_hip(w: float, t: float, eave: float, ridge: float, clip: float) -> Shape:
    """A gable whose tips are cut off by small hips; ``clip`` is the half width of a hip's foot."""
    low = ridge - clip * (ridge - eave) / (t / 2)
    s = 1.2 * clip
    points = [(0, 0), (w, 0), (w, t / 2 - clip), (w, t / 2 + clip), (w, t)]
    points += [(0, t), (0, t / 2 + clip), (0, t / 2 - clip), (s, t / 2), (w - s, t / 2)]
    faces: list[list[Corner]] = [
        [(0, eave), (1, eave), (2, low), (9, ridge), (8, ridge), (7, low)],
        [(6, low), (8, ridge), (9, ridge), (3, low), (4, eave), (5, eave)],
        [(7, low), (8, ridge), (6, low)],
        [(3, low), (9, ridge), (2, low)],
    ]
    return _shape("half-hip", points, faces)


def dormered(w: float, t: float, eave: float, ridge: float, dormer: tuple[float, float]) -> Shape:
    """A gable with a flat dormer from ``dormer[0]`` to ``dormer[1]`` along the street, over the middle of its slope."""
    d0, d1 = dormer
    b0, b1 = 0.12 * t, 0.36 * t
    slope = (ridge - eave) / (t / 2)
    z0, z1 = eave + slope * b0, eave + slope * b1
    points = [(0, 0), (d0, 0), (d1, 0), (w, 0), (w, t / 2), (w, t), (0, t), (0, t / 2)]
    points += [(d0, b0), (d1, b0), (d0, b1), (d1, b1), (d0, t / 2), (d1, t / 2)]
    faces: list[list[Corner]] = [
        [(0, eave), (1, eave), (8, z0), (10, z1), (12, ridge), (7, ridge)],
        [(1, eave), (2, eave), (9, z0), (8, z0)],
        [(8, z1), (9, z1), (11, z1), (10, z1)],
        [(10, z1), (11, z1), (13, ridge), (12, ridge)],
        [(2, eave), (3, eave), (4, ridge), (13, ridge), (11, z1), (9, z0)],
        [(7, ridge), (12, ridge), (13, ridge), (4, ridge), (5, eave), (6, eave)],
    ]
    return _shape("dormered", points, faces)


def corner(w: float, long: float, t: float, eave: float, ridge: float) -> Shape:
    """Two gabled wings of depth t, w along the street and ``long`` away from it, that meet in an L."""
    h = t / 2
    points = [(0, 0), (w, 0), (w, h), (w, t), (t, t), (t, long), (h, long), (0, long), (h, h)]
    faces: list[list[Corner]] = [
        [(0, eave), (1, eave), (2, ridge), (8, ridge)],
        [(4, eave), (8, ridge), (2, ridge), (3, eave)],
        [(0, eave), (8, ridge), (6, ridge), (7, eave)],
        [(4, eave), (5, eave), (6, ridge), (8, ridge)],
    ]
    return _shape("corner", points, faces)


def butterfly(w: float, t: float, eave: float, valley: float) -> Shape:
    """Two planes that fall to a gutter in the middle."""
    made = gable(w, t, eave, valley)
    return Shape("butterfly", made.points, made.faces)
