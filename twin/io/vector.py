"""Vector files (GeoPackage, GeoJSON, Shapefile, SpatiaLite, ...): footprints, areas, exports.

The only file that imports pyogrio. Curves are drawn as short straight lines by OGR on the way in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from twin.errors import InputError
from twin.frame import Frame, crs_name
from twin.io.atomic import plain, write_text, writing
from twin.io.crs import Mover, check_extent, mover, read_crs, same_crs, split_crs
from twin.io.footprint_ids import ID_FIELDS, OutlineRecord, assemble, guess_id_field, id_from_outline, id_text
from twin.io.outlines import SNAP_M, OutlineError, clean_parts, outline_key, parse_outline
from twin.model.objects import Failure, Footprint, attributes_of
from twin.region import Region

AREA_MARGIN_M = 500.0
"""Features are looked for this far around the area, so that a coarse shift of datum loses none [m]."""

FIXED_DATE = "2000-01-01T00:00:00.000Z"
"""Date written into GeoPackages: a clock would change the bytes."""


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One layer of a vector file.

    Parameters
    ----------
    name, geometry_type
        As OGR names them.
    fields
        Attribute fields.
    crs
        As the file claims, or None.
    bounds
        West, south, east, north in the file's CRS, or None where there is nothing.
    count
        Number of features.
    """

    name: str
    geometry_type: str
    fields: tuple[str, ...]
    crs: CRS | None
    bounds: tuple[float, float, float, float] | None
    count: int

    @property
    def may_hold_polygons(self) -> bool:
        """Whether outlines may be in it."""
        kind = self.geometry_type.lower()
        return any(word in kind for word in ("polygon", "surface", "unknown", "collection"))


@dataclass(frozen=True, slots=True)
class FootprintLayer:
    """Footprints of a file, and what became of every other feature.

    ``features`` = ``used`` + number of ``failures`` + ``outside``.

    Parameters
    ----------
    footprints
        Sorted by id; each part of an object of several gives one (``ID-1``, ``ID-2``, largest first).
    failures
        Sorted by id, one for each feature that could not be used.
    notes
        What people should know: guesses, repairs, the way between two CRSs.
    id_field
        Field of the ids; None where they are made from the outlines.
    layer, crs_name
        Which layer was read, and the CRS it lies in.
    features
        Number of features read.
    used
        How many of them are footprints now.
    outside
        How many of them lie outside the area.
    objects
        Id of the feature that each footprint is (a part of).
    """

    footprints: tuple[Footprint, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    id_field: str | None
    layer: str
    crs_name: str
    features: int
    used: int
    outside: int
    objects: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class VectorFeature:
    """Something to write.

    Parameters
    ----------
    id
        Written as field ``id``.
    geometry
        Shapely geometry, local space [m].
    attributes
        Text, numbers, bools or None.
    """

    id: str
    geometry: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", attributes_of(self.attributes))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What OGR gave: field values by name, WKB, feature numbers."""

    columns: Mapping[str, list[Any]]
    wkb: Sequence[bytes | None]
    fids: Sequence[int]


def vector_info(path: Path) -> tuple[LayerInfo, ...]:
    """The layers of a vector file.

    Raises
    ------
    InputError
        There is no such file, or it is no vector file.
    """
    import pyogrio
    from pyogrio.errors import DataSourceError

    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    try:
        names = [str(row[0]) for row in pyogrio.list_layers(str(path))]
        return tuple(_layer_info(path, name) for name in names)
    except DataSourceError as error:
        raise InputError(
            f"{path}: expected a vector file (GeoPackage, GeoJSON, Shapefile, SpatiaLite); {error}"
        ) from error


def _layer_info(path: Path, layer: str) -> LayerInfo:
    import pyogrio

    info = pyogrio.read_info(str(path), layer=layer, force_feature_count=True, force_total_bounds=True)
    bounds = info["total_bounds"]
    usable = bounds is not None and np.isfinite(bounds).all()
    return LayerInfo(
        layer,
        str(info["geometry_type"] or "none"),
        tuple(str(name) for name in info["fields"]),
        _crs_of(info["crs"]),
        tuple(float(v) for v in bounds) if usable else None,  # type: ignore[arg-type]
        int(info["features"]),
    )


def _crs_of(text: str | None) -> CRS | None:
    if not text:
        return None
    try:
        return split_crs(CRS.from_user_input(text))[0]
    except CRSError:
        return None


def choose_layer(path: Path, layer: str | None = None) -> tuple[LayerInfo, tuple[str, ...]]:
    """The asked layer, or the only one that may hold polygons; and a note where one was chosen.

    Raises
    ------
    InputError
        No such layer, none with polygons, or several; the message lists them.
    """
    layers = vector_info(path)
    listing = ", ".join(f"{one.name} ({one.geometry_type}, {one.count})" for one in layers) or "none"
    if layer is not None:
        for one in layers:
            if one.name == layer:
                return one, ()
        raise InputError(f"{path}: there is no layer {layer!r}; the file has: {listing}")
    usable = [one for one in layers if one.may_hold_polygons]
    if len(usable) == 1:
        notes = (
            () if len(layers) == 1 else (f"layer {usable[0].name} is the only one of polygons; {listing}",)
        )
        return usable[0], notes
    if not usable:
        raise InputError(f"{path}: expected a layer of polygons; the file has: {listing}")
    raise InputError(f"{path}: several layers may hold polygons; state which: {listing}")


def layer_crs(path: Path, info: LayerInfo, crs_text: str | None) -> CRS:
    """The CRS of a layer's plan coordinates: the file's own, or the stated one where it has none.

    A GeoJSON file without a ``crs`` member counts as degrees; coordinates that cannot be degrees count as
    "no CRS".

    Raises
    ------
    InputError
        None is known, the two contradict each other, or the coordinates contradict the CRS.
    """
    claimed = info.crs
    if claimed is not None and claimed.is_geographic and info.bounds is not None:
        west, south, east, north = info.bounds
        if west < -180.1 or east > 360.1 or south < -90.1 or north > 90.1:
            claimed = None
    stated = split_crs(read_crs(crs_text))[0] if crs_text else None
    if claimed is not None and stated is not None and not same_crs(claimed, stated):
        raise InputError(
            f"{path}: the file says {crs_name(claimed)}, the site file says {crs_name(stated)} for it; "
            "take the key out, or correct the file"
        )
    crs = claimed or stated
    if crs is None:
        where = "" if info.bounds is None else f" (coordinates {Region(*info.bounds).describe()})"
        raise InputError(
            f'{path}: the file does not say in which CRS it lies{where}; state it, e.g. crs = "EPSG:31370"'
        )
    if info.bounds is not None and crs.is_projected:
        check_extent(Region(*info.bounds), crs, str(path))
    return crs


def read_table(path: Path, info: LayerInfo, bounds: tuple[float, float, float, float] | None) -> Table:
    """All features of a layer, or those near a box, as columns and WKB."""
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError

    try:
        meta, fids, wkb, values = pyogrio.raw.read(str(path), layer=info.name, bbox=bounds, return_fids=True)
    except (DataSourceError, DataLayerError, FeatureError, FieldError) as error:
        raise InputError(f"{path}: layer {info.name} cannot be read: {error}") from error
    if wkb is None:
        raise InputError(f"{path}: layer {info.name} has no geometry")
    columns = {
        str(name): [_plain(v, kind.startswith("OFTInteger")) for v in column]
        for name, kind, column in zip(meta["fields"], meta["ogr_types"], values, strict=True)
    }
    return Table(columns, list(wkb), [int(v) for v in fids])


def _plain(value: Any, whole: bool) -> Any:
    """A field value as text, number, bool or None; whole numbers with gaps come as floating point."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return None if not np.isfinite(value) else int(value) if whole else value
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def find_field(path: Path, names: Iterable[str], asked: str) -> str:
    """The field of that name, or of that name in other case; InputError lists what there is."""
    names = list(names)
    same = [n for n in names if n == asked] or [n for n in names if n.lower() == asked.lower()]
    if len(same) == 1:
        return same[0]
    raise InputError(f"{path}: there is no field {asked!r}; the layer has: {', '.join(names) or 'no fields'}")


def to_local(way: Mover, frame: Frame, geometries: Sequence[Any]) -> list[Any]:
    """Geometries of the file's CRS in local space, in one call; None for one that cannot be moved."""

    def move(xy: Any) -> Any:
        if not len(xy):
            return xy
        moved = way.apply(np.column_stack([xy, np.zeros(len(xy))]))[:, :2]
        return frame.to_local(moved)

    try:
        return list(shapely.transform(np.array([*geometries, None], dtype=object), move))[:-1]
    except InputError:
        # One lies where the change of CRS has no answer: find out which.
        return [_moved_or_none(geometry, move) for geometry in geometries]


def _moved_or_none(geometry: Any, move: Callable[[Any], Any]) -> Any:
    try:
        return shapely.transform(geometry, move)
    except InputError:
        return None


def _search_bounds(area: Any, frame: Frame, crs: CRS) -> tuple[float, float, float, float]:
    """Rectangle in the file's CRS that surely covers the area; coarse, only to read less of the file."""
    region = Region(*area.bounds).buffered(AREA_MARGIN_M).shifted(*map(float, frame.origin))
    if crs == frame.crs:
        return region.west, region.south, region.east, region.north
    way = Transformer.from_crs(frame.crs, crs, always_xy=True)
    west, south, east, north = way.transform_bounds(region.west, region.south, region.east, region.north)
    return float(west), float(south), float(east), float(north)


def read_footprints(
    path: Path,
    frame: Frame,
    *,
    layer: str | None = None,
    id_field: str | None = None,
    crs_text: str | None = None,
    area: shapely.Polygon | None = None,
    accepted_accuracy_m: float | None = None,
) -> FootprintLayer:
    """Footprints of a vector file, repaired where that is possible.

    The order of the features in the file does not matter. Of two identical outlines the one with the
    first id stays. Features that share an id and do not overlap are parts of one object.

    Parameters
    ----------
    path
        GeoPackage, GeoJSON, Shapefile, SpatiaLite or what else OGR reads.
    frame
        Frame of the result.
    layer
        Needed where several layers may hold polygons.
    id_field
        Field of the stable id (case does not matter); guessed where None.
    crs_text
        CRS of the coordinates where the file has none.
    area
        Only features that touch this polygon, local space [m]; what lies further off is not read.
    accepted_accuracy_m
        Accuracy that is good enough where a grid for a change of CRS is missing [m].

    Raises
    ------
    InputError
        Missing or unreadable file, wrong layer or field (the message lists what there is), unknown CRS.
    MissingDependencyError
        A grid is needed to change the CRS and is not there.
    """
    info, notes = choose_layer(path, layer)
    crs = layer_crs(path, info, crs_text)
    way = mover(crs, frame, accepted_accuracy_m=accepted_accuracy_m)
    table = read_table(path, info, _search_bounds(area, frame, crs) if area is not None else None)
    if id_field is not None:
        name: str | None = find_field(path, table.columns, id_field)
    else:
        name, note = guess_id_field(table.columns)
        notes = (*notes, note)
    if not way.identity:
        notes = (*notes, f"moved from {crs_name(crs)} to {frame.crs_name}: {way.description}")
    records, failures, outside, repaired = _records(table, name, (way, frame), area)
    footprints, doubles, objects = assemble(records, frame)
    if repaired:
        notes = (*notes, f"{len(repaired)} outlines were repaired, the first: {', '.join(repaired[:5])}")
    everything = sorted([*failures, *doubles], key=lambda f: (f.object_id, f.reason))
    read, used = len(table.wkb), len(records) - len(doubles)
    return FootprintLayer(
        footprints, tuple(everything), notes, name, info.name, crs_name(crs), read, used, outside, objects
    )


def _records(
    table: Table, id_name: str | None, way: tuple[Mover, Frame], area: Any
) -> tuple[list[OutlineRecord], list[Failure], int, list[str]]:
    """Usable features, failures, number outside the area, ids of the repaired ones."""
    records: list[OutlineRecord] = []
    failures: list[Failure] = []
    repaired: list[str] = []
    outside = 0
    parsed: dict[int, Any] = {}
    labels = [_label(table, id_name, i) for i in range(len(table.wkb))]
    for i, wkb in enumerate(table.wkb):
        try:
            if id_name is not None and not id_text(table.columns[id_name][i]):
                raise OutlineError("missing_id", f"field {id_name} is empty")
            parsed[i] = parse_outline(wkb)
        except OutlineError as error:
            failures.append(Failure(labels[i], error.reason, error.detail))
    moved = to_local(*way, list(parsed.values()))
    for i, geometry in zip(parsed, moved, strict=True):
        try:
            if geometry is None:
                raise OutlineError("not_transformable", "a corner lies where the change of CRS has no answer")
            parts, broken = clean_parts(geometry)
        except OutlineError as error:
            failures.append(Failure(labels[i], error.reason, error.detail))
            continue
        if area is not None and not shapely.MultiPolygon(parts).intersects(area):
            outside += 1
            continue
        key = outline_key(parts)
        known = labels[i] if id_name is not None else id_from_outline(key)
        attributes = {n: column[i] for n, column in table.columns.items() if n != id_name}
        records.append(OutlineRecord(known, key, parts, attributes))
        if broken:
            repaired.append(known)
    return records, failures, outside, sorted(repaired)


def _label(table: Table, id_name: str | None, i: int) -> str:
    text = id_text(table.columns[id_name][i]) if id_name is not None else ""
    return text or f"feature {table.fids[i]}"


def read_polygon(
    path: Path | str, frame: Frame, *, crs_text: str | None = None, accepted_accuracy_m: float | None = None
) -> shapely.Polygon:
    """One polygon of a vector file, local space [m].

    Parameters
    ----------
    path
        The file; after ``#`` the id of the feature (``site.geojson#base``), needed where there are several.

    Raises
    ------
    InputError
        No such file or feature, several features, or an outline that cannot be used.
    """
    # A folder may have a # in its name.
    name, _, wanted = str(path).rpartition("#")
    if not name or Path(path).exists():
        name, wanted = str(path), ""
    file = Path(name)
    info, _ = choose_layer(file)
    crs = layer_crs(file, info, crs_text)
    table = read_table(file, info, None)
    ids = [_any_id(table, i) for i in range(len(table.wkb))]
    found = [i for i in range(len(ids)) if not wanted or wanted in ids[i]]
    if len(found) != 1:
        there = ", ".join(sorted({one for group in ids for one in group})[:20]) or "none"
        what = f"no feature {wanted!r}" if not found else f"{len(found)} features, one is wanted"
        raise InputError(f"{path}: {what}; name one as {file.name}#ID; the file has: {there}")
    way = mover(crs, frame, accepted_accuracy_m=accepted_accuracy_m)
    try:
        (moved,) = to_local(way, frame, [parse_outline(table.wkb[found[0]])])
        if moved is None:
            raise OutlineError("not_transformable", "a corner lies where the change of CRS has no answer")
        parts, _ = clean_parts(moved)
    except OutlineError as error:
        raise InputError(f"{path}: {error.detail} ({error.reason})") from error
    return _only(parts, str(path))


def _only(parts: list[shapely.Polygon], what: str) -> shapely.Polygon:
    if len(parts) != 1:
        raise InputError(f"{what}: expected one polygon; got {len(parts)} parts")
    return parts[0]


def _any_id(table: Table, i: int) -> list[str]:
    """Everything that may serve to name a feature: fields called like an id."""
    values = [column[i] for name, column in table.columns.items() if name.lower() in ID_FIELDS]
    return [text for text in map(id_text, values) if text] or [f"{table.fids[i]}"]


def polygon_of_area(
    area: Sequence[Sequence[float]] | Path | str, frame: Frame, *, crs_text: str | None = None
) -> shapely.Polygon:
    """An area as a polygon, local space [m].

    Parameters
    ----------
    area
        Ring of world coordinates [[east, north], ...] [m], closed or not; or a file, as for ``read_polygon``.

    Raises
    ------
    InputError
        Fewer than three corners, no area, self-crossing, or an unusable file.
    """
    if isinstance(area, str | Path):
        return read_polygon(area, frame, crs_text=crs_text)
    ring = [tuple(float(v) for v in corner) for corner in area]
    if len(ring) < 3 or any(len(corner) != 2 for corner in ring) or not np.isfinite(ring).all():
        raise InputError(f"an area is a ring of three or more [east, north] in metres; got {ring}")
    polygon = shapely.Polygon(frame.to_local(np.array(ring)))
    if not polygon.is_valid:
        raise InputError(f"the ring of the area crosses itself: {shapely.is_valid_reason(polygon)}")
    try:
        return _only(clean_parts(polygon)[0], "the area")
    except OutlineError as error:
        raise InputError(f"the area cannot be used: {error.detail}") from error


def _to_world(geometry: Any, frame: Frame) -> Any:
    """World coordinates on whole millimetres; heights stay."""
    digits = round(-np.log10(SNAP_M))

    def move(xyz: Any) -> Any:
        return np.round(np.column_stack([frame.to_world(xyz[:, :2]), xyz[:, 2:]]), digits)

    return shapely.transform(geometry, move, include_z=bool(shapely.has_z(geometry)))


def write_geojson(path: Path, features: Iterable[VectorFeature], frame: Frame) -> None:
    """Write features in world coordinates with a ``crs`` member, which GIS programs read.

    Raises
    ------
    InputError
        The frame's CRS has no EPSG code.
    """
    if frame.epsg is None:
        raise InputError(f"{path}: GeoJSON needs a CRS with an EPSG code; write a GeoPackage instead")
    rows = [
        {
            "type": "Feature",
            "id": f.id,
            "properties": {**plain(f.attributes), "id": f.id},
            "geometry": shapely.geometry.mapping(_to_world(f.geometry, frame)),
        }
        for f in features
    ]
    head = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{frame.epsg}"}}
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    text = f'{{"type": "FeatureCollection", "crs": {json.dumps(head)}, "features": [\n{lines}\n]}}\n'
    write_text(path, text)


def write_gpkg(path: Path, layers: Mapping[str, Sequence[VectorFeature]], frame: Frame) -> None:
    """Write a GeoPackage of one or more layers, in world coordinates; the same features give the same bytes.

    Raises
    ------
    InputError
        A layer without features.
    """
    import pyogrio

    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": FIXED_DATE})
    try:
        with writing(path) as temporary:
            temporary.unlink(missing_ok=True)
            for name, features in layers.items():
                if not features:
                    raise InputError(f"{path}: layer {name!r} has no features to write")
                _write_layer(temporary, name, features, frame)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _write_layer(path: Path, name: str, features: Sequence[VectorFeature], frame: Frame) -> None:
    import pyogrio

    names = list(dict.fromkeys(key for f in features for key in f.attributes if key != "id"))
    columns = [_column([f.id for f in features])]
    columns += [_column([f.attributes.get(key) for f in features]) for key in names]
    clash = {"layer_options": {"FID": "ogc_fid"}} if "fid" in map(str.lower, names) else {}
    kinds = {f.geometry.geom_type + (" Z" if f.geometry.has_z else "") for f in features}
    worlds = [_to_world(f.geometry, frame) for f in features]
    pyogrio.raw.write(
        str(path),
        np.array([shapely.to_wkb(w) for w in worlds], dtype=object),
        columns,
        ["id", *names],
        layer=name,
        driver="GPKG",
        geometry_type=kinds.pop() if len(kinds) == 1 else "Unknown",
        crs=frame.crs_name if frame.epsg is not None else frame.crs.to_wkt(),
        **clash,
    )


def _column(values: list[Any]) -> Any:
    """Values as an array with a type that OGR has."""
    if all(isinstance(v, bool) for v in values):
        return np.array(values, dtype=bool)
    if all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        return np.array(values, dtype=np.int64)
    if all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in values):
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    return np.array([None if v is None else str(v) for v in values], dtype=object)
