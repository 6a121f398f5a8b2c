"""Things of the city: footprints, buildings, trees and the other city objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import shapely

from twin.errors import InputError
from twin.frame import Frame
from twin.model.geometry import Geometry


def attributes_of(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A read-only copy of an attribute table."""
    return MappingProxyType(dict(values))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be made.

    Parameters
    ----------
    object_id
        Which object.
    reason
        Code, such as ``no_points``; counted in the report.
    detail
        One sentence for people.
    """

    object_id: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """Outline of one building in plan.

    Parameters
    ----------
    id
        Stable id, from the data's own field.
    frame
        Frame of the local coordinates.
    polygon
        ``shapely.Polygon``, valid, without z, local space [m].
    attributes
        The other fields of the file.
    """

    id: str
    frame: Frame
    polygon: shapely.Polygon
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", attributes_of(self.attributes))
        if not self.polygon.is_valid or self.polygon.is_empty:
            raise InputError(f"footprint {self.id!r} is not a valid polygon")


@dataclass(frozen=True, slots=True, eq=False)
class Building:
    """A building: stable id, at most one geometry per LoD, attributes, and a reason where there is no solid.

    Parameters
    ----------
    id
        Stable id.
    frame
        Frame of the local coordinates.
    geometries
        At most one per LoD.
    attributes
        Names and units as in the documentation; heights above the datum [m].
    parts
        Building parts (CityJSON ``BuildingPart``), each a Building.
    failure
        Why there is no geometry, else None.
    """

    id: str
    frame: Frame
    geometries: tuple[Geometry, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Building, ...] = ()
    failure: Failure | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", attributes_of(self.attributes))
        lods = [g.lod for g in self.geometries]
        if len(set(lods)) != len(lods):
            raise InputError(f"building {self.id!r} has two geometries of one LoD: {sorted(lods)}")

    def to_trimesh(self, lod: str | None = None) -> Any:
        """A ``trimesh.Trimesh`` of the building and its parts (highest LoD where None), local space [m]."""
        from twin.io.meshes import building_to_trimesh

        return building_to_trimesh(self, lod)


@dataclass(frozen=True, slots=True, eq=False)
class CityObject:
    """Any other city object (road, bridge, water, land use, ...), kept as it came.

    Parameters
    ----------
    id
        Stable id.
    type
        CityJSON type, such as ``Road``.
    frame
        Frame of the local coordinates.
    geometries
        What could be read as surfaces.
    attributes
        Names and values of the file.
    parents
        Ids of the parents.
    """

    id: str
    type: str
    frame: Frame
    geometries: tuple[Geometry, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    parents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", attributes_of(self.attributes))


THIN_RETURNS, THIN_COVER = 15, 0.5
"""A crown with fewer returns, or with returns over less of its circle, is marked as thin."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree as a stem and a crown.

    Parameters
    ----------
    id
        Stable id.
    frame
        Frame of the local coordinates.
    x, y, ground
        Foot of the stem, local space [m].
    height
        Top above the ground [m].
    crown_radius
        Largest radius of the crown [m].
    crown_base
        Lowest point of the crown above the ground [m].
    crown_base_seen
        Whether returns show the base; else it is a share of the height.
    crown_returns
        Number of vegetation returns in the crown; None where the tree was not made from points.
    crown_cover
        Share (0 to 1) of the crown's circle whose cells have vegetation returns; None as above.
    """

    id: str
    frame: Frame
    x: float
    y: float
    ground: float
    height: float
    crown_radius: float
    crown_base: float
    crown_base_seen: bool = False
    crown_returns: int | None = None
    crown_cover: float | None = None

    @property
    def crown_thin(self) -> bool:
        """Whether returns are so few, as in leafless crowns, that its round shape is a completion of them."""
        if self.crown_returns is None or self.crown_cover is None:
            return False
        return self.crown_returns < THIN_RETURNS or self.crown_cover < THIN_COVER

    def __post_init__(self) -> None:
        numbers = (self.x, self.y, self.ground, self.height, self.crown_radius, self.crown_base)
        if not np.isfinite(numbers).all() or self.crown_radius <= 0 or not 0 <= self.crown_base < self.height:
            raise InputError(f"tree {self.id!r} has impossible measures: {numbers}")


def best_geometry(thing: Building | CityObject, lod: str | None = None) -> Geometry | None:
    """The geometry of the asked LoD, or of the highest one; None where there is none."""
    ranked = sorted(thing.geometries, key=lambda g: g.lod)
    if lod is not None:
        ranked = [g for g in ranked if g.lod == lod]
    return ranked[-1] if ranked else None
