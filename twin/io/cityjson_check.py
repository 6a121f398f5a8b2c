"""What a JSON schema cannot see in a CityJSON file: links, shapes of semantics, vertices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin.io.cityjson_file import Document, Part
from twin.io.cityjson_geometry import DEPTH

WARNINGS = ("duplicate_vertices", "unused_vertices", "recorded_failure")
"""What a good file may have; the last is an object without geometry that says why, as ours do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong besides the geometry.

    Parameters
    ----------
    kind
        ``missing_child``, ``missing_parent``, ``broken_object``, ``semantics_shape``;
        and ``WARNINGS``.
    id
        The object, or where in the file.
    text
        One sentence.
    """

    kind: str
    id: str
    text: str

    @property
    def is_warning(self) -> bool:
        """Whether a file with it is still a good file."""
        return self.kind in WARNINGS


def document_faults(document: Document) -> list[Fault]:
    """Faults of a file, in its order.

    Parents and children may lie anywhere in the file; vertices are counted per file or feature.
    """
    faults: list[Fault] = []
    known = {key for part in document.parts for key in part.objects}
    repeated = unused = 0
    for part in document.parts:
        faults.extend(_object_faults(part, known))
        twice, idle = _vertices(part)
        repeated, unused = repeated + twice, unused + idle
    if repeated:
        faults.append(
            Fault("duplicate_vertices", str(document.path), f"{repeated} vertices repeat another one")
        )
    if unused:
        faults.append(Fault("unused_vertices", str(document.path), f"{unused} vertices are not used"))
    return faults


def _object_faults(part: Part, known: set[str]) -> Iterator[Fault]:
    for key, item in part.objects.items():
        if not isinstance(item, Mapping) or not isinstance(item.get("type"), str):
            yield Fault("broken_object", key, "is no object with a type")
            continue
        for links, kind in (("parents", "missing_parent"), ("children", "missing_child")):
            listed = item.get(links)
            if listed is not None and not isinstance(listed, list):
                yield Fault(kind, key, f"its {links} are no list")
                continue
            for other in listed or []:
                if not isinstance(other, str) or other not in known:
                    yield Fault(kind, key, f"names {str(other)[:60]!r} in its {links}, the file has it not")
        reason = recorded_failure(item)
        if reason:
            yield Fault("recorded_failure", key, f"has no geometry: {reason}")
        geometries = item.get("geometry")
        for number, geometry in enumerate(geometries if isinstance(geometries, list) else []):
            text = semantics_fault(geometry)
            if text:
                yield Fault("semantics_shape", key, f"geometry {number}: {text}")


def recorded_failure(item: Mapping[str, Any]) -> str | None:
    """The reason that an object without geometry gives, or None."""
    attributes = item.get("attributes")
    reason = attributes.get("failure_reason") if isinstance(attributes, Mapping) else None
    return reason if isinstance(reason, str) and reason and not item.get("geometry") else None


def semantics_fault(geometry: Any) -> str | None:
    """What is wrong with the semantics of a geometry, or None."""
    if not isinstance(geometry, Mapping) or geometry.get("semantics") is None:
        return None
    kind = geometry.get("type")
    depth = DEPTH.get(kind) if isinstance(kind, str) else None
    semantics = geometry["semantics"]
    if depth is None:
        return None
    if not isinstance(semantics, Mapping) or not isinstance(semantics.get("surfaces"), list):
        return "its semantics have no list of surfaces"
    return _shape_fault(
        semantics.get("values"), geometry.get("boundaries"), depth, len(semantics["surfaces"])
    )


def _shape_fault(values: Any, boundaries: Any, depth: int, surfaces: int) -> str | None:
    """Where the values do not follow the nesting of the boundaries; null may stand for a whole level."""
    if values is None or not isinstance(boundaries, list):
        return None
    if not isinstance(values, list):
        return f"its semantics have {str(values)[:20]} where a list is expected"
    if len(values) != len(boundaries):
        what = ("surfaces", "shells", "solids")[depth]
        return f"its semantics have {len(values)} values for {len(boundaries)} {what}"
    for value, inner in zip(values, boundaries, strict=True):
        if depth:
            fault = _shape_fault(value, inner, depth - 1, surfaces)
            if fault:
                return fault
        elif value is not None and (type(value) is not int or not 0 <= value < surfaces):
            return f"its semantics name surface {str(value)[:20]}, there are {surfaces}"
    return None


def _vertices(part: Part) -> tuple[int, int]:
    """How many vertices of a part repeat another one, and how many no object uses."""
    count = len(part.vertices)
    if not count:
        return 0, 0
    repeated = count - len(np.unique(part.vertices + 0.0, axis=0))
    used = np.zeros(count, dtype=bool)
    for item in part.objects.values():
        listed = item.get("geometry") if isinstance(item, Mapping) else None
        for geometry in listed if isinstance(listed, list) else []:
            if isinstance(geometry, Mapping):
                index = np.array(_integers(geometry.get("boundaries")), dtype=np.int64)
                used[index[(index >= 0) & (index < count)]] = True
        box = item.get("address") if isinstance(item, Mapping) else None
        for address in box if isinstance(box, list) else []:
            place = address.get("location") if isinstance(address, Mapping) else None
            if isinstance(place, Mapping):
                index = np.array(_integers(place.get("boundaries")), dtype=np.int64)
                used[index[(index >= 0) & (index < count)]] = True
    return repeated, int(count - used.sum())


def _integers(value: Any) -> list[int]:
    """All numbers of nested lists that fit an index."""
    found: list[int] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            if one and type(one[0]) is int:
                found.extend(v for v in one if type(v) is int and -1 < v < 2**62)
            else:
                waiting.extend(one)
    return found
