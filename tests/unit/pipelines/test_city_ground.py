"""A city model alone: where its ground is taken from, and where a new site puts its standpoints."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from pipelines.gather import from_city
from pipelines.init import free_spot, high_spot
from tests.format_worlds import CORNER, FRAME, box, plane, road
from twin.errors import InputError
from twin.io.cityjson import CityModel
from twin.model.geometry import Geometry
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, CityObject
from twin.model.raster import Grid
from twin.model.surface import Surface
from twin.region import Region
from twin.terrain.sampler import TinSampler

GRID = Grid(FRAME, 0.0, 0.0, 2.0, 80, 80)


def model(
    *buildings: Building, others: tuple[CityObject, ...] = (), ground: TriangleMesh | None = None
) -> CityModel:
    return CityModel(FRAME, buildings, others, (), ground, (), (), {}, "2.0")


def outline_at(height: float) -> Geometry:
    """The plan of the box as LoD 0, at some height."""
    flat = box().vertices[:4].copy()
    flat[:, 2] = height
    return Geometry("MultiSurface", "0", flat, (((0, 1, 2, 3),),), np.zeros(1), np.zeros((1, 2)))


def known(raster_values: np.ndarray) -> np.ndarray:
    return raster_values[np.isfinite(raster_values)]


def test_the_feet_are_those_of_the_walls_not_of_an_outline_drawn_at_zero() -> None:
    """National models draw the outline (LoD 0) at height 0 or at the eaves."""
    inner = Building("q", FRAME, (box(lod="2.2"),))
    part = Building("p", FRAME, (), {}, (inner,))
    for height in (0.0, 99.0):
        house = Building("b", FRAME, (outline_at(height),), {}, (part,))
        found = known(from_city(model(house), GRID).ground.values)
        assert len(found) == 4 and np.abs(found - CORNER[2]).max() < 0.001


def test_without_anything_better_the_outline_is_the_foot() -> None:
    found = known(from_city(model(Building("b", FRAME, (outline_at(61.5),))), GRID).ground.values)
    assert np.abs(found - 61.5).max() < 0.001


def test_roads_show_the_ground_and_bridges_do_not() -> None:
    ground = from_city(model(others=(road(),)), GRID)
    assert np.abs(known(ground.ground.values) - 62.0).max() < 0.001
    assert any("only a guess elsewhere" in note for note in ground.notes)
    with pytest.raises(
        InputError, match="no terrain and no object that shows where the ground is; give --dtm"
    ):
        from_city(model(others=(road(kind="Bridge"),)), GRID)


def test_a_relief_is_the_ground_as_it_is() -> None:
    tin = plane().tin
    ground = from_city(model(Building("b", FRAME, (box(),)), ground=tin), GRID)
    assert ground.tin is tin and ground.notes == []


def half_ground() -> TinSampler:
    """Ground only in the west and north: a triangle over the square of 100 m."""
    corners = np.array([[0.0, 0, 60], [100, 100, 60], [0, 100, 60]])
    return TinSampler(TriangleMesh(FRAME, corners, np.array([[0, 1, 2]]), np.array([Surface.TERRAIN])))


def test_standpoints_are_on_the_ground_and_beside_the_buildings() -> None:
    region = Region(0.0, 0.0, 100.0, 100.0)
    ground = half_ground()
    house = shapely.box(30, 40, 60, 80)
    spot = free_spot(region, [house], ground)
    assert np.isfinite(ground.heights(np.array([spot]))).all()
    assert shapely.Point(spot).distance(house) >= 4.0
    air = high_spot(region, ground)
    assert np.isfinite(ground.heights(np.array([air]))).all()
    assert air[0] == 50.0 and air[1] == pytest.approx(50.0, abs=1.0)
    assert high_spot(region, None) == (50.0, pytest.approx(3.0))


def test_a_standpoint_is_given_where_nothing_is_free() -> None:
    region = Region(0.0, 0.0, 100.0, 100.0)
    assert free_spot(region, []) == pytest.approx((50.0, 50.0))
    full = free_spot(region, [shapely.box(-50, -50, 150, 150)], half_ground())
    assert np.isfinite(half_ground().heights(np.array([full]))).all()
