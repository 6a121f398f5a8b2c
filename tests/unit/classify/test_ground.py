"""The ground filter on worlds whose ground is known: off-centre, turned, steep."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import CRS

from twin.classify.ground import SmrfSettings, find_ground
from twin.classify.survey import Survey, doubts
from twin.classify.tables import PointClass
from twin.errors import InputError
from twin.frame import Frame
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid
from twin.region import Region

FRAME = Frame(CRS.from_epsg(3812), "EPSG:5710", (732446, 643915))
AREA = Region(-37.0, 12.0, 203.0, 212.0)
CENTRE = np.array([83.0, 112.0])


def turned(xy, degree=27.0):
    """Coordinates about the middle, along and across a direction that fits no grid."""
    c, s = np.cos(np.radians(degree)), np.sin(np.radians(degree))
    d = np.asarray(xy) - CENTRE
    return d[:, 0] * c + d[:, 1] * s, d[:, 1] * c - d[:, 0] * s


def world(ground, things=(), density=5.0, seed=2):
    """Points seen from above: the highest of the ground and what stands on it; and which are ground."""
    rng = np.random.default_rng(seed)
    n = int(AREA.width * AREA.height * density)
    xy = rng.uniform((AREA.west, AREA.south), (AREA.east, AREA.north), (n, 2))
    u, v = turned(xy)
    base = ground(u, v)
    top = base.copy()
    for inside, height in things:
        where = inside(u, v)
        top[where] = np.maximum(top[where], height(u[where], v[where], base[where]))
    z = top + rng.normal(0, 0.03, n)
    return np.c_[xy, z], top <= base + 1e-9


def survey_of(xyz, classes=None, cell=1.0):
    survey = Survey(Grid.over(FRAME, AREA, cell))
    codes = np.zeros(len(xyz), np.uint8) if classes is None else classes
    survey.add(PointCloud(FRAME, xyz, codes.astype(np.uint8)))
    return survey


def errors(xyz, truth, **settings):
    """Type I, type II and total error."""
    got = find_ground(survey_of(xyz).lowest(), SmrfSettings(**settings)).is_ground(xyz)
    lost, gained = (truth & ~got).sum(), (got & ~truth).sum()
    return lost / max(truth.sum(), 1), gained / max((~truth).sum(), 1), (got != truth).mean()


def box(u0, v0, width, depth):
    return lambda u, v: (np.abs(u - u0) < width / 2) & (np.abs(v - v0) < depth / 2)


def flat(height):
    """A level roof at a height over its lowest ground."""
    return lambda u, v, base: np.full(len(u), base.min() + height) if len(u) else base


def slope(steepness):
    return lambda u, v: 90.0 + steepness * v


@pytest.mark.parametrize("steepness", [0.0, 0.1, 0.35, 0.6])
def test_houses_on_a_slope_go_and_the_slope_stays(steepness):
    houses = [(box(u, v, 9, 8), flat(9.0)) for u in (-60, -20, 20, 60) for v in (-50, 0, 50)]
    lost, gained, total = errors(*world(slope(steepness), houses))
    assert lost < 0.02 and total < 0.02
    assert gained < 0.05 + 0.2 * steepness, "the uphill edge of a level roof may touch the slope"


def test_a_hall_wider_than_any_window_goes():
    lost, gained, total = errors(*world(slope(0.02), [(box(5, 3, 140, 90), flat(11.0))]))
    assert lost < 0.005 and gained < 0.005 and total < 0.005


def test_a_hall_with_saw_teeth_goes():
    def teeth(u, v, base):
        return base.min() + 8.0 + (u % 12.0) / 12.0 * 4.0

    lost, gained, _ = errors(*world(slope(0.0), [(box(0, 0, 120, 80), teeth)]))
    assert lost < 0.005 and gained < 0.01


def test_a_quay_and_the_land_behind_it_stay():
    xyz, truth = world(lambda u, v: np.where(v > 20, 64.0, 58.0), [(box(30, 60, 30, 12), flat(12.0))])
    lost, gained, _ = errors(xyz, truth)
    assert lost < 0.01 and gained < 0.02


def test_a_terrace_between_two_walls_stays():
    lost, _, _ = errors(*world(lambda u, v: 60.0 + 4.0 * (v > -30) + 4.0 * (v > 30)))
    assert lost < 0.01


def test_a_slag_heap_and_an_embankment_stay():
    def land(u, v):
        heap = np.maximum(0.0, 27.0 - 0.65 * np.hypot(u - 50, v))
        dam = np.clip(5.0 - np.maximum(0.0, np.abs(u + 60) - 4.0) / 1.5, 0.0, None)
        return 60.0 + heap + dam

    lost, _, _ = errors(*world(land))
    assert lost < 0.01


def test_a_bridge_is_no_ground_and_the_river_bed_below_is_kept():
    def land(u, v):
        return 60.0 - 8.0 * (np.abs(u) < 35)

    xyz, truth = world(land, [(box(0, 0, 68, 11), lambda u, v, base: np.full(len(u), 60.5))])
    deck = ~truth
    got = find_ground(survey_of(xyz).lowest()).is_ground(xyz)
    u, _ = turned(xyz[:, :2])
    assert got[deck & (np.abs(u) < 25)].mean() < 0.02
    assert got[truth].mean() > 0.99


def test_single_low_points_do_not_pull_the_ground_down():
    xyz, truth = world(slope(0.3))
    rng = np.random.default_rng(4)
    low = xyz[rng.choice(len(xyz), 40, replace=False)] - (0, 0, 6.0)
    xyz, truth = np.r_[xyz, low], np.r_[truth, np.zeros(40, bool)]
    lost, gained, _ = errors(xyz, truth)
    assert lost < 0.002 and gained < 0.06


def test_order_and_parts_change_no_byte():
    xyz, _ = world(slope(0.2), [(box(0, 0, 60, 60), flat(12.0))])
    whole = find_ground(survey_of(xyz).lowest())
    grid = Grid.over(FRAME, AREA, 1.0)
    total = Survey(grid)
    for part in np.array_split(np.random.default_rng(1).permutation(len(xyz)), 5):
        other = Survey(grid.window(Region(-37, 12, 203, 212)))
        other.add(PointCloud(FRAME, xyz[part], np.zeros(len(part), np.uint8)))
        total.merge(other)
    again = find_ground(total.lowest())
    assert whole.dtm.values.tobytes() == again.dtm.values.tobytes()
    assert whole.slope.values.tobytes() == again.slope.values.tobytes()
    part = whole.window(Region(20, 40, 90, 100))
    inside = xyz[(np.abs(xyz[:, :2] - (55, 70)) < (34, 29)).all(axis=1)]
    assert np.array_equal(part.is_ground(inside), whole.is_ground(inside))


@pytest.mark.parametrize("density", [0.3, 1.0, 2.0, 30.0])
def test_any_density(density):
    houses = [(box(u, v, 12, 10), flat(9.0)) for u in (-60, 0, 60) for v in (-50, 50)]
    xyz, truth = world(slope(0.15), houses, density)
    cell = max(1.0, round(density**-0.5))
    got = find_ground(survey_of(xyz, cell=cell).lowest()).is_ground(xyz)
    assert (got != truth).mean() < 0.03


def test_relabelling_keeps_water_and_bridges_and_moves_false_ground():
    xyz, truth = world(slope(0.0), [(box(0, 0, 20, 20), flat(8.0))])
    codes = np.where(truth, PointClass.BUILDING, PointClass.GROUND).astype(np.uint8)
    codes[:10] = PointClass.WATER
    cloud = PointCloud(FRAME, xyz, codes)
    new = find_ground(survey_of(xyz).lowest()).relabel(cloud).classification
    assert (new[:10] == PointClass.WATER).all()
    assert (new[10:][truth[10:]] == PointClass.GROUND).mean() > 0.99
    assert (new[10:][~truth[10:]] == PointClass.ABOVE_GROUND).mean() > 0.98


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_a_handful_of_points_is_ground_or_nothing_but_no_crash(count):
    rng = np.random.default_rng(count)
    xyz = np.c_[rng.uniform((0, 50), (100, 150), (count, 2)), rng.uniform(60, 61, count)]
    assert find_ground(survey_of(xyz).lowest()).is_ground(xyz).any()
    assert find_ground(survey_of(np.repeat(xyz, 50, axis=0)).lowest()).is_ground(xyz).any()


def test_no_point_is_refused():
    with pytest.raises(InputError, match="no point"):
        find_ground(survey_of(np.empty((0, 3))).lowest())


def test_a_vendor_ground_is_doubted_where_it_is_missing_sparse_or_on_roofs():
    xyz, truth = world(slope(0.1), [(box(0, 0, 80, 60), flat(9.0))])
    model = find_ground(survey_of(xyz).lowest())
    right = np.where(truth, PointClass.GROUND, PointClass.UNCLASSIFIED)
    assert doubts(survey_of(xyz, right), model) == ""
    assert "there is none" in doubts(survey_of(xyz), model)
    corner = np.where(xyz[:, 0] < -10, right, PointClass.UNCLASSIFIED)
    assert "covers only" in doubts(survey_of(xyz, corner), model)
    everything = np.full(len(xyz), PointClass.GROUND)
    everything[truth & (np.arange(len(xyz)) % 3 > 0)] = PointClass.UNCLASSIFIED
    swapped = np.where(truth & (xyz[:, 1] < 140), PointClass.UNCLASSIFIED, everything)
    assert doubts(survey_of(xyz, swapped), model) != ""
