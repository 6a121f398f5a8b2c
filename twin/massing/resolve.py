"""What a scenario consists of: base model - removed + proposed, always through this one function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import numpy as np
import shapely

from twin.buildings.inside import PolygonIndex
from twin.buildings.outline import Outline, building_footprint
from twin.errors import InputError
from twin.io.atomic import sha256_json
from twin.massing.place import mesh_building
from twin.massing.volume import volume_building
from twin.model.objects import Building, Tree
from twin.model.proposal import Proposal, Scenario
from twin.model.scene import Scene
from twin.terrain.sampler import TinSampler

MOSTLY = 0.5
"""A removal polygon takes a building of whose footprint more than this share lies inside."""

CONFLICT_M2 = 1.0
"""Overlaps up to this area are drawing noise [m2]."""


def scenario_hash(scenario: Scenario, proposals: Mapping[str, Proposal], base_hash: str) -> str:
    """SHA-256 of what a scenario resolves from: the base, and each proposal's files and phase, in order.

    Ids and titles of scenarios do not count: scenarios of the same content have the same hash.
    """
    applied = [[name, phase, proposals[name].source_hash] for name, phase in scenario.proposals]
    return sha256_json({"base": base_hash, "applied": applied})


def resolve(scenario: Scenario, proposals: Mapping[str, Proposal], base: Scene) -> Scene:
    """The scene of a scenario; a pure function of its arguments.

    Parameters
    ----------
    scenario
        The proposals in order of application.
    proposals
        At least those, by id, as they stand in their phase; the order of the mapping does not matter.
    base
        The existing situation.

    Returns
    -------
    Scene
        Existing buildings, trees and other objects less the removed ones, in the base's order; volumes, then
        models of each proposal in the scenario's order. Buildings are removed by id, or by a polygon that
        holds more than half of their footprint. Trees are removed by id, and where their stem stands in a
        removal polygon or inside a proposed building. ``removed`` has every removed id once, sorted.

    Raises
    ------
    InputError
        An unknown proposal, an unknown id to remove (with near matches), a volume that cannot stand, two
        objects of one id, a base that is itself a resolved scenario.
    """
    if base.proposed or base.removed:
        raise InputError(
            f"scenario {scenario.id!r}: {base.scenario!r} is resolved already; start from the base"
        )
    missing = [name for name, _ in scenario.proposals if name not in proposals]
    if missing:
        known = ", ".join(sorted(proposals)) or "none"
        raise InputError(f"scenario {scenario.id!r}: no proposal {missing[0]!r}; known: {known}")
    applied = [proposals[name] for name, _ in scenario.proposals]
    sampler = TinSampler(base.terrain.tin)
    proposed: list[Building] = []
    for proposal in applied:
        proposed += [volume_building(volume, proposal.id, sampler) for volume in proposal.volumes]
        proposed += [mesh_building(model, proposal.id) for model in proposal.models]
    _require_single(scenario, base, proposed)
    removed = _removed(applied, base)
    kept_trees = [tree for tree in base.trees if tree.id not in removed]
    removed |= _trees_in(kept_trees, [building_footprint(building) for building in proposed])
    return Scene(
        scenario=scenario.id,
        hash=scenario_hash(scenario, proposals, base.hash),
        terrain=base.terrain,
        buildings=tuple(b for b in base.buildings if b.id not in removed),
        proposed=tuple(proposed),
        trees=tuple(t for t in base.trees if t.id not in removed),
        others=tuple(o for o in base.others if o.id not in removed),
        removed=tuple(sorted(removed)),
    )


def conflicts(scene: Scene) -> tuple[str, ...]:
    """Overlaps of more than ``CONFLICT_M2`` between proposed and kept buildings, and between proposals.

    Volumes of one proposal may overlap: a tower stands on its podium. One sentence each, in a fixed order.
    """
    shapes = [(b, building_footprint(b)) for b in scene.proposed]
    new = [(building, shape) for building, shape in shapes if shape is not None]
    if not new:
        return ()
    around = shapely.union_all([shapely.box(*shape.bounds) for _, shape in new])
    old = [(b, s) for b, s in ((b, building_footprint(b)) for b in _near(scene.buildings, around)) if s]
    found: list[str] = []
    for number, (building, shape) in enumerate(new):
        for other, ground in old:
            area = _overlap(shape, ground)
            if area > CONFLICT_M2:
                found.append(
                    f"{building.id!r} overlaps existing building {other.id!r} by {area:.1f} m2; "
                    "remove that building in the proposal, or move the volume"
                )
        for other, ground in new[number + 1 :]:
            area = _overlap(shape, ground)
            if area > CONFLICT_M2 and _proposal_of(building) != _proposal_of(other):
                found.append(f"{building.id!r} and {other.id!r} of another proposal overlap by {area:.1f} m2")
    return tuple(found)


def _proposal_of(building: Building) -> str:
    return str(building.attributes.get("proposal", building.id.partition("/")[0]))


def _overlap(one: Outline, other: Outline) -> float:
    """Common area [m2]."""
    if not shapely.box(*one.bounds).intersects(shapely.box(*other.bounds)):
        return 0.0
    return float(one.intersection(other).area)


def _require_single(scenario: Scenario, base: Scene, proposed: Sequence[Building]) -> None:
    """Every id once among all objects of the scenario."""
    seen = _ids(base)
    for building in proposed:
        if building.id in seen:
            raise InputError(f"scenario {scenario.id!r}: two objects have the id {building.id!r}; rename one")
        seen.add(building.id)


def _ids(base: Scene) -> set[str]:
    """Ids of everything in the base that can be removed."""
    ids = {building.id for building in base.buildings}
    ids |= {tree.id for tree in base.trees}
    return ids | {thing.id for thing in base.others}


def _removed(applied: Iterable[Proposal], base: Scene) -> set[str]:
    """Ids that the proposals take away from the base, by id and by polygon."""
    known = _ids(base)
    parts = {part.id: building.id for building in base.buildings for part in building.parts}
    removed: set[str] = set()
    for proposal in applied:
        for removal in proposal.removals:
            for wanted in removal.ids:
                if wanted not in known:
                    raise InputError(f"proposal {proposal.id!r}: {_unknown(wanted, known, parts)}")
            removed.update(removal.ids)
            if removal.polygon is not None:
                removed |= _buildings_in(base.buildings, removal.polygon)
                removed |= _trees_in(base.trees, [removal.polygon])
    return removed


def _unknown(wanted: str, known: set[str], parts: Mapping[str, str]) -> str:
    """One sentence about an id that cannot be removed."""
    if wanted in parts:
        return f"{wanted!r} is a part of building {parts[wanted]!r}; remove the building as a whole"
    near = get_close_matches(wanted, sorted(known), n=5, cutoff=0.6)
    hint = f"near matches: {', '.join(near)}" if near else "no id looks like it"
    return f"there is no existing object {wanted!r} to remove; {hint}"


def _near(buildings: Iterable[Building], shape: shapely.Geometry) -> list[Building]:
    """Buildings whose box touches a shape."""
    many = list(buildings)
    boxes = [_box(b) for b in many]
    return [b for b, box in zip(many, boxes, strict=True) if box is not None and box.intersects(shape)]


def _box(building: Building) -> shapely.Polygon | None:
    """Plan rectangle of all geometry; None without any."""
    plans = [g.vertices[:, :2] for b in (building, *building.parts) for g in b.geometries if len(g.vertices)]
    if not plans:
        return None
    west, south = np.min([plan.min(axis=0) for plan in plans], axis=0)
    east, north = np.max([plan.max(axis=0) for plan in plans], axis=0)
    box: shapely.Polygon = shapely.box(west, south, east, north)
    return box


def _buildings_in(buildings: Iterable[Building], polygon: shapely.Polygon) -> set[str]:
    """Ids of the buildings of whose footprint more than ``MOSTLY`` lies in a polygon."""
    found = set()
    for building in _near(buildings, polygon):
        footprint = building_footprint(building)
        if footprint is not None and footprint.intersection(polygon).area > MOSTLY * footprint.area:
            found.add(building.id)
    return found


def _trees_in(trees: Sequence[Tree], shapes: Sequence[Outline | None]) -> set[str]:
    """Ids of the trees whose stem stands in one of the shapes."""
    solid = [shape for shape in shapes if shape is not None]
    if not solid or not trees:
        return set()
    inside = PolygonIndex(solid).contains(np.array([[tree.x, tree.y] for tree in trees]))
    return {tree.id for tree, hit in zip(trees, inside, strict=True) if hit}
