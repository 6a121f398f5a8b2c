"""Cameras of pictures: central, such as an eye or a photograph, and parallel, such as an axonometric drawing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.frame import Frame
from twin.jit import njit


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera, with a level horizon unless it is rolled.

    Parameters
    ----------
    eye
        x, y, z, local space, height above the datum [m].
    bearing_true_deg
        Direction of view from true north, clockwise [degree].
    pitch_deg
        Upwards positive, within 89.9 [degree].
    hfov_deg
        Horizontal field of view, above 0 and below 170 [degree].
    width, height
        Pixels; pixels are square.
    roll_deg
        How far the camera is turned clockwise about its line of view [degree].
    """

    eye: tuple[float, float, float]
    bearing_true_deg: float
    pitch_deg: float = 0.0
    hfov_deg: float = 60.0
    width: int = 1920
    height: int = 1080
    roll_deg: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite([*self.eye, self.bearing_true_deg, self.roll_deg]).all():
            raise InputError(f"a camera needs finite coordinates and bearing; got {self.eye}")
        if not (abs(self.pitch_deg) <= 89.9 and 0 < self.hfov_deg < 170):
            raise InputError(
                f"a camera's pitch lies within 89.9 degrees and its field of view within 0 to 170; "
                f"got {self.pitch_deg} and {self.hfov_deg}"
            )
        if self.width < 2 or self.height < 2:
            raise InputError(f"a picture has at least 2 x 2 pixels; got {self.width} x {self.height}")

    @property
    def vfov_deg(self) -> float:
        """Vertical field of view [degree]."""
        half = np.tan(np.radians(self.hfov_deg) / 2) * self.height / self.width
        return float(2 * np.degrees(np.arctan(half)))

    def axes(self, frame: Frame) -> NDArray[np.float64]:
        """(3, 3) unit rows: right, up and forward of the picture, in the axes of the grid."""
        right, up, forward = picture_axes(frame, self.bearing_true_deg, self.pitch_deg)
        c, s = np.cos(np.radians(self.roll_deg)), np.sin(np.radians(self.roll_deg))
        return np.stack([c * right - s * up, s * right + c * up, forward])

    def origins(self, frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where the rays of picture points start (3,), local space [m]."""
        return np.array(self.eye, dtype=np.float64)

    def directions(self, frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unit directions (n, 3) of picture points: x right and y down from the top left corner [pixel]."""
        reach = np.tan(np.radians(self.hfov_deg) / 2) / (self.width / 2)
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        unit = np.empty((len(x), 3))
        _central(((x - self.width / 2) * reach, (self.height / 2 - y) * reach), self.axes(frame), unit)
        return unit

    def project(self, frame: Frame, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Picture points (n, 2) [pixel] of local points (n, 3) [m]; NaN behind the camera."""
        reach = np.tan(np.radians(self.hfov_deg) / 2) / (self.width / 2)
        u, v, depth = self.axes(frame) @ (np.reshape(xyz, (-1, 3)) - np.array(self.eye)).T
        with np.errstate(divide="ignore", invalid="ignore"):
            out = np.column_stack([self.width / 2 + u / depth / reach, self.height / 2 - v / depth / reach])
        out[depth <= 0] = np.nan
        return out


@njit
def _central(
    at: tuple[NDArray[np.float64], NDArray[np.float64]], axes: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Unit rays (n, 3) through points of the plane at distance 1 before an eye."""
    u, v = at
    for i in range(len(u)):
        length = np.sqrt(1.0 + u[i] * u[i] + v[i] * v[i])
        for k in range(3):
            out[i, k] = (axes[2, k] + u[i] * axes[0, k] + v[i] * axes[1, k]) / length


def picture_axes(frame: Frame, bearing_true_deg: float, pitch_deg: float) -> NDArray[np.float64]:
    """(3, 3) unit rows: right, up and forward of a picture with a level horizon, in the axes of the grid."""
    bearing, pitch = np.radians(frame.azimuth_grid(bearing_true_deg)), np.radians(pitch_deg)
    east, north = np.sin(bearing), np.cos(bearing)
    right = np.array([north, -east, 0.0])
    forward = np.array([east * np.cos(pitch), north * np.cos(pitch), np.sin(pitch)])
    return np.stack([right, np.cross(right, forward), forward])


@dataclass(frozen=True, slots=True)
class ParallelCamera:
    """A camera of parallel rays: an axonometric picture, true to scale in its plane.

    Parameters
    ----------
    eye
        Middle of the plane that the rays start from, local space [m]; what is to be seen lies before it.
    bearing_true_deg, pitch_deg
        Direction of view, as those of ``Camera`` [degree].
    pixel_m
        Side of a pixel [m].
    width, height
        Pixels.
    """

    eye: tuple[float, float, float]
    bearing_true_deg: float
    pitch_deg: float
    pixel_m: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if not (np.isfinite([*self.eye, self.bearing_true_deg]).all() and self.pixel_m > 0):
            raise InputError(f"a parallel camera needs finite numbers and a pixel above 0 m; got {self}")
        if not abs(self.pitch_deg) <= 89.9 or self.width < 2 or self.height < 2:
            raise InputError(f"a pitch within 89.9 degrees and at least 2 x 2 pixels are needed; got {self}")

    def axes(self, frame: Frame) -> NDArray[np.float64]:
        """As ``Camera.axes``."""
        return picture_axes(frame, self.bearing_true_deg, self.pitch_deg)

    def origins(self, frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where the rays of picture points start (n, 3), local space [m]."""
        right, up, _ = self.axes(frame)
        u, v = (x - self.width / 2) * self.pixel_m, (self.height / 2 - y) * self.pixel_m
        placed: NDArray[np.float64] = np.array(self.eye) + u[:, None] * right + v[:, None] * up
        return placed

    def directions(self, frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """As ``Camera.directions``: one for all."""
        forward = self.axes(frame)[2]
        return np.broadcast_to(forward, (len(x), 3)).copy()

    def project(self, frame: Frame, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """As ``Camera.project``."""
        u, v, depth = self.axes(frame) @ (np.reshape(xyz, (-1, 3)) - np.array(self.eye)).T
        out = np.column_stack([self.width / 2 + u / self.pixel_m, self.height / 2 - v / self.pixel_m])
        out[depth <= 0] = np.nan
        return out


AnyCamera = Camera | ParallelCamera
