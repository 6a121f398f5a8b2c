"""Laws of the solids, for outlines and grounds that nobody chose."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, translate

from tests.building_worlds import CENTRE, FRAME, feet, hills, sampler
from tests.tolerances import FOOT_M, PRISM_VOLUME_M3
from twin.buildings.lod12 import reconstruct_lod12
from twin.buildings.prism import MIN_WALL_M
from twin.model.geometry import Geometry
from twin.model.objects import Footprint
from twin.model.surface import Surface
from twin.model.triangulate import triangulate
from twin.validation.validate import validate_geometry
from twin.validation.volumes import solid_volume

GROUND = sampler(hills)


@st.composite
def outlines(draw):
    """Star-shaped polygons, some with a courtyard, anywhere near the middle of the ground."""
    n = draw(st.integers(3, 14))
    steps = np.array(draw(st.lists(st.floats(0.05, 1.0), min_size=n, max_size=n)))
    angle = 2 * np.pi * np.cumsum(steps) / steps.sum()
    radius = np.array(draw(st.lists(st.floats(0.4, 12.0), min_size=n, max_size=n)))
    polygon = shapely.Polygon(np.c_[np.cos(angle), np.sin(angle)] * radius[:, None])
    assume(polygon.is_valid and polygon.area > 0.5)
    if draw(st.booleans()):
        hole = polygon.buffer(-draw(st.floats(0.3, 3.0)))
        if isinstance(hole, shapely.Polygon) and hole.area > 0.5:
            polygon = polygon.difference(hole)
    assume(isinstance(polygon, shapely.Polygon))
    turned = rotate(polygon, draw(st.floats(0, 360)), origin=(0, 0))
    return translate(turned, CENTRE[0] + draw(st.floats(-15, 15)), CENTRE[1] + draw(st.floats(-15, 15)))


def building(polygon, top):
    return reconstruct_lod12(Footprint("f", FRAME, polygon), np.full(40, top), GROUND)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(outlines(), st.floats(58.0, 95.0))
def test_every_solid_is_valid_and_stands_on_the_ground(polygon, top):
    made = building(polygon, top)
    if made.failure is not None:
        assert made.failure.reason in ("roof_below_ground", "no_terrain")
        return
    geometry = made.geometries[0]
    assert validate_geometry(geometry) == ()
    low = feet(geometry)
    wanted = np.minimum(GROUND.heights(low[:, :2]), top - MIN_WALL_M)
    assert np.abs(low[:, 2] - wanted).max() < FOOT_M
    roof = [r for r, code in zip(geometry.surfaces, geometry.semantics, strict=True) if code == Surface.ROOF]
    assert len(roof) == 1 and len(roof[0]) == 1 + len(polygon.interiors)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(outlines(), st.floats(75.0, 95.0), st.floats(0.5, 20.0))
def test_a_higher_roof_adds_its_slab(polygon, top, more):
    low, high = building(polygon, top), building(polygon, top + more)
    assume(low.failure is None and high.failure is None and low.attributes["buried_share"] == 0.0)
    codes = low.geometries[0].semantics.tolist()
    roof = low.geometries[0].surfaces[codes.index(Surface.ROOF)]
    plan = low.geometries[0].vertices[:, :2]
    area = shapely.Polygon(plan[list(roof[0])], [plan[list(r)] for r in roof[1:]]).area
    gained = solid_volume(high.geometries[0]) - solid_volume(low.geometries[0])
    assert abs(gained - area * more) < 20 * PRISM_VOLUME_M3 * 1000


@settings(max_examples=40, deadline=None, derandomize=True)
@given(outlines())
def test_a_file_of_tenths_of_a_millimetre_keeps_it_valid(polygon):
    made = building(polygon, 85.0)
    assume(made.failure is None)
    g = made.geometries[0]
    rounded = Geometry(g.kind, g.lod, np.round(g.vertices, 4), g.surfaces, g.semantics, g.shells)
    assert validate_geometry(rounded) == ()
    triangles = triangulate(rounded, FRAME).signed_volume()
    assert abs(triangles - solid_volume(rounded)) < 1e-3 * max(1.0, triangles)
