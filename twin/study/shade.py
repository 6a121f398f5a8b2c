"""What the faces of a scene look like, and the light upon them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

SKY = np.array([0.88, 0.95, 1.06], dtype=np.float32) * 0.46
AROUND = np.array([1.00, 0.97, 0.93], dtype=np.float32) * 0.20
"""Light of the whole sky, and of all that is not sky."""

EVEN = 2.0
"""How many times the soft light shines where there is no sun."""

Painted = tuple[Raster, Callable[[NDArray[np.floating]], NDArray[np.floating]]]


def linear(srgb: NDArray[Any] | Colour) -> NDArray[np.float32]:
    """Linear light 0 to 1 of sRGB values 0 to 255 (IEC 61966-2-1)."""
    c = np.asarray(srgb, dtype=np.float64) / 255.0
    out = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return out.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Light of a picture.

    Parameters
    ----------
    sun
        Unit direction (3,) towards the sun, in the axes of the grid.
    sky, around
        (3,) light of the whole sky, and of all that is not sky, by colour.
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
