"""How shells lie in a solid, and solids to each other (codes 401-404, 501-503, 601)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from twin.validation.codes import Finding, Tolerances
from twin.validation.crossing import COVER, PIERCE, contacts, shrunk, winding


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Closed triangles that look out of their material: a shell, or all shells of a solid."""

    points: NDArray[np.float64]
    """(n, 3) [m], only those in use."""
    triangles: NDArray[np.int64]

    @property
    def low(self) -> NDArray[np.float64]:
        """Lowest corner of the box (3,)."""
        return np.asarray(self.points.min(axis=0))

    @property
    def high(self) -> NDArray[np.float64]:
        """Highest corner of the box (3,)."""
        return np.asarray(self.points.max(axis=0))

    def turned(self) -> Body:
        """The same, looking the other way."""
        return Body(self.points, np.ascontiguousarray(self.triangles[:, ::-1]))


def body(points: NDArray[np.float64], triangles: NDArray[np.int64]) -> Body:
    """A body with the vertices that its triangles use."""
    used, local = np.unique(triangles, return_inverse=True)
    return Body(np.ascontiguousarray(points[used]), np.ascontiguousarray(local.reshape(-1, 3)))


def near(one: Body, other: Body, reach: float) -> bool:
    """Whether the boxes of two bodies come within ``reach`` [m]."""
    return bool((one.low <= other.high + reach).all() and (other.low <= one.high + reach).all())


def same(one: Body, other: Body, snap: float) -> bool:
    """Whether two bodies have the same corners and the same volume within the snap tolerance."""
    if len(one.points) != len(other.points) or not near(one, other, snap):
        return False
    gaps = np.abs(one.points[:, None, :] - other.points[None, :, :]).max(axis=2)
    if (gaps.min(axis=0) > snap).any() or (gaps.min(axis=1) > snap).any():
        return False
    sizes = [abs(_sixfold(b)) for b in (one, other)]
    return abs(sizes[0] - sizes[1]) <= 1e-3 * max(sizes)


def _sixfold(one: Body) -> float:
    a, b, c = (one.points[one.triangles[:, k]] - one.points[0] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)))


def interiors_meet(one: Body, other: Body, tolerances: Tolerances) -> bool:
    """Whether two bodies have material in common, deeper than the planarity tolerance.

    One is drawn into itself by that tolerance; bodies that only touch then stand apart.
    """
    if not near(one, other, 0.0):
        return False
    origin = np.round(one.points[0])
    one, other = (Body(b.points - origin, b.triangles) for b in (one, other))
    small = Body(shrunk(one.points, one.triangles, tolerances.planarity_m), one.triangles)
    if _count(small, other, PIERCE, tolerances.snap_m):
        return True
    if winding(small.points[0], other.points, other.triangles) > 0.5:
        return True
    return winding(other.points[0], small.points, small.triangles) > 0.5


def share_a_face(one: Body, other: Body, snap: float) -> bool:
    """Whether faces of two bodies lie on one another."""
    return near(one, other, snap) and bool(_count(one, other, COVER, snap))


def _count(one: Body, other: Body, mode: int, snap: float) -> int:
    points = np.concatenate([one.points, other.points])
    triangles = np.concatenate([one.triangles, other.triangles + len(one.points)])
    owner = np.repeat(np.arange(2), [len(one.triangles), len(other.triangles)])
    return int(contacts(points, triangles, owner, mode, snap)[0])


def shell_faults(solid: int, shells: Sequence[Body], tolerances: Tolerances) -> list[Finding]:
    """Faults between the shells of one solid; the first is the outer one, the others look into their voids."""
    found: list[Finding] = []
    voids = [shell.turned() for shell in shells[1:]]

    def add(shell: int, code: int, text: str) -> None:
        found.append(Finding(solid, shell, -1, -1, code, text))

    for number, void in enumerate(voids, start=1):
        if same(void, shells[0], tolerances.snap_m):
            add(number, 402, "the inner shell is the outer one again")
            continue
        small = Body(shrunk(void.points, void.triangles, tolerances.planarity_m), void.triangles)
        if _count(small, shells[0], PIERCE, tolerances.snap_m):
            add(number, 401, "the inner shell passes through the outer one")
        elif winding(small.points[0], shells[0].points, shells[0].triangles) < 0.5:
            add(number, 403, "the inner shell lies outside the outer one")
        elif share_a_face(void, shells[0], tolerances.snap_m):
            add(number, 401, "the inner shell shares a face with the outer one")
    for one, other in combinations(range(len(voids)), 2):
        a, b = voids[one], voids[other]
        if same(a, b, tolerances.snap_m):
            add(other + 1, 402, f"the same as shell {one + 1}")
        elif interiors_meet(a, b, tolerances):
            add(other + 1, 401, f"overlaps shell {one + 1}")
        elif share_a_face(a, b, tolerances.snap_m):
            add(other + 1, 401, f"shares a face with shell {one + 1}")
    return found


def composite_faults(solids: Sequence[tuple[int, Body]], tolerances: Tolerances) -> list[Finding]:
    """Faults between the sound solids (number, body) of a CompositeSolid."""
    found: list[Finding] = []
    parent = list(range(len(solids)))

    def root(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    for one, other in combinations(range(len(solids)), 2):
        (name, a), (number, b) = solids[one], solids[other]
        joined = True
        if same(a, b, tolerances.snap_m):
            found.append(Finding(number, -1, -1, -1, 502, f"the same as solid {name}"))
        elif interiors_meet(a, b, tolerances):
            text = f"reaches more than {tolerances.planarity_m:g} m into solid {name}"
            found.append(Finding(number, -1, -1, -1, 501, text))
        else:
            joined = share_a_face(a, b, tolerances.snap_m)
        if joined:
            parent[root(other)] = root(one)
    pieces = {root(k) for k in range(len(solids))}
    if len(pieces) > 1:
        found.append(
            Finding(-1, -1, -1, -1, 503, f"its solids form {len(pieces)} groups without a common face")
        )
    return found


def part_faults(parts: Sequence[tuple[str, Sequence[Body]]], tolerances: Tolerances) -> list[Finding]:
    """Overlaps between the solids of one building at one LoD; ``parts`` are named geometries."""
    found = []
    for (name, mine), (other, theirs) in combinations(parts, 2):
        if any(
            same(a, b, tolerances.snap_m) or interiors_meet(a, b, tolerances) for a in mine for b in theirs
        ):
            text = f"{name!r} and {other!r} reach more than {tolerances.planarity_m:g} m into one another"
            found.append(Finding(-1, -1, -1, -1, 601, text))
    return found
