"""Flat-roofed solids on the terrain."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely.affinity import translate

from tests.building_worlds import CENTRE, FRAME, block, court, feet, hills, ramp, sampler
from tests.tolerances import FOOT_M, OUTLINE_M, PRISM_VOLUME_M3
from twin.buildings.prism import MIN_WALL_M, prism, roof_is_clear
from twin.buildings.rings import clean_polygon
from twin.buildings.seat import ground_profile
from twin.model.surface import Surface
from twin.model.triangulate import triangulate
from twin.validation.validate import validate_geometry
from twin.validation.volumes import solid_volume


def made(polygon, height, top):
    ground = sampler(height)
    profile = ground_profile(clean_polygon(polygon), ground)
    return prism(profile, top), profile, ground


@pytest.mark.parametrize(
    "polygon", [block(12, 7), court(), court().buffer(1.0)], ids=["block", "court", "round"]
)
def test_on_a_plane_the_volume_is_area_times_mean_height(polygon):
    top = 80.0
    geometry, _, _ = made(polygon, ramp, top)
    clean = clean_polygon(polygon)
    at = clean.centroid
    mean = float(ramp(np.array(at.x), np.array(at.y)))
    assert validate_geometry(geometry) == ()
    assert solid_volume(geometry) == pytest.approx(clean.area * (top - mean), rel=2e-4, abs=PRISM_VOLUME_M3)
    assert triangulate(geometry, FRAME).signed_volume() == pytest.approx(solid_volume(geometry))


@pytest.mark.parametrize("polygon", [block(25, 14), court()], ids=["block", "court"])
def test_feet_follow_the_terrain(polygon):
    geometry, _, ground = made(polygon, hills, 90.0)
    low = feet(geometry)
    assert validate_geometry(geometry) == ()
    assert np.abs(low[:, 2] - ground.heights(low[:, :2])).max() < FOOT_M


def test_faces_look_outward_and_carry_their_semantics():
    geometry, _, _ = made(court(), hills, 90.0)
    mesh = triangulate(geometry, FRAME)
    up = mesh.face_normals()[:, 2]
    assert (up[mesh.semantics == Surface.ROOF] > 0.999).all()
    assert (up[mesh.semantics == Surface.GROUND] < -0.01).all()
    assert np.abs(up[mesh.semantics == Surface.WALL]).max() < 1e-6
    assert (geometry.semantics == Surface.ROOF).sum() == 1


def test_no_ground_face_lies_in_a_wall():
    """Stations between two corners are in line in plan; a triangle of three of them would stand upright."""
    geometry, _, _ = made(block(40, 3), hills, 90.0)
    for rings, code in zip(geometry.surfaces, geometry.semantics, strict=True):
        if code == Surface.GROUND:
            assert shapely.Polygon(geometry.vertices[list(rings[0]), :2]).area > 1e-4


def test_a_slope_that_rises_past_the_roof_buries_part_of_the_solid():
    geometry, profile, ground = made(block(30, 10, turn=0.0), ramp, 62.5)
    assert validate_geometry(geometry) == ()
    low = feet(geometry)
    wanted = np.minimum(ground.heights(low[:, :2]), 62.5 - MIN_WALL_M)
    assert np.abs(low[:, 2] - wanted).max() < FOOT_M
    assert 0.3 < profile.share_above(62.5) < 0.5
    assert roof_is_clear(profile, 62.5) and not roof_is_clear(profile, 61.5)


def test_an_outline_beyond_the_terrain_has_no_profile():
    ground = sampler(ramp)
    assert ground_profile(block(10, 10, (28.0, 0.0)), ground) is None
    assert ground_profile(block(10, 10, (500.0, 0.0)), ground) is None


def test_profile_statistics_of_a_ramp():
    polygon = clean_polygon(block(10, 10, turn=0.0))
    profile = ground_profile(polygon, sampler(ramp))
    middle = float(ramp(np.array(CENTRE[0]), np.array(CENTRE[1])))
    assert profile.mean == pytest.approx(middle, abs=1e-3)
    assert profile.highest - profile.lowest == pytest.approx(10 * (0.3 + 0.12), abs=1e-3)


def test_a_courtyard_that_touches_the_wall_still_gives_a_two_manifold_solid():
    outer = shapely.box(0, 0, 10, 10)
    polygon = shapely.Polygon(outer.exterior, [[(0, 5), (4, 7), (4, 3)]])
    assert polygon.is_valid
    geometry, _, _ = made(translate(polygon, *CENTRE), ramp, 80.0)
    assert validate_geometry(geometry) == ()


def test_two_courtyards_that_touch_each_other():
    holes = [[(2, 2), (5, 5), (2, 8)], [(8, 2), (5, 5), (8, 8)]]
    polygon = shapely.Polygon(shapely.box(0, 0, 10, 10).exterior, holes)
    assert polygon.is_valid
    geometry, _, _ = made(translate(polygon, *CENTRE), ramp, 80.0)
    assert validate_geometry(geometry) == ()


def test_cleaning_drops_idle_vertices_and_slivers():
    box = shapely.Polygon([(0, 0), (5, 0.0004), (10, 0), (10, 0.0000001), (10, 10), (0, 10)])
    clean = clean_polygon(box)
    assert len(clean.exterior.coords) == 5
    assert clean.exterior.is_ccw
    assert clean.area == pytest.approx(100.0, abs=100 * OUTLINE_M)
    assert clean_polygon(shapely.box(0, 0, 0.1, 0.1)) is None


def test_a_neck_thinner_than_a_millimetre_keeps_the_largest_part():
    ring = [(0, 0), (10, 0), (10, 5), (14, 5), (14, 0), (18, 0), (18, 6), (10, 5.0002), (10, 10), (0, 10)]
    clean = clean_polygon(shapely.Polygon(ring))
    assert clean.area == pytest.approx(100.0, abs=0.1)
