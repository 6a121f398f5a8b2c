"""CityJSON geometries to the model's: boundaries, semantics, shells, templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.geometry import Geometry, Kind, Rings
from twin.model.surface import FROM_CITYJSON, Surface

DEPTH = {"MultiSurface": 0, "CompositeSurface": 0, "Solid": 1, "MultiSolid": 2, "CompositeSolid": 2}
"""How many levels (solids, shells) lie above the surfaces."""


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """Geometry templates of a file, by index, with vertices of their own."""

    items: Sequence[Mapping[str, Any]]
    vertices: NDArray[np.float64]
    known: dict[int, Geometry | None] = field(default_factory=dict)
    """Those that were read: a wood has one for ten thousand trees."""

    def shape(self, index: int) -> Geometry | None:
        """The geometry of a template."""
        if index not in self.known:
            self.known[index] = parse_geometry(self.items[index], self.vertices, None)
        return self.known[index]


def parse_templates(value: Any) -> Templates | None:
    """Geometry templates of a header; None where it has none.

    Raises
    ------
    InputError
        Templates or their vertices are not what they have to be.
    """
    if value is None:
        return None
    items = value.get("templates") if isinstance(value, dict) else None
    rows = value.get("vertices-templates") if isinstance(value, dict) else None
    try:
        vertices = np.array(rows or np.empty((0, 3)), dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        vertices = np.empty(0)
    fits = vertices.ndim == 2 and vertices.shape[1] == 3 and bool(np.isfinite(vertices).all())
    if not isinstance(items, list) or not fits:
        raise InputError("key 'geometry-templates': expected a list of templates, and triples of numbers")
    return Templates(items, vertices)


def count_surfaces(item: Mapping[str, Any]) -> int:
    """How many surfaces the boundaries of a readable geometry hold."""
    depth = DEPTH.get(str(item.get("type")))
    return 0 if depth is None else sum(1 for _ in _surfaces(item.get("boundaries"), depth))


def parse_geometry(
    item: Mapping[str, Any], vertices: NDArray[np.float64], templates: Templates | None
) -> Geometry | None:
    """One geometry of a file.

    Parameters
    ----------
    item
        The JSON object.
    vertices
        (n, 3) of the file or feature, already in the space that the result shall have [m].
    templates
        Of the file, for instances.

    Returns
    -------
    None for points and lines, which enclose nothing.

    Raises
    ------
    InputError
        Boundaries that are no lists of indices, or point past the vertices.
    """
    kind = item.get("type")
    if kind == "GeometryInstance":
        return _instance(item, vertices, templates)
    if kind in ("MultiPoint", "MultiLineString"):
        return None
    if kind not in DEPTH:
        raise InputError(f"geometry type {kind!r} is none of CityJSON's")
    rows = list(_surfaces(item.get("boundaries"), DEPTH[str(kind)]))
    codes = _semantics(item.get("semantics"), DEPTH[str(kind)], rows)
    return _compact(str(kind), lod_text(item), rows, codes, vertices)


def lod_text(item: Mapping[str, Any]) -> str:
    """Level of detail of a geometry as text; older files have numbers."""
    value = item.get("lod", "0")
    text = str(value)
    return text[:-2] if isinstance(value, float) and text.endswith(".0") else text


def _surfaces(boundaries: Any, depth: int) -> Iterator[tuple[tuple[int, int], Any]]:
    """((solid, shell), rings) of each surface, in the file's order."""
    if not isinstance(boundaries, list):
        raise InputError("a geometry has no boundaries")
    if depth == 0:
        for rings in boundaries:
            yield (0, 0), rings
    elif depth == 1:
        for shell, surfaces in enumerate(boundaries):
            for rings in surfaces:
                yield (0, shell), rings
    else:
        for number, shells in enumerate(boundaries):
            for shell, surfaces in enumerate(shells):
                for rings in surfaces:
                    yield (number, shell), rings


def _flat(values: Any, depth: int) -> list[Any]:
    if not isinstance(values, list):
        return []
    if depth == 0:
        return values
    return [one for part in values for one in (_flat(part, depth - 1) if part is not None else [])]


def _semantics(semantics: Any, depth: int, rows: Sequence[Any]) -> list[int]:
    unknown = [int(Surface.UNKNOWN)] * len(rows)
    if not isinstance(semantics, dict):
        return unknown
    surfaces, values = semantics.get("surfaces"), _flat(semantics.get("values"), depth)
    if not isinstance(surfaces, list) or len(values) != len(rows):
        return unknown
    names = [str(s.get("type")) if isinstance(s, dict) else "" for s in surfaces]
    types = [FROM_CITYJSON.get(name, Surface.UNKNOWN) for name in names]
    return [
        int(types[v]) if isinstance(v, int) and not isinstance(v, bool) and 0 <= v < len(types) else 0
        for v in values
    ]


def _compact(
    kind: str,
    lod: str,
    rows: Sequence[tuple[tuple[int, int], Any]],
    codes: Sequence[int],
    vertices: NDArray[np.float64],
) -> Geometry:
    """Only the vertices in use; rings without repeated corners; surfaces without a ring are left out."""
    place: dict[int, int] = {}
    surfaces: list[Rings] = []
    kept_codes: list[int] = []
    shells: list[tuple[int, int]] = []
    plain = _plain([ring for _, rings in rows if isinstance(rings, list) for ring in rings], vertices)
    for (shell, rings), code in zip(rows, codes, strict=True):
        cleaned = (
            [ring if plain else _ring(ring, vertices) for ring in rings] if isinstance(rings, list) else []
        )
        if not cleaned or not cleaned[0]:
            continue
        surfaces.append(
            tuple(tuple(place.setdefault(i, len(place)) for i in ring) for ring in cleaned if ring)
        )
        kept_codes.append(code)
        shells.append(shell)
    used = np.fromiter(place, dtype=np.int64, count=len(place))
    solid_kind: Kind = kind  # type: ignore[assignment]
    return Geometry(
        solid_kind,
        lod,
        vertices[used] if len(used) else np.empty((0, 3)),
        tuple(surfaces),
        np.array(kept_codes, dtype=np.uint8),
        np.array(shells, dtype=np.int32).reshape(-1, 2),
    )


def _plain(rings: Sequence[Any], vertices: NDArray[np.float64]) -> bool:
    """Whether every ring is one of three or more indices that exist, with no corner beside itself."""
    if not all(isinstance(ring, list) and len(ring) >= 3 for ring in rings):
        return False
    flat = [index for ring in rings for index in ring]
    if not all(type(index) is int for index in flat):
        return False
    corners = np.array(flat)
    if corners.dtype.kind != "i" or corners.min() < 0 or corners.max() >= len(vertices):
        return False
    ends = np.cumsum([len(ring) for ring in rings])
    following = np.arange(1, len(flat) + 1)
    following[ends - 1] = ends - [len(ring) for ring in rings]
    return not (vertices[corners] == vertices[corners[following]]).all(axis=1).any()


def _ring(ring: Any, vertices: NDArray[np.float64]) -> tuple[int, ...]:
    """Indices without consecutive repeats (of index or place); empty below three corners."""
    if not isinstance(ring, list):
        raise InputError("a ring is a list of vertex indices")
    kept: list[int] = []
    for index in ring:
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(vertices):
            raise InputError(f"vertex index {index!r} is none of the {len(vertices)} vertices")
        if not kept or (index != kept[-1] and (vertices[index] != vertices[kept[-1]]).any()):
            kept.append(index)
    while len(kept) > 1 and (kept[0] == kept[-1] or (vertices[kept[0]] == vertices[kept[-1]]).all()):
        kept.pop()
    return tuple(kept) if len(kept) >= 3 else ()


def instance_matrix(
    item: Mapping[str, Any], vertices: NDArray[np.float64], templates: Templates | None
) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Template number, anchor (3,) and matrix (4, 4) of a geometry instance.

    Raises
    ------
    InputError
        No such template, no single anchor, no matrix of 16 numbers.
    """
    index, boundaries = item.get("template"), item.get("boundaries")
    try:
        matrix = np.asarray(item.get("transformationMatrix", np.eye(4).ravel().tolist()), dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    fits = isinstance(index, int) and templates is not None and 0 <= index < len(templates.items)
    anchored = isinstance(boundaries, list) and len(boundaries) == 1 and isinstance(boundaries[0], int)
    whole = fits and anchored and matrix.size == 16 and bool(np.isfinite(matrix).all())
    if not whole or templates is None or not isinstance(index, int) or not isinstance(boundaries, list):
        raise InputError("a geometry instance names a template, one vertex and 16 numbers")
    if not isinstance(templates.items[index], dict):
        raise InputError(f"template {index} is no geometry")
    if not 0 <= boundaries[0] < len(vertices):
        raise InputError(f"vertex index {boundaries[0]} is none of the {len(vertices)} vertices")
    return index, vertices[boundaries[0]], matrix.reshape(4, 4)


def _instance(
    item: Mapping[str, Any], vertices: NDArray[np.float64], templates: Templates | None
) -> Geometry | None:
    index, anchor, matrix = instance_matrix(item, vertices, templates)
    if templates is None:
        return None
    shape = templates.shape(index)
    if shape is None:
        return None
    four = np.column_stack([shape.vertices, np.ones(len(shape.vertices))]) @ matrix.T
    if not (four[:, 3] != 0).all():
        raise InputError("the matrix of a geometry instance sends points to infinity")
    placed = four[:, :3] / four[:, 3:] + anchor
    return Geometry(shape.kind, shape.lod, placed, shape.surfaces, shape.semantics, shape.shells)


def merged(geometries: Sequence[Geometry]) -> Geometry:
    """Several geometries of one LoD as one: solids stay solids beside each other, else a bag of surfaces."""
    if len(geometries) == 1:
        return geometries[0]
    starts = np.cumsum([0] + [len(g.vertices) for g in geometries[:-1]]).tolist()
    surfaces = tuple(
        tuple(tuple(i + start for i in ring) for ring in rings)
        for g, start in zip(geometries, starts, strict=True)
        for rings in g.surfaces
    )
    solids = all(g.is_solid for g in geometries)
    shells = np.zeros((len(surfaces), 2), dtype=np.int32)
    if solids:
        shells = np.concatenate([g.shells for g in geometries])
        counts = [int(g.shells[:, 0].max()) + 1 for g in geometries]
        first = np.cumsum([0, *counts[:-1]])
        shells[:, 0] += np.repeat(first, [len(g.shells) for g in geometries]).astype(np.int32)
    return Geometry(
        "MultiSolid" if solids else "MultiSurface",
        geometries[0].lod,
        np.concatenate([g.vertices for g in geometries]),
        surfaces,
        np.concatenate([g.semantics for g in geometries]),
        shells,
    )
