"""Storeys and proposed volumes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from tests.building_worlds import block, court, feet, hills, ramp, sampler
from tests.tolerances import FOOT_M
from twin.errors import InputError
from twin.massing.storeys import parse_levels
from twin.massing.volume import volume_building
from twin.model.proposal import Volume
from twin.validation.validate import validate_geometry

BASE = Volume("base", block(14, 9), 5, 4.5, 3.2, "terrain_mean")


@pytest.mark.parametrize(
    ("text", "storeys"),
    [
        (5, 5),
        ("5", 5),
        ("R+4", 5),
        ("r + 4", 5),
        ("R", 1),
        ("RDC+4", 5),
        (" rdc ", 1),
        ("R+0", 1),
        ("Rez+2", 3),
    ],
)
def test_levels(text, storeys):
    assert parse_levels(text) == storeys


@pytest.mark.parametrize(
    "text", [0, -1, "-2", "R-1", "", "R+", "R+4+A", "four", "4.5", 4.5, True, None, "R+9999"]
)
def test_levels_that_are_none(text):
    with pytest.raises(InputError, match=r"expected a number of storeys"):
        parse_levels(text)


@pytest.mark.parametrize("base", ["terrain_min", "terrain_mean", "terrain_max", 63.25])
@pytest.mark.parametrize("height", [None, 21.5])
def test_the_top_is_base_plus_storeys(base, height):
    made = volume_building(replace(BASE, base=base, height=height), "tower", sampler(hills))
    a = made.attributes
    grounds = {f"terrain_{k}": a[f"h_ground_{k}"] for k in ("min", "mean", "max")}
    rise = height or 4.5 + 4 * 3.2
    assert a["h_base"] == pytest.approx(grounds.get(base, base), abs=1e-3)
    assert a["h_top"] == pytest.approx(a["h_base"] + rise, abs=2e-3)
    assert a["height_m"] == pytest.approx(rise)
    assert made.geometries[0].vertices[:, 2].max() == pytest.approx(a["h_top"], abs=1e-3)


def test_identity_and_areas():
    made = volume_building(replace(BASE, polygon=court()), "tower", sampler(ramp))
    a = made.attributes
    assert (made.id, a["status"], a["proposal"], a["storeys"]) == ("tower/base", "proposed", "tower", 5)
    assert a["footprint_area_m2"] == pytest.approx(20 * 16 - 36, rel=1e-4)
    assert a["gross_floor_area_m2"] == pytest.approx(5 * a["footprint_area_m2"], rel=1e-6)
    assert a["volume_m3"] > 0 and validate_geometry(made.geometries[0]) == ()


@pytest.mark.parametrize("base", ["terrain_max", 75.0])
def test_nothing_floats_on_a_slope(base):
    ground = sampler(hills)
    geometry = volume_building(replace(BASE, base=base), "tower", ground).geometries[0]
    low = feet(geometry)
    assert np.abs(low[:, 2] - ground.heights(low[:, :2])).max() < FOOT_M


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"polygon": block(14, 9, (27, 0))}, "terrain"),
        ({"polygon": block(14, 9, (9000, 0))}, "terrain"),
        ({"base": 20.0}, "below the ground"),
        ({"base": float("nan")}, "finite"),
        ({"base": "street"}, "terrain_min"),
        ({"floor_height": -3.0}, "floor height"),
        ({"ground_floor_height": float("inf")}, "ground floor height"),
        ({"storeys": 0}, "storey"),
        ({"height": 0.0}, "height"),
        ({"polygon": block(0.1, 0.1)}, "footprint"),
        ({"polygon": shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])}, "footprint"),
    ],
)
def test_volumes_that_cannot_stand_are_named(change, words):
    with pytest.raises(InputError, match=words) as caught:
        volume_building(replace(BASE, **change), "tower", sampler(ramp))
    assert "'tower'" in str(caught.value) and "'base'" in str(caught.value)
