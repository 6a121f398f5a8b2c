"""Stable ids for outlines: which field to trust, what to do with doubles, and names for parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import shapely

from twin.frame import Frame
from twin.io.outlines import MIN_AREA_M2
from twin.model.objects import Failure, Footprint

ID_FIELDS = (
    "gml_id", "identificatie", "georef_id", "inspireid", "inspire_id", "lokaalid", "localid",
    "uuid", "globalid", "building_id", "osm_id", "osmid", "id", "uid", "gid", "fid", "objectid", "ogc_fid",
)  # fmt: skip
"""Names of id fields, best first; a field serves if no feature lacks it and (nearly) none shares it."""

REPEAT_SHARE = 0.01
"""Share of repeated values up to which a field still counts as an id: buildings stored part by part."""


@dataclass(frozen=True, slots=True, eq=False)
class OutlineRecord:
    """A feature that can be used.

    Parameters
    ----------
    id
        Of the feature.
    key
        ``twin.io.outlines.outline_key`` of its parts.
    parts
        Clean polygons, local space [m].
    attributes
        The other fields.
    """

    id: str
    key: bytes
    parts: Sequence[shapely.Polygon]
    attributes: Mapping[str, Any]


def id_text(value: Any) -> str:
    """An id as text, empty where there is none; Shapefiles keep long numbers as floating point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def id_from_outline(key: bytes) -> str:
    """An id for an outline without one; it changes when the outline does."""
    return f"f-{hashlib.sha256(key).hexdigest()[:12]}"


def guess_id_field(columns: Mapping[str, Sequence[Any]]) -> tuple[str | None, str]:
    """The best id field of a table, or None, and a note for people on why.

    Feature numbers and the order in the file are not stable and never serve.
    """
    by_lower = {name.lower(): name for name in columns}
    refused: list[str] = []
    nearly: list[tuple[str, int]] = []
    for name in (by_lower[n] for n in ID_FIELDS if n in by_lower):
        texts = [text for text in map(id_text, columns[name]) if text]
        empty, repeated = len(columns[name]) - len(texts), len(texts) - len(set(texts))
        if not empty and not repeated:
            return name, f"ids from field {name}: filled and unique; state another if it is not stable"
        refused.append(f"{name} is empty {empty} and repeated {repeated} times")
        if not empty and repeated <= REPEAT_SHARE * len(texts):
            nearly.append((name, repeated))
    if nearly:
        name, repeated = nearly[0]
        return name, f"ids from field {name}: filled, {repeated} of {len(columns[name])} values repeated"
    why = "; ".join(refused) or "no field has the name of one"
    return None, f"ids are made from the outlines, and change with them: no id field ({why})"


def assemble(
    records: Sequence[OutlineRecord], frame: Frame
) -> tuple[tuple[Footprint, ...], list[Failure], dict[str, str]]:
    """Footprints sorted by id, a failure for each outline or id that comes twice, and the object of each footprint.

    Of two identical outlines the one with the first id stays. Features that share an id and do not overlap
    are parts of one object; where they overlap, the largest stays.
    """
    kept: list[OutlineRecord] = []
    failures: list[Failure] = []
    first: dict[bytes, str] = {}
    ordered = sorted(records, key=lambda r: (r.id, -sum(p.area for p in r.parts), r.key))
    for _, group in groupby(ordered, key=lambda r: r.id):
        covered: list[shapely.Polygon] = []
        for record in group:
            if record.key in first:
                detail = f"the same outline as {first[record.key]}, which stays"
                failures.append(Failure(record.id, "duplicate_geometry", detail))
            elif _overlap(covered, record.parts):
                detail = "a larger outline over this one has the same id and stays"
                failures.append(Failure(record.id, "duplicate_id", detail))
            else:
                first[record.key] = record.id
                covered += record.parts
                kept.append(record)
    footprints, clashes, objects = _named(kept, frame)
    return footprints, failures + clashes, objects


def _overlap(covered: Sequence[shapely.Polygon], parts: Sequence[shapely.Polygon]) -> bool:
    if not covered:
        return False
    return bool(shapely.union_all(covered).intersection(shapely.union_all(parts)).area > MIN_AREA_M2)


def _named(
    records: Sequence[OutlineRecord], frame: Frame
) -> tuple[tuple[Footprint, ...], list[Failure], dict[str, str]]:
    """One footprint a part; a part's name that another object already bears costs that object its place."""
    taken: set[str] = set()
    footprints: list[Footprint] = []
    failures: list[Failure] = []
    objects: dict[str, str] = {}
    for name, group in groupby(records, key=lambda r: r.id):
        members = list(group)
        parts = [(part, record.attributes) for record in members for part in record.parts]
        parts.sort(key=lambda p: (-p[0].area, shapely.to_wkb(p[0])))
        names = [f"{name}-{k}" for k in range(1, len(parts) + 1)] if len(parts) > 1 else [name]
        if taken.intersection(names):
            detail = "this id is already the name of a part of another object"
            failures += [Failure(name, "duplicate_id", detail) for _ in members]
            continue
        taken.update(names)
        objects |= dict.fromkeys(names, name)
        footprints += [Footprint(n, frame, part, a) for n, (part, a) in zip(names, parts, strict=True)]
    return tuple(sorted(footprints, key=lambda f: f.id)), failures, objects
