"""Rays as every engine takes them: checked once, and shortened alike, so that the engines agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import InputError
from twin.jit import njit
from twin.visibility.tolerances import EXTENT_LIMIT_M, GRAZE_TOLERANCE_M

UNIT_SLACK = 1e-6
"""How far the length of a unit vector may be from 1: what a float32 vector keeps."""

FAR_MARGIN_M = 1.0
"""A ray that comes from beyond the extent enters this far before the occluders' box [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """Shortened rays, float64.

    Parameters
    ----------
    origins
        (n, 3) where the rays start, local space [m].
    directions
        (n, 3), or (1, 3) for all, unit vectors.
    reach
        (n,) length [m]; infinite where nothing ends it, negative where nothing is left of the ray.
    skipped
        (n,) how far each ray starts after the asked origin [m].
    """

    origins: NDArray[np.float64]
    directions: NDArray[np.float64]
    reach: NDArray[np.float64]
    skipped: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.origins)

    def part(self, rows: slice) -> Rays:
        """Some of the rays."""
        directions = self.directions if len(self.directions) == 1 else self.directions[rows]
        return Rays(self.origins[rows], directions, self.reach[rows], self.skipped[rows])


def slices(count: int, size: int) -> Iterator[slice]:
    """Slices of ``size`` that cover ``count``."""
    for start in range(0, count, size):
        yield slice(start, min(count, start + size))


def occlusion_rays(origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None = None) -> Rays:
    """Rays that ask whether something blocks them: lifted and shortened by ``GRAZE_TOLERANCE_M``.

    Parameters
    ----------
    origins
        (n, 3) local space [m].
    directions
        (n, 3), or (3,) for all, unit vectors.
    max_distance
        (n,), or one for all, [m]; None looks to infinity.

    Raises
    ------
    InputError
        Shapes that do not fit, values that are not finite, directions that are not of length 1.
    """
    rays = sight_rays(origins, directions, max_distance)
    rays.origins[:, 2] += GRAZE_TOLERANCE_M
    return rays


def sight_rays(origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None = None) -> Rays:
    """Rays that ask for their first hit: shortened by ``GRAZE_TOLERANCE_M`` at both ends, not lifted.

    Parameters and errors as ``occlusion_rays``.
    """
    start = np.asarray(origins, dtype=np.float64)
    if start.ndim != 2 or start.shape[1] != 3:
        raise InputError(f"origins of rays are (n, 3) local coordinates; got {start.shape}")
    towards = np.asarray(directions, dtype=np.float64)
    if towards.shape != (3,) and towards.shape != start.shape:
        raise InputError(f"directions are (3,) or as many as the {len(start)} origins; got {towards.shape}")
    towards = np.ascontiguousarray(towards.reshape(-1, 3))
    if not np.isfinite(start).all():
        raise InputError("origins of rays must be finite; leave out points without a height")
    length = np.sqrt(np.einsum("ij,ij->i", towards, towards))
    if not (np.abs(length - 1.0) <= UNIT_SLACK).all():
        worst = float(length[np.argmax(~(np.abs(length - 1.0) <= UNIT_SLACK))])
        raise InputError(f"directions of rays are unit vectors; got one of length {worst}")
    reach = _reach(max_distance, len(start))
    skipped = np.full(len(start), GRAZE_TOLERANCE_M)
    return Rays(start + GRAZE_TOLERANCE_M * towards, towards, reach - 2 * GRAZE_TOLERANCE_M, skipped)


def quick_rays(
    points: NDArray[Any], towards: NDArray[Any], lifted: bool, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Endless rays in 32 bits, in one pass over them; None for such as the functions above must check or move.

    The same rays as those of ``occlusion_rays`` (lifted) or ``sight_rays``, for float64 arrays of finite points within
    the extent and of unit vectors; they skip ``GRAZE_TOLERANCE_M``.

    Parameters
    ----------
    points
        (n, 3) local space [m].
    towards
        (n, 3), or (3,) for all.
    lifted
        Whether they ask what blocks them.
    width
        Numbers to each point and direction, at least 3; those after the third are left empty.

    Returns
    -------
    (n, width) origins, and (n, width) or (1, width) directions.
    """
    if points.dtype != np.float64 or towards.dtype != np.float64:
        return None
    ways = np.atleast_2d(towards)
    start, way = np.empty((len(points), width), np.float32), np.empty((len(ways), width), np.float32)
    lift = GRAZE_TOLERANCE_M if lifted else 0.0
    good = _started(np.ascontiguousarray(points), np.ascontiguousarray(ways), lift, start, way)
    return (start, way) if good else None


@njit
def _started(
    points: NDArray[np.float64],
    ways: NDArray[np.float64],
    lift: float,
    start: NDArray[np.float32],
    way: NDArray[np.float32],
) -> bool:
    """Shift, lift and round; whether all rays are such as this may be done with."""
    good = True
    step = 0 if len(ways) == 1 else 1
    for i in range(len(ways)):
        length = 0.0
        for k in range(3):
            length += ways[i, k] * ways[i, k]
            way[i, k] = ways[i, k]
        good &= abs(np.sqrt(length) - 1.0) <= UNIT_SLACK
    for i in range(len(points)):
        for k in range(3):
            value = points[i, k] + GRAZE_TOLERANCE_M * ways[i * step, k]
            if k == 2:
                value += lift
            good &= abs(value) <= EXTENT_LIMIT_M
            start[i, k] = value
    return good


def _reach(max_distance: ArrayLike | None, count: int) -> NDArray[np.float64]:
    if max_distance is None:
        return np.full(count, np.inf)
    reach = np.asarray(max_distance, dtype=np.float64)
    if reach.shape not in ((), (count,)):
        raise InputError(f"max_distance is one number or {count}, one for each ray; got {reach.shape}")
    if not (reach >= 0).all():
        raise InputError("max_distance of rays is a number of metres from 0 on, not NaN")
    return np.broadcast_to(reach, (count,)).copy()


def from_nearby(rays: Rays, low: NDArray[np.float64], high: NDArray[np.float64]) -> Rays:
    """The same rays, those from beyond the extent started where they come to the box of the occluders.

    float32 knows an eye 750 km up to 6 cm only; the point where its ray enters the scene is known to float64.

    Parameters
    ----------
    rays
        Rays.
    low, high
        (3,) corners of the box of all occluders [m].
    """
    if (
        len(rays) == 0
        or max(abs(float(rays.origins.min())), abs(float(rays.origins.max()))) <= EXTENT_LIMIT_M
    ):
        return rays
    far = (np.abs(rays.origins) > EXTENT_LIMIT_M).any(axis=1)
    towards = np.broadcast_to(rays.directions, rays.origins.shape)[far]
    start = rays.origins[far]
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - FAR_MARGIN_M - start) / towards, (high + FAR_MARGIN_M - start) / towards
    # 0 / 0: on a face of the box and along it.
    near = np.where(np.isnan(a) | np.isnan(b), -np.inf, np.minimum(a, b)).max(axis=1)
    beyond = np.where(np.isnan(a) | np.isnan(b), np.inf, np.maximum(a, b)).min(axis=1)
    enters = np.maximum(near, 0.0)
    misses = enters > beyond
    enters[misses] = 0.0
    origins, reach, skipped = rays.origins.copy(), rays.reach.copy(), rays.skipped.copy()
    origins[far] = np.where(misses[:, None], 0.0, start + enters[:, None] * towards)
    reach[far] = np.where(misses, -1.0, reach[far] - enters)
    skipped[far] += enters
    return Rays(origins, rays.directions, reach, skipped)
