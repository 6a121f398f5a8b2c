"""The skyline from a standpoint: the highest thing in every direction, from the edges of all faces."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.jit import njit
from twin.model.scene import Scene
from twin.study.occluders import face_table
from twin.study.sight import bend_vertices


@dataclass(frozen=True, slots=True, eq=False)
class Skyline:
    """Highest sight lines that meet something.

    Parameters
    ----------
    azimuth_true_deg
        (n,) directions, clockwise from true north [degree].
    altitude_deg
        (n,) altitude of the skyline [degree]; -90 where nothing stands.
    objects
        (n,) id of what makes it; empty where nothing stands.
    distance_m
        (n,) distance of that in plan [m]; NaN where nothing stands.
    step_deg
        Distance of the directions [degree].
    """

    azimuth_true_deg: NDArray[np.float64]
    altitude_deg: NDArray[np.float64]
    objects: tuple[str, ...]
    distance_m: NDArray[np.float64]
    step_deg: float


def skyline(
    scene: Scene,
    eye: NDArray[np.float64],
    sector: tuple[float, float, float],
    refraction_k: float | None,
    trees: bool = True,
) -> Skyline:
    """The skyline of a scene.

    Exact in each direction: a face is highest where one of its edges crosses the upright plane of that direction.

    Parameters
    ----------
    scene
        The scene.
    eye
        x, y, z, local space [m].
    sector
        First and last true azimuth, clockwise, and the step between directions [degree].
    refraction_k
        Refraction coefficient; None leaves the earth flat.
    trees
        Whether trees count, as opaque crowns.

    Raises
    ------
    InputError
        A step that is not positive, a sector of more than a circle.
    """
    first, last, step = sector
    width = (last - first) % 360.0 or 360.0
    if not (np.isfinite([first, last, step]).all() and 0 < step <= 10):
        raise InputError(
            f"directions of a skyline are finite, a step of up to 10 degrees apart; got {sector}"
        )
    count = int(np.floor(width / step + 1e-9)) + (0 if width == 360.0 else 1)
    azimuth = (first + step * np.arange(count)) % 360.0
    table = face_table(scene, trees)
    vertices = table.vertices
    if refraction_k is not None:
        vertices = bend_vertices(vertices, (float(eye[0]), float(eye[1])), refraction_k)
    start = np.radians(scene.frame.azimuth_grid(first))
    tangent, face = np.full(count, -np.inf), np.full(count, -1, dtype=np.int64)
    distance = np.full(count, np.nan)
    steepest_edges(
        np.ascontiguousarray(vertices - np.asarray(eye, dtype=np.float64)),
        np.asarray(table.faces, dtype=np.int64),
        (float(start), float(np.radians(step))),
        tangent,
        face,
        distance,
    )
    names = tuple(table.ids[table.objects[k]] if k >= 0 else "" for k in face)
    altitude = np.degrees(np.arctan(tangent)).astype(np.float64)
    return Skyline(np.asarray(azimuth, dtype=np.float64), altitude, names, distance, step)


@njit
def steepest_edges(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    sector: tuple[float, float],
    tangent: NDArray[np.float64],
    face: NDArray[np.int64],
    distance: NDArray[np.float64],
) -> None:
    """Where the edges of the faces cross the upright planes of the directions, the steepest of each.

    Parameters
    ----------
    vertices, faces
        (n, 3) from the eye [m], and (m, 3).
    sector
        First direction, clockwise from grid north, and the step [radian].
    tangent, face, distance
        (k,) filled for each direction: tangent of the altitude, face, distance in plan [m]; left as they are where
        nothing stands.
    """
    first, step = sector
    count = len(tangent)
    turn = 2.0 * math.pi
    for m in range(len(faces)):
        for k in range(3):
            i, j = faces[m, k], faces[m, (k + 1) % 3]
            ax, ay, az = vertices[i, 0], vertices[i, 1], vertices[i, 2]
            dx, dy, dz = vertices[j, 0] - ax, vertices[j, 1] - ay, vertices[j, 2] - az
            one = math.atan2(ax, ay)
            span = math.atan2(ax + dx, ay + dy) - one
            span -= turn * math.floor((span + math.pi) / turn)
            if span < 0.0:
                one, span = one + span, -span
            begin = (one - first) % turn
            # The directions are met once more where the edge passes the first of them.
            for offset in (0.0, turn):
                low = math.ceil((begin - offset) / step - 1e-9)
                high = math.floor((begin + span - offset) / step + 1e-9)
                for n in range(max(0, low), min(count - 1, high) + 1):
                    angle = first + n * step
                    sx, sy = math.sin(angle), math.cos(angle)
                    across = dx * sy - dy * sx
                    if across == 0.0:
                        t = 0.0
                    else:
                        t = min(1.0, max(0.0, -(ax * sy - ay * sx) / across))
                    far = (ax + t * dx) * sx + (ay + t * dy) * sy
                    if far <= 1e-6:
                        continue
                    up = (az + t * dz) / far
                    if up > tangent[n]:
                        tangent[n], face[n], distance[n] = up, m, far


def sky_taken(before: Skyline, after: Skyline) -> float:
    """Sky that lies below the skyline after and not before [sr]; negative where more sky is freed than taken."""
    if before.azimuth_true_deg.shape != after.azimuth_true_deg.shape:
        raise InputError("two skylines of other directions cannot be compared")
    old, new = (np.sin(np.radians(np.maximum(one.altitude_deg, -90.0))) for one in (before, after))
    return float(np.radians(before.step_deg) * (new - old).sum())
