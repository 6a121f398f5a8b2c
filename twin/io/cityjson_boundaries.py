"""CityJSON boundaries as they stand, for the validator: nothing repaired, nothing left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.io.cityjson_geometry import DEPTH, Templates, instance_matrix, lod_text
from twin.validation.boundaries import Boundaries, starts
from twin.validation.codes import Finding


def read_boundaries(
    item: Any, vertices: NDArray[np.float64], templates: Templates | None
) -> Boundaries | None:
    """Boundaries of one geometry of a file.

    Parameters
    ----------
    item
        The JSON value.
    vertices
        (n, 3) of the file or feature [m].
    templates
        Of the file, for instances.

    Returns
    -------
    None for points and lines. What is no boundary at all (901) and what is empty (902) is listed in ``faults``.
    """
    kind = item.get("type") if isinstance(item, Mapping) else None
    if kind in ("MultiPoint", "MultiLineString"):
        return None
    if kind == "GeometryInstance":
        return _instance(item, vertices, templates)
    walk = _Walk(len(vertices))
    if kind not in DEPTH:
        walk.fault(901, f"geometry type {str(kind)[:40]!r} is none of CityJSON's")
        return walk.result("MultiSurface", "", vertices)
    walk.level(item.get("boundaries"), DEPTH[kind], ())
    return walk.result(kind, lod_text(item), vertices)


def _instance(
    item: Mapping[str, Any], vertices: NDArray[np.float64], templates: Templates | None
) -> Boundaries | None:
    """A template at its place."""
    walk = _Walk(len(vertices))
    try:
        index, anchor, matrix = instance_matrix(item, vertices, templates)
    except InputError as error:
        walk.fault(901, str(error))
        return walk.result("MultiSurface", lod_text(item), vertices)
    shape = read_boundaries(templates.items[index], templates.vertices, None) if templates else None
    if shape is None:
        return None
    four = np.column_stack([shape.vertices, np.ones(len(shape.vertices))]) @ matrix.T
    if not (four[:, 3] != 0).all():
        walk.fault(901, "the matrix of a geometry instance sends points to infinity")
        return walk.result("MultiSurface", shape.lod, vertices)
    placed = four[:, :3] / four[:, 3:] + anchor
    return Boundaries(
        shape.kind,
        shape.lod,
        placed,
        shape.corners,
        shape.rings,
        shape.surfaces,
        shape.shells,
        shape.faults,
    )


@dataclass(slots=True)
class _Walk:
    """Goes down nested boundaries and writes them in a row."""

    count: int
    corners: list[int] = field(default_factory=list)
    rings: list[int] = field(default_factory=list)
    surfaces: list[int] = field(default_factory=list)
    shells: list[tuple[int, int]] = field(default_factory=list)
    faults: list[Finding] = field(default_factory=list)

    def fault(self, code: int, text: str, shell: tuple[int, ...] = (), surface: int = -1) -> None:
        solid, number = (*shell, -1, -1)[:2]
        self.faults.append(Finding(solid, number, surface, -1, code, text))

    def level(self, values: Any, depth: int, path: tuple[int, ...]) -> None:
        """One level of boundaries: solids, shells, or surfaces where ``depth`` is 0."""
        name = ("shell", "solid", "geometry")[depth] if path else "geometry"
        if not isinstance(values, list):
            self.fault(901, f"the {name} has no list of boundaries", path)
        elif not values:
            self.fault(902, f"the {name} is empty", path)
        elif depth:
            # A Solid is the only one of its geometry.
            begin = path if path or depth == 2 else (0,)
            for number, value in enumerate(values):
                self.level(value, depth - 1, (*begin, number))
        else:
            for rings in values:
                self.surface(rings, path)

    def surface(self, rings: Any, path: tuple[int, ...]) -> None:
        """One surface; it has no rings here where one of them is unusable."""
        solid, shell = (*path, 0, 0)[:2]
        self.shells.append((solid, shell))
        self.surfaces.append(0)
        number = len(self.shells) - 1
        if not isinstance(rings, list) or not all(isinstance(ring, list) for ring in rings):
            self.fault(901, "the surface is no list of rings", path, number)
            return
        for ring in rings:
            for index in ring:
                if type(index) is not int or not 0 <= index < self.count:
                    text = f"vertex index {str(index)[:20]} is none of the {self.count} vertices"
                    self.fault(901, text, path, number)
                    return
        self.surfaces[-1] = len(rings)
        for ring in rings:
            self.rings.append(len(ring))
            self.corners.extend(ring)

    def result(self, kind: Any, lod: str, vertices: NDArray[np.float64]) -> Boundaries:
        return Boundaries(
            kind,
            lod,
            vertices,
            np.array(self.corners, dtype=np.int64),
            starts(self.rings),
            starts(self.surfaces),
            np.array(self.shells, dtype=np.int64).reshape(-1, 2),
            tuple(self.faults),
        )
