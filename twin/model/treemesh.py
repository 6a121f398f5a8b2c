"""The simple shape of a tree: a rounded crown on a thin stem; two shapes that all trees share, scaled and placed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from twin.model.arrays import readonly
from twin.model.mesh import TriangleMesh
from twin.model.objects import Tree
from twin.model.surface import Surface

CROWN_SIDES = 8
STEM_RADIUS_M = 0.15
PROFILE = ((0.12, 0.62), (0.38, 1.0), (0.68, 0.88), (0.90, 0.48))
"""Rings of the crown: height as a share of the crown's, radius as a share of its largest."""
INTO_CROWN = 0.1
"""The stem ends inside the crown, at this share of the crown's height."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A closed shape about the origin, outward.

    Parameters
    ----------
    vertices
        (n, 3); a crown from 0 to 1 in height with radius 1, a stem from 0 to 1 with its radius in metres.
    faces
        (m, 3) int32.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]


@cache
def crown_shape() -> Shape:
    """The crown: rings of eight corners, pointed below and above."""
    angles = 2 * np.pi * np.arange(CROWN_SIDES) / CROWN_SIDES
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    rings = [np.column_stack([share * circle, np.full(CROWN_SIDES, level)]) for level, share in PROFILE]
    vertices = np.vstack([*rings, [[0, 0, 0]], [[0, 0, 1]]])
    bottom, top = len(vertices) - 2, len(vertices) - 1
    k = np.arange(CROWN_SIDES)
    following = (k + 1) % CROWN_SIDES
    last = (len(PROFILE) - 1) * CROWN_SIDES
    faces = [
        np.column_stack([following, k, np.full(CROWN_SIDES, bottom)]),
        np.column_stack([last + k, last + following, np.full(CROWN_SIDES, top)]),
    ]
    for ring in range(len(PROFILE) - 1):
        low, high = ring * CROWN_SIDES, (ring + 1) * CROWN_SIDES
        faces.append(np.column_stack([low + k, low + following, high + following]))
        faces.append(np.column_stack([low + k, high + following, high + k]))
    return Shape(readonly(vertices, np.float64), readonly(np.vstack(faces), np.int32))


@cache
def stem_shape() -> Shape:
    """The stem: a square prism."""
    r = STEM_RADIUS_M
    square = np.array([[-r, -r], [r, -r], [r, r], [-r, r]])
    vertices = np.vstack([np.column_stack([square, np.zeros(4)]), np.column_stack([square, np.ones(4)])])
    faces = [[a, b, b + 4] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    faces += [[a, b + 4, a + 4] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    faces += [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]]
    return Shape(readonly(vertices, np.float64), readonly(np.array(faces), np.int32))


def crown_scale(tree: Tree) -> tuple[float, float, float]:
    """Of the crown's shape: horizontal and vertical scale, and the rise of its foot above the ground [m]."""
    return tree.crown_radius, tree.height - tree.crown_base, tree.crown_base


def stem_scale(tree: Tree) -> tuple[float, float, float]:
    """The same of the stem's shape."""
    return 1.0, tree.crown_base + INTO_CROWN * (tree.height - tree.crown_base), 0.0


def tree_mesh(tree: Tree) -> TriangleMesh:
    """Crown and stem, each closed and outward, local [m]."""
    crown, stem = crown_shape(), stem_shape()
    parts = []
    for shape, (wide, high, rise) in ((crown, crown_scale(tree)), (stem, stem_scale(tree))):
        parts.append(shape.vertices * [wide, wide, high] + [tree.x, tree.y, tree.ground + rise])
    faces = np.vstack([crown.faces, stem.faces + np.int32(len(crown.vertices))])
    return TriangleMesh(
        tree.frame, np.vstack(parts), faces, np.full(len(faces), Surface.VEGETATION, np.uint8)
    )
