"""A scene as neutral things to draw, and the light on them for one sun, by the engine of the studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from twin.model.raster import Grid
from twin.model.results import SunInstant
from twin.model.scene import Layer, Scene
from twin.model.surface import Surface
from twin.region import Region
from twin.study.occluders import FaceTable, face_table
from twin.study.pixels import SUN, display
from twin.study.receptors import ground_receptors, surface_lift
from twin.study.shade import AROUND, SKY, face_colours
from twin.sun.position import sun_direction_local
from twin.terrain.sampler import rasterise
from twin.visibility.caster import Caster, Device, make_caster
from viewers.palette import surface_colours

NEAR_M = 500.0
"""Shadows are cast within this distance of the proposals [m]."""

GROUND_CELLS = 700_000
"""Most cells of the shadow on the ground; more ground gets larger cells."""

FACE_SIZE_M = 2.0
"""Longest edge of the pieces of a wall or roof, each lit or in shadow as a whole [m]."""

FACE_PIECES = 250_000
"""Most pieces; where there would be more, their longest edge doubles."""

LAYERS: tuple[Layer, ...] = ("terrain", "buildings", "proposals", "trees", "other")


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Faces of one layer as they are drawn, each with its own vertices' indices.

    Parameters
    ----------
    vertices
        (n, 3) float64 local space [m].
    faces
        (m, 3) int64.
    albedo
        (m, 3) float32, linear.
    normals
        (m, 3) float64, unit.
    near
        (m,) bool, whether shadows are cast upon the face.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    albedo: NDArray[np.float32]
    normals: NDArray[np.float64]
    near: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Lit:
    """Colours for one sun.

    Parameters
    ----------
    ground
        (rows, cols, 3) sRGB of the ground within reach of the shadows, row 0 north.
    faces
        Per layer (m, 3) sRGB of its pieces.
    """

    ground: NDArray[np.uint8]
    faces: Mapping[Layer, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The terrain within reach of the shadows, upon which ``Lit.ground`` is draped.

    Parameters
    ----------
    vertices
        (n, 3) float64 local space [m].
    faces
        (m, 3) int64.
    region
        What the picture covers [m].
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    region: Region

    def texture_coordinates(self) -> NDArray[np.float64]:
        """(n, 2) place of the vertices in the picture, 0 to 1 from its south-west corner."""
        low = np.array([self.region.west, self.region.south])
        size = np.array([self.region.width, self.region.height])
        return np.asarray((self.vertices[:, :2] - low) / size)


def near_region(scenes: Sequence[Scene]) -> Region:
    """Where shadows are cast: ``NEAR_M`` around all that is proposed; around the middle where nothing is."""
    whole = scenes[0].terrain.dtm.grid.region
    tables = [face_table(scene, trees=False) for scene in scenes if scene.proposed]
    corners = [t.vertices[t.faces[t.in_layers("proposals")].ravel(), :2] for t in tables]
    corners = [c for c in corners if len(c)]
    if corners:
        points = np.concatenate(corners)
        wanted = Region(*points.min(axis=0), *points.max(axis=0)).buffered(NEAR_M)
    else:
        x, y = whole.centre
        wanted = Region(x - NEAR_M, y - NEAR_M, x + NEAR_M, y + NEAR_M)
    return wanted.intersection(whole) or whole


class LitScene:
    """One state of the site: its faces, and the engine that says where the sun reaches.

    Parameters
    ----------
    scene
        The scene.
    region
        Where shadows are cast (``near_region``).
    device, threads
        Where and how rays are cast.
    """

    def __init__(self, scene: Scene, region: Region, device: Device, threads: int = 1) -> None:
        self.table: FaceTable = face_table(scene)
        self._caster: Caster = make_caster(self.table.triangles(), device, threads)
        normals = self.table.mesh(np.ones(len(self.table.faces), dtype=bool)).face_normals()
        albedo = face_colours(self.table, surface_colours(), normals)
        cell = float(np.ceil(np.sqrt(max(region.width * region.height / GROUND_CELLS, 1.0)) * 4) / 4)
        self.grid = Grid.over(scene.frame, region, cell)
        self._lift = surface_lift(self.table)
        self._ground(albedo, normals)
        self.pieces: dict[Layer, Pieces] = {}
        for layer in LAYERS:
            self.pieces[layer] = self._pieces(layer, albedo, normals)

    def _ground(self, albedo: NDArray[np.float32], normals: NDArray[np.float64]) -> None:
        terrain = self.table.in_layers("terrain")
        heights = rasterise(self.table.mesh(terrain), self.grid).values.astype(np.float64)
        known = np.isfinite(heights)
        filled = np.where(known, heights, np.nanmean(heights) if known.any() else 0.0)
        if min(filled.shape) > 1:
            down, right = np.gradient(filled, self.grid.cell_size)
        else:
            down = right = np.zeros_like(filled)
        normal = np.stack([-right, down, np.ones_like(filled)], axis=-1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        self._ground_normal = normal.reshape(-1, 3)
        self._ground_albedo = _ground_colours(self.table, terrain, albedo, self.grid)
        self._receptors = ground_receptors(self.table, self.grid)
        asked = np.zeros(self.grid.rows * self.grid.cols, dtype=bool)
        asked[self._receptors.index] = True
        # Cells under buildings take their neighbour's light, so that none bleeds out along a wall.
        place = distance_transform_edt(~asked.reshape(self.grid.shape), return_indices=True)[1]
        self._nearest = (place[0] * self.grid.cols + place[1]).ravel() if asked.any() else None

    def _pieces(self, layer: Layer, albedo: NDArray[np.float32], normals: NDArray[np.float64]) -> Pieces:
        rows = np.flatnonzero(self.table.in_layers(layer))
        faces = self.table.faces[rows].astype(np.int64)
        vertices = np.asarray(self.table.vertices)
        near = self._is_near(vertices[faces].mean(axis=1))
        if layer == "terrain":
            self.ground = Ground(*_compact(vertices, faces[near]), self.grid.region)
            rows, faces, near = rows[~near], faces[~near], np.zeros(int((~near).sum()), dtype=bool)
        if layer in ("buildings", "proposals", "other") and near.any():
            size = FACE_SIZE_M
            while True:
                cut, parts, of = split_faces(vertices, faces[near], size, FACE_PIECES)
                if len(parts) < FACE_PIECES:
                    break
                size *= 2.0
            far = np.flatnonzero(~near)
            source = np.concatenate([far, np.flatnonzero(near)[of]])
            faces, vertices = np.concatenate([faces[far], parts]), cut
            rows, near = rows[source], np.concatenate([np.zeros(len(far), bool), np.ones(len(of), bool)])
        return Pieces(*_compact(vertices, faces), albedo[rows], normals[rows], near)

    def _is_near(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        region = self.grid.region
        x, y = points[:, 0], points[:, 1]
        inside: NDArray[np.bool_] = (x >= region.west) & (x <= region.east)
        inside &= (y >= region.south) & (y <= region.north)
        return inside

    def light(self, sun: SunInstant) -> Lit:
        """Colours of everything for one sun; one below the horizon gives skylight alone."""
        towards = sun_direction_local(sun)
        up = sun.altitude_deg > 0.0
        faces = {layer: self._light_faces(pieces, towards, up) for layer, pieces in self.pieces.items()}
        return Lit(self._light_ground(towards, up), faces)

    def _light_ground(self, towards: NDArray[np.float64], up: bool) -> NDArray[np.uint8]:
        lit = np.zeros(self.grid.rows * self.grid.cols, dtype=bool)
        if up and self._nearest is not None:
            lit[self._receptors.index] = ~self._caster.occluded(self._receptors.xyz, towards)
            lit = lit[self._nearest]
        colours = _shaded(self._ground_albedo, self._ground_normal, towards, lit)
        return colours.reshape(*self.grid.shape, 3)

    def _light_faces(self, pieces: Pieces, towards: NDArray[np.float64], up: bool) -> NDArray[np.uint8]:
        turned = pieces.normals @ towards > 0.0
        lit = turned if up else np.zeros_like(turned)
        asked = np.flatnonzero(lit & pieces.near)
        if len(asked):
            middle = pieces.vertices[pieces.faces[asked]].mean(axis=1) + self._lift * pieces.normals[asked]
            lit[asked] = ~self._caster.occluded(middle, towards)
        return _shaded(pieces.albedo, pieces.normals, towards, lit)

    def close(self) -> None:
        """Give the engine back."""
        self._caster.close()


def _ground_colours(
    table: FaceTable, terrain: NDArray[np.bool_], albedo: NDArray[np.float32], grid: Grid
) -> NDArray[np.float32]:
    """Linear colour of each cell of the ground (rows * cols, 3), or one for all (1, 3)."""
    wet = terrain & (table.semantics == Surface.WATER)
    dry = terrain & ~wet
    land = albedo[dry].mean(axis=0) if dry.any() else np.full(3, 0.5, np.float32)
    if not wet.any():
        return np.asarray(land, np.float32)[None, :]
    covered = np.isfinite(rasterise(table.mesh(wet), grid).values).ravel()
    return np.where(covered[:, None], albedo[wet].mean(axis=0), land).astype(np.float32)


def _compact(
    vertices: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The vertices that faces use, and the faces upon them."""
    used, place = np.unique(faces, return_inverse=True)
    return vertices[used], place.reshape(-1, 3)


def _shaded(
    albedo: NDArray[np.float32],
    normals: NDArray[np.float64],
    towards: NDArray[np.float64],
    lit: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """sRGB (m, 3) of faces: sun where lit, sky by the share of it above the face, and what comes from around."""
    slope = np.where(lit, np.maximum(normals @ towards, 0.0), 0.0).astype(np.float32)[:, None]
    open_ = (0.5 + 0.5 * normals[:, 2]).astype(np.float32)[:, None]
    light = albedo * (slope * SUN.astype(np.float32) + open_ * SKY + AROUND)
    return display(light[:, None, :])[:, 0, :]


def split_faces(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], size: float, limit: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Halve faces at their longest edge until no edge is longer than ``size``, or there are ``limit`` of them.

    Parameters
    ----------
    vertices
        (n, 3) float64 [m].
    faces
        (m, 3) int64.
    size
        Longest edge [m].
    limit
        Where to stop.

    Returns
    -------
    vertices, faces, source
        More vertices (the old ones first), more faces, and (k,) the face that each came from.
    """
    source = np.arange(len(faces), dtype=np.int64)
    while 0 < len(faces) < limit:
        corners = vertices[faces]
        lengths = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
        longest = lengths.argmax(axis=1)
        long = np.flatnonzero(lengths.max(axis=1) > size)
        if not len(long):
            break
        a, b, c = (faces[long, (longest[long] + k) % 3] for k in range(3))
        middle = np.arange(len(long), dtype=np.int64) + len(vertices)
        vertices = np.concatenate([vertices, 0.5 * (vertices[a] + vertices[b])])
        kept = np.delete(np.arange(len(faces)), long)
        halves = [np.column_stack([a, middle, c]), np.column_stack([middle, b, c])]
        faces = np.concatenate([faces[kept], *halves])
        source = np.concatenate([source[kept], source[long], source[long]])
    return vertices, faces, source
