"""The footprint file of the sample: what a map knows of the true buildings, with a map's errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
import shapely.affinity

from pipelines.sample.things import TrueBuilding
from pipelines.sample.town import Town

SHIFT_M, SCATTER_M = 0.25, 0.04
"""Largest shift shared by neighbours, and standard deviation of each building's own [m]."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One row of the footprint file, local space; ``expected`` says what should become of a bad one."""

    georef_id: str
    nature: str
    outline: shapely.Polygon
    expected: str = ""


def drawn_footprints(town: Town, with_bad: bool) -> list[Drawn]:
    """The rows of the footprint file.

    Parameters
    ----------
    town
        The truth.
    with_bad
        Whether a handful of deliberately bad rows is added.
    """
    rng = town.rng(61)
    phases = rng.uniform(0, 2 * np.pi, 4)
    rows = [Drawn(b.id, b.nature, _drawn(b, phases, rng)) for b in town.buildings]
    return rows + (_bad(town, rows) if with_bad and rows else [])


def _drawn(building: TrueBuilding, phases: np.ndarray, rng: np.random.Generator) -> shapely.Polygon:
    """The walls under the roof, moved by an error that changes slowly over the town, and one of its own."""
    outline = building.outline
    if building.overhang > 0:
        outline = outline.buffer(-building.overhang, join_style="mitre")
    x, y = outline.centroid.coords[0]
    east = np.sin(x / 90.0 + phases[0]) * np.cos(y / 70.0 + phases[1])
    north = np.sin(y / 80.0 + phases[2]) * np.cos(x / 110.0 + phases[3])
    own = rng.normal(0.0, SCATTER_M, 2)
    moved: shapely.Polygon = shapely.affinity.translate(
        outline, SHIFT_M * east + own[0], SHIFT_M * north + own[1]
    )
    return moved


def _bad(town: Town, rows: list[Drawn]) -> list[Drawn]:
    """A self-crossing, a repeated, a zero-area, an outlying and an abandoned footprint."""
    w = town.window
    x, y = town.valley.local(60.0, -84.0)

    def at(*corners: tuple[float, float]) -> shapely.Polygon:
        return shapely.Polygon([(x + a, y + b) for a, b in corners])

    twice = rows[len(rows) // 2]
    far = shapely.box(w.east + 400.0, w.north + 400.0, w.east + 412.0, w.north + 409.0)
    return [
        Drawn("bad-bowtie", "Erreur de saisie", at((0, 0), (8, 6), (8, 0), (0, 6)), "self-crossing ring"),
        Drawn(twice.georef_id, twice.nature, twice.outline, "the same row twice"),
        Drawn("bad-line", "Erreur de saisie", at((12, 0), (20, 0), (28, 0), (12, 0)), "no area"),
        Drawn("bad-outside", "Hors zone", far, "outside the points"),
        Drawn(
            "bad-gone", "Batiment demoli", at((32, -3), (40, -3), (40, 3), (32, 3)), "nothing stands there"
        ),
    ]
