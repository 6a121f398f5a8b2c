"""CityJSON 2.0 and CityJSONSeq 2.0: writing; integers with a transform, no unused vertices, same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.frame import UNKNOWN_DATUM, Frame
from twin.io.atomic import plain, utf8, writing
from twin.io.cityjson import TREE_KEYS, TREE_MARKS
from twin.io.cityjson_templates import tree_instances, tree_templates
from twin.model.faces import area_vector, slope_and_azimuth
from twin.model.geometry import Geometry
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, CityObject, Tree
from twin.model.surface import CITYJSON_NAMES, Surface

STEP_M = 0.0001
"""Step of the stored coordinates [m]; 0.001 was found to bend faces out of their planes."""
COMPOUND = {(3812, "EPSG:5710"): 8370, (31370, "EPSG:5710"): 6190, (28992, "EPSG:5709"): 7415}
"""EPSG codes of plan and heights together."""
TYPES = frozenset(
    [
        "Bridge",
        "BridgePart",
        "BridgeInstallation",
        "BridgeConstructiveElement",
        "BridgeRoom",
        "BridgeFurniture",
        "Building",
        "BuildingPart",
        "BuildingInstallation",
        "BuildingConstructiveElement",
        "BuildingFurniture",
        "BuildingStorey",
        "BuildingRoom",
        "BuildingUnit",
        "CityFurniture",
        "CityObjectGroup",
        "GenericCityObject",
        "LandUse",
        "OtherConstruction",
        "PlantCover",
        "SolitaryVegetationObject",
        "TINRelief",
        "Road",
        "Railway",
        "Waterway",
        "TransportSquare",
        "Tunnel",
        "TunnelPart",
        "TunnelInstallation",
        "TunnelConstructiveElement",
        "TunnelHollowSpace",
        "TunnelFurniture",
        "WaterBody",
    ]
)
"""Object types of CityJSON 2.0; others are written as OtherConstruction with their type as attribute."""
OLD_TYPES = {
    "+GenericCityObject": "GenericCityObject",
    "BridgeConstructionElement": "BridgeConstructiveElement",
}
"""Names of earlier versions for types of 2.0."""
NEED_PARENT = (
    "Part",
    "Installation",
    "Room",
    "Furniture",
    "Storey",
    "Unit",
    "ConstructiveElement",
    "HollowSpace",
)


def write_city(
    path: Path,
    *,
    frame: Frame,
    buildings: Sequence[Building],
    terrain: TriangleMesh | None = None,
    trees: Sequence[Tree] = (),
    others: Sequence[CityObject] = (),
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a model: a sequence where the name ends in ``.jsonl``, else one CityJSON file.

    Parameters
    ----------
    path
        Appears whole or not at all.
    frame
        Frame of everything.
    buildings, terrain, trees, others
        The objects.
    metadata
        ``title`` and ``synthetic``.
    """
    features = list(_features(frame, buildings, terrain, trees, others))
    header = _header(frame, features, metadata or {})
    if trees:
        header["geometry-templates"] = tree_templates()
    with writing(path) as temporary, temporary.open("wb") as stream:
        if path.suffix == ".jsonl":
            stream.write(_line({**header, "CityObjects": {}, "vertices": []}))
            for feature in features:
                stream.write(_line(feature.as_feature()))
        else:
            stream.write(_line(_one_file(header, features)))


def _line(value: Any) -> bytes:
    return utf8(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n")


_Rings = list[list[list[int]]]
"""Rings of the surfaces of a geometry."""


@dataclass(slots=True)
class _Feature:
    """Objects that share one list of vertices."""

    id: str
    frame: Frame
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    blocks: list[NDArray[np.int64]] = field(default_factory=list)
    geometries: list[tuple[dict[str, Any], Any, int]] = field(default_factory=list)
    extent: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, geometry: Geometry) -> dict[str, Any]:
        """The JSON of a geometry; its indices are settled when the feature is complete."""
        item: dict[str, Any] = {"type": geometry.kind, "lod": geometry.lod}
        self._add(item, geometry, _steps(geometry.vertices))
        self.extent.append(self.blocks[-1])
        return item

    def place(self, item: dict[str, Any], anchor: NDArray[np.float64]) -> dict[str, Any]:
        """The JSON of an instance of a template, at an anchor (1, 3); its index is settled later, too."""
        self._add(item, None, _steps(anchor))
        return item

    def _add(self, item: dict[str, Any], geometry: Geometry | None, block: NDArray[np.int64]) -> None:
        self.geometries.append((item, geometry, sum(len(b) for b in self.blocks)))
        self.blocks.append(block)

    def settle(self) -> tuple[NDArray[np.int64], list[_Rings]]:
        """The vertices in use, each once, and the rings of each geometry by those vertices' numbers."""
        if not self.blocks:
            return np.empty((0, 3), dtype=np.int64), []
        points, inverse = np.unique(np.concatenate(self.blocks), axis=0, return_inverse=True)
        place: list[int] = inverse.reshape(-1).tolist()
        rows: list[_Rings] = []
        for _, geometry, start in self.geometries:
            own = place[start:]
            if geometry is None:
                rows.append([[[own[0]]]])
                continue
            rows.append(
                [[_ring([own[i] for i in ring]) for ring in surface] for surface in geometry.surfaces]
            )
        used = np.zeros(len(points), dtype=bool)
        used[
            list({v for rings in rows for surface in rings if surface[0] for ring in surface for v in ring})
        ] = True
        if not used.all():
            number: list[int] = (np.cumsum(used) - 1).tolist()
            rows = [
                [
                    [[number[v] for v in ring] for ring in surface] if surface[0] else surface
                    for surface in rings
                ]
                for rings in rows
            ]
        return points[used], rows

    def fill(self, rows: Sequence[_Rings], number: Sequence[int] | None = None) -> dict[str, dict[str, Any]]:
        """The objects, their geometries filled in with settled rings; ``number`` is each vertex's place in a file."""
        for (item, geometry, _), rings in zip(self.geometries, rows, strict=True):
            keep = [k for k, surface in enumerate(rings) if surface[0]]
            kept = [[ring for ring in rings[k] if ring] for k in keep]
            if number is not None:
                kept = [[[number[v] for v in ring] for ring in surface] for surface in kept]
            if geometry is None:
                item["boundaries"] = kept[0][0]
                continue
            _fill(item, geometry, kept, keep, self.frame)
        return self.objects

    def as_feature(self) -> dict[str, Any]:
        """A CityJSONFeature."""
        points, rows = self.settle()
        return {
            "type": "CityJSONFeature",
            "id": self.id,
            "CityObjects": self.fill(rows),
            "vertices": points.tolist(),
        }


def _steps(vertices: NDArray[np.float64]) -> NDArray[np.int64]:
    """Local coordinates as whole steps; the transform of the file adds the origin."""
    return np.round(vertices / STEP_M).astype(np.int64)


def _ring(ring: list[int]) -> list[int]:
    kept = [v for k, v in enumerate(ring) if v != ring[k - 1]]
    return kept if len(kept) >= 3 else []


def _fill(item: dict[str, Any], geometry: Geometry, rings: list[Any], keep: list[int], frame: Frame) -> None:
    """Boundaries and semantics of a geometry, nested as its kind asks."""
    surfaces: list[dict[str, Any]] = []
    place: dict[str, int] = {}
    values: list[int | None] = []
    for k in keep:
        entry = _semantic(geometry, k, frame)
        if entry is None:
            values.append(None)
            continue
        key = json.dumps(entry)
        if key not in place:
            place[key] = len(surfaces)
            surfaces.append(entry)
        values.append(place[key])
    if geometry.is_solid:
        shells = [tuple(geometry.shells[k].tolist()) for k in keep]
        nested, nested_values = _nest(rings, shells), _nest(values, shells)
        single = geometry.kind == "Solid"
        item["boundaries"] = nested[0] if single and nested else nested
        values_out: Any = nested_values[0] if single and nested_values else nested_values
    else:
        item["boundaries"], values_out = rings, values
    if surfaces:
        item["semantics"] = {"surfaces": surfaces, "values": values_out}


def _semantic(geometry: Geometry, face: int, frame: Frame) -> dict[str, Any] | None:
    """Type of a face; of a roof face of a solid above LoD 1 also its slope, true azimuth and area."""
    name = CITYJSON_NAMES.get(Surface(int(geometry.semantics[face])))
    if name is None:
        return None
    if name != "RoofSurface" or not geometry.is_solid or geometry.lod < "2":
        return {"type": name}
    vector = area_vector(geometry, face)
    slope, azimuth = slope_and_azimuth(vector)
    entry = {"type": name, "slope_deg": round(slope, 2), "area_m2": round(float(np.linalg.norm(vector)), 2)}
    if azimuth is not None:
        entry["azimuth_true_deg"] = round(frame.azimuth_true(azimuth), 2)
    return entry


def _nest(rows: Sequence[Any], shells: Sequence[Any]) -> list[Any]:
    """Rows grouped into solids and shells, in order."""
    tree: dict[int, dict[int, list[Any]]] = {}
    for row, (number, shell) in zip(rows, shells, strict=True):
        tree.setdefault(number, {}).setdefault(shell, []).append(row)
    return [[tree[n][s] for s in sorted(tree[n])] for n in sorted(tree)]


def _features(
    frame: Frame,
    buildings: Sequence[Building],
    terrain: TriangleMesh | None,
    trees: Sequence[Tree],
    others: Sequence[CityObject],
) -> Iterator[_Feature]:
    taken: set[str] = set()
    if terrain is not None and len(terrain.faces):
        feature = _Feature("terrain", frame)
        feature.objects["terrain"] = {"type": "TINRelief", "geometry": [feature.add(_surface(terrain, "1"))]}
        taken.add("terrain")
        yield feature
    for building in buildings:
        yield _building(building, frame, taken)
    for thing in others:
        yield _other(thing, frame, taken)
    for tree in trees:
        yield _tree(tree, frame, taken)


def _surface(mesh: TriangleMesh, lod: str) -> Geometry:
    faces = tuple(((a, b, c),) for a, b, c in mesh.faces.tolist())
    codes, shells = np.zeros(len(faces), np.uint8), np.zeros((len(faces), 2), np.int32)
    return Geometry("CompositeSurface", lod, mesh.vertices, faces, codes, shells)


def _free(key: str, taken: set[str]) -> str:
    """The id, or the id with a number where it is taken."""
    name, number = key, 2
    while name in taken:
        name, number = f"{key}-{number}", number + 1
    taken.add(name)
    return name


def _building(building: Building, frame: Frame, taken: set[str]) -> _Feature:
    feature = _Feature(_free(building.id, taken), frame)
    _building_object(building, feature, feature.id, None, taken)
    return feature


def _building_object(
    building: Building, feature: _Feature, key: str, parent: str | None, taken: set[str]
) -> None:
    item: dict[str, Any] = {"type": "Building" if parent is None else "BuildingPart"}
    attributes = dict(building.attributes)
    if building.failure is not None:
        attributes["failure_reason"] = building.failure.reason
        attributes["failure_detail"] = building.failure.detail
    if attributes:
        item["attributes"] = _attributes(attributes)
    if parent is not None:
        item["parents"] = [parent]
    feature.objects[key] = item
    if building.geometries:
        item["geometry"] = [feature.add(g) for g in building.geometries]
    children = []
    for part in building.parts:
        child = _free(part.id, taken)
        children.append(child)
        _building_object(part, feature, child, key, taken)
    if children:
        item["children"] = children


def _other(thing: CityObject, frame: Frame, taken: set[str]) -> _Feature:
    feature = _Feature(_free(thing.id, taken), frame)
    attributes = dict(thing.attributes)
    kind = OLD_TYPES.get(thing.type, thing.type)
    if kind not in TYPES or (kind.endswith(NEED_PARENT) and kind != "CityFurniture"):
        attributes["original_type"], kind = thing.type, "OtherConstruction"
    if thing.parents:
        attributes["original_parents"] = list(thing.parents)
    item: dict[str, Any] = {"type": kind}
    if attributes:
        item["attributes"] = _attributes(attributes)
    if kind == "CityObjectGroup":
        item["children"] = []
    feature.objects[feature.id] = item
    if thing.geometries:
        item["geometry"] = [feature.add(g) for g in thing.geometries]
    return feature


def _tree(tree: Tree, frame: Frame, taken: set[str]) -> _Feature:
    feature = _Feature(_free(tree.id, taken), frame)
    east, north = frame.to_world(np.array([[tree.x, tree.y]]))[0]
    numbers = (east, north, tree.ground, tree.height, tree.crown_radius, tree.crown_base)
    attributes: dict[str, Any] = {
        name: round(float(v), 3) for name, v in zip(TREE_KEYS, numbers, strict=True)
    }
    marks = (tree.crown_base_seen, tree.crown_returns, tree.crown_cover)
    if tree.crown_returns is not None:
        attributes |= dict(zip(TREE_MARKS, marks, strict=True)) | {"crown_thin": tree.crown_thin}
    foot = np.array([[tree.x, tree.y, tree.ground]])
    reach = np.array([tree.crown_radius, tree.crown_radius, 0.0])
    feature.extent += [_steps(foot - reach), _steps(foot + reach + [0.0, 0.0, tree.height])]
    feature.objects[feature.id] = {
        "type": "SolitaryVegetationObject",
        "attributes": attributes,
        "geometry": [feature.place(item, foot) for item in tree_instances(tree)],
    }
    return feature


def _attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = plain(values)
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in checked.items()}


def _header(frame: Frame, features: Iterable[_Feature], metadata: Mapping[str, Any]) -> dict[str, Any]:
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for feature in features:
        for block in feature.extent:
            if len(block):
                low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    shift = np.array([frame.origin[0], frame.origin[1], 0.0])
    about: dict[str, Any] = {}
    if np.isfinite(low).all():
        extent = [*(low * STEP_M + shift), *(high * STEP_M + shift)]
        about["geographicalExtent"] = [round(float(v), 4) for v in extent]
    reference = reference_system(frame)
    if reference is not None:
        about["referenceSystem"] = reference
    title = str(metadata.get("title", ""))
    if metadata.get("synthetic"):
        title += " (synthetic)"
    if frame.vertical == UNKNOWN_DATUM:
        title += " (vertical datum unknown)"
    if title.strip():
        about["title"] = title.strip()
    return {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [STEP_M] * 3, "translate": [float(v) for v in shift]},
        "metadata": about,
    }


def reference_system(frame: Frame) -> str | None:
    """URL of the CRS: plan and heights together where EPSG has a code for both, else the plan's."""
    code = COMPOUND.get((frame.epsg or 0, frame.vertical), frame.epsg)
    return f"https://www.opengis.net/def/crs/EPSG/0/{code}" if code else None


def _one_file(header: dict[str, Any], features: Sequence[_Feature]) -> dict[str, Any]:
    """All features over one list of vertices, each vertex once."""
    objects: dict[str, Any] = {}
    settled = [feature.settle() for feature in features]
    everything = np.concatenate([np.empty((0, 3), np.int64), *(points for points, _ in settled)])
    unique, inverse = np.unique(everything, axis=0, return_inverse=True)
    inverse, start = inverse.reshape(-1), 0
    for feature, (points, rows) in zip(features, settled, strict=True):
        objects.update(feature.fill(rows, inverse[start : start + len(points)].tolist()))
        start += len(points)
    return {**header, "CityObjects": objects, "vertices": unique.tolist()}
