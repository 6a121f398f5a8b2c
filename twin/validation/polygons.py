"""Surfaces with inner rings: how their rings lie to each other (codes 201, 202, 205-208)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.validation.codes import TOUCH_M

LONG_CONTACT = 100.0
"""Rings that stay this many touch tolerances within one another share more than a point."""


def ring_faults(rings: Sequence[NDArray[np.float64]]) -> list[tuple[int, int, str]]:
    """Faults of a surface whose rings are sound, each by itself.

    Parameters
    ----------
    rings
        (n, 2) corners of each ring in the plane of the surface, the outer one first and turning left.

    Returns
    -------
    (code, ring, sentence) of each fault.
    """
    areas = [shapely.Polygon(ring) for ring in rings]
    faults = [
        (208, number, "the inner ring turns the same way as the outer one")
        for number, ring in enumerate(rings)
        if number and _doubled_area(ring) > 0
    ]
    contacts: list[tuple[int, int, shapely.Point]] = []
    crossing = False
    for one, other in combinations(range(len(rings)), 2):
        fault = _pair(areas[one], areas[other], one == 0)
        if fault:
            code, text = fault
            crossing = True
            faults.append((code, other, f"{text.format(one)}"))
        else:
            contacts.extend((one, other, place) for place in _contacts(areas[one], areas[other]))
    if not crossing and _encloses(contacts, len(rings)):
        faults.append(
            (205, -1, f"its rings touch at {len(contacts)} places and so cut the surface in pieces")
        )
    return faults


def _doubled_area(ring: NDArray[np.float64]) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def _pair(one: shapely.Polygon, other: shapely.Polygon, with_outer: bool) -> tuple[int, str] | None:
    """What is wrong between two rings; the sentence leaves the first one's number open."""
    if one.equals(other) or shapely.hausdorff_distance(one.boundary, other.boundary) <= TOUCH_M:
        return 202, "the same as ring {}"
    longest = max((c.length for c in _shared(one, other)), default=0.0)
    if longest > LONG_CONTACT * TOUCH_M:
        return 201, f"runs along ring {{}} for {longest:.3f} m"
    # A ring may touch another: what reaches over by no more than the tolerance does not count.
    overlap = one.buffer(-TOUCH_M).intersects(other.buffer(-TOUCH_M))
    within = one.buffer(TOUCH_M).covers(other)
    around = other.buffer(TOUCH_M).covers(one)
    if with_outer:
        if within:
            return None
        return (201, "crosses ring {}") if overlap else (206, "lies outside the outer ring {}")
    if within or around:
        return 207, "is nested with ring {}"
    return (201, "crosses ring {}") if overlap else None


def _shared(one: shapely.Polygon, other: shapely.Polygon) -> Iterator[shapely.LineString]:
    """Pieces of one boundary that lie on the other."""
    if one.distance(other.boundary) > TOUCH_M and one.boundary.distance(other.boundary) > TOUCH_M:
        return
    met = other.boundary.intersection(one.boundary.buffer(TOUCH_M))
    for piece in shapely.get_parts(shapely.line_merge(met) if met.geom_type == "MultiLineString" else met):
        if not piece.is_empty:
            yield piece


def _contacts(one: shapely.Polygon, other: shapely.Polygon) -> list[shapely.Point]:
    return [piece.centroid for piece in _shared(one, other)]


def _encloses(contacts: Sequence[tuple[int, int, shapely.Point]], rings: int) -> bool:
    """Whether rings that touch close a loop: a graph of rings and contact points that is no forest."""
    places: list[shapely.Point] = []
    links: set[tuple[int, int]] = set()
    for one, other, place in contacts:
        found = next((k for k, p in enumerate(places) if p.distance(place) <= LONG_CONTACT * TOUCH_M), None)
        if found is None:
            found = len(places)
            places.append(place)
        links |= {(one, rings + found), (other, rings + found)}
    parent = list(range(rings + len(places)))

    def root(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    for a, b in sorted(links):
        if root(a) == root(b):
            return True
        parent[root(b)] = root(a)
    return False
