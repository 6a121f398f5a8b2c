"""Laws of resolving a scenario."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.building_worlds import block, town
from twin.massing.resolve import resolve, scenario_hash
from twin.model.proposal import Proposal, Removal, Scenario, Volume

BASE = town()
NAMES = ("alpha", "beta", "gamma")


def proposal(name):
    at = {"alpha": (-15.0, 5.0), "beta": (12.0, -12.0), "gamma": (15.0, 15.0)}[name]
    gone = {"alpha": ("b-1",), "beta": (), "gamma": ("b-3", "t-1")}[name]
    volume = Volume("v", block(5, 5, at), 3, 4.0, 3.0, "terrain_mean")
    return Proposal(name, name, "draft", (volume,), (), (Removal(gone),), "hash of " + name)


ALL = {name: proposal(name) for name in NAMES}

orders = st.lists(st.sampled_from(NAMES), unique=True, max_size=3)
phases = st.sampled_from([None, "2030", "2040"])


def scenario(names, phase=None):
    return Scenario("plan", "Plan", tuple((name, phase) for name in names))


def content(scene):
    """Everything a scene consists of, as comparable values."""
    return (
        scene.hash,
        scene.removed,
        [b.id for b in scene.buildings],
        [t.id for t in scene.trees],
        [(b.id, dict(b.attributes), b.geometries[0].vertices.tobytes()) for b in scene.proposed],
    )


@settings(max_examples=15, deadline=None, derandomize=True)
@given(orders, phases, st.permutations(NAMES))
def test_resolving_is_pure_and_files_have_no_order(names, phase, listing):
    first = resolve(scenario(names, phase), ALL, BASE)
    before = content(BASE)
    shuffled = {name: ALL[name] for name in listing}
    assert content(resolve(scenario(names, phase), shuffled, BASE)) == content(first)
    assert content(BASE) == before


@settings(max_examples=15, deadline=None, derandomize=True)
@given(orders)
def test_kept_and_removed_make_up_the_base(names):
    scene = resolve(scenario(names), ALL, BASE)
    kept = [thing.id for thing in (*scene.buildings, *scene.trees)]
    assert sorted([*kept, *scene.removed]) == sorted(t.id for t in (*BASE.buildings, *BASE.trees))
    assert {b.id for b in scene.proposed} == {f"{name}/v" for name in names}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(orders, orders, phases, phases)
def test_the_hash_differs_where_the_content_does(one, two, phase_one, phase_two):
    a = scenario_hash(scenario(one, phase_one), ALL, BASE.hash)
    b = scenario_hash(scenario(two, phase_two), ALL, BASE.hash)
    same = one == two and (phase_one == phase_two or not one)
    assert (a == b) == same


@settings(max_examples=30, deadline=None, derandomize=True)
@given(orders.filter(bool), st.text(max_size=8))
def test_the_hash_follows_files_and_base_but_not_titles(names, text):
    plan = scenario(names)
    plain = scenario_hash(plan, ALL, BASE.hash)
    edited = {**ALL, names[0]: replace(ALL[names[0]], source_hash="edited " + text)}
    assert scenario_hash(plan, edited, BASE.hash) != plain
    assert scenario_hash(plan, ALL, "other " + text) != plain
    assert scenario_hash(replace(plan, title=text), ALL, BASE.hash) == plain
    unused = {**ALL, "unused": replace(ALL["alpha"], id="unused", source_hash=text)}
    assert scenario_hash(plan, unused, BASE.hash) == plain
