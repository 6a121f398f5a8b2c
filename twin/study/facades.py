"""Sun and sky on façades and roofs: where they are sampled, and what the samples say of each surface."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin import __version__
from twin.errors import InputError
from twin.model.arrays import readonly
from twin.model.scene import Scene
from twin.model.surface import Surface
from twin.study.horizon import FarHorizon, far_horizon
from twin.study.irradiation import Diffuse, energy_method, irradiation
from twin.study.occluders import FaceTable, face_table
from twin.study.probable import METHOD as PROBABLE_METHOD
from twin.study.probable import Sunshine, probable_sun
from twin.study.readers import parts
from twin.study.receptors import surface_lift
from twin.study.sky import SkyOfFaces, sky_of_faces
from twin.study.sunlight import SunCount, ray_readers
from twin.study.suns import SunlightSettings, spans_of
from twin.study.tally import least_of
from twin.study.watch import Progress, Ticker
from twin.sun.sky import SKY_DIRECTIONS, sky_of
from twin.sun.weather import Weather
from twin.terrain.sampler import TinSampler
from twin.visibility.caster import Caster, Device, make_caster

ONE_PLANE_M = 0.05
"""Faces of a building whose planes lie nearer than this, and turn less than a degree, are one surface [m]."""
LEAST_CELL_M2 = 1e-3
"""Smaller pieces of a cell are left [m2]."""
STEEP = np.sin(np.radians(45.0))
"""Faces of no stated type whose normal rises less than this are walls."""
INSIDE_M = 60.0
"""How far a sample looks for the back of a face that it lies behind [m]."""


@dataclass(frozen=True, slots=True)
class FaceSurface:
    """One plane part of a building: a façade or a roof side.

    Parameters
    ----------
    building
        Id of the building.
    kind
        ``wall`` or ``roof``.
    number
        Counted within the building and kind, clockwise from grid north for walls.
    normal
        (3,) unit vector, outwards.
    """

    building: str
    kind: str
    number: int
    normal: tuple[float, float, float]

    @property
    def azimuth_grid_deg(self) -> float:
        """Where it faces, clockwise from grid north [degree]; NaN for level roofs."""
        x, y, _ = self.normal
        return float(np.degrees(np.arctan2(x, y)) % 360.0) if np.hypot(x, y) > 1e-3 else float("nan")

    @property
    def tilt_deg(self) -> float:
        """0 for level, 90 for upright [degree]."""
        return float(np.degrees(np.arccos(np.clip(self.normal[2], -1.0, 1.0))))


@dataclass(frozen=True, slots=True, eq=False)
class FaceSamples:
    """Samples on surfaces.

    Parameters
    ----------
    surfaces
        The surfaces.
    of
        (n,) int32 surface of each sample.
    points, normals
        (n, 3) local space [m], lifted off the face along its normal; unit normals.
    area
        (n,) what each stands for [m2]; 0 on window lines.
    line
        (n,) height of its window line above the ground at the foot of the façade [m]; NaN for cells.
    cells
        Outline of each cell (k, 3), local space [m]; None on window lines.
    left_out
        Samples that lay inside another solid or under the ground.
    """

    surfaces: tuple[FaceSurface, ...]
    of: NDArray[np.int32]
    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    area: NDArray[np.float64]
    line: NDArray[np.float64]
    cells: tuple[Any, ...]
    left_out: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", readonly(np.reshape(self.points, (-1, 3)), np.float64))
        object.__setattr__(self, "normals", readonly(np.reshape(self.normals, (-1, 3)), np.float64))

    def __len__(self) -> int:
        return len(self.points)

    def only(self, keep: NDArray[np.bool_]) -> FaceSamples:
        """Some of the samples; the rest counts as left out."""
        cells = tuple(cell for cell, kept in zip(self.cells, keep, strict=True) if kept)
        return FaceSamples(
            self.surfaces,
            self.of[keep],
            self.points[keep],
            self.normals[keep],
            self.area[keep],
            self.line[keep],
            cells,
            self.left_out + int((~keep).sum()),
        )


@dataclass(frozen=True, slots=True, eq=False)
class FaceAsk:
    """What is asked besides the hours of sun.

    Parameters
    ----------
    sky_directions
        Directions of the sky; 0 leaves it out.
    weather
        For the irradiation, which needs the sky too.
    sunshine
        For the probable sunlight hours.
    diffuse
        How the brightness of the sky is spread, for the irradiation.
    """

    sky_directions: int = 0
    weather: Weather | None = None
    sunshine: Sunshine | None = None
    diffuse: Diffuse = "perez"


@dataclass(frozen=True, slots=True, eq=False)
class FaceSun:
    """Sun and sky of samples in one state.

    Parameters
    ----------
    hours
        Per date or period (n,) [h].
    least
        Per period with days kept: (n,) hours of the day with the least [h].
    daily
        Per period with days kept: (days, n) hours of each day [h].
    sky
        Where asked for.
    energy
        (n,) irradiation over the weather's year [kWh/m2], where asked for.
    probable
        (n,) annual and winter probable sunlight hours [percent of the year's], where asked for.
    method
        For the manifest.
    """

    hours: dict[str, NDArray[np.float32]]
    least: dict[str, NDArray[np.float32]]
    daily: dict[str, NDArray[np.float32]]
    sky: SkyOfFaces | None
    energy: NDArray[np.float32] | None
    probable: tuple[NDArray[np.float32], NDArray[np.float32]] | None
    method: dict[str, Any]


def sample_faces(
    scene: Scene,
    ids: Collection[str],
    spacing_m: float = 1.0,
    window_lines_m: Sequence[float] = (),
    kinds: Collection[str] = ("wall", "roof"),
) -> FaceSamples:
    """Samples on the walls and roofs of some buildings.

    Each surface is cut into square cells of the spacing, level cells on walls; a sample stands in the middle of
    each piece for the piece's area, so the areas add up to the surface. Window lines run along walls at a height
    above the ground before the wall.

    Parameters
    ----------
    scene
        The scene.
    ids
        Buildings or proposed volumes.
    spacing_m
        Side of the cells, distance of the samples of a line [m].
    window_lines_m
        Heights of the lines [m].
    kinds
        ``wall``, ``roof`` or both.

    Raises
    ------
    InputError
        A spacing that is not positive.
    """
    if not (np.isfinite(spacing_m) and spacing_m >= 0.1):
        raise InputError(f"the spacing of samples is at least 0.1 m; got {spacing_m}")
    table = face_table(scene, trees=False, coverings=False)
    lift = surface_lift(table)
    ground = TinSampler(scene.terrain.tin)
    made = _Samples(spacing_m, lift)
    wanted = set(ids)
    for number, name in enumerate(table.ids):
        if name in wanted and table.layers[number] in ("buildings", "proposals"):
            for surface, polygon, plane in _surfaces_of(table, number, kinds):
                made.cut(surface, polygon, plane)
                if surface.kind == "wall":
                    made.lines(polygon, plane, ground, window_lines_m)
    return made.samples()


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """Axes of a surface: local = origin + u * across + v * up."""

    origin: NDArray[np.float64]
    across: NDArray[np.float64]
    up: NDArray[np.float64]
    normal: NDArray[np.float64]

    def flat(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) coordinates in the plane."""
        off = points - self.origin
        return np.stack([off @ self.across, off @ self.up], axis=-1)

    def space(self, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 3) back in local space."""
        placed: NDArray[np.float64] = self.origin + flat[..., :1] * self.across + flat[..., 1:2] * self.up
        return placed


def _surfaces_of(table: FaceTable, number: int, kinds: Collection[str]) -> list[Any]:
    """Surfaces of one object: what it is, its outline in its plane, the plane."""
    faces = table.faces[table.objects == number]
    codes = table.semantics[table.objects == number]
    a, b, c = (table.vertices[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    size = np.linalg.norm(normals, axis=1)
    good = size > 2e-4
    faces, codes, a = faces[good], codes[good], a[good]
    normals = normals[good] / size[good, None]
    known = np.isin(codes, (Surface.WALL, Surface.ROOF, Surface.GROUND, Surface.OUTER_FLOOR))
    steep = np.abs(normals[:, 2]) < STEEP
    wall = np.where(known, codes == Surface.WALL, steep)
    roof = np.where(known, codes == Surface.ROOF, ~steep & (normals[:, 2] > 0))
    found: list[tuple[str, NDArray[np.float64], list[int]]] = []
    for k in np.flatnonzero(wall | roof):
        kind = "wall" if wall[k] else "roof"
        if kind not in kinds:
            continue
        for other_kind, other_normal, group in found:
            near = abs(float(other_normal @ (a[k] - a[group[0]]))) < ONE_PLANE_M
            if other_kind == kind and near and float(other_normal @ normals[k]) > 0.99985:
                group.append(int(k))
                break
        else:
            found.append((kind, normals[k], [int(k)]))
    found.sort(key=lambda g: (g[0] != "wall", round(float(np.arctan2(g[1][0], g[1][1]) % (2 * np.pi)), 6)))
    out, counts = [], {"wall": 0, "roof": 0}
    for kind, normal, group in found:
        counts[kind] += 1
        flat = float(np.hypot(normal[0], normal[1]))
        across = np.array([-normal[1], normal[0], 0.0]) / flat if flat > 1e-3 else np.array([1.0, 0.0, 0.0])
        up = np.cross(normal, across)
        plane = _Plane(a[group[0]], across, up / np.linalg.norm(up), normal)
        triangles = shapely.polygons(plane.flat(table.vertices[faces[group]]))
        polygon = shapely.union_all(shapely.buffer(triangles, 0.0), grid_size=1e-4)
        if polygon.area > LEAST_CELL_M2:
            x, y, z = (float(v) for v in normal)
            out.append((FaceSurface(table.ids[number], kind, counts[kind], (x, y, z)), polygon, plane))
    return out


def walls_of(scene: Scene) -> list[tuple[FaceSurface, Any, _Plane]]:
    """All façades of the buildings and proposals of a scene: surface, outline in its plane, plane."""
    table = face_table(scene, trees=False, coverings=False)
    return [
        wall
        for number, layer in enumerate(table.layers)
        if layer in ("buildings", "proposals")
        for wall in _surfaces_of(table, number, ("wall",))
    ]


class _Samples:
    """Collects samples surface by surface."""

    def __init__(self, spacing: float, lift: float) -> None:
        self.spacing, self.lift = spacing, lift
        self.surfaces: list[FaceSurface] = []
        self.parts: list[tuple[int, NDArray[np.float64], NDArray[np.float64], Any, Any]] = []
        self.cells: list[Any] = []

    def cut(self, surface: FaceSurface, polygon: Any, plane: _Plane) -> None:
        """Cells of a surface."""
        self.surfaces.append(surface)
        west, south, east, north = polygon.bounds
        cols, rows = (
            max(1, int(np.ceil((hi - lo) / self.spacing - 1e-6))) for lo, hi in ((west, east), (south, north))
        )
        u, v = np.meshgrid(west + np.arange(cols) * self.spacing, south + np.arange(rows) * self.spacing)
        boxes = shapely.box(u.ravel(), v.ravel(), u.ravel() + self.spacing, v.ravel() + self.spacing)
        pieces = shapely.get_parts(shapely.intersection(boxes, polygon))
        pieces = pieces[(shapely.get_dimensions(pieces) == 2) & (shapely.area(pieces) > LEAST_CELL_M2)]
        if not len(pieces):
            return
        middle = shapely.centroid(pieces)
        off = ~shapely.contains(pieces, middle)
        middle[off] = shapely.point_on_surface(pieces[off])
        points = plane.space(shapely.get_coordinates(middle))
        self._add(points, plane, shapely.area(pieces), np.full(len(pieces), np.nan))
        for piece in pieces:
            self.cells.append(plane.space(shapely.get_coordinates(piece.exterior)[:-1]))

    def lines(self, polygon: Any, plane: _Plane, ground: TinSampler, heights: Sequence[float]) -> None:
        """Window lines of a wall."""
        west, _, east, _ = polygon.bounds
        if not heights:
            return
        number = max(1, round((east - west) / self.spacing))
        u = west + (np.arange(number) + 0.5) * (east - west) / number
        base = plane.space(np.column_stack([u, np.zeros(number)]))
        before = base + 0.3 * plane.normal
        foot = ground.heights(before[:, :2])
        for height in heights:
            v = (foot + height - base[:, 2]) / max(float(plane.up[2]), 1e-6)
            inside = np.isfinite(v)
            inside[inside] = shapely.contains_xy(polygon, u[inside], v[inside])
            points = plane.space(np.column_stack([u, v])[inside])
            if len(points):
                self._add(points, plane, np.zeros(len(points)), np.full(len(points), float(height)))
                self.cells += [None] * len(points)

    def _add(self, points: NDArray[np.float64], plane: _Plane, area: Any, line: Any) -> None:
        normals = np.broadcast_to(plane.normal, points.shape)
        self.parts.append((len(self.surfaces) - 1, points + self.lift * normals, normals, area, line))

    def samples(self) -> FaceSamples:
        """All of them."""
        if not self.parts:
            none = np.zeros(0)
            return FaceSamples((), none.astype(np.int32), np.zeros((0, 3)), np.zeros((0, 3)), none, none, ())
        of = np.concatenate([np.full(len(p[1]), p[0], dtype=np.int32) for p in self.parts])
        points, normals, area, line = (np.concatenate([p[k] for p in self.parts]) for k in (1, 2, 3, 4))
        return FaceSamples(tuple(self.surfaces), of, points, normals, area, line, tuple(self.cells))


def outside(samples: FaceSamples, table: FaceTable, caster: Caster) -> FaceSamples:
    """The samples that do not lie inside a solid or under the ground: what they meet first, straight ahead or
    upwards, is not the back of a face (party walls, cellars)."""
    a, b, c = (table.vertices[table.faces[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    keep = np.ones(len(samples), dtype=bool)
    up = np.broadcast_to(np.array([0.0, 0.0, 1.0]), samples.normals.shape)
    for directions in (samples.normals, up):
        for part in parts(len(samples)):
            hits = caster.first_hit(samples.points[part], directions[part], INSIDE_M)
            met = hits.face >= 0
            back = np.einsum("ij,ij->i", faces[hits.face[met]], directions[part][met]) > 0
            keep[np.flatnonzero(met)[back] + part.start] = False
    return samples.only(keep)


def _sky(
    table: FaceTable,
    samples: FaceSamples,
    directions: int,
    engine: tuple[Device, int],
    far: FarHorizon | None,
    tick: Ticker,
) -> SkyOfFaces:
    caster = make_caster(table.triangles(), *engine)
    try:
        return sky_of_faces(
            caster, samples.points, samples.normals, sky_of("solid_angle", directions), far, tick
        )
    finally:
        caster.close()


def sun_on_faces(
    scene: Scene,
    samples: FaceSamples,
    settings: SunlightSettings,
    device: Device,
    threads: int = 1,
    ask: FaceAsk | None = None,
    progress: Progress | None = None,
) -> FaceSun:
    """Hours of sun, and where asked for the sky, of samples on faces.

    Parameters
    ----------
    scene
        What casts shadow.
    samples
        From ``sample_faces`` and ``outside``.
    settings
        Days, periods, trees; the engine is always rays against triangles.
    device, threads, progress
        As ``twin.study.sunlight.sunlight``.
    ask
        Sky and irradiation; hours alone where None.
    """
    ask = ask or FaceAsk()
    weather = ask.weather
    sky_directions = max(ask.sky_directions, SKY_DIRECTIONS if weather and not ask.sky_directions else 0)
    spans = spans_of(settings, scene.frame)
    far = far_horizon(scene.terrain)
    table = face_table(scene, settings.trees, coverings=False)
    count = SunCount(spans, [], len(samples), settings)
    suns = sum(len(span.instants) for span in spans)
    for some in (weather, ask.sunshine):
        suns += len(some.suns) if some else 0
    # Counts of other samples, or of another release, are not continued.
    about = (__version__, scene.hash, settings, ask, device.kind, samples.points, samples.normals)
    tick = Ticker(
        progress, len(samples) * (suns + sky_directions), hashlib.sha256(pickle.dumps(about)).hexdigest()
    )
    energy: NDArray[np.float32] | None = None
    probable: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    sky = _sky(table, samples, sky_directions, (device, threads), far, tick) if sky_directions else None
    with ray_readers(scene, table, settings, device, threads) as make:
        count.run(
            ((part, make(samples.points[part], samples.normals[part], far)) for part in parts(len(samples))),
            tick,
        )
        reader = make(samples.points, samples.normals, far)
        if ask.sunshine is not None:
            probable = probable_sun(reader, len(samples), ask.sunshine, tick)
        if weather is not None and sky is not None:
            energy = irradiation(reader, samples.normals, sky, weather, ask.diffuse, tick)
    method = {
        "quantity": "hours of direct sun on façades and roofs, clear sky, centre of the sun, cosine of incidence > 0",
        "surface_lift_m": surface_lift(table),
        "samples": len(samples),
        "left_out": f"{samples.left_out} samples inside another solid or under the ground",
        "sky_directions": sky_directions,
        "probable_sun": "not asked for" if ask.sunshine is None else PROBABLE_METHOD,
        "irradiation": "not asked for"
        if weather is None
        else f"{energy_method(ask.diffuse)}; {weather.source}",
    }
    return FaceSun(
        {t.span.name: t.hours() for t in count.tallies},
        {t.span.name: least_of(t.daily()) for t in count.tallies if t.span.daily},
        {t.span.name: t.daily() for t in count.tallies if t.span.daily},
        sky,
        energy,
        probable,
        method,
    )
