"""Areas, heights and shared walls against blocks that can be counted."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from tests.building_worlds import CENTRE, FRAME, block, existing, sampler
from tests.roof_worlds import gable
from twin.buildings.measures import shared_wall_areas, solid_measures
from twin.buildings.reconstruct import reconstruct
from twin.model.faces import area_vector, slope_and_azimuth
from twin.model.objects import Building, Failure, Footprint

LEVEL = sampler(lambda x, y: np.full(np.shape(x), 62.0))


def beside(x: float, width: float = 10.0) -> shapely.Polygon:
    """A block 8 m deep, in a row along a street of 27 degrees."""
    return block(width, 8, (x * np.cos(np.radians(27)), x * np.sin(np.radians(27))))


def test_a_party_wall_counts_for_both_up_to_the_lower_roof() -> None:
    row = [existing("a", beside(0), LEVEL, 72.0), existing("b", beside(10.0), LEVEL, 69.0)]
    assert shared_wall_areas(row) == pytest.approx([8 * 7.0, 8 * 7.0], rel=0.02)
    # A map draws party walls twice, some centimetres apart; a lane is no party wall.
    assert shared_wall_areas([row[0], existing("b", beside(10.1), LEVEL, 69.0)])[0] == pytest.approx(
        56, rel=0.02
    )
    assert shared_wall_areas([row[0], existing("b", beside(11.5), LEVEL, 69.0)]).tolist() == [0.0, 0.0]


def test_buildings_without_a_solid_share_nothing() -> None:
    lost = Building("x", FRAME, failure=Failure("x", "no_points", "none"))
    assert shared_wall_areas([lost, existing("a", beside(0), LEVEL, 72.0)]).tolist() == [0.0, 0.0]
    assert shared_wall_areas([]).tolist() == []


def test_feet_that_fall_apart_in_plan_do_not_stop_it() -> None:
    one = existing("a", beside(0), LEVEL, 72.0)
    two = existing("b", beside(10.0), LEVEL, 69.0)
    parts = Building(
        "c",
        FRAME,
        parts=(existing("c1", beside(-13.0, 4), LEVEL, 70.0), existing("c2", beside(-20.0, 4), LEVEL, 70.0)),
    )
    assert shared_wall_areas([one, two, parts])[:2] == pytest.approx([56, 56], rel=0.02)


def test_a_gable_measures_what_it_is() -> None:
    world = gable(12, 8, eaves=70.0, pitch=0.75)
    made = reconstruct(Footprint("f", FRAME, world.outline), world.points(), LEVEL)
    found = solid_measures(made.geometries[-1], 62.0)
    assert found["area_roof_m2"] == pytest.approx(12 * 8 * 1.25, rel=0.01)
    assert found["area_wall_m2"] == pytest.approx(2 * 12 * 8 + 2 * (8 * 8 + 4 * 3), rel=0.01)
    assert found["h_ridge"] == pytest.approx(73.0, abs=0.05) and found["h_eaves"] == pytest.approx(
        70.0, abs=0.05
    )
    assert found["storeys_estimate"] == 3


@pytest.mark.parametrize(("normal", "slope", "azimuth"), [
    ((0, 0, 2), 0, None), ((1, 0, 1), 45, 90), ((0, 1, 1), 45, 0), ((-1, -1, 0), 90, 225), ((0, -3, 3), 45, 180),
])  # fmt: skip
def test_slope_and_azimuth(normal, slope, azimuth) -> None:
    got = slope_and_azimuth(np.array(normal, dtype=float))
    assert got == pytest.approx((slope, azimuth))


def test_area_vectors_leave_holes_out() -> None:
    made = existing(
        "a", shapely.Polygon(beside(0).exterior, [shapely.Point(*CENTRE).buffer(1, 1).exterior]), LEVEL, 70.0
    )
    areas = [
        np.linalg.norm(area_vector(made.geometries[0], k)) for k in range(len(made.geometries[0].surfaces))
    ]
    assert areas[-1] == pytest.approx(80 - 2, rel=1e-3)
