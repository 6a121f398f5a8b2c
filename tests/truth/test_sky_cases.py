"""Sky metrics against closed forms: cases 13, 14 and 15."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.study_worlds import FRAME, box, flat, local_grid, scene_of, terrain_of
from tests.tolerances import SKY_FACTOR, VSC_PERCENT
from twin.model.raster import Grid
from twin.model.scene import Scene
from twin.study.occluders import face_table
from twin.study.readers import Engine
from twin.study.sky import SkySettings, sky_of_faces, sky_on_ground
from twin.sun.sky import Sky, sky_of
from twin.visibility.caster import choose_device, make_caster

DEVICE = choose_device("cpu")


@pytest.mark.parametrize("measure", ["solid_angle", "cosine"])
@pytest.mark.parametrize("count", [145, 2000, 20000])
def test_a_sky_is_whole(measure: str, count: int) -> None:
    sky: Sky = sky_of(measure, count)  # type: ignore[arg-type]
    assert abs(len(sky) - count) <= 0.05 * count
    assert np.allclose(np.linalg.norm(sky.directions, axis=1), 1.0)
    assert sky.solid_angles.sum() == pytest.approx(2 * np.pi, rel=0.1 if count < 1000 else 0.03)
    assert sky.solid_angles @ sky.directions[:, 2] == pytest.approx(
        np.pi, rel=0.005 if count > 1000 else 0.02
    )
    assert abs(sky.directions[:, :2].mean(axis=0)).max() < 1e-9


def canyon(ratio: float, turn_deg: float) -> Scene:
    """Two walls 20 m apart, 8 km long."""
    turn = math.radians(turn_deg)
    side = np.array([math.cos(turn), math.sin(turn)]) * 15.0
    walls = tuple(
        box(name, (float(s * side[0]), float(s * side[1])), (10.0, 8000.0, 20.0 * ratio), turn_deg)
        for name, s in (("a", -1), ("b", 1))
    )
    return scene_of(flat(4500.0), walls)


CASE_13 = {
    0.25: (0.89443, 0.70483),
    0.5: (0.70711, 0.50000),
    1.0: (0.44721, 0.29517),
    2.0: (0.24254, 0.15596),
    3.0: (0.16440, 0.10514),
}


@pytest.mark.parametrize("ratio", CASE_13)
@pytest.mark.parametrize("turn_deg", [0.0, 31.0])
def test_case_13_canyon(ratio: float, turn_deg: float) -> None:
    grid = Grid(FRAME, -0.25, 0.25, 0.5, 1, 1)
    found = sky_on_ground(canyon(ratio, turn_deg), grid, SkySettings(), DEVICE)
    cosine, solid = CASE_13[ratio]
    assert found.factors["svf_cosine"].values[0, 0] == pytest.approx(cosine, abs=SKY_FACTOR)
    assert found.factors["svf_solid_angle"].values[0, 0] == pytest.approx(solid, abs=SKY_FACTOR)


def test_case_13_off_the_middle() -> None:
    """At x from one wall: [cos atan(H/x) + cos atan(H/(W-x))] / 2."""
    grid = Grid(FRAME, -9.25, 0.25, 0.5, 1, 37)
    found = sky_on_ground(canyon(1.0, 0.0), grid, SkySettings(), DEVICE).factors["svf_cosine"].values[0]
    x = grid.x_centres() + 10.0
    expected = 0.5 * (np.cos(np.arctan(20.0 / x)) + np.cos(np.arctan(20.0 / (20.0 - x))))
    assert np.abs(found - expected).max() <= SKY_FACTOR
    assert np.abs(found - found[::-1]).max() <= 2 * SKY_FACTOR


@pytest.mark.parametrize("engine", ["triangles", "heightfield"])
@pytest.mark.parametrize(
    ("angle", "cosine", "solid"), [(10, 0.96985, 0.82635), (30, 0.75, 0.5), (45, 0.5, 0.29289)]
)
def test_case_14_round_basin(engine: Engine, angle: float, cosine: float, solid: float) -> None:
    """Ground that rises as a cone: every horizon of its middle is the cone's angle."""
    slope = math.tan(math.radians(angle))
    terrain = terrain_of(lambda x, y: slope * np.maximum(0.0, np.hypot(x, y) - 1.0), 60.0, 240)
    grid = Grid(FRAME, -0.25, 0.25, 0.5, 1, 1)
    found = sky_on_ground(scene_of(terrain), grid, SkySettings(engine, False), DEVICE).factors
    # The middle lies 1 m from the foot of a cone of 60 m: atan(59/60 tan), within 0.4 degree.
    limit = 2 * SKY_FACTOR + 0.01
    assert found["svf_cosine"].values[0, 0] == pytest.approx(cosine, abs=limit)
    assert found["svf_solid_angle"].values[0, 0] == pytest.approx(solid, abs=limit)


CASE_15 = {0: 39.618, 10: 35.348, 15: 32.853, 20: 30.161, 25: 27.313, 30: 24.356, 45: 15.371, 60: 7.418}


@pytest.mark.parametrize("angle", CASE_15)
@pytest.mark.parametrize("turn_deg", [0.0, 63.0])
def test_case_15_vertical_sky_component(angle: float, turn_deg: float) -> None:
    """A long wall opposite, whose top stands at an angle over the window."""
    turn = math.radians(turn_deg)
    normal = np.array([math.cos(turn), math.sin(turn), 0.0])
    things = ()
    if angle:
        height = 2.0 + 30.0 * math.tan(math.radians(angle))
        middle = normal[:2] * 35.0
        things = (box("o", (float(middle[0]), float(middle[1])), (10.0, 10000.0, height), turn_deg),)
    table = face_table(scene_of(flat(5500.0), things))
    caster = make_caster(table.triangles(), DEVICE)
    found = sky_of_faces(caster, np.array([[0.0, 0.0, 2.0]]), normal[None], sky_of(count=10_000))
    assert found.vsc[0] == pytest.approx(CASE_15[angle], abs=VSC_PERCENT)
    assert found.obstruction_angle_deg[0] == pytest.approx(angle, abs=0.5)
    if not angle:
        assert found.svf_cosine[0] == pytest.approx(0.5, abs=SKY_FACTOR)
        assert found.svf_solid_angle[0] == pytest.approx(0.5, abs=SKY_FACTOR)
    caster.close()


def test_the_sweep_sees_the_sky_that_rays_see() -> None:
    """In a town of blocks, from its own height field; walls lean over half a cell, so the mean is held."""
    rng = np.random.default_rng(3)
    blocks = tuple(
        box(f"b{k}", (float(rng.uniform(-50, 50)), float(rng.uniform(-50, 50))), (12, 12, 15), 20.0 * k)
        for k in range(8)
    )
    scene, grid = scene_of(flat(100.0), blocks), local_grid(50.0, 0.5)
    exact, fast = (
        sky_on_ground(scene, grid, SkySettings(engine, False, 200), DEVICE, 2).factors
        for engine in ("triangles", "heightfield")
    )
    for name, raster in exact.items():
        off = (fast[name].values - raster.values)[np.isfinite(raster.values)]
        print(f"{name}: mean {off.mean():+.4f}, p99 {np.percentile(abs(off), 99):.3f}")
        assert abs(off.mean()) < 0.005 and np.percentile(abs(off), 99) < 0.08
