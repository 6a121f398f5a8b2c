"""Sight over a height field by one sweep from the observer: how high a thing must stand to be seen, cell by cell.

Rays run from the eye to the border, from row to row in the sectors to the north and south and from column to column
in those to the east and west. Each carries the steepest line of sight that the surface has blocked so far, from the
heights read linearly between cell centres where it crosses a row or a column. A cell reads the horizon between its
two neighbouring rays. Nothing is handed from ray to ray, so nothing diffuses with distance. (After the idea of the
reference planes of Franklin, Ray and Mehta 1994, and of Izraelevitz 2003, Photogrammetric Engineering and Remote
Sensing 69(1), with both crossings and dense rays.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.jit import njit
from twin.visibility.exposed import Exposed, FaceTargets, Patch, add_seen, rays_before, rising
from twin.visibility.occluders import HeightField
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

RAYS_PER_CELL = 2.0
"""Rays for each cell of the farthest row: what a cell reads lies a quarter of a cell aside at most."""
BAND = 2048
"""Rays that one thread carries together; they change no result."""
Eye = tuple[float, float, float]
"""x, y, height, local space [m]."""
NOTHING = np.float32(-1e30)
ON_RAY = np.float32(1e-5)
"""A cell nearer to a ray than this share of the gap lies on it."""
ON_BORDER = 1e-9
"""Columns beside the border at which a ray lies on it."""


class SightSweep:
    """Lines of sight over one height field, for any number of observers.

    Parameters
    ----------
    field
        Heights at cell centres [m]; a NaN hides nothing.
    ground
        (rows, cols) feet of the targets over the cell centres [m], NaN where none is asked; the field where None.
        Below the field they stand in the dark of the cells towards the observer, never of their own.
    bend
        How far the ground falls with the square of the distance [1/m]: (1 - k) / (2 R) for a refraction coefficient k,
        0 for a flat earth.
    threads
        Threads; the result does not depend on them.

    Raises
    ------
    InputError
        A ground of another shape, an impossible number.
    """

    together = 1
    """Observers that ``tally`` takes best at a time."""

    def __init__(
        self,
        field: HeightField,
        ground: NDArray[np.floating] | None = None,
        *,
        bend: float = 0.0,
        threads: int = 1,
    ) -> None:
        if threads < 1:
            raise InputError(f"threads count from 1; got {threads}")
        if ground is not None and ground.shape != field.shape:
            raise InputError(f"a ground of {ground.shape} cells does not fit a field of {field.shape}")
        if not (np.isfinite(bend) and bend >= 0):
            raise InputError(f"the ground falls by a number from 0 on; got {bend}")
        self.field = field
        known = field.heights[np.isfinite(field.heights)]
        self._level = float(np.median(known)) if known.size else 0.0
        heights = self._lowered(field.heights)
        feet = heights if ground is None else self._lowered(np.asarray(ground))
        self._surfaces = [(heights, feet), (np.ascontiguousarray(heights.T), np.ascontiguousarray(feet.T))]
        self._bend = bend
        self._threads = threads

    def lowest_seen(self, eye: Eye, reach_m: float = math.inf, near_m: float = 0.0) -> NDArray[np.float32]:
        """Least height above its foot at which a target on each cell is seen.

        Parameters
        ----------
        eye
            x, y, height of the observer, local space [m]; inside the field or beside it.
        reach_m
            Farthest target, in plan [m].
        near_m
            What stands nearer than this hides nothing: for who asks its triangles instead [m].

        Returns
        -------
        (rows, cols) float32 [m]: 0 where the foot itself is seen; NaN where there is no foot or beyond the reach.
        The observer's own cell is seen.

        Raises
        ------
        InputError
            An eye that is not three finite numbers, a reach that is not positive.
        """
        self._check(eye, reach_m)
        return self._least(eye, reach_m, near_m, None)

    def _least(
        self, eye: Eye, reach_m: float, near_m: float, before: tuple[float, float] | None
    ) -> NDArray[np.float32]:
        """``lowest_seen``; where the eye lies on an upright face, only of the cells before it."""
        field = self.field
        rows, cols = field.shape
        row, col = self._place(eye)
        height = eye[2] - self._level
        out = np.full((rows, cols), np.nan, dtype=np.float32)
        turned = np.full((cols, rows), np.nan, dtype=np.float32)
        jobs = []
        with ThreadPoolExecutor(self._threads) as pool:
            for surface, found, at, cell, up in (
                (self._surfaces[0], out, (row, col), (field.dy, field.dx), before),
                (self._surfaces[1], turned, (col, row), (field.dx, field.dy), before and before[::-1]),
            ):
                place = (at[0], at[1], height, self._bend)
                # A cell on the diagonal belongs to the rows.
                closed = found is out
                for sign in (1, -1):
                    rays = rays_of(surface[0].shape, at, sign, reach_m / cell[0])
                    slopes = _slopes(rays, rays_before(rays, sign, up))
                    jobs += [
                        pool.submit(
                            _carry, *surface, found, place, (*cell, reach_m, near_m), (sign, closed), some
                        )
                        for some in slopes
                    ]
        for job in jobs:
            job.result()
        _merge(out, turned)
        own = self._cell_of(eye)
        if own is not None:
            out[own] = np.nan if np.isnan(self._surfaces[0][1][own]) else 0.0
        return out

    def tally(
        self, eyes: Sequence[Eye], asked_m: float, reach_m: float = math.inf, near_m: float = 0.0
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """How many observers see a target of some height on each cell, and the least height that any of them sees.

        Parameters
        ----------
        eyes, reach_m, near_m
            As ``lowest_seen``.
        asked_m
            Height of the targets above their feet [m].

        Returns
        -------
        (rows, cols) int32, and (rows, cols) float32 [m] with NaN where no observer has the cell in reach.
        """
        count = np.zeros(self.field.shape, dtype=np.int32)
        least = np.full(self.field.shape, np.nan, dtype=np.float32)
        for eye in eyes:
            found = self.lowest_seen(eye, reach_m, near_m)
            count += found <= np.float32(asked_m)
            np.fmin(least, found, out=least)
        return count, least

    def expose(
        self,
        targets: FaceTargets,
        eye_height_m: float,
        reach_m: float = math.inf,
        patches: Sequence[Patch] = (),
    ) -> Exposed:
        """What eyes above the feet of the cells see of targets: sight is mutual.

        Parameters
        ----------
        targets
            Where they are, how they look, and what they stand for.
        eye_height_m
            Height of the eyes above the feet [m].
        reach_m
            Farthest eye from a target, in plan [m].
        patches
            What the field has in place of its own heights for those targets that name one; the feet stay.

        Returns
        -------
        Of the cells of the field. Those of all targets are, to the byte, what those of parts of them add up to.

        Raises
        ------
        InputError
            A reach that is not positive, eyes below their feet, a patch that is not there or leaves the field.
        """
        self._check_exposed(targets, eye_height_m, reach_m, patches)
        found = Exposed.nothing(self.field.shape)
        with ThreadPoolExecutor(self._threads) as pool:
            for start, end, number in targets.runs():
                with self._edited(patches[number]) if number >= 0 else nullcontext():
                    for k in range(start, end):
                        self._add(pool, found, targets, k, (eye_height_m, reach_m))
        return found

    @contextmanager
    def _edited(self, patch: Patch) -> Iterator[None]:
        """The surfaces with a patch, until the block ends."""
        # Feet that are the surface itself stay where they are.
        self._surfaces = [
            (z, feet.copy() if np.may_share_memory(z, feet) else feet) for z, feet in self._surfaces
        ]
        rows, cols = patch.within(self.field.shape)
        sides = [(self._surfaces[0][0][rows, cols], self._lowered(patch.heights))]
        sides.append((self._surfaces[1][0][cols, rows], sides[0][1].T))
        old = [side.copy() for side, _ in sides]
        try:
            for side, new in sides:
                side[...] = new
            yield
        finally:
            for (side, _), kept in zip(sides, old, strict=True):
                side[...] = kept

    def _lowered(self, heights: NDArray[np.floating]) -> NDArray[np.float32]:
        """Heights as the surfaces hold them: near zero they keep their millimetres in 32 bits."""
        lowered: NDArray[np.float32] = (heights - self._level).astype(np.float32)
        return lowered

    def _check_exposed(
        self, targets: FaceTargets, eye_height_m: float, reach_m: float, patches: Sequence[Patch]
    ) -> None:
        named = max((number for _, _, number in targets.runs()), default=-1)
        if named >= len(patches):
            raise InputError(f"targets name patch {named} of {len(patches)}")
        for patch in patches:
            patch.within(self.field.shape)
        if not (np.isfinite(eye_height_m) and eye_height_m >= 0):
            raise InputError(f"eyes are a number of metres from 0 on above their feet; got {eye_height_m}")
        self._check((0.0, 0.0, 0.0), reach_m)

    def _add(
        self,
        pool: ThreadPoolExecutor,
        found: Exposed,
        targets: FaceTargets,
        number: int,
        asked: tuple[float, float],
    ) -> None:
        """What the cells see of one target, in threads over rows."""
        field, (eye_height, reach) = self.field, asked
        x, y, z = (float(value) for value in targets.points[number])
        least = self._least((x, y, z), reach, 0.0, rising(targets.normals[number], field.dx, field.dy))
        own = self._cell_of((x, y, z))
        if own is not None and not self._in_reach((x, y, z), own, reach):
            least[own] = np.nan
        place, face = self._asked(targets, number, eye_height)
        sums = (found.count, found.lowest, found.solid_angle)
        row, size = place[0], (field.dy, field.dx)
        far = min(reach / field.dy + 1.0, abs(row) + field.shape[0])
        first, last = max(0, math.floor(row - far)), min(field.shape[0], math.ceil(row + far) + 1)
        rows = max(1, -(-(last - first) // self._threads))
        jobs = [
            pool.submit(
                add_seen,
                least,
                self._surfaces[0][1],
                sums,
                place,
                size,
                face,
                (r, min(last, r + rows)),
            )
            for r in range(first, last, rows)
        ]
        for job in jobs:
            job.result()

    def _asked(
        self, targets: FaceTargets, number: int, eye_height_m: float
    ) -> tuple[
        tuple[float, float, float, float], tuple[NDArray[np.float64], float, float, NDArray[np.float64]]
    ]:
        """Place and face of a target, as ``add_seen`` takes them."""
        x, y, z = (float(value) for value in targets.points[number])
        outline = targets.outlines[number, : targets.corners[number]] - targets.points[number]
        face = (targets.normals[number], float(targets.marks[number]), float(targets.areas[number]), outline)
        return (*self._place((x, y, z)), z - self._level, eye_height_m), face

    def close(self) -> None:
        """Give memory of a device back."""

    def _check(self, eye: Eye, reach_m: float) -> None:
        if not np.isfinite(eye).all():
            raise InputError(f"an observer has three finite coordinates; got {eye}")
        if not reach_m > 0:
            raise InputError(f"the farthest target is a positive number of metres; got {reach_m}")

    def _place(self, eye: Eye) -> tuple[float, float]:
        """Row and column of an eye."""
        field = self.field
        return (field.y0 - eye[1]) / field.dy, (eye[0] - field.x0) / field.dx

    def _cell_of(self, eye: Eye) -> tuple[int, int] | None:
        """The cell that an eye stands over."""
        row, col = self._place(eye)
        r, c = round(row), round(col)
        rows, cols = self.field.shape
        inside = 0 <= r < rows and 0 <= c < cols and max(abs(row - r), abs(col - c)) <= 0.5
        return (r, c) if inside else None

    def _in_reach(self, eye: Eye, cell: tuple[int, int], reach_m: float) -> bool:
        """Whether the middle of a cell lies within the reach of an eye."""
        row, col = self._place(eye)
        return math.hypot((row - cell[0]) * self.field.dy, (col - cell[1]) * self.field.dx) <= reach_m

    def sees(
        self, eye: tuple[float, float, float], target_height_m: float = 0.0, reach_m: float = math.inf
    ) -> NDArray[np.float32]:
        """Whether targets of one height are seen: 1 seen, 0 hidden, NaN as in ``lowest_seen``."""
        least = self.lowest_seen(eye, reach_m)
        seen = (least <= np.float32(target_height_m)).astype(np.float32)
        seen[np.isnan(least)] = np.nan
        return seen


def _slopes(rays: tuple[float, float, int], some: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Rays of a sector as columns per row, in bands that share a ray with the next; none where no cell lies there."""
    slopes = np.asarray(rays[0] + rays[1] * np.arange(*some), dtype=np.float64)
    return [slopes[start : start + BAND + 1] for start in range(0, len(slopes) - 1, BAND)]


def rays_of(
    shape: tuple[int, int], at: tuple[float, float], sign: int, reach: float
) -> tuple[float, float, int]:
    """First ray of a sector and the step to the next, as columns per row, and their number; 0 where no cell lies there.

    Parameters
    ----------
    shape
        Rows and columns.
    at
        Row and column of the eye.
    sign
        1 for the rows after it, -1 for those before.
    reach
        Farthest target in rows.
    """
    rows, cols = shape
    far = (rows - 1 - at[0]) if sign > 0 else at[0]
    far = min(far, reach + 1.0)
    near = max(1e-9, -at[0] if sign > 0 else at[0] - (rows - 1))
    if far <= 0:
        return 0.0, 1.0, 0
    left, right = -at[1], cols - 1 - at[1]
    # Where the field begins beside the observer, only rays that meet it are carried.
    low = -1.0 if left < 0 else left / far
    high = 1.0 if right > 0 else right / far
    if near > 1e-9:
        low, high = (
            max(low, left / near if left < 0 else left / far),
            min(high, right / near if right > 0 else right / far),
        )
    low, high = max(-1.0, low), min(1.0, high)
    if low > high:
        return 0.0, 1.0, 0
    step = 1.0 / (RAYS_PER_CELL * max(far, 1.0))
    count = math.ceil((high - low) / step) + 3
    return low - step, step, count


@njit
def _carry(
    heights: NDArray[np.float32],
    feet: NDArray[np.float32],
    out: NDArray[np.float32],
    place: tuple[float, float, float, float],
    size: tuple[float, float, float, float],
    sector: tuple[int, bool],
    slopes: NDArray[np.float64],
) -> None:
    """Carry some rays of a sector over its rows; fill the cells between them.

    ``place`` is row, column and height of the eye and the bend of the earth, ``size`` a row and a column [m], the
    reach and what is too near to hide, ``sector`` the way the rows go and whether its diagonals belong to it.
    """
    rows = len(heights)
    row0, high, reach = place[0], size[0], size[2]
    sign, closed = sector
    horizon = np.full(len(slopes), NOTHING, np.float32)
    # Metres for each row along a ray.
    along = np.sqrt(high * high + (slopes * size[1]) ** 2)
    first = math.floor(row0) + 1 if sign > 0 else math.ceil(row0) - 1
    r = max(first, 0) if sign > 0 else min(first, rows - 1)
    while 0 <= r < rows:
        d = sign * (r - row0)
        if d * high > reach + high:
            break
        if 0 <= r - sign < rows:
            _cross(
                heights[r - sign],
                heights[r],
                (d, place[1], place[2], place[3], size[3]),
                slopes,
                along,
                horizon,
            )
        _read(feet[r], out[r], (d, place[1], place[2], place[3]), size, closed, slopes, horizon)
        _meet(heights[r], (d, place[1], place[2], place[3], size[3]), slopes, along, horizon)
        r += sign


@njit
def _cross(
    before: NDArray[np.float32],
    here: NDArray[np.float32],
    at: tuple[float, float, float, float, float],
    slopes: NDArray[np.float64],
    along: NDArray[np.float64],
    horizon: NDArray[np.float32],
) -> None:
    """The column that each ray crosses between two rows; ``at``: rows from the eye, column, height, bend, nearest."""
    d, col0, eye, bend, near = at
    for k in range(len(slopes)):
        s = slopes[k]
        a, b = col0 + s * (d - 1.0), col0 + s * d
        c = math.floor(max(a, b))
        if c <= min(a, b) or c < 0 or c >= len(here) or s == 0.0:
            continue
        t = (c - col0) / s
        f = np.float32(t - (d - 1.0))
        if t <= 0.0 or f <= 0.0 or f >= 1.0:
            continue
        z = before[c] * (np.float32(1.0) - f) + here[c] * f
        length = t * along[k]
        if length < near:
            continue
        tilt = np.float32((z - eye - bend * length * length) / length)
        if tilt > horizon[k]:
            horizon[k] = tilt


@njit
def _read(
    feet: NDArray[np.float32],
    out: NDArray[np.float32],
    at: tuple[float, float, float, float],
    size: tuple[float, float, float, float],
    closed: bool,
    slopes: NDArray[np.float64],
    horizon: NDArray[np.float32],
) -> None:
    """Least heights of the cells of a row that lie between the rays."""
    d, col0, eye, bend = at
    high, wide, reach, _ = size
    n, step = len(slopes), slopes[1] - slopes[0]
    first = math.ceil(col0 + max(-1.0, slopes[0]) * d - 1e-6)
    last = math.floor(col0 + min(1.0, slopes[n - 1]) * d + 1e-6)
    for c in range(max(0, first), min(len(feet), last + 1)):
        aside = abs(c - col0)
        between = ((c - col0) / d - slopes[0]) / step
        k = math.floor(between)
        # The same two numbers decide in the other sector: a cell belongs to one of them, whatever rounding does.
        if k < 0 or k >= n - 1 or aside > d or (not closed and aside >= d):
            continue
        length = math.sqrt((d * high) ** 2 + (aside * wide) ** 2)
        if math.isnan(feet[c]) or length > reach:
            continue
        one, two, f = horizon[k], horizon[k + 1], np.float32(between - k)
        if f < ON_RAY:
            line = one
        elif f > np.float32(1.0) - ON_RAY:
            line = two
        elif one == NOTHING or two == NOTHING:
            # A ray that has met nothing yet has no horizon: no mean with minus infinity.
            line = max(one, two)
        else:
            line = one + f * (two - one)
        if line == NOTHING:
            out[c] = 0.0
        else:
            out[c] = max(0.0, line * length + eye + bend * length * length - feet[c] - GRAZE_TOLERANCE_M)


@njit
def _meet(
    heights: NDArray[np.float32],
    at: tuple[float, float, float, float, float],
    slopes: NDArray[np.float64],
    along: NDArray[np.float64],
    horizon: NDArray[np.float32],
) -> None:
    """The heights of a row where the rays cross it."""
    d, col0, eye, bend, near = at
    cols = len(heights)
    for k in range(len(slopes)):
        p = col0 + slopes[k] * d
        c = math.floor(p)
        f = np.float32(p - c)
        if c < 0 or c >= cols - 1:
            # A ray along the border, or aimed at a corner, may have been rounded off the surface.
            if abs(p) <= ON_BORDER:
                c, f = 0, np.float32(0.0)
            elif abs(p - (cols - 1)) <= ON_BORDER:
                c, f = cols - 1, np.float32(0.0)
            else:
                continue
        z = heights[c]
        if f > np.float32(0.0):
            z = z * (np.float32(1.0) - f) + heights[c + 1] * f
        length = d * along[k]
        if length < near:
            continue
        tilt = np.float32((z - eye) / length - bend * length)
        if tilt > horizon[k]:
            horizon[k] = tilt


@njit
def _merge(out: NDArray[np.float32], turned: NDArray[np.float32]) -> None:
    """Cells that the columns have filled, tile by tile."""
    rows, cols = out.shape
    for row in range(0, rows, 64):
        for col in range(0, cols, 64):
            for r in range(row, min(rows, row + 64)):
                for c in range(col, min(cols, col + 64)):
                    if not math.isnan(turned[c, r]):
                        out[r, c] = turned[c, r]
