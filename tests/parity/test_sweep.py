"""The sweep over a height field against the reference, against triangles, and against what geometry says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tolerances import SWEEP_SHARE, SWEEP_STRAY_SHARE
from twin.errors import InputError
from twin.sun.position import direction_local
from twin.visibility import sweep
from twin.visibility.caster import choose_device, make_caster
from twin.visibility.occluders import HeightField
from twin.visibility.sweep import SunSweep


def town(size: int = 120, cell: float = 0.5, seed: int = 5) -> HeightField:
    """Synthetic: a slope with blocks of 3 to 20 m, and some holes without a height."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] * cell
    heights = 60 + 0.08 * x - 0.05 * y + random.normal(0, 0.02, x.shape)
    for _ in range(size // 6):
        row, col = random.integers(0, size - 10, 2)
        part = slice(row, row + random.integers(6, 30)), slice(col, col + random.integers(6, 30))
        heights[part] = 60 + random.uniform(3, 20)
    heights[40:44, 70:90] = np.nan
    return HeightField(heights, cell, cell, 0.0, 0.0)


def by_rays(field: HeightField, azimuth: float, altitude: float, engine: str) -> np.ndarray:
    """The same question asked of a caster, from the cell centres."""
    x, y = field.centres()
    gx, gy = np.meshgrid(x, y)
    points = np.column_stack([gx.ravel(), gy.ravel(), field.heights.ravel()])
    known = np.isfinite(points[:, 2])
    lit = np.zeros(len(points), dtype=bool)
    caster = make_caster(field, choose_device(engine), threads=2)
    lit[known] = ~caster.occluded(points[known], direction_local(azimuth, altitude))
    caster.close()
    return lit.reshape(field.shape)


def near_edge(lit: np.ndarray) -> np.ndarray:
    """Cells beside one that is of the other kind."""
    wide = np.pad(lit, 1, mode="edge")
    around = np.stack([wide[1 + i : wide.shape[0] - 1 + i, 1 + j : wide.shape[1] - 1 + j]
                       for i in (-1, 0, 1) for j in (-1, 0, 1)])  # fmt: skip
    return around.any(axis=0) & ~around.all(axis=0)


SUNS = [(0, 20), (33, 35), (90, 15), (135, 12), (180, 60), (225, 35), (251, 8), (300, 28), (345, 50)]


@pytest.mark.parametrize(("azimuth", "altitude"), SUNS)
@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_the_sweep_is_the_reference_but_for_edges(azimuth: float, altitude: float, engine: str) -> None:
    field = town()
    expected, found = (
        by_rays(field, azimuth, altitude, engine),
        SunSweep(field).lit(direction_local(azimuth, altitude)),
    )
    assert 0.2 < expected.mean() < 0.97
    differ = (found != expected) & ~np.isnan(field.heights)
    stray = differ & ~near_edge(expected)
    print(f"{100 * differ.mean():.2f} % differ, {100 * stray.mean():.3f} % away from an edge")
    assert differ.mean() <= SWEEP_SHARE
    assert stray.mean() <= SWEEP_STRAY_SHARE


@given(st.floats(0, 360), st.floats(3, 85), st.floats(0, 0.97), st.sampled_from([0.5, 1.0]))
def test_a_plane_less_steep_than_the_sun_is_wholly_lit(
    azimuth: float, altitude: float, share: float, cell: float
) -> None:
    """Whatever the azimuth: a slope that rises towards the sun shades itself only where it is the steeper one."""
    y, x = np.mgrid[0:60, 0:80] * cell
    east, north = np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))
    slope = min(share * np.tan(np.radians(altitude)), 1.9)
    plane = HeightField(slope * (x * east - y * north), cell, cell, 0.0, 0.0)
    assert SunSweep(plane).lit(direction_local(azimuth, altitude)).all()
    steeper = HeightField(1.2 * np.tan(np.radians(altitude)) * (x * east - y * north), cell, cell, 0.0, 0.0)
    # All that has another cell towards the sun, and stands for a millimetre of shadow, is dark.
    if altitude > 10:
        assert not SunSweep(steeper).lit(direction_local(azimuth, altitude))[2:-2, 2:-2].any()


@given(st.floats(0, 360), st.floats(8, 60))
def test_the_shadow_of_an_oblique_wall_is_as_long_as_its_jags_allow(azimuth: float, altitude: float) -> None:
    """A wall of whole cells at right angles to the sun: its front is uneven by a cell, its shadow by two."""
    cell, size = 0.5, 400
    y, x = np.mgrid[0:size, 0:size] * cell
    x, y = x - 100, 100 - y
    towards = np.array([np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))])
    along = -(x * towards[0] + y * towards[1])  # metres behind the middle, away from the sun
    aside = x * towards[1] - y * towards[0]
    heights = np.where((along <= 0) & (along > -4), 10.0, 0.0)
    lit = SunSweep(HeightField(heights, cell, cell, 0.0, 0.0)).lit(direction_local(azimuth, altitude))
    length = 10 / np.tan(np.radians(altitude))
    middle = (np.abs(aside) < 20) & (along > 1)
    step = 2 * cell
    reach = min(length, 85.0)
    assert not lit[middle & (along < reach - step)].any()
    if length < 80:
        assert lit[middle & (along > length + step) & (along < 90)].all()


@pytest.mark.parametrize("azimuth", [0, 90, 180, 270])
@pytest.mark.parametrize(("altitude", "length"), [(45.0, 20.0), (30.0, 34.641), (15.0, 74.641)])
def test_the_shadow_of_a_wall_ends_within_half_a_cell(azimuth: float, altitude: float, length: float) -> None:
    """A wall of 20 m along the grid, cells of 1 m: read linearly, the shadow starts half a cell inside the wall."""
    heights = np.zeros((200, 9))
    heights[100:104] = 20.0
    turns = (180 - azimuth) // 90 % 4
    field = HeightField(np.rot90(heights, turns), 1.0, 1.0, 0.0, 0.0)
    lit = np.rot90(SunSweep(field).lit(direction_local(float(azimuth), altitude)), -turns)
    dark = (~lit[:100]).sum(axis=0)
    assert len(set(dark.tolist())) == 1
    # The edge lies midway between the last dark centre and the first lit one: at a whole number of cells.
    assert abs(dark[0] - length) <= 0.5 + 0.5, "half a cell of the edge's place, half of the wall's"
    assert lit[104:].all()


def test_a_quarter_turn_turns_the_answer() -> None:
    field = town(90)
    for azimuth, altitude in SUNS:
        turned = HeightField(np.rot90(field.heights), 0.5, 0.5, 0.0, 0.0)
        whole = SunSweep(field).lit(direction_local(azimuth, altitude))
        other = SunSweep(turned).lit(direction_local(azimuth - 90, altitude))
        assert (np.rot90(whole) != other).mean() < 0.002, "only what rounding decides"


def test_cells_that_are_not_square() -> None:
    """Half as many columns of twice the width: shadows of blocks of whole cells are as long."""
    field = town(100, cell=1.0)
    wide = HeightField(np.repeat(field.heights, 2, axis=1), 0.5, 1.0, 0.0, 0.0)
    for azimuth, altitude in [(180, 40), (0, 30)]:
        one = SunSweep(field).lit(direction_local(azimuth, altitude))
        two = SunSweep(wide).lit(direction_local(azimuth, altitude))
        assert (two[:, ::2] == one).all()


@pytest.mark.parametrize("lines", [2, 64, 1000])
@pytest.mark.parametrize("threads", [1, 3])
def test_bands_and_threads_change_no_byte(lines: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    field = town()
    suns = [direction_local(a, h) for a, h in SUNS]
    expected = SunSweep(field).count(suns)
    monkeypatch.setattr(sweep, "LINES", lines)
    assert SunSweep(field, threads=threads).count(suns).tobytes() == expected.tobytes()
    assert expected.max() == len(suns)
    assert (sum(SunSweep(field).lit(s).astype(np.uint16) for s in suns) == expected).all()


def test_small_fields_and_suns_below() -> None:
    one = HeightField(np.array([[5.0]]), 1.0, 1.0, 0.0, 0.0)
    assert SunSweep(one).lit(direction_local(200.0, 5.0)).tolist() == [[True]]
    assert SunSweep(one).lit(np.array([0.0, 0.0, 1.0])).tolist() == [[True]]
    assert SunSweep(one).lit(direction_local(200.0, -1.0)).tolist() == [[False]]
    hole = HeightField(np.array([[5.0, np.nan, 5.0]]), 1.0, 1.0, 0.0, 0.0)
    assert SunSweep(hole).lit(direction_local(90.0, 30.0)).tolist() == [[True, False, True]]
    with pytest.raises(InputError, match="three finite numbers"):
        SunSweep(one).lit(np.array([0.0, np.nan, 1.0]))
    with pytest.raises(InputError, match="threads"):
        SunSweep(one, threads=0)


def test_samples_above_the_ground_see_more() -> None:
    field = town()
    direction = direction_local(225.0, 25.0)
    low, high = (SunSweep(field, field.heights + h).lit(direction) for h in (0.0, 2.0))
    assert (high | ~low).all() and high.sum() > low.sum()


def test_the_ground_under_a_crown_is_asked_about() -> None:
    """A crown of 3 x 3 cells, 6 m high: below it the sun at 45 degrees comes in where no other cell is in the way."""
    heights, ground = np.zeros((40, 40)), np.zeros((40, 40))
    heights[20:23, 20:23] = 6.0
    lit = SunSweep(HeightField(heights, 1.0, 1.0, 0.0, 0.0), ground).lit(direction_local(180.0, 45.0))
    assert lit[22, 20:23].all(), "the southern row is open to the south"
    assert not lit[20:22, 20:23].any()
    with pytest.raises(InputError, match="do not fit"):
        SunSweep(HeightField(heights, 1.0, 1.0, 0.0, 0.0), ground[:3])
