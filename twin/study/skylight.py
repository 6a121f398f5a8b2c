"""The soft light of the sky: how much of it each point of a picture sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit
from twin.study.pixels import LIFT_M, LIFT_SHARE, Sample
from twin.visibility.caster import Caster

DIRECTIONS = 16
"""Rays a point; the pattern turns over 4 x 4 points, so that 256 directions are seen by a smoothed one."""

GOLDEN = 0.5 * (3.0 - np.sqrt(5.0))
"""Golden section of a full turn."""

WINDOW = np.array([0.5, 1.0, 1.0, 1.0, 0.5])
"""Weights that count each turn of a tile once: smoothing leaves nothing of the pattern."""

NO_NEIGHBOUR = 0.6
"""Share of the sky where a point is like none of its neighbours."""


@dataclass(frozen=True, slots=True, eq=False)
class SkyLight:
    """Share of the sky at every second pixel of every second row.

    Parameters
    ----------
    known
        (h, w, 7) float32: share, 0 to 1, NaN where there is no face; point in local space relative to ``origin`` [m];
        normal.
    origin
        The eye (3,), local space [m].
    """

    known: NDArray[np.float32]
    origin: NDArray[np.float64]

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64], sample: Sample) -> NDArray[np.float32]:
        """Smoothed shares (n,) at picture points, from neighbours on the same surface; 0 where there is no face.

        The weight of a neighbour falls with its distance from the plane of the point and with the angle
        between the normals (joint bilateral filter).
        """
        out = np.zeros(len(x), dtype=np.float32)
        asked = (x, y, sample.face, sample.points, sample.normals)
        _smooth(asked, self.known, self.origin, out)
        return out


@njit
def _smooth(
    asked: tuple[
        NDArray[np.float64], NDArray[np.float64], NDArray[np.int32], NDArray[np.float64], NDArray[np.float32]
    ],
    known: NDArray[np.float32],
    origin: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    xs, ys, face, points, normals = asked
    rows, cols, _ = known.shape
    for i in range(len(xs)):
        if face[i] < 0:
            continue
        # Sample (r, c) of the coarse lattice stands at the pixel centre (2 c + 0.5, 2 r + 0.5).
        col, row = int(np.floor(xs[i] / 2.0)), int(np.floor(ys[i] / 2.0))
        px, py, pz = points[i, 0] - origin[0], points[i, 1] - origin[1], points[i, 2] - origin[2]
        nx, ny, nz = float(normals[i, 0]), float(normals[i, 1]), float(normals[i, 2])
        plane = nx * px + ny * py + nz * pz
        nearer = 1.0 / (0.02 + 0.004 * np.sqrt(px * px + py * py + pz * pz))
        total, weights = 0.0, 0.0
        for r in range(max(0, row - 2), min(rows, row + 3)):
            for c in range(max(0, col - 2), min(cols, col + 3)):
                share = known[r, c, 0]
                if share != share:
                    continue
                off = (nx * known[r, c, 1] + ny * known[r, c, 2] + nz * known[r, c, 3] - plane) * nearer
                alike = max(0.0, nx * known[r, c, 4] + ny * known[r, c, 5] + nz * known[r, c, 6])
                off, alike = off * off, alike * alike
                alike *= alike
                weight = alike * alike / (1.0 + off * off) + 1e-6
                weight *= WINDOW[r - row + 2] * WINDOW[c - col + 2]
                total += weight * share
                weights += weight
        out[i] = total / weights if weights > 1e-4 else NO_NEIGHBOUR


def sky_shares(caster: Caster, sample: Sample, turns: NDArray[np.int64]) -> NDArray[np.float32]:
    """Share of the sky (n,) that points see; NaN where there is no face.

    Parameters
    ----------
    caster
        What hides the sky.
    sample
        The points.
    turns
        (n,) which turn of the pattern each point takes, 0 to 15.
    """
    count = len(turns)
    free = np.zeros(count, dtype=np.int32)
    origins, directions, index = np.empty((count, 3)), np.empty((count, 3)), np.empty(count, dtype=np.int64)
    given = (sample.distance, sample.face, sample.points, sample.normals, sample.flat, turns)
    for k in range(DIRECTIONS):
        asked = _skyward(given, k, (origins, directions, index))
        if asked:
            free[index[:asked]] += ~caster.occluded(origins[:asked], directions[:asked])
    return np.where(sample.face >= 0, free / DIRECTIONS, np.nan).astype(np.float32)


@njit
def _skyward(
    given: tuple[
        NDArray[np.float64],
        NDArray[np.int32],
        NDArray[np.float64],
        NDArray[np.float32],
        NDArray[np.float32],
        NDArray[np.int64],
    ],
    k: int,
    out: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]],
) -> int:
    """Rays number k of each point's pattern, cosine weighted about its normal, where they may see sky."""
    distance, face, points, normals, flat, turns = given
    origins, directions, index = out
    count = 0
    for i in range(len(turns)):
        if face[i] < 0:
            continue
        turn = turns[i]
        radius2 = (k + (((turn * 5) % 16) + 0.5) / 16.0) / DIRECTIONS
        angle = 2.0 * np.pi * (k * GOLDEN + turn / 16.0)
        r, h = np.sqrt(radius2), np.sqrt(1.0 - radius2)
        u, v = r * np.cos(angle), r * np.sin(angle)
        x, y, z = float(normals[i, 0]), float(normals[i, 1]), float(normals[i, 2])
        # Axes around the normal without a branch at the pole (Duff et al., JCGT 6(1), 2017).
        sign = 1.0 if z >= 0 else -1.0
        a = -1.0 / (sign + z)
        b = x * y * a
        east = u * (1.0 + sign * x * x * a) + v * b + h * x
        north = u * sign * b + v * (sign + y * y * a) + h * y
        up = -u * sign * x - v * y + h * z
        # What looks down, or into the point's own face, sees no sky.
        if up <= 0 or east * flat[i, 0] + north * flat[i, 1] + up * flat[i, 2] <= 0:
            continue
        lift = LIFT_M + LIFT_SHARE * distance[i]
        for axis in range(3):
            origins[count, axis] = points[i, axis] + lift * flat[i, axis]
        directions[count, 0], directions[count, 1], directions[count, 2] = east, north, up
        index[count] = i
        count += 1
    return count
