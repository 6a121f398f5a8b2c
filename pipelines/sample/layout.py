"""Where the blocks lie: streets bent with the river, bands from quay to slope, places the plan changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.sample.blocks import FILLERS, Block
from pipelines.sample.green import green
from pipelines.sample.ground import make_valley
from pipelines.sample.links import BRIDGE_U, DECK_END_M, links
from pipelines.sample.sizes import SampleSize
from pipelines.sample.things import Axes
from pipelines.sample.town import PlanSite, Town

MAIN_STREET_M = 16.0
"""Width of the main street [m]."""


@dataclass(frozen=True, slots=True)
class Band:
    """A strip along the valley: d of its two edges [m] and the kinds of blocks in it with their weights."""

    near_right: float
    near_left: float
    kinds: tuple[tuple[str, float], ...]


TOWN_COLUMNS = (-372.0, -262.0, -140.0, BRIDGE_U, 122.0, 236.0, 350.0)
"""Middles of the demo's cross streets, along the valley [m]; the main street is the one at the bridge."""

TOWN_BANDS = ((-160.0, -96.0), (-248.0, -170.0), (-332.0, -277.0), (-395.0, -341.0), (-449.0, -404.0))
"""Edges of the demo's bands; the boulevard, 25 m, runs between the second and the third."""

TOWN_BLOCKS = (
    ("terraces", "town", "square", "tower", "town", "courts"),
    ("halls", "furnace", "corridor", "entrance", "boulevard", "halls"),
    ("terraces", "terraces", "main-west", "main", "terraces", "terraces"),
    ("terraces", "slabs", "main-west", "main", "park", "terraces"),
    ("terraces", "villas", "villas", "villas", "villas", "villas"),
)
"""Kinds of blocks of the demo, band by band from the quay, column by column."""

TERRACES = (("terraces", 7.0), ("town", 0.7), ("park", 0.6), ("slabs", 0.9), ("square", 0.25))
WORKS = (("halls", 6.0), ("furnace", 0.8), ("empty", 1.6), ("terraces", 1.0))
QUAY = (("town", 4.0), ("courts", 3.0), ("terraces", 1.0), ("slabs", 1.0), ("square", 0.4))
HILL = (("villas", 3.0), ("empty", 4.0))
HEIGHTS = (("villas", 4.0), ("slabs", 0.7), ("empty", 4.0), ("terraces", 0.4))

VALLEY_BANDS: tuple[Band, ...] = (
    Band(-160.0, -96.0, QUAY),
    Band(-320.0, -170.0, WORKS),
    *(Band(-349.0 - 64 * k - 54, -349.0 - 64 * k, TERRACES) for k in range(9)),
    Band(-992.0, -934.0, HILL),
    Band(-1080.0, -1002.0, (("villas", 3.0), ("terraces", 1.0), ("empty", 1.0))),
    *(Band(-1180.0 - 160 * k - 60, -1180.0 - 160 * k, HILL) for k in range(5)),
    *(Band(-2080.0 - 72 * k - 60, -2080.0 - 72 * k, HEIGHTS) for k in range(9)),
    Band(96.0, 156.0, QUAY),
    *(Band(166.0 + 64 * k, 220.0 + 64 * k, TERRACES) for k in range(5)),
    Band(500.0, 558.0, HILL),
    Band(640.0, 700.0, HILL),
    *(Band(1190.0 + 72 * k, 1250.0 + 72 * k, HEIGHTS) for k in range(8)),
)
"""Bands of the whole valley, right bank first, from the river outward."""


def make_town(size: SampleSize, seed: int) -> Town:
    """Everything that stands in one sample: buildings, trees, other things, places of the plan."""
    valley = make_valley(size, seed, BRIDGE_U, DECK_END_M)
    east, north = size.frame().origin
    town = Town(size, seed, valley, size.window.shifted(-east, -north))
    _keep_free(town)
    if size.valley_wide:
        _valley_blocks(town)
    else:
        for band, kinds in enumerate(TOWN_BLOCKS):
            for column, kind in enumerate(kinds):
                right, left = TOWN_BANDS[band]
                _fill(town, kind, (column, band), _edges(column), (right, left))
        _left_bank(town)
    links(town)
    green(town)
    return town


def _edges(column: int) -> tuple[float, float]:
    """u of both ends of a block: cross streets are 11 m wide, the main street is wider."""
    west, east = TOWN_COLUMNS[column], TOWN_COLUMNS[column + 1]
    gap = [MAIN_STREET_M / 2 if u == BRIDGE_U else 5.5 for u in (west, east)]
    return west + gap[0], east - gap[1]


def _keep_free(town: Town) -> None:
    """Nothing is built in front of the bridge or on a slag heap."""
    for bank in (-1.0, 1.0):
        x, y = town.valley.local(BRIDGE_U, bank * 70.0)
        x1, y1 = town.valley.local(BRIDGE_U, bank * 108.0)
        away = float(np.hypot(x1 - x, y1 - y))
        axes = Axes(x, y, (x1 - x) / away, (y1 - y) / away)
        town.keep_free(axes.rectangle(0, -7.5, away, 7.5))
    for u0, d0, u1, d1, rise in town.size.heaps:
        x, y = town.valley.local((u0 + u1) / 2, (d0 + d1) / 2)
        half = float(np.hypot(u1 - u0, d1 - d0)) / 2 + rise / 0.65 + 4.0
        turned = Axes(x, y, 1.0, 0.0)
        town.keep_free(turned.rectangle(-half, -half, half, half))


def block_axes(town: Town, u: tuple[float, float], d: tuple[float, float]) -> tuple[Axes, float, float]:
    """Axes at the right corner of a block, its length and depth [m]; straight, along the bend's chord."""
    middle = (d[0] + d[1]) / 2
    x0, y0 = town.valley.local(u[0], middle)
    x1, y1 = town.valley.local(u[1], middle)
    length = float(np.hypot(x1 - x0, y1 - y0))
    depth = d[1] - d[0]
    chord = Axes(x0, y0, (x1 - x0) / length, (y1 - y0) / length)
    return chord.moved(0.0, -depth / 2), length, depth


def _fill(
    town: Town, kind: str, key: tuple[int, int], u: tuple[float, float], d: tuple[float, float]
) -> None:
    axes, length, depth = block_axes(town, u, d)
    centre = axes.moved(length / 2, depth / 2)
    if not town.near(centre, float(np.hypot(length, depth)) / 2):
        return
    rng = town.rng(21, key[0] + 1000, key[1] + 1000)
    block = Block(axes, length, depth, rng)
    if kind in SITE_FILLERS:
        _site(town, kind, block)
    else:
        FILLERS[kind](town, block)


SITE_FILLERS: dict[str, tuple[str, str]] = {
    "corridor": ("green-corridor", "halls"),
    "furnace": ("furnace-housing", "furnace"),
    "entrance": ("entrance", "halls"),
    "boulevard": ("boulevard", "halls"),
    "tower": ("tower", "slabs"),
}
"""Blocks that the plan changes: id of the proposal, and what stands there today."""


def _site(town: Town, kind: str, block: Block) -> None:
    """Fill a block whose buildings the plan will take away, and remember it."""
    proposal, filler = SITE_FILLERS[kind]
    before = len(town.buildings)
    FILLERS[filler](town, block)
    ids = tuple(b.id for b in town.buildings[before:])
    middle = block.axes.rectangle(4.0, block.depth * 0.15, block.length - 4.0, block.depth * 0.85)
    town.clear_trees(middle)
    site = PlanSite(block.axes, block.length, block.depth, ids)
    if town.inside(site.polygon, 0.5):
        town.sites[proposal] = site


def _left_bank(town: Town) -> None:
    """What little of the left bank the demo shows."""
    for column in range(len(TOWN_COLUMNS) - 1):
        _fill(town, "town" if column % 2 else "terraces", (column, 20), _edges(column), (98.0, 152.0))
        _fill(town, "terraces", (column, 21), _edges(column), (162.0, 214.0))


def _columns(half: float, rng: np.random.Generator) -> list[float]:
    """Middles of cross streets over the valley, the main street among them."""
    east = list(BRIDGE_U + np.cumsum(rng.uniform(95, 150, 14)))
    west = list(BRIDGE_U - np.cumsum(rng.uniform(95, 150, 14)))
    return [u for u in (*west[::-1], BRIDGE_U, *east) if abs(u) < half]


def _valley_blocks(town: Town) -> None:
    columns = _columns(1750.0, town.rng(22))
    main = columns.index(BRIDGE_U)
    chosen = {(1, main - 1): "corridor", (1, main - 2): "furnace", (1, main): "entrance"}
    chosen |= {(1, main + 1): "boulevard", (0, main): "tower", (0, main - 1): "square"}
    for row, band in enumerate(VALLEY_BANDS):
        names = [name for name, _ in band.kinds]
        weights = np.array([weight for _, weight in band.kinds])
        for column in range(len(columns) - 1):
            rng = town.rng(23, row, column)
            kind = str(rng.choice(names, p=weights / weights.sum()))
            kind = chosen.get((row, column), kind)
            if kind == "terraces" and 0 <= column - main + 1 <= 1 and band.near_right > -950:
                kind = "main" if column == main else "main-west"
            gap = [MAIN_STREET_M / 2 if columns[k] == BRIDGE_U else 5.5 for k in (column, column + 1)]
            u = (columns[column] + gap[0], columns[column + 1] - gap[1])
            _fill(town, kind, (column, row), u, (band.near_right, band.near_left))
