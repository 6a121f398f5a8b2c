"""Proposals and scenarios: what a person writes, checked and in one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import shapely

from twin.model.mesh import TriangleMesh

BaseRule = Literal["terrain_min", "terrain_mean", "terrain_max"]


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A building volume by footprint and levels.

    Parameters
    ----------
    id
        Unique in its proposal.
    polygon
        Footprint, local space [m].
    storeys
        Number of full storeys, ground floor included.
    ground_floor_height, floor_height
        Storey heights [m].
    base
        Rule or absolute height above the datum [m] of the ground floor.
    height
        Explicit height above the base [m]; overrides the storeys where given.
    """

    id: str
    polygon: shapely.Polygon
    storeys: int
    ground_floor_height: float
    floor_height: float
    base: BaseRule | float
    height: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PlacedModel:
    """An imported mesh that already stands in the site's local space.

    Parameters
    ----------
    id
        Unique in its proposal.
    mesh
        Local space [m].
    source
        File name, for the provenance.
    """

    id: str
    mesh: TriangleMesh
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Removal:
    """Existing objects to take away: by id, or every building whose footprint lies mostly in a polygon."""

    ids: tuple[str, ...] = ()
    polygon: shapely.Polygon | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """One proposal, in the site's frame; ``source_hash`` is the SHA-256 of its files."""

    id: str
    title: str
    status: str
    volumes: tuple[Volume, ...]
    models: tuple[PlacedModel, ...]
    removals: tuple[Removal, ...]
    source_hash: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """An ordered list of proposals upon a parent.

    Parameters
    ----------
    id
        Stable id; ``existing`` is the base and has no file.
    proposals
        (proposal id, phase or None) in order of application, parents' first.
    """

    id: str
    title: str
    proposals: tuple[tuple[str, str | None], ...] = ()
