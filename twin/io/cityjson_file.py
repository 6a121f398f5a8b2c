"""CityJSON files as text: one document or a sequence, its header, vertices and CRS; nothing of objects yet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from twin.errors import InputError
from twin.frame import UNKNOWN_DATUM
from twin.io.crs import read_crs, split_crs, vertical_name
from twin.model.objects import Failure

VERSIONS = ("1.0", "1.1", "2.0")
EPSG = re.compile(r"EPSG(?::[\d.]*:|/[\d.]+/|:)(\d+)(?!\d)")
"""``EPSG:7415``, ``urn:ogc:def:crs:EPSG::7415`` and ``https://www.opengis.net/def/crs/EPSG/0/7415``."""


@dataclass(frozen=True, slots=True)
class Part:
    """One set of objects with their vertices, world space: a whole file, or a feature of a sequence."""

    objects: Mapping[str, Any]
    vertices: NDArray[np.float64]
    where: str


@dataclass(slots=True)
class Document:
    """A file that was read: header, parts, and what of a sequence could not be read."""

    path: Path
    header: Mapping[str, Any]
    parts: list[Part]
    failures: list[Failure]

    @property
    def version(self) -> str:
        """Version that the file states."""
        return str(self.header.get("version"))

    def claimed_crs(self) -> tuple[CRS | None, str, float]:
        """Plan CRS, vertical datum and unit of heights [m] that the file names; None and unknown elsewhere.

        Raises
        ------
        InputError
            A reference system without a code that PROJ knows.
        """
        metadata = self.header.get("metadata")
        if not isinstance(metadata, dict):
            return None, UNKNOWN_DATUM, 1.0
        text = metadata.get("referenceSystem")
        old = metadata.get("crs")
        if text is None and isinstance(old, dict) and old.get("epsg"):
            text = f"EPSG::{old['epsg']}"
        if not isinstance(text, str) or not text.strip():
            return None, UNKNOWN_DATUM, 1.0
        codes = EPSG.findall(text)
        if not codes or len(codes) > 2:
            raise InputError(f"{self.path}: referenceSystem {text[:80]!r} names no EPSG code")
        try:
            plan, vertical, z_metres = split_crs(read_crs(f"EPSG:{codes[0]}"))
            if len(codes) == 2:
                vertical = vertical_name(read_crs(f"EPSG:{codes[1]}"))
        except InputError as error:
            raise InputError(f"{self.path}: referenceSystem {text[:80]!r}: {error}") from error
        return plan, vertical, z_metres


def load_document(path: Path) -> Document:
    """Read a CityJSON file or a CityJSONSeq.

    Raises
    ------
    InputError
        No such file, no UTF-8, no JSON, not CityJSON, an unknown version, impossible vertices.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    first, _, rest = text.lstrip().partition("\n")
    header = None
    if rest.strip():
        try:
            header = json.loads(first)
        except (ValueError, RecursionError):
            header = None
    return _whole(path, text) if header is None else _sequence(path, header, rest)


def _whole(path: Path, text: str) -> Document:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}") from error
    _check_header(path, header)
    objects = header.get("CityObjects")
    if not isinstance(objects, dict):
        raise InputError(f"{path}: has no CityObjects")
    vertices = _vertices(header.get("vertices"), header, objects, str(path))
    return Document(path, header, [Part(objects, vertices, str(path))], [])


def _sequence(path: Path, header: Any, rest: str) -> Document:
    _check_header(path, header)
    document = Document(path, header, [], [])
    objects = header.get("CityObjects")
    if isinstance(objects, dict) and objects:
        vertices = _vertices(header.get("vertices"), header, objects, str(path))
        document.parts.append(Part(objects, vertices, str(path)))
    # Not splitlines(): it would also cut at the line separators that JSON text may hold.
    for number, line in enumerate(rest.split("\n"), start=2):
        if not line.strip():
            continue
        where, names = f"line {number}", [f"line {number}"]
        try:
            feature = json.loads(line)
            if not isinstance(feature, dict) or feature.get("type") != "CityJSONFeature":
                raise InputError(f"{where}: is no CityJSONFeature")
            objects = feature.get("CityObjects")
            if not isinstance(objects, dict):
                raise InputError(f"{where}: has no CityObjects")
            names = list(objects) or names
            vertices = _vertices(feature.get("vertices"), header, objects, where)
        except (ValueError, RecursionError, InputError) as error:
            text = str(error) if isinstance(error, InputError) else f"{where}: not valid JSON: {error}"
            document.failures.extend(Failure(name, "broken_feature", text) for name in names)
            continue
        document.parts.append(Part(objects, vertices, where))
    return document


def _check_header(path: Path, header: Any) -> None:
    if not isinstance(header, dict) or header.get("type") != "CityJSON":
        kind = header.get("type") if isinstance(header, dict) else type(header).__name__
        hint = "; a sequence begins with a CityJSON header line" if kind == "CityJSONFeature" else ""
        raise InputError(f"{path}: not CityJSON (type {str(kind)[:40]!r}){hint}")
    version = str(header.get("version"))
    if version not in VERSIONS:
        raise InputError(
            f"{path}: CityJSON version {version[:20]!r}; versions {', '.join(VERSIONS)} are read "
            "(`cjio FILE upgrade save NEW` brings older ones up to date)"
        )
    transform = header.get("transform")
    if transform is None:
        return
    for key in ("scale", "translate"):
        values = transform.get(key) if isinstance(transform, dict) else None
        if not _is_triple(values):
            raise InputError(f"{path}: key 'transform.{key}': expected three numbers, got {str(values)[:60]}")


def _is_triple(row: Any) -> bool:
    """Whether a row is three finite numbers."""
    return (
        isinstance(row, list)
        and len(row) == 3
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in row)
        and all(-1e300 < v < 1e300 for v in row)
    )


def _vertices(
    values: Any, header: Mapping[str, Any], objects: Mapping[str, Any], where: str
) -> NDArray[np.float64]:
    """World coordinates (n, 3) of a file's or feature's vertices."""
    if values is None or values == []:
        return np.empty((0, 3))
    if not isinstance(values, list):
        raise InputError(f"{where}: its vertices are no list")
    try:
        array = np.array(values)
        fits = array.ndim == 2 and array.shape[1] == 3 and array.dtype.kind in "iuf"
        fits = fits and bool(np.isfinite(array).all())
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        bad = next(k for k, row in enumerate(values) if not _is_triple(row))
        user = next((key for key, item in objects.items() if bad in _indices_of(item)), None)
        used = f", used by object {user!r}" if user is not None else ""
        raise InputError(
            f"{where}: vertex {bad}{used}, is {str(values[bad])[:60]}; expected three finite numbers"
        )
    array = array.astype(np.float64)
    transform = header.get("transform")
    if isinstance(transform, dict):
        array = array * np.array(transform["scale"], np.float64) + np.array(
            transform["translate"], np.float64
        )
    return array


def _indices_of(item: Any) -> Iterator[int]:
    """Every vertex index in the boundaries of an object."""
    geometries = item.get("geometry") if isinstance(item, dict) else None
    waiting = [g.get("boundaries") for g in geometries or [] if isinstance(g, dict)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, int):
            yield one
