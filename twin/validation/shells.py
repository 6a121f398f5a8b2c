"""How the surfaces of a shell hang together: edges, umbrellas, pieces (codes 302, 303, 305, 307, and 404)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit
from twin.validation.weld import join, root

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OPEN, TURNED, CROWDED, PINCHED, PIECES = range(5)
"""Columns of what ``topology`` counts."""


@njit
def edges_of(place: Ints, after: Ints) -> tuple[Ints, Ints]:
    """Half-edges sorted by the edge they lie on: order (k,), and where each edge begins (e + 1,)."""
    k = len(place)
    span = place.max() + 1
    keys = np.empty(k, np.int64)
    for i in range(k):
        a, b = place[i], place[after[i]]
        keys[i] = min(a, b) * span + max(a, b)
    order = np.argsort(keys, kind="mergesort")
    begins = np.empty(k + 1, np.int64)
    count = 0
    for i in range(k):
        if i == 0 or keys[order[i]] != keys[order[i - 1]]:
            begins[count] = i
            count += 1
    begins[count] = k
    return order, begins[: count + 1]


@njit
def topology(place: Ints, after: Ints, surface: Ints) -> tuple[Ints, Ints]:
    """Count what keeps surfaces from being one closed two-manifold.

    Parameters
    ----------
    place
        (k,) welded vertex of each corner of the shell.
    after
        (k,) next corner of the ring.
    surface
        (k,) number of the surface of each corner.

    Returns
    -------
    Counts (5,) of edges with one surface, edges run through twice in one direction, edges with more than two
    surfaces, vertices whose surfaces form several umbrellas, pieces; and for each a corner that shows it (5,).
    """
    counts, shown = np.zeros(5, np.int64), np.full(5, -1, np.int64)
    order, begins = edges_of(place, after)
    k = len(place)
    fans = np.arange(k)
    crowded = np.zeros(place.max() + 1, np.bool_)
    for e in range(len(begins) - 1):
        one = order[begins[e]]
        uses = begins[e + 1] - begins[e]
        if uses == 1:
            counts[OPEN] += 1
            if counts[OPEN] == 1:
                shown[OPEN] = one
        elif uses == 2:
            other = order[begins[e] + 1]
            if place[one] == place[other]:
                counts[TURNED] += 1
                if counts[TURNED] == 1:
                    shown[TURNED] = one
                join(fans, one, other)
                join(fans, after[one], after[other])
            else:
                join(fans, one, after[other])
                join(fans, after[one], other)
        else:
            counts[CROWDED] += 1
            if counts[CROWDED] == 1:
                shown[CROWDED] = one
            crowded[place[one]] = True
            crowded[place[after[one]]] = True
    count_pinches(place, fans, crowded, counts, shown)
    count_pieces(place, surface, counts, shown)
    return counts, shown


@njit
def count_pinches(place: Ints, fans: Ints, crowded: NDArray[np.bool_], counts: Ints, shown: Ints) -> None:
    """Vertices with more than one fan of surfaces, away from crowded edges."""
    first = np.full(len(crowded), -1, np.int64)
    for i in range(len(place)):
        vertex, fan = place[i], root(fans, i)
        if first[vertex] < 0:
            first[vertex] = fan
        elif first[vertex] != fan and not crowded[vertex]:
            crowded[vertex] = True
            counts[PINCHED] += 1
            if counts[PINCHED] == 1:
                shown[PINCHED] = i


@njit
def count_pieces(place: Ints, surface: Ints, counts: Ints, shown: Ints) -> None:
    """Groups of surfaces that share vertices."""
    low = surface.min()
    parent = np.arange(surface.max() - low + 1)
    first = np.full(place.max() + 1, -1, np.int64)
    for i in range(len(place)):
        if first[place[i]] < 0:
            first[place[i]] = surface[i] - low
        join(parent, first[place[i]], surface[i] - low)
    main = root(parent, surface[0] - low)
    seen = np.zeros(len(parent), np.bool_)
    for i in range(len(place)):
        piece = root(parent, surface[i] - low)
        if not seen[piece]:
            seen[piece] = True
            counts[PIECES] += 1
            if piece != main and shown[PIECES] < 0:
                shown[PIECES] = i


@njit
def material_pieces(
    points: Floats, place: Ints, after: Ints, surface: Ints, frames: tuple[Floats, Floats]
) -> int:
    """In how many pieces the shells of one solid leave its material, where they touch along edges.

    ``frames`` are the outward unit normal (s, 3) and the sixfold volume (s,) of each surface. Around each edge the
    surfaces are paired that bound one wedge of material; each closed group of surfaces that encloses a positive
    volume is then a piece of its own.
    """
    normals, sixfold = frames
    order, begins = edges_of(place, after)
    parent = np.arange(len(normals))
    for e in range(len(begins) - 1):
        some = order[begins[e] : begins[e + 1]]
        if len(some) == 2:
            join(parent, surface[some[0]], surface[some[1]])
            continue
        pair_wedges(points, place, after, surface, normals, some, parent)
    volume = np.zeros(len(parent))
    for s in range(len(parent)):
        volume[root(parent, s)] += sixfold[s]
    return int((volume > 1e-9).sum())


@njit
def pair_wedges(
    points: Floats, place: Ints, after: Ints, surface: Ints, normals: Floats, some: Ints, parent: Ints
) -> None:
    """Join the surfaces that face one another across a wedge of material around a crowded edge."""
    a = points[min(place[some[0]], place[after[some[0]]])]
    b = points[max(place[some[0]], place[after[some[0]]])]
    axis = (b - a) / math.sqrt(((b - a) ** 2).sum())
    angles, forward = np.zeros(len(some)), np.zeros(len(some), np.bool_)
    zero, quarter = np.zeros(3), np.zeros(3)
    for k in range(len(some)):
        way = axis if place[some[k]] < place[after[some[k]]] else -axis
        normal = normals[surface[some[k]]]
        inward = np.cross(normal, way)
        if k == 0:
            zero = inward
            quarter = np.cross(axis, zero)
        angles[k] = math.atan2((inward * quarter).sum(), (inward * zero).sum())
        forward[k] = (normal * np.cross(axis, inward)).sum() < 0
    turned = np.argsort(angles)
    for k in range(len(turned)):
        if forward[turned[k]]:
            following = turned[(k + 1) % len(turned)]
            join(parent, surface[some[turned[k]]], surface[some[following]])
