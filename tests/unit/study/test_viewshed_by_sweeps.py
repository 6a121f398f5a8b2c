"""The fast viewshed beside the exact one, and several observers at once."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_worlds import box, flat, scene_of
from twin.model.objects import Tree
from twin.model.raster import Grid
from twin.study.viewshed import ViewshedSettings, viewshed
from twin.visibility.caster import choose_device

CPU = choose_device("cpu")
TOWER = box("tower", (5, 3), (14, 10, 30))


def seen(scene, grid, **more):
    return viewshed(scene, grid, ViewshedSettings(**more), CPU, threads=2)


def test_both_engines_see_the_same_around_a_tower() -> None:
    scene = scene_of(flat(200.0), (TOWER,))
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 1.0)
    eye = {"observer": (-60.0, 13.0, 3.6)}
    ours, rays = (seen(scene, grid, engine=e, **eye) for e in ("heightfield", "triangles"))
    a, b = ours.visible.values, rays.visible.values
    assert np.array_equal(np.isnan(a), np.isnan(b))
    assert 0.02 < (b == 0).sum() / np.isfinite(b).sum() < 0.9
    # The edge of a shadow falls into one cell or the next.
    assert (a == b)[np.isfinite(b)].mean() > 0.985
    assert ours.least is not None and rays.least is None
    least = ours.least.values
    assert (least[a == 1] <= 0.02).all() and (least[a == 0] > 0.0).all()


@pytest.mark.parametrize("engine", ["heightfield", "triangles"])
def test_several_observers_are_counted(engine: str) -> None:
    scene = scene_of(flat(200.0), (TOWER,))
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 2.0)
    eyes = [(-60.0, 13.0, 3.6), (60.0, -25.0, 3.6), (3.0, 80.0, 3.6)]
    alone = [seen(scene, grid, observer=eye, engine=engine).visible.values for eye in eyes]
    together = seen(scene, grid, observer=eyes[0], more=tuple(eyes[1:]), engine=engine)
    assert together.seen_by is not None
    known = np.isfinite(together.visible.values)
    assert np.array_equal(together.seen_by.values[known], np.sum(alone, axis=0)[known])
    assert np.array_equal(together.visible.values[known] == 1, np.max(alone, axis=0)[known] == 1)
    assert len(together.method["observers"]) == 3


@pytest.mark.parametrize("engine", ["heightfield", "triangles"])
def test_each_observer_has_the_reach(engine: str) -> None:
    scene = scene_of(flat(200.0), ())
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 2.0)
    eyes = ((-70.0, 0.0, 3.0), (70.0, 0.0, 3.0))
    found = seen(scene, grid, observer=eyes[0], more=eyes[1:], max_distance_m=40.0, engine=engine)
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    near = [np.hypot(x - e[0], y - e[1]) <= 40.0 for e in eyes]
    assert np.array_equal(np.isfinite(found.visible.values), near[0] | near[1])
    assert np.nanmax(found.seen_by.values) == 1


def agree(a: np.ndarray, b: np.ndarray) -> float:
    """Cells that both see, of those that either sees."""
    return float(((a == 1) & (b == 1)).sum() / ((a == 1) | (b == 1)).sum())


MAST = box("mast", (-30.0, 0.3), (0.4, 0.4, 60.0), 20.0)
WALL = box("wall", (-52.0, 20.0), (0.2, 30.0, 3.0), 5.0)


def test_thin_tall_things_hide_as_what_they_are() -> None:
    """A mast of 0.4 m on cells of 2 m: a line of cells behind it, not a wedge of a cell's width, and not nothing."""
    scene = scene_of(flat(200.0), (MAST,))
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 2.0)
    eye = {"observer": (-90.0, 0.0, 1.6), "target_height_m": 5.0}
    rays = seen(scene, grid, **eye).visible.values
    ours = seen(scene, grid, engine="heightfield", near_m=10.0, **eye)
    assert (rays == 0).sum() > 20
    assert np.array_equal(ours.visible.values, rays, equal_nan=True)
    least = ours.least.values[rays == 0]
    assert (least > 5.0).all()
    # Behind it a thing is seen that stands as high as the line over its top.
    x = np.broadcast_to(grid.x_centres()[None], rays.shape)[rays == 0]
    y = np.broadcast_to(grid.y_centres()[:, None], rays.shape)[rays == 0]
    far = np.hypot(x + 90.0, y) / np.hypot(60.0, 0.3)
    assert np.abs(least / (1.6 + 58.4 * far) - 1.0).max() < 0.02
    assert "for 1 objects that hang or are narrower" in ours.method["engine"]


def test_what_is_near_hides_exactly_and_the_seam_does_not_show() -> None:
    deck = box("deck", (-40.0, -25.0), (14.0, 60.0, 1.0), 0.0, 4.0)
    scene = scene_of(flat(200.0), (TOWER, WALL, deck))
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 1.0)
    eye = {"observer": (-60.3, 13.2, 1.6)}
    rays = seen(scene, grid, **eye).visible.values
    known = np.isfinite(rays)
    assert 0.2 < rays[known].mean() < 0.9
    plain = seen(scene, grid, engine="heightfield", near_m=0.0, **eye).visible.values
    shares = []
    for near in (20.0, 50.0, 90.0):
        ours = seen(scene, grid, engine="heightfield", near_m=near, **eye)
        assert np.array_equal(np.isfinite(ours.visible.values), known)
        shares.append(agree(ours.visible.values[known], rays[known]))
        least = ours.least.values[known]
        assert (least[ours.visible.values[known] == 1] <= 0.02).all()
        assert (least[ours.visible.values[known] == 0] > 0.0).all()
    # Eyes look through below the deck, near or far, where its triangles are asked.
    assert agree(plain[known], rays[known]) < 0.8
    assert min(shares) > 0.985 and shares[-1] > 0.995, shares


def test_heights_before_and_behind_what_is_near() -> None:
    """Least heights over a wall at 10 m: free before it, on the line over it behind; exact but for the cell."""
    wall = box("wall", (10.0, 0.0), (0.6, 300.0, 3.0))
    scene = scene_of(flat(200.0), (wall,))
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 1.0)
    for near in (5.0, 50.0):
        found = seen(
            scene, grid, engine="heightfield", near_m=near, observer=(0.0, 0.0, 1.6), curvature=False
        )
        least = found.least.values
        middle = grid.rows // 2
        for x in (3.5, 8.5, -60.5):
            assert least[middle, int(x - grid.west)] <= 0.006
        for x in (12.5, 30.5, 120.5):
            over = 1.6 + 1.4 * x / 9.7
            assert least[middle, int(x - grid.west)] == pytest.approx(over, abs=0.02 + 0.002 * x)


def test_thin_and_near_are_numbers() -> None:
    from twin.errors import InputError

    for bad in (
        {"near_m": -1.0},
        {"near_m": np.nan},
        {"crowns": (2.0, "x")},
        {"crowns": (0.5, "x"), "trees": False},
    ):
        with pytest.raises(InputError):
            ViewshedSettings((0.0, 0.0, 2.0), **bad)


def test_crowns_let_sight_through_one_after_the_other() -> None:
    """Behind one crown its share, behind two the square, behind a house nothing; the opaque product stays as it is."""
    rows = {"one": (-20.0,), "two": (-20.0, 0.0), "three": (-20.0, -16.5, 0.0)}
    for count, places in enumerate(rows.values(), start=1):
        trees = tuple(Tree(f"t{x}", flat(200.0).frame, x, 0.0, 0.0, 9.0, 2.5, 0.2) for x in places)
        scene = scene_of(flat(200.0), (box("house", (0.0, 60.0), (10.0, 30.0, 8.0)),), trees=trees)
        grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 2.0)
        eye = {"observer": (-80.0, 0.5, 3.0), "target_height_m": 3.0}
        opaque = seen(scene, grid, **eye)
        found = seen(scene, grid, crowns=(0.5, "leaf_off"), **eye)
        assert np.array_equal(found.visible.values, opaque.visible.values, equal_nan=True)
        assert opaque.through is None and found.through is not None
        share = found.through.values
        x, y = grid.x_centres(), grid.y_centres()
        behind = share[np.argmin(np.abs(y - 0.5)), np.argmin(np.abs(x - 70.0))]
        assert behind == pytest.approx(0.5**count)
        assert (share[found.visible.values == 1] == 1).all()
        hidden = share[found.visible.values == 0]
        assert set(np.unique(hidden)) <= {0.0, *(np.float32(0.5**k) for k in range(1, count + 1))}
        assert (hidden == 0).any() and np.isnan(share[np.isnan(found.visible.values)]).all()
        assert "leaf_off" in str(found.method["trees"])


def test_the_best_of_several_observers_looks_through() -> None:
    trees = (Tree("t", flat(200.0).frame, 0.0, 0.0, 0.0, 9.0, 3.0, 0.2),)
    scene = scene_of(flat(200.0), (), trees=trees)
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 4.0)
    eyes = ((-50.0, 0.0, 3.0), (0.0, -50.0, 3.0))
    alone = [
        seen(scene, grid, observer=eye, crowns=(0.3, "x"), target_height_m=2.0).through.values for eye in eyes
    ]
    both = seen(scene, grid, observer=eyes[0], more=eyes[1:], crowns=(0.3, "x"), target_height_m=2.0)
    assert both.through is not None
    assert np.array_equal(both.through.values, np.fmax(*alone), equal_nan=True)


@pytest.mark.parametrize("engine", ["heightfield", "triangles"])
def test_no_target_within_reach(engine: str) -> None:
    scene = scene_of(flat(200.0), ())
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 2.0)
    mask = np.zeros(grid.shape, dtype=bool)
    mask[:3, :3] = True
    asked = ViewshedSettings((100.0, -100.0, 2.0), max_distance_m=10.0, engine=engine)
    assert np.isnan(viewshed(scene, grid, asked, CPU, mask=mask).visible.values).all()


def test_sight_through_crowns_is_mutual() -> None:
    from twin.study.hanging import faces_of
    from twin.study.occluders import face_table
    from twin.study.through import Crowns

    rng = np.random.default_rng(5)
    trees = tuple(
        Tree(f"t{k}", flat(200.0).frame, float(x), float(y), 0.0, 9.0, 3.0, 0.5)
        for k, (x, y) in enumerate(rng.uniform(-40, 40, (60, 2)))
    )
    table = face_table(scene_of(flat(200.0), (), trees=trees))
    crowns = Crowns(faces_of(table, np.array([layer == "trees" for layer in table.layers])), (CPU, 1))
    a, b = (np.column_stack([rng.uniform(-45, 45, (400, 2)), rng.uniform(0.1, 9, 400)]) for _ in range(2))
    there = [int(crowns.between(a[k : k + 1], b[k])[0]) for k in range(400)]
    back = [int(crowns.between(b[k : k + 1], a[k])[0]) for k in range(400)]
    assert there == back and max(there) >= 4 and min(there) == 0
    crowns.close()


def test_the_season_is_told_apart_by_what_comes_through() -> None:
    from twin.study.compare import seen_through

    trees = (Tree("t", flat(200.0).frame, 0.0, 0.0, 0.0, 9.0, 3.0, 0.2),)
    scene = scene_of(flat(200.0), (), trees=trees)
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 2.0)
    size = [
        int(seen_through(seen(scene, grid, observer=(-50.0, 0.0, 3.0), crowns=(share, "x"))).sum())
        for share in (0.03, 0.5)
    ]
    assert size[0] == 0 and size[1] > 5
