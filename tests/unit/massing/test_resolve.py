"""Scenarios: what is removed, what is added, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import shapely

from tests.building_worlds import CENTRE, FRAME, block, existing, ramp, sampler, town
from twin.errors import InputError
from twin.massing.place import place_mesh
from twin.massing.resolve import conflicts, resolve
from twin.model.objects import Building
from twin.model.proposal import PlacedModel, Proposal, Removal, Scenario, Volume

BASE = town()


def volume(name="v", at=(-15.0, 5.0), side=6.0):
    return Volume(name, block(side, side, at), 4, 3.0, 3.0, "terrain_mean")


def proposal(name="tower", volumes=(), removals=(), models=()):
    return Proposal(name, name, "draft", tuple(volumes), tuple(models), tuple(removals), f"hash of {name}")


def run(*proposals, base=BASE):
    order = tuple((p.id, None) for p in proposals)
    return resolve(Scenario("plan", "Plan", order), {p.id: p for p in proposals}, base)


def test_volumes_and_models_are_added_in_order():
    mesh = place_mesh(
        [[0, 0, 0], [4, 0, 0], [0, 4, 3]],
        [[0, 1, 2]],
        anchor_model=(0, 0, 0),
        anchor_world=(FRAME.origin[0] + CENTRE[0], FRAME.origin[1] + CENTRE[1] - 20, 66.0),
        frame=FRAME,
    )
    scene = run(
        proposal("b", [volume("x")], models=[PlacedModel("m", mesh, "m.glb")]), proposal("a", [volume("y")])
    )
    assert [b.id for b in scene.proposed] == ["b/x", "b/m", "a/y"]
    assert scene.scenario == "plan" and scene.terrain is BASE.terrain
    assert [b.id for b in scene.buildings] == ["b-1", "b-2", "b-3"] and scene.removed == ()


def test_removal_by_id_of_any_object_once():
    scene = run(proposal("p", removals=[Removal(("b-2", "t-3")), Removal(("b-2",))]))
    assert scene.removed == ("b-2", "t-3")
    assert [b.id for b in scene.buildings] == ["b-1", "b-3"] and [t.id for t in scene.trees] == ["t-1", "t-2"]


def test_removal_by_polygon_takes_what_lies_mostly_in_it():
    most = block(8, 6, (-15 + 2, 5))
    scene = run(proposal("p", removals=[Removal(polygon=most)]))
    assert scene.removed == ("b-1",)
    least = block(8, 6, (-15 + 6, 5))
    assert run(proposal("p", removals=[Removal(polygon=least)])).removed == ()
    tree = shapely.Point(CENTRE[0] - 20, CENTRE[1] - 20).buffer(1.0)
    assert run(proposal("p", removals=[Removal(polygon=tree)])).removed == ("t-1",)


def test_a_tree_where_a_volume_stands_goes():
    scene = run(proposal("p", [volume(at=(12.0, -12.0))]))
    assert scene.removed == ("t-2",)


def test_unknown_things_are_refused_with_near_matches():
    with pytest.raises(InputError, match=r"'tower'.*'b-11'.*near matches: .*b-1"):
        run(proposal(removals=[Removal(("b-11",))]))
    with pytest.raises(InputError, match="no id looks like it"):
        run(proposal(removals=[Removal(("quite-other",))]))
    with pytest.raises(InputError, match=r"no proposal 'x'; known: none"):
        resolve(Scenario("plan", "Plan", (("x", None),)), {}, BASE)


def test_a_part_is_not_removed_alone():
    part = existing("part", block(3, 3, (20, -20)), sampler(ramp), 75.0)
    whole = Building("whole", FRAME, parts=(part,))
    base = replace(BASE, buildings=(*BASE.buildings, whole))
    with pytest.raises(InputError, match="part of building 'whole'"):
        run(proposal(removals=[Removal(("part",))]), base=base)


def test_resolved_scenes_are_no_base_and_ids_stay_single():
    with pytest.raises(InputError, match="resolved already"):
        run(proposal("q"), base=run(proposal("p", [volume()])))
    with pytest.raises(InputError, match="'p/v'"):
        run(proposal("p", [volume(), volume()]))


def test_conflicts_between_proposed_and_kept_buildings():
    hit = run(proposal("p", [volume(at=(-15.0, 5.0))]))
    (text,) = conflicts(hit)
    assert "'p/v' overlaps existing building 'b-1' by 36.0 m2" in text
    assert conflicts(run(proposal("p", [volume()], [Removal(("b-1",))]))) == ()
    assert conflicts(BASE) == ()


def test_conflicts_between_proposals_but_not_inside_one():
    away = (15.0, 15.0)
    podium = [volume("podium", away, 8.0), volume("tower", away, 4.0)]
    assert conflicts(run(proposal("p", podium))) == ()
    both = run(proposal("p", [volume("a", away)]), proposal("q", [volume("b", away)]))
    assert len(conflicts(both)) == 1


def test_a_courtyard_is_no_conflict():
    assert conflicts(run(proposal("p", [volume(at=(1.0, -0.5), side=3.0)]))) == ()
