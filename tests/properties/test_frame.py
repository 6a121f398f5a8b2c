"""Laws of a frame: there and back, azimuths, and no mixing of two frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer

from twin.errors import FrameMismatchError, InputError
from twin.frame import Frame

FRAMES = [
    Frame(CRS.from_epsg(code), "unknown", origin)
    for code, origin in [
        (31370, (232_000, 143_000)),
        (3812, (732_000, 643_000)),
        (28992, (84_600, 447_500)),
        (2154, (652_000, 6_862_000)),
        (25832, (500_000, 5_600_000)),
        (3007, (150_000, 6_400_000)),
    ]
]
LOCAL = st.floats(-20_000, 20_000)
frames = st.sampled_from(FRAMES)


@given(frames, st.lists(st.tuples(LOCAL, LOCAL, LOCAL), min_size=1, max_size=9))
def test_there_and_back(frame: Frame, points: list[tuple[float, float, float]]) -> None:
    local = np.array(points)
    world = frame.to_world(local)
    assert np.array_equal(world[:, 2], local[:, 2]), "heights stay above the datum"
    assert world[:, :2] - local[:, :2] == pytest.approx(np.tile(frame.origin, (len(local), 1)), abs=1e-6)
    assert np.abs(frame.to_local(world) - local).max() < 1e-8


@given(frames, st.floats(-720, 720))
def test_azimuths_there_and_back(frame: Frame, azimuth: float) -> None:
    turned = frame.azimuth_true(frame.azimuth_grid(azimuth)) - azimuth
    assert abs((turned + 180) % 360 - 180) < 1e-9


@given(frames, st.floats(0, 360))
def test_a_true_azimuth_is_the_geodesics(frame: Frame, azimuth: float) -> None:
    """A step along a grid azimuth leaves in the true direction that the geodesic says."""
    east, north = np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))
    world = frame.to_world(np.array([[0.0, 0, 0], [200 * east, 200 * north, 0]]))
    way = Transformer.from_crs(frame.crs, frame.crs.geodetic_crs, always_xy=True)
    lon, lat = way.transform(world[:, 0], world[:, 1])
    geod = frame.crs.get_geod()
    assert isinstance(geod, Geod)
    forward, _, _ = geod.inv(lon[0], lat[0], lon[1], lat[1])
    # 200 m of curvature of a grid line is well below the tolerance.
    assert abs((forward - frame.azimuth_true(azimuth) + 180) % 360 - 180) < 0.01


def test_two_frames_do_not_mix() -> None:
    for one in FRAMES:
        one.require_same(one, "the roof")
        for other in FRAMES:
            if other is not one:
                with pytest.raises(FrameMismatchError, match="the roof lies in"):
                    one.require_same(other, "the roof")


def test_an_origin_is_in_whole_metres() -> None:
    with pytest.raises(InputError, match="whole metres"):
        Frame(CRS.from_epsg(3812), "EPSG:5710", (732_000.5, 643_000))  # type: ignore[arg-type]
