"""The town is a town: no two buildings share ground, and the plan fits into it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import shapely

from pipelines.config import (
    PlanSettings,
    ProposalSettings,
    ScenarioSettings,
    parse,
    parse_study,
    parse_views,
    read_toml,
)
from pipelines.sample.footprints import drawn_footprints
from pipelines.sample.layout import make_town
from pipelines.sample.plan import PROPOSALS, write_plan
from pipelines.sample.sizes import sample_size
from pipelines.sample.town import Town


@pytest.fixture(scope="module", params=["small", "demo"])
def town(request: pytest.FixtureRequest) -> Town:
    return make_town(sample_size(request.param), 2)


@pytest.fixture(scope="module")
def folder(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp(f"plan-{town.size.name}")
    write_plan(made, town)
    return made


def test_buildings_do_not_overlap(town: Town) -> None:
    outlines = [b.outline for b in town.buildings]
    tree = shapely.STRtree(outlines)
    for k, outline in enumerate(outlines):
        for other in tree.query(outline):
            if other > k:
                assert outline.intersection(outlines[other]).area < 0.5


def test_the_demo_has_what_a_valley_town_has() -> None:
    town = make_town(sample_size("demo"), 2)
    kinds = {b.shape.kind for b in town.buildings}
    assert {
        "gable",
        "hip",
        "mansard",
        "saw-tooth",
        "courtyard",
        "setback",
        "octagon",
        "church",
        "shed",
    } <= kinds
    assert len(town.buildings) > 400
    assert len(town.trees) > 500
    assert {p.code for p in town.prisms} == {1, 10, 15}
    assert set(town.sites) == set(PROPOSALS)
    assert len({b.id for b in town.buildings}) == len(town.buildings)
    assert len({t.id for t in town.trees}) == len(town.trees)


def test_terraces_share_their_walls(town: Town) -> None:
    houses = [
        b for b in town.buildings if b.shape.kind in ("gable", "mansard", "dormered") and b.overhang == 0
    ]
    tree = shapely.STRtree([b.outline for b in houses])
    touching = sum(len(tree.query(b.outline.buffer(0.01), predicate="intersects")) > 1 for b in houses)
    assert touching > 0.8 * len(houses)


def test_footprints_are_off_by_decimetres(town: Town) -> None:
    rows = drawn_footprints(town, with_bad=True)
    good = [r for r in rows if not r.expected]
    moved = [
        np.hypot(r.outline.centroid.x - b.outline.centroid.x, r.outline.centroid.y - b.outline.centroid.y)
        for r, b in zip(good, town.buildings, strict=True)
    ]
    assert 0.02 < np.median(moved) < 0.3
    assert max(moved) < 0.6
    bad = [r for r in rows if r.expected]
    assert len(bad) == 5
    assert sum(not r.outline.is_valid for r in bad) >= 2


def test_every_file_of_the_plan_parses(folder: Path) -> None:
    for path in folder.glob("proposals/*/proposal.toml"):
        settings = parse(ProposalSettings, read_toml(path), path)
        assert settings.id == path.parent.name
    for path in folder.glob("scenarios/*.toml"):
        assert parse(ScenarioSettings, read_toml(path), path).parent == "existing"
    assert {parse_study(p).kind for p in folder.glob("studies/*.toml")} == {"sunlight", "viewshed"}
    assert set(parse_views(folder / "views.toml")) == {"quay", "boulevard"}
    plan = parse(PlanSettings, read_toml(folder / "plan.toml"), folder / "plan.toml")
    assert [p.id for p in plan.phase] == ["2030", "2035"]


def test_volumes_stand_on_cleared_land(town: Town, folder: Path) -> None:
    frame = town.size.frame()
    east, north = frame.origin
    window = shapely.box(town.window.west, town.window.south, town.window.east, town.window.north)
    assert "tower" in town.sites
    for name, site in town.sites.items():
        table = tomllib.loads((folder / "proposals" / name / "proposal.toml").read_text(encoding="utf-8"))
        shapes = shapely.from_geojson(
            (folder / "proposals" / name / "site.geojson").read_text(encoding="utf-8")
        )
        local = shapely.transform(shapes, lambda xy: xy - [east, north])
        cleared, *volumes = shapely.get_parts(local)
        removed = {i for entry in table["remove"] for i in entry.get("ids", [])}
        kept = [
            b
            for b in town.buildings
            if b.id not in removed
            and not (any("polygon" in e for e in table["remove"]) and cleared.contains(b.outline))
        ]
        assert len(volumes) == len(table.get("volume", []))
        for volume in volumes:
            assert window.buffer(-0.5).contains(volume)
            assert site.polygon.buffer(0.5).contains(volume)
            assert not any(volume.intersects(b.outline) for b in kept)
