"""The fast viewshed beside the exact one, and several observers at once."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_worlds import box, flat, scene_of
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
