"""CityJSON 1.0, 1.1 and 2.0, and CityJSONSeq: reading, with a standard JSON library.

Every object of a file is kept, or listed with a reason. Text of a file (ids, attributes) is data only.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from twin.errors import InputError
from twin.frame import UNKNOWN_DATUM, Frame
from twin.io.cityjson_file import Document, Part, load_document
from twin.io.cityjson_geometry import Templates, count_surfaces, merged, parse_geometry, parse_templates
from twin.io.crs import Mover, SpatialRef, mover, parse_crs, site_frame, spatial_ref
from twin.model.geometry import Geometry
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, CityObject, Failure, Tree
from twin.model.surface import Surface
from twin.model.triangulate import triangulate
from twin.region import Region

TREE_KEYS = ("stem_east_m", "stem_north_m", "ground_m", "height_m", "crown_radius_m", "crown_base_m")
"""Attributes by which a tree of our own making is known again."""
TREE_MARKS = ("crown_base_seen", "crown_returns", "crown_cover")
"""Attributes that say how sure it is; a tree may have none."""


@dataclass(frozen=True, slots=True, eq=False)
class CityModel:
    """What a file holds, in a site's local space.

    Parameters
    ----------
    frame
        Frame of the coordinates.
    buildings, others, trees
        Objects in the file's order; parts lie within their buildings.
    terrain_mesh
        Triangles of all TINRelief objects together, or None.
    failures
        Objects (or lines) that could not be used, with reasons.
    counts
        Objects by type.
    """

    frame: Frame
    buildings: tuple[Building, ...]
    others: tuple[CityObject, ...]
    trees: tuple[Tree, ...]
    terrain_mesh: TriangleMesh | None
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    counts: Mapping[str, int]
    version: str


@dataclass(frozen=True, slots=True, eq=False)
class CityModelInfo:
    """What a file says of itself: version, plan CRS, vertical datum, extent in it, objects by type."""

    version: str
    crs: CRS | None
    vertical: str
    region_world: Region
    counts: Mapping[str, int]


def citymodel_info(path: Path) -> CityModelInfo:
    """Version, CRS, extent and counts of a file.

    Raises
    ------
    InputError
        Not CityJSON, an unknown version, no vertices.
    """
    document = load_document(path)
    crs, vertical, _ = document.claimed_crs()
    counts = Counter(
        str(o.get("type")) if isinstance(o, dict) else "?"
        for part in document.parts
        for o in part.objects.values()
    )
    region = _region(document)
    return CityModelInfo(document.version, crs, vertical, region, dict(sorted(counts.items())))


def _region(document: Document) -> Region:
    """Extent in plan, in the file's own CRS."""
    used = [part.vertices for part in document.parts if len(part.vertices)]
    if not used:
        raise InputError(f"{document.path}: holds no vertices, so there is nothing to build from")
    low = np.min([v.min(axis=0) for v in used], axis=0)
    high = np.max([v.max(axis=0) for v in used], axis=0)
    return Region(float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def read_citymodel(
    path: Path,
    frame: Frame | None = None,
    *,
    crs_text: str | None = None,
    heights: str | None = None,
    accepted_accuracy_m: float | None = None,
) -> CityModel:
    """Read a CityJSON file or a CityJSONSeq.

    Parameters
    ----------
    path
        The file.
    frame
        The site's frame; made from the file where None.
    crs_text, heights
        CRS and datum of the file, where it names none.
    accepted_accuracy_m
        See ``twin.io.crs.mover``.

    Raises
    ------
    InputError
        Not CityJSON, an unknown version, no CRS, broken vertices.
    """
    document = load_document(path)
    crs, vertical, z_metres = document.claimed_crs()
    if crs is None:
        if crs_text is None:
            raise InputError(f"{path}: names no referenceSystem; state its CRS (--crs)")
        crs, vertical = parse_crs(crs_text, heights)
    if crs.is_geographic:
        raise InputError(f"{path}: its coordinates are degrees; bring it into a projected CRS first")
    try:
        plan = spatial_ref(crs)
        if frame is None:
            frame = site_frame(crs.to_wkt(), vertical, _region(document))
        known = vertical if vertical != UNKNOWN_DATUM else frame.vertical
        source = SpatialRef(plan.crs, known, plan.xy_to_metre, z_metres)
        way = mover(source, frame, accepted_accuracy_m=accepted_accuracy_m)
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from error
    return _Reader(document, frame, way).read()


def read_city(path: Path, frame: Frame) -> CityModel:
    """Read back what ``write_city`` wrote, in its frame."""
    return read_citymodel(path, frame, crs_text=frame.crs.to_wkt(), heights=frame.vertical)


@dataclass(slots=True)
class _Reader:
    """Walks the parts of a document; faults become failures of their object."""

    document: Document
    frame: Frame
    way: Mover
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    buildings: list[Building] = field(default_factory=list)
    others: list[CityObject] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    terrain: list[TriangleMesh] = field(default_factory=list)
    templates: Templates | None = None
    left_out: int = 0

    def read(self) -> CityModel:
        """Everything in the frame's local space."""
        header = self.document.header
        self.failures.extend(self.document.failures)
        if not self.way.identity:
            self.notes.append(f"moved to {self.frame.crs_name}: {self.way.description}")
        if header.get("appearance"):
            self.notes.append("materials and textures are not read")
        try:
            self.templates = parse_templates(header.get("geometry-templates"))
        except InputError as error:
            raise InputError(f"{self.document.path}: {error}") from error
        for part in self.document.parts:
            self._part(part)
        if self.left_out:
            self.notes.append(
                f"{self.left_out} surfaces with fewer than three distinct corners enclose nothing: left out"
            )
        return CityModel(
            self.frame,
            self._once(),
            tuple(self.others),
            tuple(self.trees),
            TriangleMesh.joined(self.frame, self.terrain) if self.terrain else None,
            tuple(self.failures),
            tuple(dict.fromkeys(self.notes)),
            dict(sorted(self.counts.items())),
            self.document.version,
        )

    def _once(self) -> tuple[Building, ...]:
        """Buildings with each id once: the first is kept, the others are listed."""
        kept: dict[str, Building] = {}
        for building in self.buildings:
            if building.id in kept:
                self.failures.append(
                    Failure(building.id, "duplicate_id", "stands several times; the first is kept")
                )
            kept.setdefault(building.id, building)
        return tuple(kept.values())

    def _part(self, part: Part) -> None:
        """Every object of a file or feature, kept or listed."""
        try:
            local = (
                self.frame.to_local(self.way.apply(part.vertices)) if len(part.vertices) else part.vertices
            )
        except InputError as error:
            if len(self.document.parts) == 1:
                raise InputError(f"{part.where}: {error}") from error
            self.failures.extend(
                Failure(key, "broken_feature", f"{part.where}: {error}") for key in part.objects
            )
            return
        scope = _Scope(part.objects, local)
        for key, item in part.objects.items():
            kind = _type(item)
            if not isinstance(kind, str):
                self.failures.append(Failure(key, "broken_object", "has no type"))
                continue
            self.counts[kind] += 1
            try:
                self._one(key, kind, item, scope)
            except InputError as error:
                self.failures.append(Failure(key, "broken_object", str(error)))
            except Exception as error:
                logging.getLogger("twin").exception("object %s of %s", key, self.document.path)
                self.failures.append(Failure(key, "internal_error", f"{type(error).__name__}: {error}"))

    def _one(self, key: str, kind: str, item: Mapping[str, Any], scope: _Scope) -> None:
        if key in scope.inside:
            return
        if kind in ("Building", "BuildingPart"):
            self.buildings.append(self._building(key, item, scope))
            return
        geometries = self._geometries(key, item, scope)
        if kind == "TINRelief":
            self._ground(key, geometries)
            return
        attributes = _attributes(item)
        tree = self._tree(key, kind, attributes)
        if tree is not None:
            self.trees.append(tree)
            return
        parents = _ids(item, "parents")
        if kind == "CityObjectGroup":
            attributes.setdefault("original_children", _ids(item, "children"))
        elif not geometries and not item.get("children"):
            self.failures.append(
                Failure(key, "no_geometry", f"{kind} has no surfaces; kept with its attributes")
            )
        if kind == "OtherConstruction" and isinstance(attributes.get("original_type"), str):
            kind = attributes.pop("original_type")
        came = attributes.get("original_parents")
        if not parents and isinstance(came, list):
            parents = [p for p in attributes.pop("original_parents") if isinstance(p, str)]
        self.others.append(CityObject(key, kind, self.frame, geometries, attributes, tuple(parents)))

    def _ground(self, key: str, geometries: tuple[Geometry, ...]) -> None:
        """The finest geometry of a TINRelief becomes ground; coarser ones would lie in it."""
        if not geometries:
            self.failures.append(Failure(key, "no_geometry", "TINRelief has no surfaces"))
            return
        mesh = triangulate(max(geometries, key=lambda g: g.lod), self.frame)
        codes = np.full(len(mesh.faces), Surface.TERRAIN, np.uint8)
        self.terrain.append(TriangleMesh(self.frame, mesh.vertices, mesh.faces, codes))

    def _building(self, key: str, item: Mapping[str, Any], scope: _Scope) -> Building:
        geometries = self._geometries(key, item, scope)
        parts = []
        for child in scope.parts.get(key, ()):
            parts.append(self._building(child, scope.objects[child], scope))
        for child in _ids(item, "children"):
            if child not in scope.objects:
                self.failures.append(
                    Failure(child, "missing_child", f"{key!r} names it, the file has it not")
                )
        attributes = _attributes(item)
        failure = None
        if "failure_reason" in attributes:
            reason, detail = attributes.pop("failure_reason"), attributes.pop("failure_detail", "")
            failure = Failure(key, str(reason), str(detail))
        elif not geometries and not any(p.geometries or p.parts for p in parts):
            failure = Failure(key, "no_geometry", "has no surfaces; kept with its attributes")
            self.failures.append(failure)
        return Building(key, self.frame, geometries, attributes, tuple(parts), failure)

    def _geometries(self, key: str, item: Mapping[str, Any], scope: _Scope) -> tuple[Geometry, ...]:
        """Geometries of an object, one per LoD; a broken one is a failure, the others stay."""
        by_lod: dict[str, list[Geometry]] = {}
        listed = item.get("geometry")
        for one in listed if isinstance(listed, list) else [] if listed is None else [listed]:
            try:
                if not isinstance(one, dict):
                    raise InputError("a geometry is no object")
                geometry = parse_geometry(one, scope.local, self.templates)
                whole = count_surfaces(one)
            except (InputError, TypeError, ValueError) as error:
                self.failures.append(Failure(key, "broken_geometry", str(error)))
                continue
            if geometry is None:
                self.notes.append("points and lines are not drawn")
                continue
            self.left_out += max(0, whole - len(geometry.surfaces))
            if geometry.surfaces:
                by_lod.setdefault(geometry.lod, []).append(geometry)
        return tuple(merged(group) for group in by_lod.values())

    def _tree(self, key: str, kind: str, attributes: Mapping[str, Any]) -> Tree | None:
        if kind != "SolitaryVegetationObject" or not all(k in attributes for k in TREE_KEYS):
            return None
        try:
            east, north, ground, height, radius, base = (float(attributes[k]) for k in TREE_KEYS)
            x, y = self.frame.to_local(np.array([[east, north]]))[0]
            seen, returns, cover = (attributes.get(k) for k in TREE_MARKS)
            marks = (
                seen is True,
                None if returns is None else int(returns),
                None if cover is None else float(cover),
            )
            return Tree(key, self.frame, float(x), float(y), ground, height, radius, base, *marks)
        except (TypeError, ValueError, InputError):
            return None


class _Scope:
    """Objects of a file or feature, its vertices in local space, and the parts of each building."""

    def __init__(self, objects: Mapping[str, Any], local: NDArray[np.float64]) -> None:
        self.objects = objects
        self.local = local
        self.parts = parts_of(objects)
        self.inside = frozenset(child for children in self.parts.values() for child in children)


def parts_of(objects: Mapping[str, Any]) -> dict[str, list[str]]:
    """The BuildingParts of each building and part; each stands once, however the two sides name each other.

    A part belongs to the first that names it as a child or that it names as a parent; a part that no building
    reaches is in no list, and so stands alone.
    """
    named: dict[str, list[str]] = {}
    for key, item in objects.items():
        for parent in _ids(item, "parents"):
            named.setdefault(parent, []).append(key)
    waiting = [key for key, item in objects.items() if _type(item) == "Building"]
    parts: dict[str, list[str]] = {}
    taken: set[str] = set()
    for key in waiting:  # grows while it is walked
        for child in dict.fromkeys([*_ids(objects[key], "children"), *named.get(key, [])]):
            if _type(objects.get(child)) == "BuildingPart" and child not in taken:
                taken.add(child)
                parts.setdefault(key, []).append(child)
                waiting.append(child)
    return parts


def _type(item: Any) -> Any:
    return item.get("type") if isinstance(item, dict) else None


def _ids(item: Any, key: str) -> list[str]:
    """A list of ids in an object, without what is no text."""
    value = item.get(key) if isinstance(item, dict) else None
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    value = item.get("attributes")
    return dict(value) if isinstance(value, dict) else {}
