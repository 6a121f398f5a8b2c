"""Roof planes among the points of one building, by region growing that does not depend on the order of the points.

Follows Rabbani, van den Heuvel and Vosselman (2006) as the field uses it for roofs: seeds from the flattest
neighbourhood on, growth over the graph of nearest neighbours, a plane fitted again while it grows; then points choose
the nearest of the planes around them, and planes that are one are joined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from twin.jit import njit
from twin.model.arrays import readonly

NEIGHBOURS = 16
"""Neighbours of a point that growth looks at."""
FIT_NEIGHBOURS = 10
"""The nearest of them, which tell its slope."""
DISTANCE_M = 0.18
"""Farthest point of a plane while it grows, at ``USUAL_DENSITY`` [m]."""
COSINE = 0.80
"""Least cosine between the plane of a region and that of a point's neighbours (37 degrees)."""
STEEPEST = math.tan(math.radians(72.5))
"""Steeper planes are walls."""
LEAST_POINTS = 12
"""Points of the smallest plane, at ``USUAL_DENSITY``."""
FEWEST_POINTS = 5
"""Points of the smallest plane in the sparsest cloud."""
USUAL_DENSITY = 10.0
"""Density for which the thresholds hold [1/m2]; distances grow with the spacing of sparser points."""
ROUNDS = 3
"""Rounds in which points choose among the planes around them."""
JOIN_RMS = 1.15
"""Two planes are one where a common fit misses the points at most so much more than two fits do."""
JOIN_M = 0.06
"""Or where the common fit misses them by no more than this [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class RoofPlanes:
    """Planes and the points on them.

    Parameters
    ----------
    planes
        (k, 3) a, b, c of z = a x + b y + c, in the space of the points.
    label
        (n,) int32, number of each point's plane; -1 for none.
    wall
        (n,) bool, points whose neighbourhood is upright.
    """

    planes: NDArray[np.float64]
    label: NDArray[np.int32]
    wall: NDArray[np.bool_]

    def __post_init__(self) -> None:
        object.__setattr__(self, "planes", readonly(np.reshape(self.planes, (-1, 3)), np.float64))
        object.__setattr__(self, "label", readonly(self.label, np.int32))
        object.__setattr__(self, "wall", readonly(self.wall, np.bool_))


def spacing_scale(density: float) -> float:
    """How much thresholds of length stretch with the spacing of the points: 1 at ``USUAL_DENSITY``."""
    return float(np.clip(math.sqrt(USUAL_DENSITY / max(density, 1e-6)), 0.7, 2.5))


def find_planes(xyz: NDArray[np.float64], density: float) -> RoofPlanes:
    """Planes of a roof.

    Parameters
    ----------
    xyz
        (n, 3) roof points in the order of x, y, z, near the origin [m].
    density
        Points per square metre of covered roof.

    Returns
    -------
    RoofPlanes
        The largest plane first.
    """
    n = len(xyz)
    least = max(FEWEST_POINTS, round(LEAST_POINTS * min(1.0, density / USUAL_DENSITY)))
    if n < max(least, 4):
        return RoofPlanes(np.zeros((0, 3)), np.full(n, -1, np.int32), np.zeros(n, np.bool_))
    k = min(NEIGHBOURS + 1, n)
    near = np.asarray(cKDTree(xyz).query(xyz, k)[1], dtype=np.int32)[:, 1:]
    # Equal distances come in any order: by number they come in one.
    slope, rms = _local_fits(xyz, near[:, : min(FIT_NEIGHBOURS, k - 1)])
    limit = DISTANCE_M * (1.0 + 0.5 * (max(1.0, spacing_scale(density)) - 1.0))
    wall = ~(np.hypot(slope[:, 0], slope[:, 1]) < STEEPEST)
    order = np.lexsort((np.arange(n), rms)).astype(np.int32)
    label = np.full(n, -1, dtype=np.int32)
    _grow(xyz, near, (slope, rms, wall), order, (limit, COSINE, STEEPEST), least, label)
    planes = np.zeros((0, 3))
    for _ in range(ROUNDS):
        planes = _fits(xyz, label)
        label = _numbered(label, planes, least)
        planes = _fits(xyz, label)
        planes, label = _joined(xyz, near, planes, label)
        label = _chosen(xyz, near, planes, label, wall, 1.3 * limit)
    label = _numbered(label, _fits(xyz, label), least)
    return RoofPlanes(_fits(xyz, label), label, wall & (label < 0))


def _numbered(label: NDArray[np.int32], planes: NDArray[np.float64], least: int) -> NDArray[np.int32]:
    """Labels from the largest plane on; small and upright planes become -1."""
    count = np.bincount(label[label >= 0], minlength=len(planes))[: len(planes)]
    flat = np.hypot(planes[:, 0], planes[:, 1]) < STEEPEST
    good = (count >= least) & flat
    order = np.lexsort((np.arange(len(planes)), -count, ~good))
    rank = np.full(len(planes) + 1, -1, dtype=np.int32)
    rank[order] = np.where(good[order], np.arange(len(planes)), -1)
    return rank[label]


@njit
def _local_fits(
    xyz: NDArray[np.float64], near: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes (n, 2) of the least-squares planes through neighbourhoods, and their error along the normal (n,)."""
    n, k = near.shape
    slope = np.empty((n, 2))
    rms = np.empty(n)
    for i in range(n):
        sx = sy = sz = sxx = sxy = syy = sxz = syz = szz = 0.0
        for j in range(k + 1):
            p = i if j == k else near[i, j]
            x, y, z = xyz[p, 0] - xyz[i, 0], xyz[p, 1] - xyz[i, 1], xyz[p, 2] - xyz[i, 2]
            sx, sy, sz = sx + x, sy + y, sz + z
            sxx, sxy, syy = sxx + x * x, sxy + x * y, syy + y * y
            sxz, syz, szz = sxz + x * z, syz + y * z, szz + z * z
        m = k + 1.0
        cxx, cxy, cyy = sxx - sx * sx / m, sxy - sx * sy / m, syy - sy * sy / m
        cxz, cyz, czz = sxz - sx * sz / m, syz - sy * sz / m, szz - sz * sz / m
        det = cxx * cyy - cxy * cxy
        trace = cxx + cyy
        if det <= 1e-4 * trace * trace or trace <= 0.0:
            slope[i, 0] = slope[i, 1] = np.inf
            rms[i] = np.inf
            continue
        a, b = (cxz * cyy - cyz * cxy) / det, (cyz * cxx - cxz * cxy) / det
        left = max(0.0, czz - a * cxz - b * cyz)
        slope[i, 0], slope[i, 1] = a, b
        rms[i] = math.sqrt(left / m / (1.0 + a * a + b * b))
    return slope, rms


@njit
def _plane_of(sums: NDArray[np.float64], out: NDArray[np.float64]) -> bool:
    """The plane of ten moments: count, x, y, z, xx, xy, yy, xz, yz, zz."""
    m = sums[0]
    cxx, cxy, cyy = sums[4] - sums[1] ** 2 / m, sums[5] - sums[1] * sums[2] / m, sums[6] - sums[2] ** 2 / m
    cxz, cyz = sums[7] - sums[1] * sums[3] / m, sums[8] - sums[2] * sums[3] / m
    det, trace = cxx * cyy - cxy * cxy, cxx + cyy
    if m < 3 or det <= 1e-6 * trace * trace:
        return False
    out[0] = (cxz * cyy - cyz * cxy) / det
    out[1] = (cyz * cxx - cxz * cxy) / det
    out[2] = (sums[3] - out[0] * sums[1] - out[1] * sums[2]) / m
    return True


@njit
def _take(sums: NDArray[np.float64], p: NDArray[np.float64]) -> None:
    x, y, z = p[0], p[1], p[2]
    sums[0] += 1.0
    sums[1] += x
    sums[2] += y
    sums[3] += z
    sums[4] += x * x
    sums[5] += x * y
    sums[6] += y * y
    sums[7] += x * z
    sums[8] += y * z
    sums[9] += z * z


@njit
def _grow(
    xyz: NDArray[np.float64],
    near: NDArray[np.int32],
    fits: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]],
    order: NDArray[np.int32],
    limits: tuple[float, float, float],
    least: int,
    label: NDArray[np.int32],
) -> None:
    """Grow regions from the flattest seed on; writes their numbers, -1 where a region stays too small."""
    reach, cosine, steepest = limits
    slope, rms, wall = fits
    n = len(xyz)
    queue = np.empty(n, dtype=np.int32)
    tried = np.zeros(n, dtype=np.bool_)
    sums = np.zeros(10)
    plane = np.zeros(3)
    found = 0
    for seed in order:
        if label[seed] >= 0 or tried[seed] or wall[seed] or rms[seed] > reach:
            continue
        sums[:] = 0.0
        plane[0], plane[1] = slope[seed, 0], slope[seed, 1]
        plane[2] = xyz[seed, 2] - plane[0] * xyz[seed, 0] - plane[1] * xyz[seed, 1]
        head, tail = 0, 1
        queue[0] = seed
        label[seed] = found
        _take(sums, xyz[seed])
        fitted = 1.0
        while head < tail:
            p = queue[head]
            head += 1
            for q in near[p]:
                if label[q] >= 0 or wall[q]:
                    continue
                length = math.sqrt(1.0 + plane[0] ** 2 + plane[1] ** 2)
                off = abs(xyz[q, 2] - plane[0] * xyz[q, 0] - plane[1] * xyz[q, 1] - plane[2]) / length
                if off > reach:
                    continue
                own = math.sqrt(1.0 + slope[q, 0] ** 2 + slope[q, 1] ** 2)
                if (plane[0] * slope[q, 0] + plane[1] * slope[q, 1] + 1.0) < cosine * length * own:
                    continue
                label[q] = found
                _take(sums, xyz[q])
                queue[tail] = q
                tail += 1
                if sums[0] >= 8 and sums[0] >= 1.2 * fitted:
                    fitted = sums[0]
                    _plane_of(sums, plane)
        if tail < least or not _plane_of(sums, plane) or math.hypot(plane[0], plane[1]) > steepest:
            for i in range(tail):
                label[queue[i]] = -1
            # A seed that failed may still join another region.
            tried[seed] = True
            continue
        found += 1


@njit
def _moments(xyz: NDArray[np.float64], label: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    sums = np.zeros((count, 10))
    for i in range(len(xyz)):
        if label[i] >= 0:
            _take(sums[label[i]], xyz[i])
    return sums


@njit
def _planes_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.zeros((len(sums), 3))
    for k in range(len(sums)):
        if (sums[k, 0] >= 3 and not _plane_of(sums[k], out[k])) or sums[k, 0] < 3:
            out[k, 0] = 1e9
    return out


def _fits(xyz: NDArray[np.float64], label: NDArray[np.int32]) -> NDArray[np.float64]:
    """Planes of all labels."""
    count = int(label.max()) + 1 if len(label) else 0
    planes: NDArray[np.float64] = _planes_of(_moments(xyz, label, count))
    return planes


@njit
def _chosen(
    xyz: NDArray[np.float64],
    near: NDArray[np.int32],
    planes: NDArray[np.float64],
    label: NDArray[np.int32],
    wall: NDArray[np.bool_],
    reach: float,
) -> NDArray[np.int32]:
    """Each point takes the nearest of the planes of itself and its neighbours, or none beyond reach."""
    out = np.full(len(xyz), -1, dtype=np.int32)
    for i in range(len(xyz)):
        best, choice = reach, -1
        for j in range(near.shape[1] + 1):
            k = label[i] if j == near.shape[1] else label[near[i, j]]
            if k < 0 or k == choice:
                continue
            a, b, c = planes[k, 0], planes[k, 1], planes[k, 2]
            off = abs(xyz[i, 2] - a * xyz[i, 0] - b * xyz[i, 1] - c) / math.sqrt(1.0 + a * a + b * b)
            if off < best or (off == best and k < choice):
                best, choice = off, k
        out[i] = choice
    return out


@njit
def _error(sums: NDArray[np.float64], plane: NDArray[np.float64]) -> float:
    """Sum of squares along the normal."""
    m = sums[0]
    cxz, cyz = sums[7] - sums[1] * sums[3] / m, sums[8] - sums[2] * sums[3] / m
    czz = sums[9] - sums[3] ** 2 / m
    left: float = max(0.0, czz - plane[0] * cxz - plane[1] * cyz) / (1.0 + plane[0] ** 2 + plane[1] ** 2)
    return left


def _joined(
    xyz: NDArray[np.float64],
    near: NDArray[np.int32],
    planes: NDArray[np.float64],
    label: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Neighbouring planes that one plane fits as well become one; the best pair first."""
    count = len(planes)
    if count < 2:
        return planes, label
    sums = _moments(xyz, label, count)
    a, b = np.repeat(label, near.shape[1]), label[near.ravel()]
    touch = (a >= 0) & (b >= 0) & (a != b)
    pairs, times = np.unique(
        np.minimum(a[touch], b[touch]) * np.int64(count) + np.maximum(a[touch], b[touch]), return_counts=True
    )
    pairs = pairs[times >= 4]
    own = np.arange(count)
    plane = np.zeros(3)
    while len(pairs):
        best, found = np.inf, (-1, -1)
        for pair in pairs:
            i, j = divmod(int(pair), count)
            both = sums[i] + sums[j]
            if not _plane_of(both, plane):
                continue
            apart = _error(sums[i], _one(sums[i])) + _error(sums[j], _one(sums[j]))
            together = _error(both, plane)
            rms, was = math.sqrt(together / both[0]), math.sqrt(apart / both[0])
            if rms <= max(JOIN_M, JOIN_RMS * was) and rms < 2.0 * max(was, 0.02) and rms - was < best:
                best, found = rms - was, (i, j)
        if found[0] < 0:
            break
        i, j = found
        sums[i] += sums[j]
        own[own == j] = i
        left, right = np.divmod(pairs, count)
        left, right = np.where(left == j, i, left), np.where(right == j, i, right)
        keep = left != right
        pairs = np.unique(np.minimum(left, right)[keep] * count + np.maximum(left, right)[keep])
    label = np.where(label >= 0, own[label], -1).astype(np.int32)
    return _fits(xyz, label), label


def _one(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    plane = np.zeros(3)
    _plane_of(sums, plane)
    return plane
