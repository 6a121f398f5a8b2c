"""Pictures: right way up, right place, lit like the study, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_worlds import FRAME, box, flat, local_grid, scene_of, sun_at
from twin.errors import InputError
from twin.model.objects import Tree
from twin.model.raster import Raster
from twin.model.surface import Surface
from twin.study.camera import Camera, ParallelCamera
from twin.study.occluders import face_table
from twin.study.picture import Cells, Paint, Picture, render, render_cells
from twin.study.readers import lit
from twin.visibility.caster import choose_device, make_caster
from twin.visibility.embree import EmbreeCaster

DEVICE = choose_device("cpu")
PALETTE = {Surface.TERRAIN: (200, 200, 190), Surface.ROOF: (225, 220, 215), Surface.WALL: (245, 242, 238)}
TREE = Tree("oak", FRAME, -12.0, 30.0, 0.0, 9.0, 3.0, 2.0)
SCENE = scene_of(
    flat(300.0), (box("house", (0, 40), (10, 10, 8)),), (box("p/tower", (20, 60), (8, 8, 20)),), (TREE,)
)
NORTH = Camera((0.0, 0.0, 5.0), FRAME.azimuth_true(0.0), 0.0, 60.0, 160, 90)


def still(camera: Camera = NORTH, azimuth: float = 200.0, altitude: float = 35.0, **more: object) -> Picture:
    return render(SCENE, camera, sun_at(azimuth, altitude), PALETTE, DEVICE, **more)


@pytest.fixture(scope="module")
def picture() -> Picture:
    return still()


def test_sky_is_up_and_ground_is_down(picture: Picture) -> None:
    assert picture.rgb.shape == (90, 160, 3)
    assert (picture.ids[0] == -1).all()
    assert (picture.ids[-1] == picture.objects.index("terrain")).all()
    assert np.isnan(picture.depth[0]).all()
    # Sky is bluer than red, ground is not.
    assert (picture.rgb[0, :, 2] > picture.rgb[0, :, 0]).all()
    assert (picture.rgb[-1, :, 2] <= picture.rgb[-1, :, 0]).all()


def test_things_stand_where_they_are(picture: Picture) -> None:
    for name, place in (("house", (0, 35, 4)), ("p/tower", (20, 56, 15)), ("oak", (-12, 30, 4.8))):
        ((x, y),) = NORTH.project(FRAME, np.array([place], dtype=float))
        assert picture.ids[int(y), int(x)] == picture.objects.index(name), name
    centre = picture.ids == picture.objects.index("house")
    assert abs(np.nonzero(centre)[1].mean() - 79.5) < 2
    assert picture.depth[45, 80] == pytest.approx(35.0, abs=0.1)


def test_project_is_the_inverse_of_the_rays() -> None:
    camera = Camera((3.0, -7.0, 40.0), 77.0, -18.0, 47.0, 320, 200)
    x, y = np.array([0.5, 100.0, 319.0]), np.array([0.5, 30.0, 199.0])
    points = np.array(camera.eye) + 55.0 * camera.directions(FRAME, x, y)
    np.testing.assert_allclose(camera.project(FRAME, points), np.column_stack([x, y]), atol=1e-9)
    assert np.isnan(camera.project(FRAME, 2 * np.array(camera.eye) - points)).all()


def test_true_bearing_meets_grid_north() -> None:
    forward = Camera((0, 0, 0), 0.0).axes(FRAME)[2]
    assert np.degrees(np.arctan2(forward[0], forward[1])) == pytest.approx(-FRAME.convergence_deg)
    assert Camera((0, 0, 0), 0.0, hfov_deg=39.60, width=360, height=240).vfov_deg == pytest.approx(
        26.99, abs=0.01
    )


def test_shadows_are_those_of_the_study(picture: Picture) -> None:
    """Ground pixels well inside a shadow, by the study's own rays, are darker than all lit ones."""
    table = face_table(SCENE)
    caster = make_caster(table.triangles(), DEVICE, 1)
    rows, cols = np.nonzero(picture.ids == 0)
    points = np.array(NORTH.eye) + picture.depth[rows, cols, None] * NORTH.directions(
        FRAME, cols + 0.5, rows + 0.5
    )
    points[:, 2] = 0.005
    sunny = np.zeros(picture.ids.shape, dtype=int)
    sunny[rows, cols] = np.where(lit(caster, points, sun_at(200.0, 35.0)), 1, -1)
    caster.close()
    bright = picture.rgb.astype(int).sum(axis=2)
    inner = np.zeros_like(sunny, dtype=bool)
    inner[1:-1, 1:-1] = True
    for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        inner &= np.roll(sunny, step, (0, 1)) == sunny
    assert (inner & (sunny == -1)).sum() > 20
    near = inner & (picture.depth < 100)
    assert bright[near & (sunny == -1)].max() < bright[near & (sunny == 1)].min()


def test_nothing_is_black_even_without_sun() -> None:
    night = still(altitude=-5.0)
    assert night.rgb.min() > 20


def test_same_bytes_for_any_number_of_threads(picture: Picture) -> None:
    again = still(threads=3)
    assert again.rgb.tobytes() == picture.rgb.tobytes()
    assert again.ids.tobytes() == picture.ids.tobytes()


@pytest.mark.parametrize("threads", [1, 4])
def test_same_bytes_however_many_rays_go_together(
    picture: Picture, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(EmbreeCaster, "batch", 777)
    again = still(threads=threads)
    assert again.rgb.tobytes() == picture.rgb.tobytes()
    assert again.depth.tobytes() == picture.depth.tobytes()


def test_what_goes_wrong_in_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr("twin.study.passes.sky_shares", broken)
    with pytest.raises(MemoryError, match="no more"):
        still(threads=3)


def test_proposed_volumes_have_their_own_colour_and_share(picture: Picture) -> None:
    mine = picture.ids == picture.objects.index("p/tower")
    assert picture.share_proposed() == pytest.approx(mine.mean())
    red, _, blue = picture.rgb[mine].mean(axis=0)
    assert red > blue + 40
    house = picture.rgb[picture.ids == picture.objects.index("house")].mean(axis=0)
    assert abs(house[0] - house[2]) < 40


def test_paint_lies_on_the_ground_alone() -> None:
    grid = local_grid(200.0, 5.0)
    values = np.full(grid.shape, 3.0)
    values[:, :40] = np.nan
    paint = Paint(Raster(grid, values), lambda v: np.tile([40.0, 90.0, 220.0], (len(v), 1)))
    plain, painted = still(), still(paint=paint)
    ground = (plain.ids == 0) & (plain.depth < 150)
    west = np.arange(160)[None, :] < 70
    east = np.arange(160)[None, :] > 90
    assert (plain.rgb[ground & west] == painted.rgb[ground & west]).mean() > 0.98
    blue = painted.rgb[ground & east].mean(axis=0)
    assert blue[2] > blue[0] + 60
    house = plain.ids == plain.objects.index("house")
    assert np.abs(plain.rgb[house].astype(int) - painted.rgb[house]).mean() < 3


def test_wide_edges_are_soft(picture: Picture) -> None:
    """Pixels on the outline of the tower lie between the colours on its two sides."""
    slanted = still(Camera((0.0, 0.0, 60.0), FRAME.azimuth_true(10.0), -40.0, 50.0, 120, 120))
    levels = len(np.unique(slanted.rgb.reshape(-1, 3), axis=0))
    assert levels > 100


def test_cameras_that_cannot_be() -> None:
    with pytest.raises(InputError, match="pitch"):
        Camera((0, 0, 0), 0.0, 95.0)
    with pytest.raises(InputError, match="finite"):
        Camera((0, 0, float("nan")), 0.0)
    with pytest.raises(InputError, match="pixels"):
        Camera((0, 0, 0), 0.0, width=0)


@pytest.mark.parametrize("bearing", [0.0, 45.0, 200.0])
def test_a_parallel_camera_is_true_to_scale(bearing: float) -> None:
    camera = ParallelCamera((10.0, -20.0, 80.0), bearing, -35.0, 0.25, 200, 120)
    x, y = np.array([20.5, 150.0]), np.array([30.0, 100.5])
    start, way = camera.origins(FRAME, x, y), camera.directions(FRAME, x, y)
    ends = start + np.array([[40.0], [95.0]]) * way
    assert np.allclose(camera.project(FRAME, ends), np.column_stack([x, y]), atol=1e-6)
    right = camera.axes(FRAME)[0]
    off = camera.project(FRAME, ends + 5.0 * right) - camera.project(FRAME, ends)
    assert np.allclose(off, [[20.0, 0.0]] * 2, atol=1e-6), "5 m are 20 pixels of 0.25 m at any distance"
    with pytest.raises(InputError):
        ParallelCamera((0.0, 0.0, 0.0), 0.0, -35.0, 0.0, 10, 10)


def test_cells_take_their_colours_and_hide_nothing_else() -> None:
    scene = scene_of(flat(60.0), (box("b", (0.0, 0.0), (10.0, 10.0, 10.0)),))
    south = np.array([[-5.0, -5.02, 0.0], [5.0, -5.02, 0.0], [5.0, -5.02, 10.0], [-5.0, -5.02, 10.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    cells = Cells(south, faces, ("b", "b"), np.zeros((2, 3), dtype=np.uint8))
    turn = FRAME.azimuth_true(0.0)
    camera = ParallelCamera((0.0, -50.0, 40.0), turn, -35.0, 0.2, 160, 120)
    blue, red = np.array([[20, 30, 200]] * 2), np.array([[200, 30, 20]] * 2)
    one, two = render_cells(scene, camera, {}, choose_device("cpu"), 1, cells, [blue, red])
    assert np.array_equal(one.ids, two.ids)
    x, y = camera.project(FRAME, np.array([0.0, -5.0, 5.0]))[0]
    place = int(y), int(x)
    assert one.objects[one.ids[place]] == "b"
    assert np.abs(one.rgb[place].astype(int) - [20, 30, 200]).max() < 25
    assert np.abs(two.rgb[place].astype(int) - [200, 30, 20]).max() < 25
    alone = render_cells(scene, camera, {}, choose_device("cpu"), 1, cells, [red])[0]
    assert np.array_equal(alone.rgb, two.rgb), "a second set of colours gives the picture that it gives alone"
    strange = Cells(south, faces, ("c", "c"), red)
    with pytest.raises(InputError, match="'c'"):
        render_cells(scene, camera, {}, choose_device("cpu"), 1, strange, [red])
