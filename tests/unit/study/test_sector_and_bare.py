"""A sector of a viewshed, the bare-ground product, and one lowered scene for many eyes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_worlds import box, flat, local_grid, scene_of
from twin.errors import InputError
from twin.study.viewshed import ViewshedSettings, viewshed
from twin.visibility.caster import choose_device

CPU = choose_device("cpu")
EYE = (0.0, 0.0, 1.6)
SCENE = scene_of(flat(400.0), (box("wall", (0.0, 60.0), (100.0, 4.0, 10.0)),))
GRID = local_grid(200.0, 4.0)


@pytest.mark.parametrize("engine", ["triangles", "heightfield"])
@pytest.mark.parametrize("sector", [(300.0, 60.0), (100.0, 190.0), (45.0, 45.0)])
def test_a_sector_cuts_the_whole(engine, sector):
    whole = viewshed(SCENE, GRID, ViewshedSettings(EYE, engine=engine), CPU).visible.values
    part = viewshed(SCENE, GRID, ViewshedSettings(EYE, engine=engine, sector=sector), CPU).visible.values
    x, y = np.meshgrid(GRID.x_centres(), GRID.y_centres())
    inside = (np.degrees(np.arctan2(x, y)) - sector[0]) % 360.0 <= ((sector[1] - sector[0]) % 360.0 or 360.0)
    known = inside & np.isfinite(whole)
    assert (part[known] == whole[known]).all() and np.isnan(part[~inside]).all()
    with pytest.raises(InputError, match="sector"):
        ViewshedSettings(EYE, sector=(0.0, float("nan")))


@pytest.mark.parametrize("engine", ["triangles", "heightfield"])
def test_over_bare_ground_nothing_hides(engine):
    seen = viewshed(SCENE, GRID, ViewshedSettings(EYE, engine=engine, bare=True), CPU)
    values = seen.visible.values
    assert (values[np.isfinite(values)] == 1).all() and np.isnan(values).any()
    assert seen.method["what_hides"] == "the bare ground"


def test_many_eyes_are_many_single_ones():
    """With the earth's curve: the scene is lowered once, around the first eye."""
    eyes = [EYE, (150.0, -120.0, 8.0), (-180.0, 170.0, 1.6)]
    together = viewshed(SCENE, GRID, ViewshedSettings(eyes[0], more=tuple(eyes[1:])), CPU, 2)
    alone = [viewshed(SCENE, GRID, ViewshedSettings(eye), CPU, 2).visible.values for eye in eyes]
    assert together.seen_by is not None
    count = together.seen_by.values
    known = np.isfinite(count)
    assert (count[known] != np.sum(alone, axis=0)[known]).mean() < 1e-3
