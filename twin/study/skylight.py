"""The soft light of the sky: how much of it each point of a picture sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit
from twin.study.shade import TILE, Sample
from twin.visibility.caster import Caster

DIRECTIONS = 16
"""Rays a point; the pattern turns over 4 x 4 points, so that 256 directions are seen by a smoothed one."""

GOLDEN = 0.5 * (3.0 - np.sqrt(5.0))
"""Golden section of a full turn."""

WINDOW = np.array([0.5, 1.0, 1.0, 1.0, 0.5])
"""Weights that count each turn of a tile once: smoothing leaves nothing of the pattern."""

NO_NEIGHBOUR = 0.6
"""Share of the sky where a point is like none of its neighbours."""


class Buffers(Protocol):
    """What a picture knows of its pixels when the sky is looked at."""

    @property
    def caster(self) -> Caster: ...

    @property
    def eye(self) -> NDArray[np.float64]: ...

    @property
    def size(self) -> tuple[int, int]: ...

    def sample_of(
        self, band: slice | NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> Sample: ...


@dataclass(frozen=True, slots=True, eq=False)
class SkyLight:
    """Share of the sky at every second pixel of every second row.

    Parameters
    ----------
    share
        (h, w) float32, 0 to 1; NaN where there is no face.
    points, normals
        (h, w, 3) float32, local space relative to ``origin`` [m].
    origin
        The eye (3,), local space [m].
    """

    share: NDArray[np.float32]
    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    origin: NDArray[np.float64]

    def at(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        points: NDArray[np.float64],
        normals: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Smoothed shares (n,) at picture points, from neighbours on the same surface.

        The weight of a neighbour falls with its distance from the plane of the point and with the angle
        between the normals (joint bilateral filter).
        """
        out = np.empty(len(x), dtype=np.float32)
        near = (points - self.origin).astype(np.float32)
        _smooth((x, y, near, normals), (self.share, self.points, self.normals), WINDOW, out)
        return out


@njit
def _smooth(
    asked: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]],
    known: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    window: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    xs, ys, points, normals = asked
    share, known_points, known_normals = known
    rows, cols = share.shape
    for i in range(len(xs)):
        # Sample (r, c) of the coarse lattice stands at the pixel centre (2 c + 0.5, 2 r + 0.5).
        col, row = int(np.floor(xs[i] / 2.0)), int(np.floor(ys[i] / 2.0))
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        nx, ny, nz = normals[i, 0], normals[i, 1], normals[i, 2]
        reach = 0.02 + 0.004 * np.sqrt(px * px + py * py + pz * pz)
        total, weights = 0.0, 0.0
        for dr in range(-2, 3):
            for dc in range(-2, 3):
                r, c = row + dr, col + dc
                if r < 0 or c < 0 or r >= rows or c >= cols or np.isnan(share[r, c]):
                    continue
                q, m = known_points[r, c], known_normals[r, c]
                off = abs(nx * (q[0] - px) + ny * (q[1] - py) + nz * (q[2] - pz)) / reach
                alike = max(0.0, nx * m[0] + ny * m[1] + nz * m[2])
                weight = window[dr + 2] * window[dc + 2] * (alike**8 / (1.0 + off * off * off * off) + 1e-6)
                total += weight * share[r, c]
                weights += weight
        out[i] = total / weights if weights > 1e-4 else NO_NEIGHBOUR


@njit
def _turned(normals: NDArray[np.float32], turns: NDArray[np.int64], k: int, out: NDArray[np.float64]) -> None:
    """Directions (n, 3) number k of each point's pattern, cosine weighted about its normal."""
    for i in range(len(turns)):
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
        out[i, 0] = u * (1.0 + sign * x * x * a) + v * b + h * x
        out[i, 1] = u * sign * b + v * (sign + y * y * a) + h * y
        out[i, 2] = -u * sign * x - v * y + h * z


def sky_light(still: Buffers) -> SkyLight:
    """Cast the rays to the sky at every second pixel of every second row."""
    eye = still.eye
    height, width = still.size
    rows, cols = (height + 1) // 2, (width + 1) // 2
    share = np.full((rows, cols), np.nan, dtype=np.float32)
    points = np.zeros((rows, cols, 3), dtype=np.float32)
    normals = np.zeros((rows, cols, 3), dtype=np.float32)
    step = max(1, (1 << 19) // cols)
    for top in range(0, rows, step):
        part = slice(top, min(rows, top + step))
        r, c = np.divmod(np.arange(part.start * cols, part.stop * cols), cols)
        x, y = np.asarray(2 * c + 0.5, np.float64), np.asarray(2 * r + 0.5, np.float64)
        sample = still.sample_of(2 * r * width + 2 * c, x, y)
        points[part] = (sample.points - eye).astype(np.float32).reshape(-1, cols, 3)
        normals[part] = sample.normals.reshape(-1, cols, 3)
        hit = np.flatnonzero(sample.face >= 0)
        values = np.full(len(r), np.nan, dtype=np.float32)
        values[hit] = _shares(still.caster, sample.part(hit), TILE[r[hit] % 4, c[hit] % 4])
        share[part] = values.reshape(-1, cols)
    return SkyLight(share, points, normals, eye)


def _shares(caster: Caster, sample: Sample, turns: NDArray[np.int64]) -> NDArray[np.float32]:
    """Share of the sky (n,) that points see."""
    free = np.zeros(len(turns), dtype=np.int32)
    origins = sample.lifted()
    directions = np.empty((len(turns), 3))
    for k in range(DIRECTIONS):
        _turned(sample.normals, turns, k, directions)
        # What looks down, or into the point's own face, sees no sky.
        up = (directions[:, 2] > 0) & (np.einsum("ij,ij->i", directions, sample.flat) > 0)
        index = np.flatnonzero(up)
        if len(index):
            free[index] += ~caster.occluded(origins[index], directions[index])
    share: NDArray[np.float32] = (free / DIRECTIONS).astype(np.float32)
    return share
