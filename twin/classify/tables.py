"""Class tables: what the codes of one LiDAR campaign mean, as data files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.assets import asset, assets_folder
from twin.errors import InputError


class PointClass(IntEnum):
    """The toolkit's classes: ASPRS codes, and three for campaigns that say less (from 64)."""

    NEVER_CLASSIFIED = 0
    UNCLASSIFIED = 1
    GROUND = 2
    LOW_VEGETATION = 3
    MEDIUM_VEGETATION = 4
    HIGH_VEGETATION = 5
    BUILDING = 6
    NOISE = 7
    WATER = 9
    RAIL = 10
    ROAD = 11
    WIRE = 14
    TOWER = 15
    BRIDGE = 17
    HIGH_NOISE = 18
    ABOVE_GROUND = 64
    VEGETATION = 65
    OTHER = 66


@dataclass(frozen=True, slots=True)
class ClassTable:
    """One campaign's codes.

    Parameters
    ----------
    name, title, source
        Short name, name for people, where the table comes from.
    codes
        Code of the files to the toolkit's class.
    roof_classes
        Classes whose points may be roof, inside a footprint and well above ground.
    """

    name: str
    title: str
    source: str
    codes: Mapping[int, PointClass]
    roof_classes: frozenset[PointClass]

    def __reduce__(self) -> Any:
        return _rebuilt, (self.name, self.title, self.source, dict(self.codes), self.roof_classes)

    @property
    def has_building_class(self) -> bool:
        """Whether buildings have a class of their own."""
        return PointClass.BUILDING in self.codes.values()

    def map(
        self, codes: NDArray[np.uint8], where: str, extra: Mapping[int, PointClass] | None = None
    ) -> NDArray[np.uint8]:
        """The toolkit's classes (n,) of the codes (n,) of a file.

        Raises
        ------
        InputError
            A code that neither the table nor ``extra`` knows: with the counts, and the line that settles it.
        """
        known = {**self.codes, **(extra or {})}
        look = np.full(256, 255, dtype=np.uint8)
        for code, meaning in known.items():
            look[code] = meaning
        classes: NDArray[np.uint8] = look[codes]
        strange = classes == 255
        if strange.any():
            raise InputError(self._unknown(codes, known, where))
        return classes

    def _unknown(self, codes: NDArray[np.uint8], known: Mapping[int, PointClass], where: str) -> str:
        values, counts = np.unique(codes, return_counts=True)
        listed = ", ".join(f"{v}: {c}" for v, c in zip(values.tolist(), counts.tolist(), strict=True))
        settle = ", ".join(f'{v} = "other"' for v in values.tolist() if v not in known)
        strange = ", ".join(str(v) for v in values.tolist() if v not in known)
        return (
            f"{where}: class {strange} is not in table {self.name!r} (points by class: {listed}). "
            f"Say in twin.toml what it is, under [inputs]: extra_classes = {{ {settle} }}, "
            f"with one of: {', '.join(CLASS_NAMES)}"
        )


def _rebuilt(
    name: str, title: str, source: str, codes: dict[int, PointClass], roofs: frozenset[PointClass]
) -> ClassTable:
    return ClassTable(name, title, source, MappingProxyType(codes), roofs)


CLASS_NAMES = tuple(c.name.lower() for c in PointClass)
"""How files and settings write the classes."""


def parse_class(name: str, where: str) -> PointClass:
    """A class by its name; InputError lists the names."""
    try:
        return PointClass[name.strip().upper().replace("-", "_").replace(" ", "_")]
    except KeyError:
        raise InputError(f"{where}: no class {name!r}; there are: {', '.join(CLASS_NAMES)}") from None


def load_class_table(name_or_path: str, base: Path | None = None) -> ClassTable:
    """A packaged class table by name, or one from a file.

    Parameters
    ----------
    name_or_path
        ``asprs``, ``spw-2013``, ``spw-2021``, ``ahn``, ``ign-lidar-hd``, or a TOML file.
    base
        Folder of relative paths.

    Raises
    ------
    InputError
        No such table; a fault in the file, with its key.
    """
    path = assets_folder() / "classes" / f"{name_or_path}.toml"
    if not name_or_path.replace("-", "").isalnum() or not path.is_file():
        own = (base or Path()) / name_or_path
        path = own if own.is_file() else asset("classes", f"{Path(name_or_path).name}.toml")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    unknown = set(table) - {"title", "source", "note", "roof_classes", "codes"}
    if unknown or not isinstance(table.get("codes"), dict) or not isinstance(table.get("roof_classes"), list):
        raise InputError(
            f'{path}: a class table has title, source, roof_classes = [...] and [codes] code = "class"'
            + (f"; unknown: {', '.join(sorted(unknown))}" if unknown else "")
        )
    codes: dict[int, PointClass] = {}
    for code, name in table["codes"].items():
        if not code.isdigit() or int(code) > 254:
            raise InputError(f"{path}: key 'codes.{code}': a class code is 0 to 254")
        codes[int(code)] = parse_class(str(name), f"{path}: key 'codes.{code}'")
    roofs = frozenset(parse_class(str(n), f"{path}: key 'roof_classes'") for n in table["roof_classes"])
    return ClassTable(
        path.stem,
        str(table.get("title", path.stem)),
        str(table.get("source", "")),
        MappingProxyType(codes),
        roofs,
    )
