"""The simple shape of a tree: a rounded crown on a thin stem, one template for trees of one proportion."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from twin.model.arrays import readonly
from twin.model.mesh import TriangleMesh
from twin.model.objects import Tree
from twin.model.surface import Surface

CROWN_SIDES = 8
STEM_SHARE = 0.05
"""Half the side of the square stem, as a share of the crown's radius."""
PROFILE = ((0.12, 0.62), (0.38, 1.0), (0.68, 0.88), (0.90, 0.48))
"""Rings of the crown: height as a share of the crown's, radius as a share of its largest."""
SHARE_DIGITS = 2
"""Where the crown begins is drawn to a hundredth of the height, so that many trees share a template."""


def base_share(tree: Tree) -> float:
    """Where the crown begins, as a share of the height: what a template is made for."""
    return min(0.99, round(tree.crown_base / tree.height, SHARE_DIGITS))


@lru_cache(maxsize=256)
def tree_template(share: float) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """A tree of height 1 and crown radius 1, its foot at the origin.

    Parameters
    ----------
    share
        Where the crown begins, see ``base_share``.

    Returns
    -------
    (n, 3) vertices and (m, 3) faces of the crown (rings of eight corners, pointed below and above) and of a square
    stem, closed and outward.
    """
    angles = 2 * np.pi * np.arange(CROWN_SIDES) / CROWN_SIDES
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    depth = 1.0 - share
    rings = [
        np.column_stack([wide * circle, np.full(CROWN_SIDES, share + up * depth)]) for up, wide in PROFILE
    ]
    crown = np.vstack([*rings, [[0, 0, share]], [[0, 0, 1.0]]])
    bottom, top = len(crown) - 2, len(crown) - 1
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
    r = STEM_SHARE
    square = np.array([[-r, -r], [r, -r], [r, r], [-r, r]])
    into = share + 0.1 * depth
    stem = np.vstack([np.column_stack([square, np.zeros(4)]), np.column_stack([square, np.full(4, into)])])
    sides = [[a, b, b + 4] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    sides += [[a, b + 4, a + 4] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    caps = [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]]
    everything = np.vstack([*faces, np.array(sides + caps) + len(crown)])
    return readonly(np.vstack([crown, stem]), np.float64), readonly(everything, np.int32)


def tree_mesh(tree: Tree) -> TriangleMesh:
    """The template of a tree's proportion at its place and in its size, local space [m]."""
    vertices, faces = tree_template(base_share(tree))
    size = np.array([tree.crown_radius, tree.crown_radius, tree.height])
    placed = vertices * size + np.array([tree.x, tree.y, tree.ground])
    return TriangleMesh(tree.frame, placed, faces, np.full(len(faces), Surface.VEGETATION, np.uint8))
