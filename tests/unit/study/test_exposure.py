"""Visual exposure of a slab and of blocks in the open: closed forms, laws, both engines."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_worlds import box, flat, local_grid, scene_of
from twin.errors import InputError
from twin.study.exposure import FRAME_SR, ExposureSettings, exposure, hidden_up_to, seen_from
from twin.study.hidden import views_taken
from twin.study.occluders import face_table
from twin.study.targets import KINDS, targets_of
from twin.visibility.caster import choose_device

CPU = choose_device("cpu")
FLAT = ExposureSettings(curvature=False)


def rectangle_sr(w: float, h: float, d: float) -> float:
    """Solid angle of a rectangle seen face-on from its axis."""
    return float(4 * np.arcsin(w * h / np.sqrt((w**2 + 4 * d**2) * (h**2 + 4 * d**2))))


def test_the_frame_of_50_mm():
    assert pytest.approx(rectangle_sr(36, 24, 50), rel=1e-12) == FRAME_SR


@pytest.mark.parametrize("distance", [500.0, 100.0, 10.0, 2.0])
@pytest.mark.parametrize("spacing", [0.5, 2.0])
def test_a_wall_face_on_has_its_closed_form(distance, spacing):
    """20 x 30 m; the eye stands before the middle of the wall. Far away a cell is A cos i / d2, near by its outline."""
    scene = scene_of(flat(1200.0), (box("tower", (0, 0), (20, 20, 30)),))
    targets = targets_of(scene, ["tower"], spacing, CPU)
    eye = np.array([[0.0, -10.0 - distance, 15.0]])
    seen = seen_from(face_table(scene, coverings=False), targets, eye, FLAT, (CPU, 1))
    assert seen.solid_angle[0] == pytest.approx(rectangle_sr(20, 30, distance), rel=4e-3)
    assert seen.lowest[0] < spacing


def test_targets_cover_walls_roof_edges_and_tip():
    scene = scene_of(flat(200.0), (box("tower", (0, 0), (20, 20, 30)),))
    targets = targets_of(scene, ["tower"], 2.0, CPU)
    area = {name: targets.area[targets.kind == k].sum() for k, name in enumerate(KINDS)}
    assert area["roof"] == pytest.approx(400.0) and area["wall"] == pytest.approx(2400.0, rel=1e-3)
    edges = targets.points[targets.kind == KINDS.index("edge")]
    assert len(edges) == 40 and np.allclose(edges[:, 2] - 30.0, edges[0, 2] - 30.0)
    assert (targets.kind == KINDS.index("tip")).sum() == 1 and targets.foot <= 0.0
    with pytest.raises(InputError, match="no building 'church'"):
        targets_of(scene, ["church"], 2.0, CPU)


@pytest.mark.parametrize("engine", ["triangles", "heightfield"])
def test_a_screen_hides_what_lies_in_its_shadow(engine):
    """A wall of 10 m, 100 m from a tower of 30 m: behind it, at 50 m more, the line over its top meets the tower."""
    screen, tower = box("screen", (0, -100), (300, 2, 10)), box("tower", (0, -8), (4, 4, 30))
    scene = scene_of(flat(310.0), (screen, tower))
    targets = targets_of(scene, ["tower"], 1.0, CPU)
    settings = ExposureSettings(curvature=False, engine=engine)
    grid = local_grid(300.0, 2.0)
    # The lane through both, and a second one that passes the screen by.
    lanes = np.zeros(grid.shape, dtype=bool)
    lanes[:, np.abs(grid.x_centres()) < 20.0] = lanes[:, np.abs(grid.x_centres() - 220.0) < 20.0] = True
    found = exposure(scene, targets, grid, settings, (CPU, 2), lanes)
    x, y = 1.0, -149.0
    row, col = (int(v[0]) for v in grid.rows_cols(np.array([x]), np.array([y])))
    lowest = float(found.rasters["lowest_seen"].values[row, col])
    # From the eye over the far or near edge of the screen's top to the wall at y = -10.
    line = 1.6 + (10.0 - 1.6) * (-10.0 - y) / (-101.0 - y)
    assert lowest - 1.1 <= line - targets.foot <= lowest + 1.1
    before = float(
        found.rasters["lowest_seen"].values[int(grid.rows_cols(np.array([x]), np.array([-59.0]))[0][0]), col]
    )
    assert before < 1.0
    assert float(np.nanmax(found.rasters["targets_seen"].values)) <= found.targets
    bare = exposure(
        scene, targets, grid, ExposureSettings(curvature=False, bare=True, engine=engine), (CPU, 2), lanes
    )
    assert (bare.rasters["targets_seen"].values >= found.rasters["targets_seen"].values - 0.5)[
        np.isfinite(found.rasters["targets_seen"].values)
    ].all()


def test_engines_agree_in_the_open():
    scene = scene_of(
        flat(160.0), (box("tower", (0.5, 0.5), (20, 20, 30)), box("other", (60, 20), (20, 10, 12)))
    )
    targets = targets_of(scene, ["tower"], 4.0, CPU)
    grid = local_grid(120.0, 1.0)
    rays, sweeps = (
        exposure(scene, targets, grid, ExposureSettings(engine=engine), (CPU, 2))
        .rasters["solid_angle"]
        .values
        for engine in ("triangles", "heightfield")
    )
    both = np.isfinite(rays)
    close = np.abs(rays - sweeps)[both] <= 0.03 * np.nanmax(rays)
    assert close.mean() > 0.99 and np.nanmean(sweeps) == pytest.approx(np.nanmean(rays), rel=0.02)


def test_the_height_that_stays_hidden():
    """Behind a screen of 10 m at 100 m from the eye: 1.6 + 0.084 d at the nearest part of the plan."""
    screen, tower = box("screen", (0, 100), (300, 0.2, 10)), box("tower", (0, 300), (20, 20, 30))
    scene = scene_of(flat(1000.0), (screen, tower))
    targets = targets_of(scene, ["tower"], 1.0, CPU)
    eye = np.array([0.0, 0.0, 1.6])
    found = hidden_up_to(face_table(scene), targets, np.array([eye]), FLAT, (CPU, 1))[0]
    near = 1.6 + (10.0 - 1.6) * 290.0 / 99.9 - targets.foot
    assert found == pytest.approx(near, abs=0.08)
    assert (
        hidden_up_to(face_table(scene), targets, np.array([np.array([0.0, 200.0, 1.6])]), FLAT, (CPU, 1))[0]
        == 0.0
    )
    bent = hidden_up_to(
        face_table(scene), targets, np.array([eye]), ExposureSettings(refraction_k=0.0), (CPU, 1)
    )[0]
    # The earth's curve takes 7 mm from the tower and a third of it from the line over the screen.
    assert abs(bent - found) <= 0.02


@pytest.mark.parametrize("distance", [500.0, 100.0, 10.0])
def test_the_view_that_a_wall_takes_and_what_it_hides(distance):
    """Face-on, its closed form; behind it stand a slab that is wider and higher than the wall looks, and sky above."""
    tower, slab = box("tower", (0, 0), (20, 20, 30)), box("slab", (0, 30), (600, 2, 15))
    scene = scene_of(flat(1200.0), (tower, slab))
    targets = targets_of(scene, ["tower"], 2.0, CPU)
    eye = np.array([0.0, -10.0 - distance, 15.0])
    table = face_table(scene)
    (taken,) = views_taken(table, table, targets, eye[None], (CPU, 1))
    assert taken.solid_angle == pytest.approx(rectangle_sr(20, 30, distance), rel=0.02)
    shares = {(kind, name): angle / taken.solid_angle for kind, name, angle in taken.hides}
    # The top of the slab is at the height of the eye: the upper half of the tower stands before the sky.
    assert shares["sky", ""] == pytest.approx(0.5, abs=0.02) and sum(shares.values()) == pytest.approx(1.0)
    assert shares["buildings", "slab"] > (0.3 if distance > 50 else 0.1)
    none = targets_of(scene, [], 2.0, CPU)
    assert len(none) == 0 and views_taken(table, table, none, eye[None], (CPU, 1))[0].solid_angle == 0.0
