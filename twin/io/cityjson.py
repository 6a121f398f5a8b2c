"""CityJSON 1.0, 1.1 and 2.0, and CityJSONSeq: reading, with a standard JSON library.

Every object of a file is kept, or listed with a reason. Text of a file (ids, attributes) is data only.
"""

from __future__ import annotations

import json
import re
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
from twin.io.cityjson_geometry import Templates, merged, parse_geometry
from twin.io.crs import Mover, SpatialRef, mover, parse_crs, read_crs, site_frame, spatial_ref, split_crs
from twin.model.geometry import Geometry
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, CityObject, Failure, Tree
from twin.model.surface import Surface
from twin.model.triangulate import triangulate
from twin.region import Region

VERSIONS = ("1.0", "1.1", "2.0")
TREE_KEYS = ("stem_east_m", "stem_north_m", "ground_m", "height_m", "crown_radius_m", "crown_base_m")
"""Attributes by which a tree of our own making is known again."""


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


@dataclass(slots=True)
class _Part:
    """One set of objects with their vertices: a whole file, or a feature of a sequence."""

    objects: Mapping[str, Any]
    vertices: NDArray[np.float64]


@dataclass(slots=True)
class _Document:
    path: Path
    header: Mapping[str, Any]
    parts: list[_Part]
    failures: list[Failure]

    @property
    def version(self) -> str:
        return str(self.header.get("version"))


def citymodel_info(path: Path) -> CityModelInfo:
    """Version, CRS, extent and counts of a file.

    Raises
    ------
    InputError
        Not CityJSON, an unknown version, no vertices.
    """
    document = _load(path)
    crs, vertical = _claimed(document)
    used = [part.vertices for part in document.parts if len(part.vertices)]
    if not used:
        raise InputError(f"{path}: holds no vertices, so there is nothing to build from")
    low = np.min([v.min(axis=0) for v in used], axis=0)
    high = np.max([v.max(axis=0) for v in used], axis=0)
    counts = Counter(str(o.get("type")) for part in document.parts for o in part.objects.values())
    region = Region(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return CityModelInfo(document.version, crs, vertical, region, dict(sorted(counts.items())))


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
    document = _load(path)
    crs, vertical = _claimed(document)
    if crs is None:
        if crs_text is None:
            raise InputError(f"{path}: names no referenceSystem; state its CRS (--crs)")
        crs, vertical = parse_crs(crs_text, heights)
    if frame is None:
        region = citymodel_info(path).region_world
        frame = site_frame(crs.to_wkt(), vertical, region)
    ref = spatial_ref(crs) if not crs.is_geographic else None
    if ref is None:
        raise InputError(f"{path}: its coordinates are degrees; bring it into a projected CRS first")
    known = vertical if vertical != UNKNOWN_DATUM else frame.vertical
    way = mover(
        SpatialRef(ref.crs, known, ref.xy_to_metre, ref.z_to_metre),
        frame,
        accepted_accuracy_m=accepted_accuracy_m,
    )
    return _Reader(document, frame, way).read()


def read_city(path: Path, frame: Frame) -> CityModel:
    """Read back what ``write_city`` wrote, in its frame."""
    return read_citymodel(path, frame, crs_text=frame.crs_name, heights=frame.vertical)


def _load(path: Path) -> _Document:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    first, _, rest = text.lstrip().partition("\n")
    try:
        if not rest.strip():
            raise json.JSONDecodeError("one line", first, 0)
        header = json.loads(first)
    except json.JSONDecodeError:
        return _whole(path, text)
    return _sequence(path, header, rest)


def _whole(path: Path, text: str) -> _Document:
    try:
        header = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}") from error
    _check_header(path, header)
    objects = header.get("CityObjects")
    if not isinstance(objects, dict):
        raise InputError(f"{path}: has no CityObjects")
    part = _Part(objects, _vertices(header.get("vertices"), header, str(path)))
    return _Document(path, header, [part], [])


def _sequence(path: Path, header: Any, rest: str) -> _Document:
    _check_header(path, header)
    document = _Document(path, header, [], [])
    if isinstance(header.get("CityObjects"), dict) and header["CityObjects"]:
        vertices = _vertices(header.get("vertices"), header, str(path))
        document.parts.append(_Part(header["CityObjects"], vertices))
    for number, line in enumerate(rest.splitlines(), start=2):
        if not line.strip():
            continue
        try:
            feature = json.loads(line)
            if not isinstance(feature, dict) or feature.get("type") != "CityJSONFeature":
                raise InputError("is no CityJSONFeature")
            if not isinstance(feature.get("CityObjects"), dict):
                raise InputError("has no CityObjects")
            vertices = _vertices(feature.get("vertices"), header, f"line {number}")
        except (json.JSONDecodeError, RecursionError, InputError) as error:
            document.failures.append(Failure(f"line {number}", "broken_feature", str(error)))
            continue
        document.parts.append(_Part(feature["CityObjects"], vertices))
    return document


def _check_header(path: Path, header: Any) -> None:
    if not isinstance(header, dict) or header.get("type") != "CityJSON":
        kind = header.get("type") if isinstance(header, dict) else type(header).__name__
        hint = "; a sequence begins with a CityJSON header line" if kind == "CityJSONFeature" else ""
        raise InputError(f"{path}: not CityJSON (type {kind!r}){hint}")
    version = str(header.get("version"))
    if version not in VERSIONS:
        raise InputError(f"{path}: CityJSON version {version!r}; versions {', '.join(VERSIONS)} are read")


def _vertices(values: Any, header: Mapping[str, Any], where: str) -> NDArray[np.float64]:
    """World coordinates (n, 3) of a file's or feature's vertices."""
    try:
        array = np.array(values if values else np.empty((0, 3)), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: its vertices are no numbers: {error}") from error
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all():
        raise InputError(f"{where}: vertices are triples of finite numbers; got the shape {array.shape}")
    transform = header.get("transform")
    if isinstance(transform, dict):
        scale = np.asarray(transform.get("scale"), dtype=np.float64)
        shift = np.asarray(transform.get("translate"), dtype=np.float64)
        if scale.shape != (3,) or shift.shape != (3,) or not np.isfinite([scale, shift]).all():
            raise InputError(f"{where}: key 'transform': scale and translate are three numbers each")
        array = array * scale + shift
    return array


def _claimed(document: _Document) -> tuple[CRS | None, str]:
    """CRS in plan and vertical datum that a file names."""
    metadata = document.header.get("metadata")
    if not isinstance(metadata, dict):
        return None, UNKNOWN_DATUM
    text = metadata.get("referenceSystem")
    old = metadata.get("crs")
    if text is None and isinstance(old, dict) and old.get("epsg"):
        text = f"EPSG::{old['epsg']}"
    if not isinstance(text, str) or not text.strip():
        return None, UNKNOWN_DATUM
    code = re.search(r"EPSG(?:::|/0/|/[\d.]+/|:)(\d+)$", text.strip())
    if code is None:
        raise InputError(f"{document.path}: referenceSystem {text[:80]!r} names no EPSG code")
    plan, vertical, _ = split_crs(read_crs(f"EPSG:{code.group(1)}"))
    return plan, vertical


@dataclass(slots=True)
class _Reader:
    """Walks the parts of a document; faults become failures of their object."""

    document: _Document
    frame: Frame
    way: Mover
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def read(self) -> CityModel:
        """Everything in the frame's local space."""
        header = self.document.header
        self.failures.extend(self.document.failures)
        if not self.way.identity:
            self.notes.append(f"moved to {self.frame.crs_name}: {self.way.description}")
        templates = self._templates(header.get("geometry-templates"))
        buildings: list[Building] = []
        others: list[CityObject] = []
        trees: list[Tree] = []
        terrain: list[TriangleMesh] = []
        for part in self.document.parts:
            local = self._local(part.vertices)
            for key, item in part.objects.items():
                self._one(key, item, part, local, templates, (buildings, others, trees, terrain))
        taken = Counter(b.id for b in buildings)
        for twice in (key for key, count in taken.items() if count > 1):
            self.failures.append(Failure(twice, "duplicate_id", "stands several times; the first is kept"))
        mesh = TriangleMesh.joined(self.frame, terrain) if terrain else None
        return CityModel(
            self.frame,
            tuple({b.id: b for b in reversed(buildings)}[key] for key in taken),
            tuple(others),
            tuple(trees),
            mesh,
            tuple(self.failures),
            tuple(dict.fromkeys(self.notes)),
            dict(sorted(self.counts.items())),
            self.document.version,
        )

    def _local(self, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(vertices):
            return np.empty((0, 3))
        return self.frame.to_local(self.way.apply(vertices))

    def _templates(self, value: Any) -> Templates | None:
        if not isinstance(value, dict):
            return None
        vertices = np.array(value.get("vertices-templates") or np.empty((0, 3)), dtype=np.float64).reshape(
            -1, 3
        )
        items = value.get("templates")
        return Templates(items if isinstance(items, list) else [], vertices)

    def _one(
        self,
        key: str,
        item: Any,
        part: _Part,
        local: NDArray[np.float64],
        templates: Templates | None,
        into: tuple[list[Building], list[CityObject], list[Tree], list[TriangleMesh]],
    ) -> None:
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            self.failures.append(Failure(key, "broken_object", "has no type"))
            return
        buildings, others, trees, terrain = into
        kind = str(item["type"])
        self.counts[kind] += 1
        parents = [p for p in item.get("parents") or [] if isinstance(p, str)]
        if kind == "BuildingPart" and any(p in part.objects for p in parents):
            return
        if kind in ("Building", "BuildingPart"):
            buildings.append(self._building(key, item, part, local, templates, frozenset()))
            return
        geometries = self._geometries(key, item, local, templates)
        if kind == "TINRelief":
            terrain.extend(_terrain(g, self.frame) for g in geometries)
            return
        attributes = _attributes(item)
        tree = self._tree(key, kind, attributes)
        if tree is not None:
            trees.append(tree)
            return
        if not geometries and kind != "CityObjectGroup" and not item.get("children"):
            self.failures.append(
                Failure(key, "no_geometry", f"{kind} has no surfaces; kept with its attributes")
            )
        others.append(CityObject(key, kind, self.frame, geometries, attributes, tuple(parents)))

    def _building(
        self,
        key: str,
        item: Mapping[str, Any],
        part: _Part,
        local: NDArray[np.float64],
        templates: Templates | None,
        above: frozenset[str],
    ) -> Building:
        geometries = self._geometries(key, item, local, templates)
        children = [c for c in item.get("children") or [] if isinstance(c, str)]
        parts = []
        for child in children:
            below = part.objects.get(child)
            circle = child in above or child == key
            if isinstance(below, dict) and below.get("type") == "BuildingPart" and not circle:
                parts.append(self._building(child, below, part, local, templates, above | {key}))
        attributes = _attributes(item)
        failure = None
        if "failure_reason" in attributes:
            failure = Failure(
                key, str(attributes.pop("failure_reason")), str(attributes.pop("failure_detail", ""))
            )
        elif not geometries and not any(p.geometries for p in parts):
            failure = Failure(key, "no_geometry", "has no surfaces; kept with its attributes")
            self.failures.append(failure)
        return Building(key, self.frame, geometries, attributes, tuple(parts), failure)

    def _geometries(
        self,
        key: str,
        item: Mapping[str, Any],
        local: NDArray[np.float64],
        templates: Templates | None,
    ) -> tuple[Geometry, ...]:
        """Geometries of an object, one per LoD; a broken one is a failure, the others stay."""
        by_lod: dict[str, list[Geometry]] = {}
        for one in item.get("geometry") or []:
            try:
                if not isinstance(one, dict):
                    raise InputError("a geometry is no object")
                geometry = parse_geometry(one, local, templates)
            except (InputError, TypeError, ValueError) as error:
                self.failures.append(Failure(key, "broken_geometry", str(error)))
                continue
            if geometry is None:
                self.notes.append("points and lines are not drawn")
            elif geometry.surfaces:
                by_lod.setdefault(geometry.lod, []).append(geometry)
        return tuple(merged(group) for group in by_lod.values())

    def _tree(self, key: str, kind: str, attributes: Mapping[str, Any]) -> Tree | None:
        if kind != "SolitaryVegetationObject" or not all(k in attributes for k in TREE_KEYS):
            return None
        try:
            east, north, ground, height, radius, base = (float(attributes[k]) for k in TREE_KEYS)
            x, y = self.frame.to_local(np.array([[east, north]]))[0]
            return Tree(key, self.frame, float(x), float(y), ground, height, radius, base)
        except (TypeError, ValueError, InputError):
            return None


def _attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    value = item.get("attributes")
    return dict(value) if isinstance(value, dict) else {}


def _terrain(geometry: Geometry, frame: Frame) -> TriangleMesh:
    mesh = triangulate(geometry, frame)
    return TriangleMesh(frame, mesh.vertices, mesh.faces, np.full(len(mesh.faces), Surface.TERRAIN, np.uint8))
