"""What reaches the eye of a picture: samples of first hits, their light and air, and how a screen shows it.

Kernels run over some samples without the interpreter's lock: who has many samples hands them out to threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit
from twin.study.shade import Look, Surfaces, linear
from twin.visibility.caster import Caster

ZENITH = np.array([0.20, 0.40, 0.70])
HORIZON = np.array([0.72, 0.82, 0.90])
BELOW = np.array([0.60, 0.66, 0.68])
GLOW = np.array([0.50, 0.40, 0.22])
"""Sky colours, linear: overhead, at the horizon, beyond the end of the model, around the sun."""

SUN = np.array([1.00, 0.95, 0.86]) * 1.02
"""Light of the sun upon a face turned to it."""

PAINT_PLAIN = 0.8
"""Share of the light upon painted ground that is the same everywhere."""

HAZE_M = 9000.0
"""Distance over which the air takes away the share 1 - 1/e of the contrast [m]."""

LIFT_M, LIFT_SHARE = 0.01, 2e-5
"""How far rays of light start above the face that they leave: a length [m], and a share of the distance."""

TILE = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], dtype=np.int64)
"""Bayer's matrix: 16 numbers whose neighbours are far apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """First hits: rays (n, 3), distance (n,) [m], face (n,) or -1, points, normals to shade by, face normals.

    Both normals are turned to the eye; where nothing was hit, they are zero and the point is the eye.
    """

    rays: NDArray[np.float64]
    distance: NDArray[np.float64]
    face: NDArray[np.int32]
    points: NDArray[np.float64]
    normals: NDArray[np.float32]
    flat: NDArray[np.float32]


def sample_hits(
    surfaces: Surfaces,
    eye: NDArray[np.float64],
    rays: NDArray[np.float64],
    distance: NDArray[Any],
    face: NDArray[np.int32],
) -> Sample:
    """Points and normals of first hits; ``eye`` is (3,), or (n, 3) where each ray has its own."""
    count = len(rays)
    starts = np.broadcast_to(eye, (count, 3))
    face = np.ascontiguousarray(face, dtype=np.int32)
    sample = Sample(
        rays,
        np.where(face >= 0, distance, 0.0).astype(np.float64),
        face,
        np.array(starts, dtype=np.float64),
        np.zeros((count, 3), dtype=np.float32),
        np.zeros((count, 3), dtype=np.float32),
    )
    table = surfaces.table
    _sample(
        (rays, sample.distance, face),
        (table.vertices, table.faces),
        (surfaces.flat, surfaces.soft, surfaces.smooth),
        (sample.points, sample.normals, sample.flat),
    )
    return sample


@njit
def _sample(
    hits: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]],
    mesh: tuple[NDArray[np.float64], NDArray[np.int32]],
    given: tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]],
    out: tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]],
) -> None:
    rays, distance, face = hits
    vertices, faces = mesh
    of_face, of_vertex, smooth = given
    points, normals, flat = out
    mixed = np.zeros(3)
    for i in range(len(face)):
        f = face[i]
        if f < 0:
            continue
        n = of_face[f]
        turn = -1.0 if n[0] * rays[i, 0] + n[1] * rays[i, 1] + n[2] * rays[i, 2] > 0 else 1.0
        for k in range(3):
            points[i, k] += distance[i] * rays[i, k]
            flat[i, k] = turn * n[k]
            normals[i, k] = turn * n[k]
        if not smooth[f]:
            continue
        s, t = _mixed(vertices, faces[f], points[i])
        x = 0.0
        for k in range(3):
            mixed[k] = (
                (1 - s - t) * of_vertex[faces[f, 0], k]
                + s * of_vertex[faces[f, 1], k]
                + t * of_vertex[faces[f, 2], k]
            )
            x += mixed[k] * mixed[k]
        if x > 1e-12:
            for k in range(3):
                normals[i, k] = turn * mixed[k] / np.sqrt(x)


@njit
def _mixed(
    vertices: NDArray[np.float64], face: NDArray[np.int32], point: NDArray[np.float64]
) -> tuple[float, float]:
    """Shares of the second and third corner of a face at a point on it."""
    uu, uv, vv, wu, wv = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(3):
        a = vertices[face[0], k]
        u, v, w = vertices[face[1], k] - a, vertices[face[2], k] - a, point[k] - a
        uu, uv, vv = uu + u * u, uv + u * v, vv + v * v
        wu, wv = wu + w * u, wv + w * v
    det = uu * vv - uv * uv
    if det <= 0:
        return 0.0, 0.0
    s = min(max((vv * wu - uv * wv) / det, 0.0), 1.0)
    return s, min(max((uu * wv - uv * wu) / det, 0.0), 1.0 - s)


def sunlit(surfaces: Surfaces, look: Look, sample: Sample, caster: Caster) -> NDArray[np.bool_]:
    """Which points (n,) the sun reaches."""
    lit = np.zeros(len(sample.face), dtype=bool)
    if look.sun[2] <= 0:
        return lit
    start, index = np.empty((len(lit), 3)), np.empty(len(lit), dtype=np.int64)
    count = _sunward(
        (sample.distance, sample.face, sample.points, sample.flat),
        (surfaces.table.objects, surfaces.crowns),
        look.sun,
        (start, index),
    )
    if count:
        lit[index[:count]] = ~caster.occluded(start[:count], look.sun)
    return lit


@njit
def _sunward(
    sample: tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64], NDArray[np.float32]],
    crowns: tuple[NDArray[np.int32], NDArray[np.float64]],
    sun: NDArray[np.float64],
    out: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> int:
    """Where rays to the sun start, for the samples whose face is turned to it; gives their number."""
    distance, face, points, flat = sample
    objects, width = crowns
    start, index = out
    count = 0
    for i in range(len(face)):
        if face[i] < 0:
            continue
        # A crown is no hard body: it does not shade itself, its far side is darker by its normals alone.
        skip = width[objects[face[i]]]
        if skip <= 0 and flat[i, 0] * sun[0] + flat[i, 1] * sun[1] + flat[i, 2] * sun[2] <= 0:
            continue
        lift = LIFT_M + LIFT_SHARE * distance[i]
        for k in range(3):
            start[count, k] = points[i, k] + lift * flat[i, k] + skip * sun[k]
        index[count] = i
        count += 1
    return count


def light(
    surfaces: Surfaces,
    look: Look,
    sample: Sample,
    lit: NDArray[np.bool_],
    sky_share: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Linear light (n, 3) that comes to the eye: from faces, haze included, and from the sky.

    Parameters
    ----------
    lit
        (n,) whether the sun reaches the point.
    sky_share
        (n,) cosine-weighted share of the sky that the point sees, 0 to 1; any number where there is no face.
    """
    colour = surfaces.albedo[sample.face]
    plain = surfaces.cells[sample.face]
    _paint(surfaces, sample, colour, plain)
    # The light is worked out in place of the colour.
    _light(
        (sample.rays, sample.distance, sample.face, sample.normals),
        (lit, sky_share, plain),
        (look.sun, np.asarray(look.sky, np.float64), np.asarray(look.around, np.float64)),
        colour,
    )
    return colour


def _paint(surfaces: Surfaces, sample: Sample, colour: NDArray[np.float32], plain: NDArray[np.bool_]) -> None:
    """Lay the paint upon the colours of points on the terrain, and mark those that took it."""
    if surfaces.paint is None:
        return
    raster, colours = surfaces.paint
    index = np.flatnonzero(surfaces.painted[sample.face] & (sample.face >= 0))
    rows, cols = raster.grid.rows_cols(sample.points[index, 0], sample.points[index, 1])
    inside = (rows >= 0) & (cols >= 0) & (rows < raster.grid.rows) & (cols < raster.grid.cols)
    index, values = index[inside], raster.values[rows[inside], cols[inside]]
    known = np.isfinite(values)
    if known.any():
        colour[index[known]] = linear(np.asarray(colours(values[known]))[:, :3])
        plain[index[known]] = True


@njit
def _light(
    sample: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32], NDArray[np.float32]],
    shine: tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.bool_]],
    look: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    colour: NDArray[np.float32],
) -> None:
    rays, distance, face, normals = sample
    lit, shares, plain = shine
    sun, sky, around = look
    for i in range(len(face)):
        if face[i] < 0:
            _sky(rays[i], sun, colour[i])
            continue
        facing = 0.0
        if lit[i]:
            facing = normals[i, 0] * sun[0] + normals[i, 1] * sun[1] + normals[i, 2] * sun[2]
            facing = min(max(facing, 0.0), 1.0)
        share = shares[i]
        air = np.exp(-distance[i] / HAZE_M)
        for k in range(3):
            bright = facing * SUN[k] + share * sky[k] + (1.0 - share) * around[k]
            if plain[i]:
                # A painted value is read by its colour: light and shadow only hint at the shape.
                bright = PAINT_PLAIN + (1.0 - PAINT_PLAIN) * bright
            colour[i, k] = colour[i, k] * bright * air + (1.0 - air) * HORIZON[k]


@njit
def _sky(ray: NDArray[np.float64], sun: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    """Colour of the sky along a ray; beyond the end of the model a pale ground."""
    rise = max(ray[2], 0.0) ** 0.55
    fall = min(max(-ray[2] * 12.0, 0.0), 1.0)
    glow = 0.0
    if sun[2] > -0.1:
        near = ray[0] * sun[0] + ray[1] * sun[1] + ray[2] * sun[2]
        if near > 0.0:
            glow = 0.35 * near**24 + 0.8 * near**600
    for k in range(3):
        sky = HORIZON[k] + (ZENITH[k] - HORIZON[k]) * rise + GLOW[k] * glow
        out[k] = sky * (1.0 - fall) + BELOW[k] * fall


def display(light_: NDArray[np.float32]) -> NDArray[np.uint8]:
    """sRGB bytes of linear light (h, w, 3), with a soft shoulder instead of a cut above 0.75.

    An ordered pattern of less than one step keeps slow gradients free of bands.
    """
    out = np.empty(light_.shape, dtype=np.uint8)
    display_rows(light_, 0, len(light_), out)
    return out


@njit
def display_rows(light_: NDArray[np.float32], first: int, end: int, out: NDArray[np.uint8]) -> None:
    """``display`` for some rows of a picture."""
    for r in range(first, end):
        for c in range(light_.shape[1]):
            step = (TILE[r % 4, c % 4] + 0.5) / 16.0
            for k in range(3):
                x = float(max(light_[r, c, k], np.float32(0.0)))
                if x > 0.75:
                    x = 0.75 + 0.25 * (1.0 - np.exp(-(x - 0.75) / 0.25))
                x = 12.92 * x if x <= 0.0031308 else 1.055 * x ** (1 / 2.4) - 0.055
                out[r, c, k] = np.uint8(min(max(np.floor(x * 255.0 + step), 0.0), 255.0))
