"""Colours: surfaces of the model, and classes of results; ramps that colour-blind readers can tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.model.surface import Surface

Colour = tuple[int, int, int]
"""sRGB, 0 to 255."""

SURFACES: dict[Surface | str, Colour] = {
    Surface.TERRAIN: (206, 209, 190),
    Surface.GROUND: (178, 172, 160),
    Surface.WALL: (233, 228, 218),
    Surface.ROOF: (196, 121, 96),
    Surface.OUTER_CEILING: (210, 204, 194),
    Surface.OUTER_FLOOR: (210, 204, 194),
    Surface.WINDOW: (150, 176, 196),
    Surface.DOOR: (150, 120, 96),
    Surface.WATER: (122, 166, 190),
    Surface.VEGETATION: (124, 154, 98),
    Surface.PLANT_COVER: (170, 182, 142),
    Surface.BRIDGE: (186, 184, 180),
    Surface.LAND_USE: (201, 208, 178),
    Surface.TRAFFIC_AREA: (190, 188, 186),
    Surface.AUXILIARY_TRAFFIC_AREA: (200, 199, 190),
    Surface.UNKNOWN: (220, 214, 204),
    Surface.OTHER: (210, 206, 198),
    "proposed_roof": (240, 160, 60),
    "proposed_wall": (250, 205, 140),
}
"""Existing buildings in plaster and tile, proposals in orange."""

POINT_CLASSES: dict[int, Colour] = {
    0: (160, 160, 160),
    1: (190, 190, 190),
    2: (168, 132, 92),
    3: (150, 200, 120),
    4: (110, 170, 80),
    5: (60, 130, 50),
    6: (200, 80, 60),
    9: (70, 130, 200),
    14: (230, 60, 160),
    15: (200, 120, 200),
    17: (130, 130, 150),
    64: (214, 126, 84),
    65: (90, 150, 70),
    66: (140, 140, 140),
}
"""Points by the toolkit's class."""


def surface_colours() -> dict[Surface | str, Colour]:
    """Colour per face type; ``proposed_roof`` and ``proposed_wall`` for what a scenario adds."""
    return dict(SURFACES)


@dataclass(frozen=True, slots=True)
class Ramp:
    """Classes of values: n + 1 limits and n colours; the last class is open above where ``open_end``."""

    limits: tuple[float, ...]
    colours: tuple[Colour, ...]
    open_end: bool = True

    def paint(self, values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """RGBA (rows, cols, 4) of a raster's values; transparent where NaN."""
        index = np.clip(np.searchsorted(self.limits, values, side="right") - 1, 0, len(self.colours) - 1)
        out = np.zeros((*values.shape, 4), dtype=np.uint8)
        out[..., :3] = np.array(self.colours, dtype=np.uint8)[index]
        out[..., 3] = np.where(np.isfinite(values), 255, 0)
        return out


# Sampled from cividis (Nunez, Anderton, Renslow 2018), dark for shade, bright for sun.
_CIVIDIS: tuple[Colour, ...] = (
    (0, 32, 77),
    (0, 49, 110),
    (50, 68, 108),
    (82, 87, 109),
    (108, 106, 114),
    (133, 126, 120),
    (159, 147, 117),
    (188, 169, 107),
    (217, 193, 91),
    (255, 234, 70),
)
# Losses towards brown-orange, gains towards blue-green (after ColorBrewer's BrBG and PuOr ideas).
_LOSS: tuple[Colour, ...] = ((127, 39, 4), (189, 82, 10), (236, 131, 43), (253, 190, 117))
_NONE: Colour = (240, 240, 238)
_GAIN: tuple[Colour, ...] = ((166, 206, 213), (84, 160, 178), (22, 104, 128), (1, 60, 82))


def hours_ramp(longest_h: float) -> Ramp:
    """Hours of sun up to the longest possible [h], in classes of one hour; of 2, 5, 10, ... for seasons and years."""
    return _classes(longest_h, class_width(longest_h))


def class_width(longest_h: float) -> float:
    """Width of the classes of hours [h]: 1, or the next 1, 2, 5 times a power of ten for some 12 classes."""
    if longest_h <= 24.0:
        return 1.0
    wanted = longest_h / 12.0
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= wanted - 1e-9))


def share_ramp() -> Ramp:
    """Shares from 0 to 1 in tenths."""
    made = _classes(1.0, 0.1)
    return Ramp(tuple(round(limit, 3) for limit in made.limits), made.colours)


def _classes(most: float, width: float) -> Ramp:
    count = max(2, int(np.ceil(most / width - 1e-9)))
    place = np.linspace(0.0, len(_CIVIDIS) - 1.0, count)
    known = np.array(_CIVIDIS, dtype=np.float64)
    mixed = np.stack([np.interp(place, np.arange(len(_CIVIDIS)), known[:, k]) for k in range(3)], axis=1)
    colours = tuple((int(r), int(g), int(b)) for r, g, b in np.rint(mixed))
    return Ramp(tuple(k * width for k in range(count)), colours)


def change_ramp(width: float = 1.0) -> Ramp:
    """Change of the hours of sun [h]: loss in orange, gain in blue, within a quarter of a class none.

    ``width`` is that of the classes of hours [h].
    """
    limits = (-24.0, -4.0, -2.0, -1.0, -0.25, 0.25, 1.0, 2.0, 4.0)
    return Ramp(tuple(limit * width for limit in limits), (*_LOSS, _NONE, *_GAIN))


def clock_ramp(first_h: float, last_h: float) -> Ramp:
    """Hours of the clock between two [h], in classes of one hour."""
    begin, end = int(np.floor(first_h)), max(int(np.ceil(last_h)), int(np.floor(first_h)) + 2)
    made = _classes(float(end - begin), 1.0)
    return Ramp(tuple(limit + begin for limit in made.limits), made.colours)


def percent_ramp(most: float) -> Ramp:
    """Percent up to the largest value, in classes of 1, 2, 5, 10."""
    width = next(step for step in (0.5, 1.0, 2.0, 5.0, 10.0) if most / step <= 12.0)
    return _classes(most, width)


def even_change_ramp(width: float) -> Ramp:
    """Change in classes of one width to either side: loss in orange, gain in blue, within a tenth of a class none."""
    limits = (-1000.0, -3.0, -2.0, -1.0, -0.1, 0.1, 1.0, 2.0, 3.0)
    return Ramp(tuple(limit * width for limit in limits), (*_LOSS, _NONE, *_GAIN))


def share_change_ramp() -> Ramp:
    """Change of a share of the sky: loss in orange, gain in blue, within 0.01 none."""
    limits = (-1.0, -0.2, -0.1, -0.05, -0.01, 0.01, 0.05, 0.1, 0.2)
    return Ramp(limits, (*_LOSS, _NONE, *_GAIN))


SHADE: Colour = (120, 124, 136)
"""Shadow that is there already."""
NEW_SHADE: Colour = (204, 76, 2)
"""Shadow that a proposal adds."""
GONE_SHADE: Colour = (65, 160, 175)
"""Shadow that goes with what is removed."""
ONE_STATE: Colour = (214, 214, 214)
"""Ground that has a value before or after, not both: the relief shows there."""
FREED_SHADE: Colour = (186, 168, 148)
"""Shadow on ground that only demolition lays open: no shadow was added there."""
SEEN: Colour = (244, 208, 63)
"""Ground that is seen before and after."""
SEEN_THROUGH: Colour = (190, 200, 120)
"""Ground that only crowns hide."""
NEWLY_SEEN: Colour = (65, 160, 175)
NEWLY_HIDDEN: Colour = (204, 76, 2)
EXISTING_FILL: Colour = (150, 146, 142)
PROPOSED_LINE: Colour = (178, 24, 43)
