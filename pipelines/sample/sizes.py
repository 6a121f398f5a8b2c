"""The three sizes of the sample and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass

from pyproj import CRS

from twin.errors import UsageError
from twin.frame import Frame
from twin.region import Region

CRS_CODE = "EPSG:3812"
HEIGHTS_CODE = "EPSG:5710"
SITE_NAME = "Synthetic valley (sample)"
POINTS_PER_M2 = 6.8
"""Density of the Walloon campaign of 2021-2022 [1/m2]."""

PIVOT_WORLD = (732335.0, 644078.0)
"""Where the river's bend has its axis, world [m]: plausible for sun and convergence, no real place."""

VALLEY_RIGHT = (
    (-2900.0, 252.0),
    (-2150.0, 250.0),
    (-2000.0, 240.0),
    (-1500.0, 152.0),
    (-1120.0, 82.0),
    (-1040.0, 75.0),
    (-960.0, 72.0),
    (-900.0, 68.0),
    (-500.0, 65.5),
    (-94.0, 63.1),
    (-70.0, 63.0),
)
"""Cross section of the right bank: distance from the river's axis [m], height [m]."""

VALLEY_LEFT = (
    (70.0, 60.6),
    (79.0, 63.0),
    (300.0, 64.5),
    (520.0, 67.0),
    (620.0, 74.0),
    (1150.0, 158.0),
    (1400.0, 176.0),
    (2400.0, 182.0),
)
"""Cross section of the left bank, with a grassed bank instead of a quay wall."""

TOWN_RIGHT = (
    (-1100.0, 170.0),
    (-800.0, 126.0),
    (-580.0, 91.0),
    (-468.0, 72.0),
    (-410.0, 67.3),
    (-300.0, 65.2),
    (-94.0, 63.1),
    (-70.0, 63.0),
)
"""The same, squeezed together: a demo of 600 m holds river, plain and the foot of the slope."""

TOWN_LEFT = ((70.0, 60.6), (79.0, 63.0), (200.0, 64.0), (500.0, 67.0), (900.0, 120.0))


@dataclass(frozen=True, slots=True)
class SampleSize:
    """What one size of the sample is made of.

    Parameters
    ----------
    name
        ``small``, ``demo`` or ``valley``.
    window
        Rectangle of the site, world [m].
    valley_wide
        Whether the layout is the whole valley or the squeezed town.
    right, left
        Cross sections of the banks: distance from the river's axis and height [m].
    truth_cell
        Cell of the true ground that is written [m].
    study_cell, sun_steps
        Settings of the sample's studies: cell [m] and time step per day [min].
    heaps
        Slag heaps: (u, d) of both ends of the ridge and height above the ground [m].
    plates_h
        Solar hours of the shadow plates [h].
    picture
        Width and height of the stills [pixel].
    """

    name: str
    window: Region
    valley_wide: bool
    right: tuple[tuple[float, float], ...]
    left: tuple[tuple[float, float], ...]
    truth_cell: float
    study_cell: float
    sun_steps: tuple[tuple[str, int], ...]
    heaps: tuple[tuple[float, float, float, float, float], ...]
    plates_h: tuple[float, ...] = (9.0, 12.0, 15.0)
    picture: tuple[int, int] = (1920, 1080)

    def frame(self) -> Frame:
        """Frame of the site: origin at the window's centre, floored to whole 100 m."""
        east, north = self.window.centre
        return Frame(CRS.from_epsg(3812), HEIGHTS_CODE, (int(east // 100) * 100, int(north // 100) * 100))


DAYS = (("2026-03-21", 10), ("2026-06-21", 30), ("2026-12-21", 30))
TOWN_HEAPS = ((140.0, -512.0, 172.0, -520.0, 27.0),)

SIZES: dict[str, SampleSize] = {
    "small": SampleSize(
        name="small",
        window=Region(732365, 643820, 732555, 644040),
        valley_wide=False,
        right=TOWN_RIGHT,
        left=TOWN_LEFT,
        truth_cell=0.5,
        study_cell=2.0,
        sun_steps=(("2026-03-21", 60), ("2026-06-21", 120), ("2026-12-21", 60)),
        heaps=TOWN_HEAPS,
        plates_h=(12.0,),
        picture=(960, 540),
    ),
    "demo": SampleSize(
        name="demo",
        window=Region(732100, 643545, 732700, 644145),
        valley_wide=False,
        right=TOWN_RIGHT,
        left=TOWN_LEFT,
        truth_cell=0.5,
        study_cell=1.0,
        sun_steps=DAYS,
        heaps=TOWN_HEAPS,
    ),
    "valley": SampleSize(
        name="valley",
        window=Region(731500, 641500, 733500, 645500),
        valley_wide=True,
        right=VALLEY_RIGHT,
        left=VALLEY_LEFT,
        truth_cell=1.0,
        study_cell=2.0,
        sun_steps=DAYS,
        heaps=((-330.0, 860.0, -240.0, 890.0, 74.0), (330.0, 900.0, 380.0, 880.0, 58.0)),
    ),
}


def sample_size(name: str) -> SampleSize:
    """The size of that name.

    Raises
    ------
    UsageError
        No such size; the message lists them.
    """
    if name not in SIZES:
        raise UsageError(f"no sample size {name!r}; there are: {', '.join(SIZES)}")
    return SIZES[name]
