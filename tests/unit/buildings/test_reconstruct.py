"""Roofs with known planes come back: planes, heights, volumes, valid solids at every level of detail."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from tests.building_worlds import FRAME, ramp, sampler
from tests.roof_worlds import RoofWorld, corner_house, gable, hip, pinwheel, tower
from twin.buildings.quality import roof_distances, roof_triangles
from twin.buildings.reconstruct import STEP_M, reconstruct, thinned
from twin.model.objects import Building, Footprint
from twin.model.surface import Surface
from twin.validation.validate import validate_geometry
from twin.validation.volumes import solid_volume

LEVEL = 62.0
GROUND = sampler(lambda x, y: np.full(np.shape(x), LEVEL))
WORLDS = {
    "gable": (gable, 2),
    "hip": (hip, 4),
    "tower": (tower, 2),
    "corner house": (corner_house, 4),
    "pinwheel": (pinwheel, 4),
}


def built(world: RoofWorld, ground=GROUND, **how) -> Building:
    return reconstruct(Footprint("f", FRAME, world.outline, {"kept": 1}), world.points(**how), ground)


def faces(building: Building, lod: str) -> int:
    (solid,) = [g for g in building.geometries if g.lod == lod]
    return int((solid.semantics == Surface.ROOF).sum())


@pytest.mark.parametrize("turn", [0.0, 27.0, 118.3])
@pytest.mark.parametrize("name", WORLDS)
def test_known_roofs_come_back(name: str, turn: float) -> None:
    make, planes = WORLDS[name]
    world = make(turn=turn)
    made = built(world)
    assert [g.lod for g in made.geometries] == ["1.2", "1.3", "2.2"] and "fallback" not in made.attributes
    assert all(validate_geometry(g) == () for g in made.geometries)
    assert faces(made, "2.2") == planes
    assert solid_volume(made.geometries[-1]) == pytest.approx(world.volume_above(LEVEL), rel=0.005)
    exact = world.points(noise=0.0, seed=9)
    near, above = roof_distances(roof_triangles(made.geometries[-1]), exact)
    inner = shapely.distance(shapely.points(exact[:, :2]), world.outline.boundary) > 0.5
    # Near a step the wall may stand up to the spacing of the points away.
    assert np.quantile(near[inner], 0.97) < 0.06
    assert abs(np.nanmedian(above)) < 0.02
    assert made.attributes["kept"] == 1 and made.attributes["lod"] == "2.2"


@pytest.mark.parametrize("density", [1.0, 2.0, 4.0, 20.0, 60.0])
def test_sparse_and_dense_clouds_give_the_same_house(density: float) -> None:
    made = built(gable(16, 11), density=density)
    assert made.geometries[-1].lod == "2.2" and faces(made, "2.2") == 2
    assert solid_volume(made.geometries[-1]) == pytest.approx(gable(16, 11).volume_above(LEVEL), rel=0.02)


def test_steps_below_three_metres_are_one_part_at_lod_1_3() -> None:
    assert faces(built(tower()), "1.3") == 2 and STEP_M == 3.0
    low = RoofWorld(tuple((p, (0.0, 0.0, min(c, 84.0))) for p, (_, _, c) in tower().pieces))
    assert faces(built(low), "1.3") == 1 and faces(built(low), "2.2") == 2
    assert faces(built(gable()), "1.3") == 1


def test_the_order_of_the_points_changes_nothing() -> None:
    world = corner_house()
    points = world.points()
    one = reconstruct(Footprint("f", FRAME, world.outline), points, GROUND)
    two = reconstruct(
        Footprint("f", FRAME, world.outline),
        points[np.random.default_rng(1).permutation(len(points))],
        GROUND,
    )
    assert one.attributes == two.attributes
    for a, b in zip(one.geometries, two.geometries, strict=True):
        assert a.vertices.tobytes() == b.vertices.tobytes() and a.surfaces == b.surfaces


def test_feet_follow_a_slope() -> None:
    ground = sampler(ramp)
    made = built(hip(), ground)
    for solid in made.geometries:
        assert validate_geometry(solid) == ()
        feet = np.unique(
            [
                i
                for rings, c in zip(solid.surfaces, solid.semantics, strict=True)
                if c == Surface.GROUND
                for i in rings[0]
            ]
        )
        z = ground.heights(solid.vertices[feet, :2])
        assert np.abs(z - solid.vertices[feet, 2]).max() < 0.03


def test_a_plane_does_not_shoot_past_its_points() -> None:
    """Points on the lowest third of a steep roof: the rest of the outline is not built to the sky."""
    world = gable(14, 20, eaves=75.0, pitch=2.2)
    points = world.points()
    local = (points[:, :2] - world.place(np.zeros((1, 2)))) @ np.array(
        [-np.sin(np.radians(27)), np.cos(np.radians(27))]
    )
    seen = points[local < -6.5]
    made = reconstruct(Footprint("f", FRAME, world.outline), seen, GROUND)
    assert made.geometries[-1].vertices[:, 2].max() < seen[:, 2].max() + 1.0


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.full((40, 3), np.nan)])
def test_without_points_there_is_a_reason(points) -> None:
    made = reconstruct(Footprint("f", FRAME, gable().outline), points, GROUND)
    assert made.failure is not None and made.failure.reason == "no_points" and made.geometries == ()


def test_scattered_points_fall_back_to_a_block() -> None:
    rng = np.random.default_rng(3)
    world = gable()
    west, south, east, north = world.outline.bounds
    points = rng.uniform((west, south, 65), (east, north, 90), (400, 3))
    points = points[shapely.contains_xy(world.outline, points[:, :2])]
    made = reconstruct(Footprint("f", FRAME, world.outline), points, GROUND)
    assert made.failure is None and validate_geometry(made.geometries[-1]) == ()
    assert made.attributes["fallback"] == "no_planes" and made.attributes["lod"] == "1.2"


def test_thinning_keeps_the_order_and_one_point_a_cell() -> None:
    rng = np.random.default_rng(5)
    points = rng.uniform(0, 10, (20_000, 3))
    points = points[np.lexsort(points.T[::-1])]
    kept = thinned(points, 25.0)
    assert 2400 < len(kept) <= 2500
    assert (np.diff(kept[:, 0]) >= 0).all()
