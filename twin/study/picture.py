"""A still of a scene: first hits of a pinhole camera, lit by the sun of the study and a soft sky."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.arrays import readonly
from twin.model.raster import Raster
from twin.model.results import SunInstant
from twin.model.scene import Layer, Scene, Status
from twin.model.surface import Surface
from twin.study.camera import AnyCamera, Camera
from twin.study.occluders import FaceTable, face_table
from twin.study.passes import Still
from twin.study.shade import Colour, Look, Surfaces
from twin.sun.position import METHOD, sun_direction_local
from twin.visibility.caster import Device, make_caster

SKY = 255
"""In place of a surface's code."""
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
        self._scene, self._table, self._device, self._threads = scene, table, device, threads
        self._caster = make_caster(table.triangles(), device, threads)

    def picture(self, camera: AnyCamera, sun: SunInstant | None) -> Picture:
        """The scene from a camera, under a sun or in even light."""
        look = Look.even() if sun is None else Look.of(sun_direction_local(sun))
        still = Still(self._scene.frame, camera, self._surfaces, look, self._caster, self._threads)
        still.draw()
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
        still: Still | None = None
        for some in colours:
            surfaces = Surfaces.of(table, palette, None, some)
            if still is None:
                still = Still(scene.frame, camera, surfaces, Look.even(), caster, threads)
                still.draw()
            else:
                still.repaint(surfaces)
            out.append(_picture(still, table, None, device))
    finally:
        caster.close()
    return out


def _picture(still: Still, table: FaceTable, sun: SunInstant | None, device: Device) -> Picture:
    camera = still.camera
    return Picture(
        still.rgb(),
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
