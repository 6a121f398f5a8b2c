"""A still of a scene: first hits of a pinhole camera, lit by the sun of the study and a soft sky."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.frame import Frame
from twin.model.arrays import readonly
from twin.model.raster import Raster
from twin.model.results import SunInstant
from twin.model.scene import Layer, Scene, Status
from twin.model.surface import Surface
from twin.study.camera import AnyCamera, Camera
from twin.study.edges import SUBPIXELS, WEIGHTS, contrast_pixels, line_strength, outline_pixels
from twin.study.occluders import FaceTable, face_table
from twin.study.shade import Colour, Look, Sample, Surfaces, display, light, sample_hits, sky_colours
from twin.study.skylight import SkyLight, sky_light
from twin.sun.position import METHOD, sun_direction_local
from twin.visibility.caster import Caster, Device, make_caster

SKY = 255
"""In place of a surface's code."""
BAND = 1 << 19
"""Pixels that are shaded together: bounds the memory, changes no result."""


CELL_LIFT_M = 0.02
"""How far coloured cells stand off the faces that they cover [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Coloured cells upon faces of a scene.

    Parameters
    ----------
    vertices
        (n, 3) local space [m], already off the faces that they cover.
    faces
        (m, 3) int, counter-clockwise from outside.
    objects
        (m,) id of the object of each.
    colours
        (m, 3) sRGB of 0 to 255.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.integer]
    objects: Sequence[str]
    colours: NDArray[np.integer]

    def over(self, table: FaceTable) -> FaceTable:
        """The faces of a scene, and after them the cells."""
        place = {name: k for k, name in enumerate(table.ids)}
        strange = sorted(set(self.objects) - set(place))
        if strange:
            raise InputError(f"a coloured cell lies on {strange[0]!r}, which is not in the scene")
        return replace(
            table,
            vertices=np.concatenate([table.vertices, self.vertices]),
            faces=np.concatenate([table.faces, np.asarray(self.faces) + len(table.vertices)]),
            semantics=np.concatenate(
                [table.semantics, np.full(len(self.faces), Surface.OTHER, dtype=np.uint8)]
            ),
            objects=np.concatenate(
                [table.objects, np.array([place[name] for name in self.objects], dtype=np.int32)]
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Paint:
    """Values laid upon the terrain of a picture.

    Parameters
    ----------
    raster
        Values in the scene's frame; the terrain keeps its own colour where they are NaN.
    colours
        Values (n,) to sRGB colours (n, 3) of 0 to 255.
    """

    raster: Raster
    colours: Callable[[NDArray[np.floating]], NDArray[np.floating]]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A still and what is behind each pixel.

    Parameters
    ----------
    rgb
        (height, width, 3) uint8, sRGB, row 0 at the top.
    ids
        (height, width) int32, index into ``objects`` of what the centre of the pixel shows; -1 sky.
    depth
        (height, width) float32, distance from the eye [m]; NaN for sky.
    surfaces
        (height, width) uint8, code of ``twin.model.surface.Surface`` of what the centre of the pixel shows; 255 sky.
    objects, layers, statuses
        Ids, layers and statuses of the scene's objects.
    method
        How it was made.
    """

    rgb: NDArray[np.uint8]
    ids: NDArray[np.int32]
    depth: NDArray[np.float32]
    surfaces: NDArray[np.uint8]
    objects: tuple[str, ...]
    layers: tuple[Layer, ...]
    statuses: tuple[Status, ...]
    method: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, dtype in (
            ("rgb", np.uint8),
            ("ids", np.int32),
            ("depth", np.float32),
            ("surfaces", np.uint8),
        ):
            object.__setattr__(self, name, readonly(getattr(self, name), dtype))

    def proposed(self) -> NDArray[np.bool_]:
        """Pixels (height, width) whose middle shows a proposed object."""
        wanted = np.array([status == "proposed" for status in self.statuses] + [False])
        shown: NDArray[np.bool_] = wanted[self.ids]
        return shown

    def share_proposed(self) -> float:
        """Share of the picture that proposed objects take, 0 to 1."""
        return float(self.proposed().mean())


def render(
    scene: Scene,
    camera: AnyCamera,
    sun: SunInstant | None,
    palette: Mapping[Any, Colour],
    device: Device,
    threads: int = 1,
    paint: Paint | Cells | None = None,
) -> Picture:
    """Draw a scene as a white-model still.

    Sun and shadow are the study's: the same rays against the same triangles, from the centre of the sun. The
    sky lights softly by the share of it that a point sees (a fixed set of directions, turned from pixel to
    pixel and evened out); light that comes back from what is around is a constant share. Colours are the
    palette's; edges of buildings are drawn as thin dark lines.

    Parameters
    ----------
    scene
        The scene; trees are drawn and cast shadow.
    camera
        Where from.
    sun
        Which sun; one at or below the horizon gives no direct light. None: even light of the sky alone, brighter.
    palette
        sRGB colours of 0 to 255 by ``Surface`` (``Surface.OTHER`` for types that are not in it); keys
        ``"proposed_roof"`` and ``"proposed_wall"`` colour the proposed volumes.
    device, threads
        Where and how rays are cast.
    paint
        Values to lay upon the terrain, or coloured cells upon faces.

    Raises
    ------
    FrameMismatchError
        The painted raster lies in another frame.
    """
    with Studio(scene, palette, device, threads, paint) as studio:
        return studio.picture(camera, sun)


class Studio:
    """A scene that is made ready once and drawn from any number of cameras; see ``render``. Close it after use."""

    def __init__(
        self,
        scene: Scene,
        palette: Mapping[Any, Colour],
        device: Device,
        threads: int = 1,
        paint: Paint | Cells | None = None,
    ) -> None:
        table = face_table(scene)
        if isinstance(paint, Paint):
            scene.frame.require_same(paint.raster.grid.frame, "the painted raster")
            self._surfaces = Surfaces.of(table, palette, (paint.raster, paint.colours))
        elif paint is not None:
            table = paint.over(table)
            self._surfaces = Surfaces.of(table, palette, None, paint.colours)
        else:
            self._surfaces = Surfaces.of(table, palette, None)
        self._scene, self._table, self._device = scene, table, device
        self._caster = make_caster(table.triangles(), device, threads)

    def picture(self, camera: AnyCamera, sun: SunInstant | None) -> Picture:
        """The scene from a camera, under a sun or in even light."""
        look = Look.even() if sun is None else Look.of(sun_direction_local(sun))
        still = _Still(self._scene.frame, camera, self._surfaces, look, self._caster)
        still.first_pass()
        still.soften_edges()
        return _picture(still, self._table, sun, self._device)

    def close(self) -> None:
        """Give the engine's memory back."""
        self._caster.close()

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def render_cells(
    scene: Scene,
    camera: AnyCamera,
    palette: Mapping[Any, Colour],
    device: Device,
    threads: int,
    cells: Cells,
    colours: Sequence[NDArray[np.integer]],
) -> list[Picture]:
    """One picture in even light for each set of colours (m, 3) of the same cells; see ``render``."""
    table = cells.over(face_table(scene))
    caster = make_caster(table.triangles(), device, threads)
    out: list[Picture] = []
    try:
        still: _Still | None = None
        for some in colours:
            surfaces = Surfaces.of(table, palette, None, some)
            if still is None:
                still = _Still(scene.frame, camera, surfaces, Look.even(), caster)
                still.first_pass()
            else:
                still.surfaces = surfaces
                still.shade()
            still.soften_edges()
            out.append(_picture(still, table, None, device))
    finally:
        caster.close()
    return out


def _picture(still: _Still, table: FaceTable, sun: SunInstant | None, device: Device) -> Picture:
    camera = still.camera
    return Picture(
        display(still.colour.reshape(camera.height, camera.width, 3)),
        still.objects.reshape(camera.height, camera.width),
        still.depth.reshape(camera.height, camera.width),
        np.where(still.faces >= 0, table.semantics[still.faces], SKY).reshape(camera.height, camera.width),
        table.ids,
        table.layers,
        table.statuses,
        {
            "projection": f"central (pinhole), rolled by {camera.roll_deg:.3f} degrees"
            if isinstance(camera, Camera) and camera.roll_deg
            else "central (pinhole), level horizon"
            if isinstance(camera, Camera)
            else "parallel (axonometric), level horizon",
            "sun": METHOD if sun is not None else "none: even light of the sky",
            "shadows": "rays to the centre of the sun" if sun is not None else "none",
            "sky": "share of the sky that is seen, cosine weighted, 16 rays at every second pixel, smoothed",
            "trees": "opaque crowns",
            "engine": f"rays against triangles, {device.label}",
        },
    )


class _Still:
    """The buffers of one picture while it is made; pixels in one row, from the top left."""

    def __init__(
        self, frame: Frame, camera: AnyCamera, surfaces: Surfaces, look: Look, caster: Caster
    ) -> None:
        self.frame, self.camera = frame, camera
        self.eye: NDArray[np.float64] = readonly(camera.eye, np.float64)
        self.size = (camera.height, camera.width)
        self.surfaces, self.look, self.caster = surfaces, look, caster
        count = camera.width * camera.height
        self.colour = np.zeros((count, 3), dtype=np.float32)
        self.faces = np.full(count, -1, dtype=np.int32)
        self.objects = np.full(count, -1, dtype=np.int32)
        self.depth = np.full(count, np.nan, dtype=np.float32)
        self.normals = np.zeros((count, 3), dtype=np.float32)

    def bands(self, count: int) -> Iterator[slice]:
        """Slices of at most BAND."""
        for start in range(0, count, BAND):
            yield slice(start, min(count, start + BAND))

    def look_at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Sample:
        """First hits of picture points."""
        rays = self.camera.directions(self.frame, x, y)
        start = self.camera.origins(self.frame, x, y)
        hits = self.caster.first_hit(np.broadcast_to(start, rays.shape), rays)
        return sample_hits(self.surfaces, start, rays, hits.distance, hits.face)

    def colours(
        self, sample: Sample, x: NDArray[np.float64], y: NDArray[np.float64], sky: SkyLight
    ) -> NDArray[np.float32]:
        """Light (n, 3) that comes from picture points, linear."""
        out = sky_colours(self.look, sample.rays)
        hit = np.flatnonzero(sample.face >= 0)
        if len(hit):
            solid = sample.part(hit)
            share = sky.at(x[hit], y[hit], solid.points, solid.normals)
            out[hit] = light(self.surfaces, self.look, solid, self.sunlit(solid), share)
        return out

    def sunlit(self, sample: Sample) -> NDArray[np.bool_]:
        """Which points (n,) the sun reaches."""
        sun = self.look.sun
        skip = self.surfaces.crowns[self.surfaces.table.objects[sample.face]]
        towards = ((sample.flat @ sun > 0) | (skip > 0)) & (sun[2] > 0)
        lit = np.zeros(len(towards), dtype=bool)
        if towards.any():
            # A crown is no hard body: it does not shade itself, its far side is darker by its normals alone.
            start = sample.lifted()[towards] + skip[towards, None] * sun
            lit[towards] = ~self.caster.occluded(start, sun)
        return lit

    def first_pass(self) -> None:
        """One sample in the middle of each pixel."""
        width = self.camera.width
        for band in self.bands(len(self.faces)):
            y, x = np.divmod(np.arange(band.start, band.stop), width)
            sample = self.look_at(x + 0.5, y + 0.5)
            hit = sample.face >= 0
            self.faces[band] = sample.face
            self.objects[band] = self.surfaces.object_of(sample.face)
            self.depth[band] = np.where(hit, sample.distance, np.nan)
            self.normals[band] = sample.normals
        self.sky = sky_light(self)
        self.shade()

    def shade(self) -> None:
        """Colours of the middles of the pixels."""
        width = self.camera.width
        for band in self.bands(len(self.faces)):
            y, x = np.divmod(np.arange(band.start, band.stop), width)
            sample = self.sample_of(band, x + 0.5, y + 0.5)
            self.colour[band] = self.colours(sample, x + 0.5, y + 0.5, self.sky)

    def sample_of(
        self, band: slice | NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> Sample:
        """The sample of pixels that were looked at before."""
        rays = self.camera.directions(self.frame, x, y)
        start = self.camera.origins(self.frame, x, y)
        return sample_hits(self.surfaces, start, rays, self.depth[band], self.faces[band])

    def soften_edges(self) -> None:
        """Eight samples where neighbours differ, and the lines of the buildings."""
        shape = self.size
        outline = outline_pixels(
            self.objects.reshape(shape), self.normals.reshape(*shape, 3), self.depth.reshape(shape)
        )
        wanted = np.flatnonzero(outline | contrast_pixels(display(self.colour.reshape(*shape, 3))))
        count = len(SUBPIXELS)
        for start in range(0, len(wanted), BAND // count):
            pixels = wanted[start : start + BAND // count]
            row, col = np.divmod(pixels, shape[1])
            x = (col[:, None] + SUBPIXELS[None, :, 0]).ravel()
            y = (row[:, None] + SUBPIXELS[None, :, 1]).ravel()
            sample = self.look_at(x, y)
            samples = np.clip(self.colours(sample, x, y, self.sky), 0.0, 1.0).reshape(-1, count, 3)
            colour = np.average(samples, axis=1, weights=WEIGHTS)
            strength = line_strength(
                self.surfaces.object_of(sample.face).reshape(-1, count),
                np.where(sample.face >= 0, self.surfaces.drawn[sample.face], False).reshape(-1, count),
                sample.flat.reshape(-1, count, 3),
                np.where(sample.face >= 0, sample.distance, np.inf).reshape(-1, count),
            )
            self.colour[pixels] = colour * (1.0 - strength[:, None])
