"""How blocks between streets are filled: rows of houses, halls, courts, villas, parks.

A block is a rectangle of its own axes, a from 0 to length along the street, b from 0 to depth; its b = 0
side is the one farther right (south-south-east) in the valley.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.sample import shapes
from pipelines.sample.things import ABOVE_GROUND, Axes, Prism, box
from pipelines.sample.town import Town


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A place to fill: axes at its corner, length along a, depth along b [m], its own random numbers."""

    axes: Axes
    length: float
    depth: float
    rng: np.random.Generator


@dataclass(frozen=True, slots=True)
class RowStyle:
    """What a row of houses looks like: ranges of width, depth, storeys; shares of annexes and mansards."""

    width: tuple[float, float]
    depth: tuple[float, float]
    levels: tuple[int, int]
    annex: float
    mansard: float
    nature: str


WORKERS = RowStyle((4.8, 6.0), (8.2, 9.6), (2, 2), 0.75, 0.0, "Maison ouvriere")
TOWN_HOUSES = RowStyle((5.5, 7.0), (10.0, 12.0), (3, 4), 0.45, 0.25, "Maison de ville")


def row(town: Town, axes: Axes, length: float, style: RowStyle, rng: np.random.Generator) -> None:
    """A row of houses with shared party walls along a, fronts on b = 0, gardens behind."""
    deep = rng.uniform(*style.depth)
    a, group = 0.0, 0
    while length - a > style.width[0]:
        if group == 0:
            group = int(rng.integers(2, 8))
            levels = int(rng.integers(style.levels[0], style.levels[1] + 1))
            eave = 0.4 + levels * rng.uniform(2.75, 3.05)
            pitch = np.radians(rng.uniform(36.0, 44.0))
            steep = rng.random() < style.mansard
            wide = rng.uniform(*style.width)
        group -= 1
        if length - a - wide < style.width[0]:
            wide = length - a  # the last house takes what is left
        if wide <= 1.6 * style.width[1]:
            _house(town, axes.moved(a, 0.0), (wide, deep, eave, float(np.tan(pitch))), style, rng, steep)
        a += wide


def _house(
    town: Town,
    axes: Axes,
    measures: tuple[float, float, float, float],
    style: RowStyle,
    rng: np.random.Generator,
    steep: bool,
) -> None:
    wide, deep, eave, slope = measures
    rise = rng.uniform(-0.06, 0.06)
    if steep:
        shape = shapes.mansard(wide, deep, eave, eave + 2.3, eave + 2.3 + (deep / 2 - 1.2) * 0.35)
    else:
        annex = None
        if rng.random() < style.annex:
            annex = (wide * rng.uniform(0.5, 0.65), rng.uniform(3.0, 4.8), rng.uniform(2.9, 3.5))
        low, ridge = eave + rise, eave + rise + slope * deep / 2
        forms = town.rng(907, round(10 * axes.x), round(10 * axes.y))
        if annex is None and wide > 5.2 and forms.random() < 0.45:
            start, width = forms.uniform(0.9, 1.6), forms.uniform(1.8, 2.6)
            shape = shapes.dormered(wide, deep, low, ridge, (start, start + width))
        else:
            shape = shapes.gable(wide, deep, low, ridge, annex)
    made = town.build(axes, shape, style.nature)
    if made is not None and rng.random() < 0.6:
        top = max(z for face in made.shape.faces for _, z in face)
        town.prisms.append(
            box(axes, (0.05, deep / 2 - 0.7, 0.55, deep / 2 + 0.2), (top - 1.0, top + 0.9), ABOVE_GROUND)
        )


def cars(town: Town, axes: Axes, length: float, share: float, rng: np.random.Generator) -> None:
    """Parked cars along a, in bays of 6 m."""
    for a in np.arange(2.0, length - 6.0, 6.0):
        if rng.random() >= share:
            continue
        place = axes.moved(a + rng.uniform(0, 1.2), rng.uniform(-0.15, 0.15))
        if not town.near(place, 0.0):
            continue
        ground = town.valley.height(place.x, place.y)
        wide, long, top = rng.uniform(1.7, 1.85), rng.uniform(3.9, 4.7), rng.uniform(1.4, 1.7)
        town.prisms.append(box(place, (0, 0, long, wide), (ground - 1, ground + 0.62 * top), ABOVE_GROUND))
        town.prisms.append(
            box(place, (0.25 * long, 0.1, 0.85 * long, wide - 0.1), (ground, ground + top), ABOVE_GROUND)
        )


def terraces(town: Town, block: Block) -> None:
    """Workers' terraces back to back: two rows with their gardens between."""
    axes, length, depth, rng = block.axes, block.length, block.depth, block.rng
    row(town, axes, length, WORKERS, rng)
    row(town, axes.moved(length, depth, 2), length, WORKERS, rng)
    cars(town, axes.moved(0, -2.3), length, 0.45, rng)
    cars(town, axes.moved(0, depth + 0.5), length, 0.45, rng)
    _gardens(town, block, 14.5)


def _gardens(town: Town, block: Block, inset: float) -> None:
    rng = block.rng
    area = block.length * max(0.0, block.depth - 2 * inset)
    for _ in range(int(area / 90)):
        a, b = rng.uniform(2, block.length - 2), rng.uniform(inset, block.depth - inset)
        x, y = block.axes.local(np.array([[a, b]]))[0]
        town.plant("shrub" if rng.random() < 0.55 else "garden", float(x), float(y), rng)
    for _ in range(int(area / 350)):
        a, b = rng.uniform(2, block.length - 5), rng.uniform(inset + 2, block.depth - inset - 5)
        size = rng.uniform(2.2, 3.6, 2)
        town.build(block.axes.moved(a, b), shapes.shed(size[0], size[1], 2.1, 2.6), "Annexe")


def main_street(town: Town, block: Block) -> None:
    """Terraces with a row of town houses at the end that faces the main street (a = 0 side)."""
    ends = block.axes.moved(0, block.depth, 3)
    row(town, ends, block.depth, TOWN_HOUSES, block.rng)
    inner = Block(block.axes.moved(15.0, 0), block.length - 15.0, block.depth, block.rng)
    terraces(town, inner)


def main_street_west(town: Town, block: Block) -> None:
    """The same on the western side of the main street (a = length side)."""
    row(town, block.axes.moved(block.length, 0, 1), block.depth, TOWN_HOUSES, block.rng)
    terraces(town, Block(block.axes, block.length - 15.0, block.depth, block.rng))


def town_houses(town: Town, block: Block) -> None:
    """A closed block of town houses around gardens."""
    axes, length, depth, rng = block.axes, block.length, block.depth, block.rng
    row(town, axes, length, TOWN_HOUSES, rng)
    row(town, axes.moved(length, depth, 2), length, TOWN_HOUSES, rng)
    side = depth - 33.0
    if side > 7.0:
        row(town, axes.moved(length, 16.5, 1), side, TOWN_HOUSES, rng)
        row(town, axes.moved(0, depth - 16.5, 3), side, TOWN_HOUSES, rng)
    cars(town, axes.moved(0, -2.4), length, 0.5, rng)
    _gardens(town, block, 17.0)


def courts(town: Town, block: Block) -> None:
    """Blocks of flats around open courts, and a row of town houses to fill up."""
    rng = block.rng
    a = 0.0
    while block.length - a > 34.0:
        wide = min(rng.uniform(34.0, 46.0), block.length - a)
        deep = min(block.depth, rng.uniform(36.0, 48.0))
        eave = 0.4 + 3.0 * int(rng.integers(3, 5))
        shape = shapes.courtyard(wide, deep, rng.uniform(9.5, 11.0), eave, eave + rng.uniform(3.0, 4.0))
        town.build(block.axes.moved(a, block.depth - deep), shape, "Immeuble a cour")
        x, y = block.axes.local(np.array([[a + wide / 2, block.depth - deep / 2]]))[0]
        town.plant("garden", float(x), float(y), rng)
        a += wide + 6.0
    if block.length - a > 12.0:
        row(town, block.axes.moved(block.length, block.depth, 2), block.length - a, TOWN_HOUSES, rng)
    if block.depth > 52.0:
        cars(town, block.axes.moved(2.0, 2.0), block.length - 4, 0.6, rng)


def halls(town: Town, block: Block) -> None:
    """Old works: saw-tooth halls and parallel gabled bays, yards between them."""
    rng = block.rng
    a = 1.0
    while block.length - a > 32.0:
        wide = min(float(rng.uniform(40.0, 75.0)), block.length - a - 1.0)
        deep = min(block.depth - 6.0, float(rng.uniform(60.0, 150.0)))
        eave = rng.uniform(9.5, 13.0)
        if rng.random() < 0.62:
            teeth = max(3, int(wide / rng.uniform(7.5, 10.0)))
            shape = shapes.saw_tooth(wide, deep, teeth, eave - 3.0, eave + 0.8)
        else:
            count = max(1, round(wide / rng.uniform(16.0, 22.0)))
            shape = shapes.bays(wide, deep, count, eave, eave + wide / count / 2 * 0.36)
        town.build(block.axes.moved(a, 3.0), shape, "Batiment industriel")
        a += wide + rng.uniform(7.0, 14.0)
    if block.depth > 90:
        cars(town, block.axes.moved(2.0, block.depth - 3.0), block.length - 4, 0.5, rng)


def furnace(town: Town, block: Block) -> None:
    """A blast furnace with its stoves, chimney and casting hall on a wide yard."""
    axes, rng = block.axes, block.rng
    middle, high = block.length * 0.42, block.depth * 0.62
    town.build(axes.moved(middle, high), shapes.octagon(8.5, rng.uniform(52, 60)), "Haut fourneau")
    for k in range(4):
        stove = axes.moved(middle + 17 + 9.5 * k, high + 4)
        town.build(stove, shapes.octagon(3.7, 33.0 + rng.uniform(-0.5, 0.5)), "Cowper")
    town.build(axes.moved(middle + 32, high - 13), shapes.octagon(2.4, rng.uniform(66, 74)), "Cheminee")
    hall = shapes.bays(38.0, 30.0, 2, 14.0, 18.0)
    town.build(axes.moved(middle - 19, 4.0), hall, "Halle de coulee")
    shed = shapes.setback(24.0, 22.0, 6.0, 9.0, 15.0)
    town.build(axes.moved(middle + 26, 6.0), shed, "Batiment industriel")
    # The inclined skip bridge that feeds the furnace: one tilted lattice beam.
    foot = axes.moved(middle - 34, high)
    ground = town.valley.height(foot.x, foot.y)
    corners = foot.local(np.array([[0, -1.5], [26, -1.5], [26, 1.5], [0, 1.5]]))
    run = np.array([foot.c, foot.s]) * (48.0 / 26.0)
    plane = np.array([run[0], run[1], ground + 3 - run @ np.array([foot.x, foot.y])])
    town.prisms.append(Prism(corners, plane, ground - 1, ABOVE_GROUND, 0.7))


def _villa(
    wide: float, deep: float, eave: float, slope: float, hipped: bool, forms: np.random.Generator
) -> shapes.Shape:
    """The roof of one villa."""
    ridge, kind = eave + slope * deep / 2, forms.random()
    if kind < 0.15:
        return shapes.half_hip(wide, deep, eave, ridge, forms.uniform(1.2, 2.0))
    if kind < 0.35:
        thick = 0.6 * deep
        return shapes.corner(wide, deep + 1.5, thick, eave, eave + slope * thick / 2)
    if kind < 0.42:
        return shapes.butterfly(wide, deep, eave + 1.2, eave + 0.2)
    make = shapes.hip if hipped else shapes.gable
    return make(wide, deep, eave, ridge)


def villas(town: Town, block: Block) -> None:
    """Detached houses under hipped and gabled roofs with eaves that stand out, in gardens."""
    rng = block.rng
    for side in (0, 1):
        axes = block.axes if side == 0 else block.axes.moved(block.length, block.depth, 2)
        a = rng.uniform(1.0, 5.0)
        while block.length - a > 16.0:
            wide, deep = rng.uniform(9.5, 13.0), rng.uniform(8.2, 9.4)
            eave = rng.choice([3.1, 5.6])
            slope = np.tan(np.radians(rng.uniform(30, 42)))
            hipped = rng.random() < 0.6
            house = _villa(wide, deep, float(eave), float(slope), hipped, town.rng(908, round(10 * a), side))
            town.build(
                axes.moved(a, rng.uniform(4, 7)), house, "Villa", overhang=float(rng.uniform(0.3, 0.5))
            )
            a += wide + rng.uniform(5.0, 11.0)
    _gardens(town, block, 17.0)


def slabs(town: Town, block: Block) -> None:
    """Flats of the last decades: flat roofs, R+3 to R+6, on lawns."""
    rng = block.rng
    a = 4.0
    while block.length - a > 30.0:
        wide, deep = min(rng.uniform(30, 52), block.length - a - 2), rng.uniform(12, 14.5)
        top = 0.5 + 3.0 * int(rng.integers(4, 8))
        town.build(
            block.axes.moved(a, block.depth * 0.45),
            shapes.setback(wide, deep, 3.2, top, top + 2.8),
            "Immeuble",
        )
        a += wide + rng.uniform(12, 20)
    cars(town, block.axes.moved(2.0, 4.0), block.length - 4, 0.7, rng)
    park_trees(town, block, 260.0, "broadleaf")


def park_trees(town: Town, block: Block, area_per_tree: float, kind: str = "broadleaf") -> None:
    """Loose trees over a block, one to so many square metres, clear of buildings."""
    rng = block.rng
    count = int(block.length * block.depth / area_per_tree)
    ab = rng.uniform([2, 2], [block.length - 2, block.depth - 2], (count, 2))
    points = block.axes.local(ab)
    for x, y in points:
        if town.clear(float(x), float(y), 4.0):
            town.plant(kind, float(x), float(y), rng)


def park(town: Town, block: Block) -> None:
    """A park: clumps of trees around a lawn, a pavilion."""
    rng = block.rng
    town.build(
        block.axes.moved(block.length * 0.5, block.depth * 0.45), shapes.hip(9.0, 7.0, 3.2, 5.2), "Pavillon"
    )
    for _ in range(max(2, int(block.length * block.depth / 1500))):
        a, b = rng.uniform(6, block.length - 6), rng.uniform(6, block.depth - 6)
        for _ in range(int(rng.integers(4, 10))):
            x, y = block.axes.local(np.array([[a, b]]) + rng.normal(0, 5.0, (1, 2)))[0]
            town.plant("broadleaf", float(x), float(y), rng, 0.9)


def square(town: Town, block: Block) -> None:
    """A square with a church, rows of trees around it and parked cars."""
    rng, axes = block.rng, block.axes
    nave = shapes.church(min(38.0, block.length - 24), 13.0, 10.5, 16.5, 23.0)
    town.build(axes.moved(block.length * 0.5 - 19, block.depth * 0.5 - 6.5), nave, "Eglise")
    for b in (5.0, block.depth - 5.0):
        for a in np.arange(5.0, block.length - 4.0, 8.0):
            x, y = axes.local(np.array([[a, b]]))[0]
            town.plant("street", float(x), float(y), rng)
    cars(town, axes.moved(4.0, 9.0), block.length - 8, 0.7, rng)
    cars(town, axes.moved(4.0, block.depth - 11.0), block.length - 8, 0.7, rng)


def empty(town: Town, block: Block) -> None:
    """Open land: a few shrubs."""
    park_trees(town, block, 900.0, "shrub")


Filler = Callable[[Town, Block], None]
FILLERS: dict[str, Filler] = {
    "terraces": terraces,
    "main": main_street,
    "main-west": main_street_west,
    "town": town_houses,
    "courts": courts,
    "halls": halls,
    "furnace": furnace,
    "villas": villas,
    "slabs": slabs,
    "park": park,
    "square": square,
    "empty": empty,
}
"""Kinds of blocks by name."""
