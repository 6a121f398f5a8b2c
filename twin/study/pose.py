"""The camera of a photograph from control points: where it stood, where it looked, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.frame import Frame
from twin.study.camera import Camera

LEAST_POINTS = 5
"""Control points that are needed; one of them may turn out to be false where there are two more."""
FALSE_PX = 4.0
"""A point is not thought false while it lies within so many pixels."""
FALSE_GAIN = 3.0
"""It is, where leaving it out makes the others fit so many times better, and no other does."""
FAR_PX = 1e5
"""What a point behind the camera is off [pixel]."""


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A solved camera.

    Parameters
    ----------
    camera
        Eye, bearing, pitch, roll, field of view.
    residuals
        (n, 2) where a point is drawn less where the photograph shows it [pixel]; also of points left out.
    used
        (n,) bool, the points that the solution rests on.
    position_m, bearing_deg
        Standard errors: of the eye in space, and of the bearing; from the residuals and the geometry of the points.
    """

    camera: Camera
    residuals: NDArray[np.float64]
    used: NDArray[np.bool_]
    position_m: float
    bearing_deg: float

    @property
    def rms_px(self) -> float:
        """Root mean square of the distances of the points used [pixel]."""
        return float(np.sqrt((self.residuals[self.used] ** 2).sum(axis=1).mean()))


def solve_pose(
    points: NDArray[np.float64],
    pixels: NDArray[np.float64],
    start: Camera,
    frame: Frame,
    known_lens: bool = False,
) -> Pose:
    """The camera that draws control points where a photograph shows them, by least squares (no lens distortion).

    A point that spoils the fit of all others is found by leaving out each in turn, and named.

    Parameters
    ----------
    points
        (n, 3) local space [m].
    pixels
        (n, 2) x right and y down from the top left corner [pixel].
    start
        A first guess, within some tens of metres and degrees; its size is that of the photograph.
    frame
        Frame of the points.
    known_lens
        Whether the field of view of ``start`` is kept.

    Raises
    ------
    InputError
        Too few points, values that are not finite, no camera that fits.
    """
    points, pixels = np.reshape(points, (-1, 3)).astype(float), np.reshape(pixels, (-1, 2)).astype(float)
    count = len(points)
    if count != len(pixels) or count < LEAST_POINTS:
        raise InputError(
            f"a pose needs at least {LEAST_POINTS} control points, each with its pixel; got {count} and {len(pixels)}"
        )
    if not (np.isfinite(points).all() and np.isfinite(pixels).all()):
        raise InputError("control points have finite coordinates and pixels")
    used = np.ones(count, dtype=bool)
    best = _fit(points, pixels, start, frame, known_lens)
    rms = _rms(points, pixels, best[0], frame)
    if rms > 1.0 and count >= LEAST_POINTS + 2:
        false = _false_point(points, pixels, best[0], rms, frame, known_lens)
        if false is not None:
            used[false] = False
            best = _fit(points[used], pixels[used], best[0], frame, known_lens)
    camera, normal = best
    residuals = camera.project(frame, points) - pixels
    left = residuals[used]
    if not np.isfinite(left).all() or np.abs(left).max() > 0.25 * camera.width:
        raise InputError(
            "no camera near the first guess draws the control points where the photograph shows them: check eye and "
            "bearing of the view, and that x runs right and y down from the top left corner"
        )
    freedom = max(1, left.size - len(normal))
    spread = np.linalg.pinv(normal) * float((left**2).sum()) / freedom
    position = float(np.sqrt(np.trace(spread[:3, :3])))
    return Pose(camera, residuals, used, position, float(np.degrees(np.sqrt(spread[3, 3]))))


def _camera(values: NDArray[np.float64], start: Camera) -> Camera:
    """East, north, height [m], bearing, pitch, roll [rad], logarithm of half the width over the focal length."""
    x, y, z, bearing, pitch, roll = (float(v) for v in values[:6])
    hfov = start.hfov_deg if len(values) == 6 else float(np.degrees(2 * np.arctan(np.exp(values[6]))))
    return replace(
        start,
        eye=(x, y, z),
        bearing_true_deg=float(np.degrees(bearing)),
        pitch_deg=float(np.clip(np.degrees(pitch), -89.0, 89.0)),
        roll_deg=float(np.degrees(roll)),
        hfov_deg=float(np.clip(hfov, 1.0, 160.0)),
    )


def _fit(
    points: NDArray[np.float64],
    pixels: NDArray[np.float64],
    start: Camera,
    frame: Frame,
    known_lens: bool,
) -> tuple[Camera, NDArray[np.float64]]:
    """Camera and its normal matrix; the first three unknowns are metres, the fourth is the bearing [rad]."""
    from scipy.optimize import least_squares

    first = [*start.eye, *np.radians([start.bearing_true_deg, start.pitch_deg, start.roll_deg])]
    if not known_lens:
        first.append(float(np.log(np.tan(np.radians(start.hfov_deg) / 2))))

    def off(values: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = _camera(values, start).project(frame, points) - pixels
        return np.where(np.isfinite(drawn), drawn, FAR_PX).ravel()

    scale = [10.0, 10.0, 5.0, *[0.1] * (len(first) - 3)]
    # A rough fit that heeds no single point first: a false one may not lead the camera astray.
    rough = least_squares(off, first, x_scale=scale, loss="soft_l1", f_scale=20.0, max_nfev=400)
    found = least_squares(off, rough.x, x_scale=scale, max_nfev=400)
    slopes = np.asarray(found.jac, dtype=np.float64)
    return _camera(found.x, start), slopes.T @ slopes


def _rms(points: NDArray[np.float64], pixels: NDArray[np.float64], camera: Camera, frame: Frame) -> float:
    off = camera.project(frame, points) - pixels
    return float(np.sqrt((np.where(np.isfinite(off), off, FAR_PX) ** 2).sum(axis=1).mean()))


def _false_point(
    points: NDArray[np.float64],
    pixels: NDArray[np.float64],
    camera: Camera,
    rms: float,
    frame: Frame,
    known_lens: bool,
) -> int | None:
    """The one point without which the others fit far better, and from which it then lies far off."""
    fits = []
    for k in range(len(points)):
        keep = np.arange(len(points)) != k
        found, _ = _fit(points[keep], pixels[keep], camera, frame, known_lens)
        fits.append((_rms(points[keep], pixels[keep], found, frame), k, found))
    fits.sort(key=lambda fit: fit[0])
    (best, k, found), second = fits[0], fits[1][0]
    own = _rms(points[k : k + 1], pixels[k : k + 1], found, frame)
    if own > max(FALSE_PX, FALSE_GAIN * best) and rms > FALSE_GAIN * best and second > 1.5 * best:
        return k
    return None
