"""Whether two points see each other: one rule for both directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.earth import EARTH_RADIUS_M
from twin.visibility.caster import Caster

EYE_LIFT_M = 0.02
"""An eye stands no lower above the ground than this: on the very face it might look through it [m]."""
NEAR_M = 0.01
"""Points nearer to each other than this always see each other [m]: the engine's tolerance at both ends."""


def curvature_drop(distance_m: NDArray[np.float64], refraction_k: float) -> NDArray[np.float64]:
    """How far the ground falls below the horizontal plane of an observer [m]: (1 - k) d^2 / (2 R).

    Parameters
    ----------
    distance_m
        Horizontal distance from the observer [m], any shape.
    refraction_k
        Refraction coefficient, the earth's radius over that of the ray; 0.13 is usual in survey, 1/7 in
        viewshed tools.
    """
    drop: NDArray[np.float64] = bend_of(refraction_k) * np.asarray(distance_m) ** 2
    return drop


def bend_of(refraction_k: float) -> float:
    """How far the ground falls with the square of the distance [1/m]: (1 - k) / (2 R)."""
    return (1.0 - refraction_k) / (2.0 * EARTH_RADIUS_M)


def curvature_record(refraction_k: float | None) -> dict[str, object]:
    """What a manifest says of the earth's curve; None for a flat earth."""
    if refraction_k is None:
        return {"applied": False}
    return {
        "applied": True,
        "refraction_k": refraction_k,
        "earth_radius_m": EARTH_RADIUS_M,
        "drop": "(1 - k) d2 / (2 R)",
    }


def bend_vertices(
    vertices: NDArray[np.float64], observer_xy: tuple[float, float], refraction_k: float
) -> NDArray[np.float64]:
    """Vertices (n, 3) lowered by ``curvature_drop`` of their distance from an observer, local space [m].

    Straight lines through the lowered scene are the refracted sight lines of the round earth. Around another place it
    differs by a plane, and straight lines stay straight: one lowered scene serves all eyes and targets. Faces stay
    flat between their vertices: for sides of 100 m they miss the curve by less than 0.2 mm.
    """
    out = np.array(vertices, dtype=np.float64)
    distance = np.hypot(out[:, 0] - observer_xy[0], out[:, 1] - observer_xy[1])
    out[:, 2] -= curvature_drop(distance, refraction_k)
    return out


def sees(caster: Caster, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points a (n, 3) and b (n, 3) or (3,) see each other, local space [m].

    The ray always runs from the same one of the two points (the one that comes first by x, y, z), so that
    sight is mutual to the last bit.

    Returns
    -------
    (n,) bool; coinciding points see each other.
    """
    start, end = in_order(a, b)
    line = end - start
    length = np.linalg.norm(line, axis=1)
    apart = length > NEAR_M
    visible = np.ones(len(start), dtype=bool)
    if apart.any():
        direction = line[apart] / length[apart, None]
        visible[apart] = ~caster.occluded(start[apart], direction, length[apart])
    return visible


def in_order(
    a: NDArray[np.float64], b: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points a (n, 3) and b (n, 3) or (3,), the one first in each pair that comes first by x, y, z."""
    a, b = (np.ascontiguousarray(p, dtype=np.float64) for p in np.broadcast_arrays(a, b))
    swap = _comes_first(b, a)[:, None]
    return np.where(swap, b, a), np.where(swap, a, b)


def _comes_first(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a stands before b in the order of x, then y, then z."""
    x, y, z = (a[:, k] < b[:, k] for k in range(3))
    same_x, same_y = a[:, 0] == b[:, 0], a[:, 1] == b[:, 1]
    first: NDArray[np.bool_] = x | (same_x & (y | (same_y & z)))
    return first
