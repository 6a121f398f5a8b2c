"""Buildings at LoD 1.2: attributes, reasons, footprints."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from tests.building_worlds import CENTRE, FRAME, block, court, existing, hills, ramp, sampler
from tests.tolerances import OUTLINE_M
from twin.buildings.lod12 import reconstruct_lod12
from twin.buildings.outline import building_footprint
from twin.model.geometry import Geometry, solid
from twin.model.objects import Building, Footprint
from twin.validation.validate import validate_geometry


def footprint(polygon, **attributes):
    return Footprint("f", FRAME, polygon, attributes)


def test_heights_and_attributes():
    ground = sampler(ramp)
    z = np.linspace(70.0, 80.0, 101)
    made = reconstruct_lod12(footprint(block(10, 8), nature="house"), z, ground)
    a = made.attributes
    assert made.failure is None and [g.lod for g in made.geometries] == ["1.2"]
    wanted = [75.0, 77.0, 79.0, 80.0]
    assert [a[f"h_roof_{k}"] for k in ("p50", "p70", "p90", "max")] == pytest.approx(wanted)
    assert made.geometries[0].vertices[:, 2].max() == pytest.approx(77.0)
    assert a["height_m"] == pytest.approx(77.0 - a["h_ground_min"], abs=2e-3)
    assert a["h_ground_min"] < a["h_ground_mean"] < a["h_ground_max"]
    assert (a["n_points"], a["nature"], a["lod"]) == (101, "house", "1.2")
    assert a["footprint_area_m2"] == pytest.approx(80.0)
    assert a["volume_m3"] == pytest.approx(80.0 * (77.0 - 61.5), rel=2e-3)
    assert a["buried_share"] == 0.0


def test_the_order_of_the_points_changes_nothing():
    ground = sampler(hills)
    z = np.random.default_rng(5).uniform(75, 79, 200).astype(np.float32)
    one = reconstruct_lod12(footprint(court()), z, ground)
    two = reconstruct_lod12(footprint(court()), z[::-1], ground)
    assert one.geometries[0].vertices.tobytes() == two.geometries[0].vertices.tobytes()
    assert dict(one.attributes) == dict(two.attributes)


HIGH = np.full(50, 75.0)


@pytest.mark.parametrize(
    ("polygon", "z", "reason"),
    [
        (block(8, 6), np.empty(0), "no_points"),
        (block(8, 6), np.full(5, np.nan), "no_points"),
        (block(2, 2), HIGH[:2], "too_few_points"),
        (block(30, 20), HIGH[:9], "too_few_points"),
        (block(8, 6, (29, 0)), HIGH, "no_terrain"),
        (block(8, 6, (900, 0)), HIGH, "no_terrain"),
        (block(8, 6), np.full(50, 50.0), "roof_below_ground"),
        (block(0.2, 0.2), HIGH, "degenerate_footprint"),
        (shapely.Polygon([(0, 0), (50, 0.0001), (50, 0.0002)]), HIGH, "degenerate_footprint"),
    ],
)
def test_reasons(polygon, z, reason):
    made = reconstruct_lod12(footprint(polygon, kept="yes"), z, sampler(ramp))
    assert made.failure is not None and made.failure.reason == reason
    assert made.failure.object_id == made.id == "f" and made.failure.detail
    assert made.geometries == () and made.attributes["kept"] == "yes"


def test_a_small_shed_needs_three_points_only():
    assert reconstruct_lod12(footprint(block(2, 2)), HIGH[:3], sampler(ramp)).failure is None


def test_a_corpus_of_bad_outlines_ends_as_solid_or_reason():
    ground = sampler(hills)
    rng = np.random.default_rng(17)
    for number in range(150):
        n = int(rng.integers(3, 12))
        angle = np.sort(rng.uniform(0, 2 * np.pi, n))
        radius = rng.choice([0.001, 0.5, 6.0, 12.0], n)
        points = np.c_[np.cos(angle), np.sin(angle)] * radius[:, None] + rng.uniform(-30, 30, 2) + CENTRE
        points = np.repeat(points, rng.integers(1, 3, n), axis=0)
        polygon = shapely.Polygon(points)
        if not polygon.is_valid or polygon.is_empty:
            continue
        made = reconstruct_lod12(footprint(polygon), HIGH + rng.uniform(-14, 5), ground)
        assert (made.failure is None) == (len(made.geometries) == 1), number
        assert all(validate_geometry(g) == () for g in made.geometries), number


@pytest.mark.parametrize("polygon", [block(12, 7), court()], ids=["block", "court"])
def test_the_footprint_comes_back(polygon):
    made = existing("b", polygon, sampler(hills), 80.0)
    back = building_footprint(made)
    assert back.symmetric_difference(polygon).area < polygon.length * OUTLINE_M


def test_a_footprint_without_semantics_or_geometry():
    made = existing("b", court(), sampler(ramp), 80.0)
    geometry = made.geometries[0]
    bare = solid("1", geometry.vertices, geometry.surfaces, [0] * len(geometry.surfaces))
    found = building_footprint(Building("b", FRAME, (bare,)))
    assert found.symmetric_difference(court()).area < court().length * OUTLINE_M
    assert building_footprint(Building("b", FRAME)) is None
    wall = Geometry(
        "MultiSurface",
        "1",
        [[0, 0, 0], [1, 0, 0], [1, 0, 1]],
        (((0, 1, 2),),),
        np.zeros(1, np.uint8),
        np.zeros((1, 2), np.int32),
    )
    assert building_footprint(Building("b", FRAME, (wall,))) is None


def test_parts_count_to_the_footprint():
    ground = sampler(ramp)
    part = existing("p", block(4, 4, (-10, 0)), ground, 75.0)
    whole = existing("w", block(4, 4, (10, 0)), ground, 75.0)
    both = building_footprint(Building("b", FRAME, whole.geometries, parts=(part,)))
    assert both.area == pytest.approx(32.0, rel=1e-3) and len(both.geoms) == 2
