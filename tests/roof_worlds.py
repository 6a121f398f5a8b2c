"""Roofs with known planes, and points on them as a scanner gives them. Everything here is invented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import rotate, translate

from tests.building_worlds import CENTRE


@dataclass(frozen=True)
class RoofWorld:
    """A roof in its own axes: pieces with planes z = a x + b y + c; turned and moved into the world."""

    pieces: tuple[tuple[shapely.Polygon, tuple[float, float, float]], ...]
    turn: float = 27.0

    @property
    def outline(self) -> shapely.Polygon:
        whole = shapely.union_all([piece for piece, _ in self.pieces])
        return translate(rotate(whole, self.turn, origin=(0, 0)), *CENTRE)

    def place(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        a = np.radians(self.turn)
        return xy @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + CENTRE

    def points(self, density: float = 8.0, noise: float = 0.03, seed: int = 4) -> NDArray[np.float64]:
        rng = np.random.default_rng(seed)
        found = []
        for piece, (a, b, c) in self.pieces:
            west, south, east, north = piece.bounds
            xy = rng.uniform(
                (west, south), (east, north), (int(density * (east - west) * (north - south)), 2)
            )
            xy = xy[shapely.contains_xy(piece, xy)]
            z = xy @ [a, b] + c + rng.normal(0, noise, len(xy))
            found.append(np.column_stack([self.place(xy), z]))
        return np.concatenate(found)

    def volume_above(self, height: float) -> float:
        """Volume between the roof and a level ground [m3]."""
        return sum(
            piece.area * (a * piece.centroid.x + b * piece.centroid.y + c - height)
            for piece, (a, b, c) in self.pieces
        )


def piece(*corners: tuple[float, float]) -> shapely.Polygon:
    return shapely.Polygon(corners)


def gable(
    w: float = 12.0, t: float = 8.0, eaves: float = 80.0, pitch: float = 0.8, turn: float = 27.0
) -> RoofWorld:
    """Two planes; the ridge along x."""
    low, high = shapely.box(-w / 2, -t / 2, w / 2, 0), shapely.box(-w / 2, 0, w / 2, t / 2)
    ridge = eaves + pitch * t / 2
    return RoofWorld(((low, (0, pitch, ridge)), (high, (0, -pitch, ridge))), turn)


def hip(
    w: float = 14.0, t: float = 9.0, eaves: float = 80.0, pitch: float = 0.7, turn: float = 27.0
) -> RoofWorld:
    """Four planes of one pitch."""
    a, b = w / 2, t / 2
    c = eaves + pitch * b
    r = a - b
    return RoofWorld(
        (
            (piece((-a, -b), (a, -b), (r, 0), (-r, 0)), (0, pitch, c)),
            (piece((a, -b), (a, b), (r, 0)), (-pitch, 0, eaves + pitch * a)),
            (piece((a, b), (-a, b), (-r, 0), (r, 0)), (0, -pitch, c)),
            (piece((-a, b), (-a, -b), (-r, 0)), (pitch, 0, eaves + pitch * a)),
        ),
        turn,
    )


def tower(turn: float = 27.0) -> RoofWorld:
    """A flat roof of 16 x 12 m with a core of 6 x 5 m that is 5 m higher."""
    core = shapely.box(-3, -2, 3, 3)
    return RoofWorld(((shapely.box(-8, -6, 8, 6).difference(core), (0, 0, 82.0)), (core, (0, 0, 87.0))), turn)


def corner_house(turn: float = 27.0) -> RoofWorld:
    """Two gabled wings of 8 m that meet in an L, with a valley and a hip between them."""
    p = 0.8
    top = 80.0 + 4 * p
    return RoofWorld(
        (
            # Wing along x (y 0..8), its ridge at y = 4; wing along y (x 0..8), its ridge at x = 4.
            (piece((0, 0), (20, 0), (20, 4), (4, 4)), (0, p, 80.0)),
            (piece((8, 8), (4, 4), (20, 4), (20, 8)), (0, -p, top + 4 * p)),
            (piece((0, 0), (4, 4), (4, 20), (0, 20)), (p, 0, 80.0)),
            (piece((8, 8), (8, 20), (4, 20), (4, 4)), (-p, 0, top + 4 * p)),
        ),
        turn,
    )


def pinwheel(turn: float = 27.0) -> RoofWorld:
    """Four flat quarters, high and low in turn, that meet in one point: a solid that would touch itself."""
    heights = {(0, 0): 86.0, (1, 0): 81.0, (1, 1): 86.0, (0, 1): 81.0}
    return RoofWorld(
        tuple(
            (shapely.box(-8 + 8 * i, -8 + 8 * j, 8 * i, 8 * j), (0.0, 0.0, z))
            for (i, j), z in heights.items()
        ),
        turn,
    )
