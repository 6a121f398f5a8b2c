"""Triangles of surfaces with holes, and of long rings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.model.triangulate import clip_ears

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ON_EDGE_M = 1e-7
"""A corner nearer to the side of a triangle lies on it [m]."""


def triangulate_with_holes(flat: Floats, ends: Ints) -> Ints:
    """Triangles of a simple polygon that use every one of its corners.

    Ear clipping leaves out corners that lie in the line of others, of another ring too; the triangles would then
    meet the neighbours of the surface between corners, as if the shell touched itself. They are put back.

    Parameters
    ----------
    flat
        (k, 2) corners in the plane of the surface, ring after ring, the outer one first.
    ends
        (rings,) where each ring ends.

    Returns
    -------
    (t, 3) numbers of corners, turning left.
    """
    cut = clip_ears(flat, ends)
    left_out = _left_out(cut, ends)
    return np.ascontiguousarray(_split(flat, cut, left_out) if left_out else cut)


def _left_out(cut: Ints, ends: Ints) -> list[int]:
    """Corners at the ends of sides of the polygon that are no sides of triangles."""
    sides = {(min(p, q), max(p, q)) for t in cut.tolist() for p, q in zip(t, (*t[1:], t[0]), strict=True)}
    missing: set[int] = set()
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        for p in range(start, end):
            q = p + 1 if p + 1 < end else start
            if (min(p, q), max(p, q)) not in sides:
                missing |= {p, q}
    return sorted(missing)


def _split(flat: Floats, cut: Ints, corners: list[int]) -> Ints:
    """The triangles, each split where one of some corners lies on a side of it."""
    todo, done = cut.tolist(), []
    while todo:
        triangle = todo.pop()
        for k in range(3):
            p, q, r = (triangle[(k + m) % 3] for m in range(3))
            run = flat[q] - flat[p]
            length = float(np.hypot(*run))
            away = flat[corners] - flat[p]
            off = np.abs(run[0] * away[:, 1] - run[1] * away[:, 0])
            along = away @ run / max(length, ON_EDGE_M)
            on = (off <= ON_EDGE_M * length) & (along > ON_EDGE_M) & (along < length - ON_EDGE_M)
            if on.any():
                v = corners[int(np.flatnonzero(on)[np.argmin(along[on])])]
                todo += [[p, v, r], [v, q, r]]
                break
        else:
            done.append(triangle)
    return np.array(done, dtype=np.int64).reshape(-1, 3)
