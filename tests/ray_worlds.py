"""Synthetic worlds of triangles for rays, rays through them, and what it means that two engines agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tests.study_worlds import box, flat, scene_of, terrain_of
from twin.model.objects import Building
from twin.model.terrain import Terrain
from twin.study.occluders import face_table
from twin.visibility.caster import Caster, Hits, choose_device, make_caster
from twin.visibility.occluders import Triangles
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

REFERENCE = choose_device("reference")


def world(terrain: Terrain, *buildings: Building) -> Triangles:
    """Ground and buildings as bare triangles."""
    return face_table(scene_of(terrain, buildings)).triangles()


def _courtyard() -> Triangles:
    sides = [((0, 25), 60, 10), ((0, -25), 60, 10), ((25, 0), 10, 40), ((-25, 0), 10, 40)]
    return world(flat(90), *(box(f"s{k}", at, (w, d, 15)) for k, (at, w, d) in enumerate(sides)))


def _town() -> Triangles:
    random = np.random.default_rng(11)
    ground = terrain_of(lambda x, y: 0.05 * x + 3 * np.sin(y / 30), 150.0, 12)
    houses = []
    for k in range(25):
        x, y = random.uniform(-130, 130, 2)
        size = (*random.uniform(6, 20, 2), random.uniform(5, 40))
        houses.append(box(f"h{k}", (x, y), size, random.uniform(0, 90), base_m=0.05 * x - 3))
    return world(ground, *houses)


MADE: dict[str, Callable[[], Triangles]] = {
    "plane": lambda: world(flat(80)),
    "ramp": lambda: world(terrain_of(lambda x, y: 0.3 * x - 0.1 * y, 80.0, 4)),
    "wall": lambda: world(flat(80), box("w", (3, 2), (60, 0.5, 10))),
    "courtyard": _courtyard,
    "canyon": lambda: world(flat(150), *(box(f"s{x}", (x, 0), (12, 200, 18)) for x in (-14, 14))),
    "valley": lambda: world(terrain_of(lambda x, y: 0.4 * np.abs(x) + 0.01 * y, 100.0, 10)),
    "town": _town,
}

PLACES: dict[str, tuple[float, tuple[float, float, float]]] = {
    "as made": (0.0, (0.0, 0.0, 0.0)),
    "rotated and off-centre": (33.0, (6500.3, -7400.7, 81.9)),
}
"""Turn [degree] and shift [m]."""


def placed(triangles: Triangles, turn_deg: float, shift: tuple[float, float, float]) -> Triangles:
    """Turned counter-clockwise about the vertical axis, then moved."""
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    turned = triangles.vertices @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    return Triangles(turned + np.array(shift), triangles.faces)


@cache
def named_world(name: str, place: str) -> Triangles:
    """A world at a place."""
    return placed(MADE[name](), *PLACES[place])


# Rays.


@dataclass(frozen=True)
class Asked:
    """Origins (n, 3), directions (n, 3), lengths (n,) of rays."""

    origins: NDArray[np.float64]
    directions: NDArray[np.float64]
    reach: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.origins)

    def take(self, rows: NDArray[np.int64] | slice) -> Asked:
        """Some of them."""
        return Asked(self.origins[rows], self.directions[rows], self.reach[rows])

    def endless(self) -> Asked:
        """The same, nothing ends them."""
        return Asked(self.origins, self.directions, np.full(len(self), np.inf))

    def occluded(self, caster: Caster) -> NDArray[np.bool_]:
        """Asked of a caster."""
        return caster.occluded(self.origins, self.directions, self.reach)

    def first_hit(self, caster: Caster) -> Hits:
        """Asked of a caster."""
        return caster.first_hit(self.origins, self.directions, self.reach)


def between(a: NDArray[np.float64], b: NDArray[np.float64]) -> Asked:
    """Sight rays from a to b."""
    line = b - a
    length = np.linalg.norm(line, axis=1)
    return Asked(a, line / length[:, None], length)


def _on_faces(
    triangles: Triangles, count: int, random: np.random.Generator, off_m: float = 0.0
) -> NDArray[np.float64]:
    """Points on faces drawn by area, or off them along the normal."""
    corners = triangles.vertices[triangles.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    drawn = random.choice(len(corners), count, p=area / area.sum())
    place = np.einsum("ij,ijk->ik", random.dirichlet([1, 1, 1], count), corners[drawn])
    return place + off_m * cross[drawn] / area[drawn, None]


def sun_rays(triangles: Triangles, count: int, seed: int = 0) -> Asked:
    """From points 5 mm off the surfaces to suns of any azimuth, at 1 to 80 degrees."""
    random = np.random.default_rng(seed)
    origins = _on_faces(triangles, count, random, 0.005)
    azimuth, altitude = random.uniform(0, 2 * np.pi, count), np.radians(random.uniform(1, 80, count))
    flat_part = np.cos(altitude)[:, None] * np.column_stack([np.sin(azimuth), np.cos(azimuth)])
    return Asked(origins, np.column_stack([flat_part, np.sin(altitude)]), np.full(count, np.inf))


def _room(triangles: Triangles) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Box of the scene with the air above it and some of the ground below."""
    low, high = triangles.vertices.min(axis=0), triangles.vertices.max(axis=0)
    return low - np.array([0, 0, 5]), high + np.array([0, 0, 20])


def view_rays(triangles: Triangles, count: int, seed: int = 1) -> Asked:
    """From eyes anywhere around the scene to points anywhere in it or on it."""
    random = np.random.default_rng(seed)
    low, high = (
        triangles.vertices.min(axis=0) - [0, 0, 5],
        triangles.vertices.max(axis=0) + np.array([0, 0, 20]),
    )
    targets = np.where(
        np.arange(count)[:, None] % 2,
        _on_faces(triangles, count, random),
        random.uniform(low, high, (count, 3)),
    )
    return between(random.uniform(low, high, (count, 3)), targets)


def edge_rays(triangles: Triangles, count: int, seed: int = 2, corners: bool = False) -> Asked:
    """Aimed exactly at edges, or at corners: what slips through where faces meet, or grazes."""
    random = np.random.default_rng(seed)
    drawn = triangles.vertices[triangles.faces[random.integers(len(triangles.faces), size=count)]]
    share = np.zeros((count, 1)) if corners else random.uniform(0.02, 0.98, (count, 1))
    low, high = _room(triangles)
    aim = drawn[:, 0] * (1 - share) + drawn[:, 1] * share
    return between(random.uniform(low, high, (count, 3)), aim).endless()


def far_rays(triangles: Triangles, count: int, seed: int = 3) -> Asked:
    """From eyes 20 to 750 km away, to points on the faces."""
    random = np.random.default_rng(seed)
    away = random.normal(size=(count, 3))
    away /= np.linalg.norm(away, axis=1)[:, None]
    away[:, 2] = np.abs(away[:, 2])
    targets = _on_faces(triangles, count, random)
    return between(targets + np.exp(random.uniform(np.log(2e4), np.log(7.5e5), (count, 1))) * away, targets)


# Agreement.


def _across(rays: Asked) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two unit vectors (n, 3) at right angles to the rays and to each other."""
    aside = np.cross(rays.directions, np.where(np.abs(rays.directions[:, 2:]) < 0.9, [0, 0, 1], [1, 0, 0]))
    aside /= np.linalg.norm(aside, axis=1)[:, None]
    return aside, np.cross(aside, rays.directions)


def _nudged(rays: Asked) -> list[Asked]:
    """The rays moved aside and along by up to the tolerance, each way."""
    aside, over = _across(rays)
    turns = [np.cos(a) * aside + np.sin(a) * over for a in np.arange(8) * np.pi / 4]
    moves = [*turns, rays.directions, -rays.directions]
    return [
        Asked(rays.origins + share * GRAZE_TOLERANCE_M * move, rays.directions, rays.reach)
        for share in (0.25, 0.5, 1.0)
        for move in moves
    ]


def wrongly_occluded(rays: Asked, found: NDArray[np.bool_], oracle: Caster) -> NDArray[np.int64]:
    """Rows where an answer is neither that of the oracle nor, for the same ray moved by the tolerance, another."""
    differ = np.flatnonzero(found != rays.occluded(oracle))
    if not len(differ):
        return differ
    answers = np.array([moved.occluded(oracle) for moved in _nudged(rays.take(differ))])
    return differ[~(answers == found[differ]).any(axis=0)]


def wrongly_hit(rays: Asked, found: Hits, triangles: Triangles, oracle: Caster) -> NDArray[np.int64]:
    """Rows where the ray does not meet the named face there, or meets another before: by more than the tolerance.

    A hit that a ray moved by the tolerance would not stop before is as good as the oracle's.
    """
    true = rays.first_hit(oracle).distance
    off = off_face(rays, found, triangles) > GRAZE_TOLERANCE_M
    too_far = np.flatnonzero(found.distance > true + GRAZE_TOLERANCE_M)
    if len(too_far):
        moved = np.array([some.first_hit(oracle).distance for some in _nudged(rays.take(too_far))])
        too_far = too_far[found.distance[too_far] > moved.max(axis=0) + GRAZE_TOLERANCE_M]
    return np.union1d(too_far, np.flatnonzero(off))


def off_face(rays: Asked, found: Hits, triangles: Triangles) -> NDArray[np.float64]:
    """How far each hit is from the plane of the face that was named, or the ray passes the face [m]; 0 without one."""
    out = np.zeros(len(rays))
    hit = np.flatnonzero(found.face >= 0)
    some, distance = rays.take(hit), found.distance[hit]
    corners = triangles.vertices[triangles.faces[found.face[hit]]] - some.origins[:, None]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    away = np.abs(np.einsum("ij,ij->i", distance[:, None] * some.directions - corners[:, 0], normal))
    # Seen along the ray, the ray is the point (0, 0).
    seen = np.stack([np.einsum("ikj,ij->ik", corners, axis) for axis in _across(some)], axis=-1)
    out[hit] = np.maximum(away, _off_triangle(seen))
    return out


def _off_triangle(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance (n,) of the point (0, 0) to triangles (n, 3, 2); 0 inside."""
    ends = np.roll(corners, -1, axis=1)
    side = ends - corners
    share = -(corners * side).sum(axis=2) / np.maximum((side**2).sum(axis=2), 1e-30)
    nearest = corners + np.clip(share, 0, 1)[..., None] * side
    turn = side[..., 0] * corners[..., 1] - side[..., 1] * corners[..., 0]
    inside = (turn > 0).all(axis=1) | (turn < 0).all(axis=1)
    return np.where(inside, 0.0, np.linalg.norm(nearest, axis=2).min(axis=1))


def reference_of(triangles: Triangles) -> Caster:
    """The oracle for a world."""
    return make_caster(triangles, REFERENCE)
