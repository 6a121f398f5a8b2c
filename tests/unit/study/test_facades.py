"""Samples on walls and roofs, and the sun upon them, on boxes whose answers are known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from tests.study_worlds import FRAME, box, flat, scene_of
from twin.errors import InputError
from twin.model.scene import Scene
from twin.study.facades import FaceAsk, FaceSamples, outside, sample_faces, sun_on_faces
from twin.study.occluders import face_table
from twin.study.suns import Day, Period, SunlightSettings
from twin.sun.dates import day_samples
from twin.sun.position import sun_direction_local
from twin.visibility.caster import choose_device, make_caster

DEVICE = choose_device("cpu")
DAY = dt.date(2026, 3, 21)
SETTINGS = SunlightSettings((Day(DAY, 10.0),), "Europe/Brussels")


def cleaned(scene: Scene, samples: FaceSamples) -> FaceSamples:
    table = face_table(scene, trees=False)
    caster = make_caster(table.triangles(), DEVICE)
    try:
        return outside(samples, table, caster)
    finally:
        caster.close()


@pytest.mark.parametrize("turn", [0.0, 27.0])
@pytest.mark.parametrize("spacing", [0.7, 1.0, 3.3])
def test_areas_add_up_to_the_surfaces(turn: float, spacing: float) -> None:
    scene = scene_of(flat(100.0), (box("b", (5.0, -3.0), (12.0, 8.0, 9.5), turn),))
    samples = cleaned(scene, sample_faces(scene, ["b"], spacing))
    assert [s.kind for s in samples.surfaces] == ["wall"] * 4 + ["roof"]
    sizes = [float(samples.area[samples.of == k].sum()) for k in range(5)]
    assert sorted(sizes) == pytest.approx(sorted([12 * 9.5, 8 * 9.5, 12 * 9.5, 8 * 9.5, 96.0]), rel=1e-3)
    azimuths = [s.azimuth_grid_deg for s in samples.surfaces[:4]]
    assert sorted(round(a % 90.0, 3) % 90.0 for a in azimuths) == pytest.approx([(90.0 - turn) % 90.0] * 4)
    assert samples.left_out == 0
    roof = samples.points[samples.of == 4]
    assert roof[:, 2] == pytest.approx(9.505)
    # Each sample lies in front of its own face: 5 mm along the normal.
    assert np.allclose(np.linalg.norm(samples.normals, axis=1), 1.0)


@pytest.mark.parametrize("turn", [0.0, 40.0])
def test_an_open_wall_has_the_sun_that_stands_before_it(turn: float) -> None:
    scene = scene_of(flat(100.0), (box("b", (0.0, 0.0), (10.0, 10.0, 10.0), turn),))
    samples = cleaned(scene, sample_faces(scene, ["b"], 2.0, (1.5,)))
    found = sun_on_faces(scene, samples, SETTINGS, DEVICE).hours[DAY.isoformat()]
    suns = [sun_direction_local(s) for s in day_samples(DAY, 10.0, "Europe/Brussels", FRAME).instants]
    for k, surface in enumerate(samples.surfaces):
        expected = sum(float(np.array(surface.normal) @ sun) > 1e-9 for sun in suns) / 6.0
        assert found[samples.of == k] == pytest.approx(expected, abs=1e-4)


def test_window_lines_follow_the_ground() -> None:
    scene = scene_of(flat(100.0, 3.0), (box("b", (0.0, 0.0), (10.0, 6.0, 12.0), 15.0, base_m=1.0),))
    samples = sample_faces(scene, ["b"], 1.0, (1.5, 4.5, 30.0))
    assert sorted(set(samples.line[np.isfinite(samples.line)])) == [1.5, 4.5]
    low = samples.line == 1.5
    assert samples.points[low, 2] == pytest.approx(4.5) and low.sum() == 32
    assert (samples.area[low] == 0).all()
    # What lies under the ground is no façade.
    kept = cleaned(scene, samples)
    assert kept.left_out > 0 and kept.points[:, 2].min() > 3.0


def test_party_walls_are_left_out() -> None:
    houses = (box("a", (0.0, 0.0), (10.0, 8.0, 9.0)), box("b", (10.0, 0.0), (10.0, 8.0, 6.0)))
    scene = scene_of(flat(100.0), houses)
    samples = cleaned(scene, sample_faces(scene, ["a", "b"], 1.0))
    east = next(k for k, s in enumerate(samples.surfaces) if s.building == "a" and s.normal[0] > 0.9)
    assert samples.area[samples.of == east].sum() == pytest.approx(8 * 3, rel=1e-3)
    west = next(k for k, s in enumerate(samples.surfaces) if s.building == "b" and s.normal[0] < -0.9)
    assert not (samples.of == west).any()


def test_a_neighbour_takes_sun_and_sky() -> None:
    house = box("a", (0.0, 0.0), (10.0, 8.0, 6.0))
    before, after = (
        scene_of(flat(100.0), (house,)),
        scene_of(flat(100.0), (house,), (box("p", (0, -20), (40, 10, 30)),)),
    )
    samples = cleaned(before, sample_faces(before, ["a"], 2.0, (1.5,), kinds=("wall",)))
    week = Period("week", dt.date(2026, 3, 18), dt.date(2026, 3, 24), 30.0, daily=True)
    settings = SunlightSettings((Day(DAY, 30.0),), "Europe/Brussels", periods=(week,))
    old, new = (sun_on_faces(s, samples, settings, DEVICE, ask=FaceAsk(600)) for s in (before, after))
    south = samples.of == next(k for k, s in enumerate(samples.surfaces) if s.normal[1] < -0.9)
    assert (new.hours["week"] <= old.hours["week"]).all()
    assert new.hours[DAY.isoformat()][south].max() < old.hours[DAY.isoformat()][south].min() - 4.0
    assert np.allclose(old.least["week"][south] * 7, old.hours["week"][south], atol=7 * 0.51)
    assert old.sky is not None and new.sky is not None
    assert old.sky.vsc[south] == pytest.approx(39.6, abs=0.6)
    assert (new.sky.vsc[south] < 20).all() and (new.sky.obstruction_angle_deg[south] > 50).all()
    assert len(old.sky.vsc) == len(samples)


def test_wrong_spacing() -> None:
    scene = scene_of(flat(100.0), (box("b", (0, 0), (5, 5, 5)),))
    with pytest.raises(InputError, match="at least"):
        sample_faces(scene, ["b"], 0.0)
    assert len(sample_faces(scene, ["nobody"])) == 0
