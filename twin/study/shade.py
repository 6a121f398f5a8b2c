"""Colours of faces, light and air: what a point of a picture looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit
from twin.model.arrays import readonly
from twin.model.raster import Raster
from twin.model.surface import Surface
from twin.study.occluders import FaceTable

Colour = Sequence[float]
"""sRGB, 0 to 255."""

PROPOSED_ROOF: Colour = (240, 150, 84)
PROPOSED_WALL: Colour = (232, 132, 66)
"""Colours of proposed volumes where the palette has none: an orange that stands off from white and green."""

FALLBACK: Colour = (214, 212, 207)
"""Colour of surface types that the palette does not know."""

SUN = np.array([1.00, 0.95, 0.86], dtype=np.float32) * 1.02
SKY = np.array([0.88, 0.95, 1.06], dtype=np.float32) * 0.46
AROUND = np.array([1.00, 0.97, 0.93], dtype=np.float32) * 0.20
"""Light of the sun upon a face turned to it, of the whole sky, and of all that is not sky."""

ZENITH = np.array([0.20, 0.40, 0.70], dtype=np.float32)
HORIZON = np.array([0.72, 0.82, 0.90], dtype=np.float32)
BELOW = np.array([0.60, 0.66, 0.68], dtype=np.float32)
GLOW = np.array([0.50, 0.40, 0.22], dtype=np.float32)
"""Sky colours, linear: overhead, at the horizon, beyond the end of the model, around the sun."""

EVEN = 2.0
"""How many times the soft light shines where there is no sun."""

PAINT_PLAIN = 0.8
"""Share of the light upon painted ground that is the same everywhere."""

HAZE_M = 9000.0
"""Distance over which the air takes away the share 1 - 1/e of the contrast [m]."""

LIFT_M, LIFT_SHARE = 0.01, 2e-5
"""How far rays of light start above the face that they leave: a length [m], and a share of the distance."""

TILE = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], dtype=np.int64)
"""Bayer's matrix: 16 numbers whose neighbours are far apart."""

Painted = tuple[Raster, Callable[[NDArray[np.floating]], NDArray[np.floating]]]


def linear(srgb: NDArray[Any] | Colour) -> NDArray[np.float32]:
    """Linear light 0 to 1 of sRGB values 0 to 255 (IEC 61966-2-1)."""
    c = np.asarray(srgb, dtype=np.float64) / 255.0
    out = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return out.astype(np.float32)


def display(light_: NDArray[np.float32]) -> NDArray[np.uint8]:
    """sRGB bytes of linear light (h, w, 3), with a soft shoulder instead of a cut above 0.75.

    An ordered pattern of less than one step keeps slow gradients free of bands.
    """
    x = np.maximum(light_, 0.0)
    over = np.maximum(x - 0.75, 0.0)
    x = np.where(x > 0.75, 0.75 + 0.25 * (1.0 - np.exp(-over / 0.25)), x)
    c = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    height, width = light_.shape[:2]
    pattern = np.tile((TILE + 0.5) / 16.0, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
    out: NDArray[np.uint8] = np.clip(np.floor(c * 255.0 + pattern), 0, 255).astype(np.uint8)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Light of a picture.

    Parameters
    ----------
    sun
        Unit direction (3,) towards the sun, in the axes of the grid.
    sky, around
        Light of the whole sky, and of all that is not sky: one number or one of each colour.
    """

    sun: NDArray[np.float64]
    sky: NDArray[np.float32] = field(default_factory=lambda: SKY)
    around: NDArray[np.float32] = field(default_factory=lambda: AROUND)

    @staticmethod
    def of(sun: NDArray[np.float64]) -> Look:
        """The look of a sun."""
        return Look(readonly(sun, np.float64))

    @staticmethod
    def even() -> Look:
        """Light without a sun: nothing casts a hard shadow that could be taken for a result."""
        below = readonly(np.array([0.0, 0.0, -1.0]), np.float64)
        sky, around = (np.full(3, EVEN * light.mean(), dtype=np.float32) for light in (SKY, AROUND))
        return Look(below, sky, around)


@dataclass(frozen=True, slots=True, eq=False)
class Surfaces:
    """What the faces of a scene look like.

    Parameters
    ----------
    table
        The faces.
    albedo
        (m, 3) float32, linear.
    flat
        (m, 3) float64, unit normals of the faces.
    soft
        (n, 3) float32, normals of the vertices, for the faces that are shaded smoothly.
    smooth, drawn, painted
        (m,) bool: shaded smoothly (terrain, trees), drawn with lines (buildings), takes the paint (terrain).
    crowns
        (objects,) float64, how far a ray of light goes through a tree's own crown [m]; 0 for other objects.
    paint
        Raster and colours, or None.
    cells
        (m,) bool: faces whose colour is a value.
    """

    table: FaceTable
    albedo: NDArray[np.float32]
    flat: NDArray[np.float64]
    soft: NDArray[np.float32]
    smooth: NDArray[np.bool_]
    drawn: NDArray[np.bool_]
    painted: NDArray[np.bool_]
    crowns: NDArray[np.float64]
    paint: Painted | None
    cells: NDArray[np.bool_]

    @staticmethod
    def of(
        table: FaceTable,
        palette: Mapping[Any, Colour],
        paint: Painted | None,
        cells: NDArray[np.integer] | None = None,
    ) -> Surfaces:
        """Colours and normals of a scene's faces; ``cells`` (k, 3) are the colours of its last k faces [sRGB]."""
        mesh = table.mesh(np.ones(len(table.faces), dtype=bool))
        flat = mesh.face_normals()
        smooth = table.in_layers("terrain", "trees")
        colours = face_colours(table, palette, flat)
        valued = np.zeros(len(table.faces), dtype=bool)
        if cells is not None and len(cells):
            valued[-len(cells) :] = True
            colours[valued] = linear(cells)
        return Surfaces(
            table,
            colours,
            flat,
            vertex_normals(table, smooth),
            smooth,
            table.in_layers("buildings", "proposals", "other"),
            table.in_layers("terrain"),
            crown_widths(table),
            paint,
            valued,
        )

    def object_of(self, faces: NDArray[np.int32]) -> NDArray[np.int32]:
        """Object (n,) of faces (n,); -1 where the face is -1."""
        found: NDArray[np.int32] = np.where(faces >= 0, self.table.objects[faces], -1).astype(np.int32)
        return found


def face_colours(
    table: FaceTable, palette: Mapping[Any, Colour], normals: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Linear colours (m, 3) of faces by their type; proposed volumes have their own."""
    by_code = np.tile(linear(palette.get(Surface.OTHER, FALLBACK)), (256, 1))
    for code in Surface:
        if code in palette:
            by_code[code] = linear(palette[code])
    colours = by_code[table.semantics]
    if Surface.VEGETATION in palette:
        colours[table.in_layers("trees")] = linear(palette[Surface.VEGETATION])
    proposed = np.array([s == "proposed" for s in table.statuses], dtype=bool)[table.objects]
    top = normals[:, 2] > 0.5
    colours[proposed & top] = linear(palette.get("proposed_roof", PROPOSED_ROOF))
    colours[proposed & ~top] = linear(palette.get("proposed_wall", PROPOSED_WALL))
    out: NDArray[np.float32] = np.ascontiguousarray(colours, dtype=np.float32)
    return out


def crown_widths(table: FaceTable) -> NDArray[np.float64]:
    """Width (objects,) of the trees [m], 0 for all other objects."""
    out = np.zeros(len(table.ids))
    faces = np.flatnonzero(table.in_layers("trees"))
    if len(faces):
        x = table.vertices[table.faces[faces], 0]
        found, start = np.unique(table.objects[faces], return_index=True)
        out[found] = np.maximum.reduceat(x.max(axis=1), start) - np.minimum.reduceat(x.min(axis=1), start)
    return out


def vertex_normals(table: FaceTable, smooth: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Unit normals (n, 3) of the vertices: the area-weighted mean of their smooth faces; zero without one."""
    faces = table.faces[smooth]
    a, b, c = (table.vertices[faces[:, k]] for k in range(3))
    weight = np.cross(b - a, c - a)
    total = np.zeros_like(table.vertices)
    for axis in range(3):
        for corner in range(3):
            total[:, axis] += np.bincount(
                faces[:, corner], weights=weight[:, axis], minlength=len(table.vertices)
            )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(total, length, out=total, where=length > 0).astype(np.float32)
    return unit


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """First hits: rays (n, 3), distance (n,) [m], face (n,) or -1, points, normals to shade by, face normals.

    Both normals are turned to the eye.
    """

    rays: NDArray[np.float64]
    distance: NDArray[np.float64]
    face: NDArray[np.int32]
    points: NDArray[np.float64]
    normals: NDArray[np.float32]
    flat: NDArray[np.float32]

    def part(self, index: NDArray[np.int64]) -> Sample:
        """Some of the samples."""
        return Sample(
            self.rays[index],
            self.distance[index],
            self.face[index],
            self.points[index],
            self.normals[index],
            self.flat[index],
        )

    def lifted(self) -> NDArray[np.float64]:
        """The points (n, 3), a little above their faces: where rays of light begin."""
        lift = LIFT_M + LIFT_SHARE * self.distance
        points: NDArray[np.float64] = self.points + lift[:, None] * self.flat
        return points


def sample_hits(
    surfaces: Surfaces,
    eye: NDArray[np.float64],
    rays: NDArray[np.float64],
    distance: NDArray[Any],
    face: NDArray[np.int32],
) -> Sample:
    """Points and normals of first hits; zeros where nothing was hit."""
    face = np.ascontiguousarray(face, dtype=np.int32)
    reach = np.where(face >= 0, distance, 0.0).astype(np.float64)
    points = eye + reach[:, None] * rays
    normals = np.zeros((len(rays), 3), dtype=np.float32)
    flat = np.zeros((len(rays), 3), dtype=np.float32)
    table = surfaces.table
    _normals(
        (points, rays, face),
        (table.vertices, table.faces),
        (surfaces.flat, surfaces.soft, surfaces.smooth),
        normals,
        flat,
    )
    return Sample(rays, reach, face, points, normals, flat)


@njit
def _normals(
    hits: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]],
    mesh: tuple[NDArray[np.float64], NDArray[np.int32]],
    given: tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]],
    normals: NDArray[np.float32],
    flat: NDArray[np.float32],
) -> None:
    points, rays, face = hits
    vertices, faces = mesh
    of_face, of_vertex, smooth = given
    for i in range(len(face)):
        f = face[i]
        if f < 0:
            continue
        n = of_face[f]
        turn = -1.0 if n[0] * rays[i, 0] + n[1] * rays[i, 1] + n[2] * rays[i, 2] > 0 else 1.0
        for k in range(3):
            flat[i, k] = turn * n[k]
            normals[i, k] = turn * n[k]
        if not smooth[f]:
            continue
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        u, v, w = b - a, c - a, points[i] - a
        uu, uv, vv = (u * u).sum(), (u * v).sum(), (v * v).sum()
        wu, wv = (w * u).sum(), (w * v).sum()
        det = uu * vv - uv * uv
        if det <= 0:
            continue
        s = min(max((vv * wu - uv * wv) / det, 0.0), 1.0)
        t = min(max((uu * wv - uv * wu) / det, 0.0), 1.0 - s)
        x = 0.0
        mixed = np.zeros(3)
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


def light(
    surfaces: Surfaces,
    look: Look,
    sample: Sample,
    sunlit: NDArray[np.bool_],
    sky_share: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Linear light (n, 3) from points on faces towards the eye, haze included.

    Parameters
    ----------
    sunlit
        (n,) whether the sun reaches the point.
    sky_share
        (n,) cosine-weighted share of the sky that the point sees, 0 to 1.
    """
    colour = surfaces.albedo[sample.face].copy()
    painted = _paint(surfaces, sample, colour)
    facing = np.clip(sample.normals @ look.sun.astype(np.float32), 0.0, 1.0) * sunlit
    share = sky_share[:, None]
    shine = facing[:, None] * SUN + share * look.sky + (1.0 - share) * look.around
    painted = np.union1d(painted, np.flatnonzero(surfaces.cells[sample.face]))
    # A painted value is read by its colour: light and shadow only hint at the shape.
    shine[painted] = PAINT_PLAIN + (1.0 - PAINT_PLAIN) * shine[painted]
    colour *= shine
    air = np.exp(-sample.distance / HAZE_M).astype(np.float32)[:, None]
    out: NDArray[np.float32] = colour * air + (1.0 - air) * HORIZON
    return out


def _paint(surfaces: Surfaces, sample: Sample, colour: NDArray[np.float32]) -> NDArray[np.int64]:
    """Lay the paint upon the colours of points on the terrain; gives the points that took it."""
    if surfaces.paint is None:
        return np.empty(0, dtype=np.int64)
    raster, colours = surfaces.paint
    index = np.flatnonzero(surfaces.painted[sample.face])
    rows, cols = raster.grid.rows_cols(sample.points[index, 0], sample.points[index, 1])
    inside = (rows >= 0) & (cols >= 0) & (rows < raster.grid.rows) & (cols < raster.grid.cols)
    index, values = index[inside], raster.values[rows[inside], cols[inside]]
    known = np.isfinite(values)
    if known.any():
        colour[index[known]] = linear(np.asarray(colours(values[known]))[:, :3])
    taken: NDArray[np.int64] = index[known]
    return taken


def sky_colours(look: Look, rays: NDArray[np.float64]) -> NDArray[np.float32]:
    """Linear colours (n, 3) of the sky along rays; beyond the end of the model a pale ground."""
    up = rays[:, 2].astype(np.float32)[:, None]
    rise = np.clip(up, 0.0, 1.0) ** 0.55
    sky = HORIZON + (ZENITH - HORIZON) * rise
    if look.sun[2] > -0.1:
        near = np.clip(rays @ look.sun, 0.0, 1.0).astype(np.float32)[:, None]
        sky = sky + GLOW * (0.35 * near**24 + 0.8 * near**600)
    fall = np.clip(-up * 12.0, 0.0, 1.0)
    out: NDArray[np.float32] = np.asarray(sky * (1 - fall) + BELOW * fall, dtype=np.float32)
    return out
