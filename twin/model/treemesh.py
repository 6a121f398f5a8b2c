"""The simple shape of a tree: a double cone crown on a thin stem."""

from __future__ import annotations

import numpy as np

from twin.model.mesh import TriangleMesh
from twin.model.objects import Tree
from twin.model.surface import Surface

CROWN_SIDES = 8
STEM_RADIUS_M = 0.15
WIDEST_SHARE = 0.4
"""Height of the widest ring, as a share of the crown's height from its base."""


def tree_mesh(tree: Tree) -> TriangleMesh:
    """Crown (an octagonal double cone) and a square stem, closed and outward, local space [m]."""
    angles = 2 * np.pi * np.arange(CROWN_SIDES) / CROWN_SIDES
    widest = tree.crown_base + WIDEST_SHARE * (tree.height - tree.crown_base)
    ring = np.column_stack(
        [tree.crown_radius * np.cos(angles), tree.crown_radius * np.sin(angles), np.full(CROWN_SIDES, widest)]
    )
    crown = np.vstack([ring, [[0, 0, tree.crown_base]], [[0, 0, tree.height]]])
    k = np.arange(CROWN_SIDES)
    following = (k + 1) % CROWN_SIDES
    up = np.column_stack([k, following, np.full(CROWN_SIDES, CROWN_SIDES + 1)])
    down = np.column_stack([following, k, np.full(CROWN_SIDES, CROWN_SIDES)])
    r = STEM_RADIUS_M
    square = np.array([[-r, -r], [r, -r], [r, r], [-r, r]])
    top = tree.crown_base + 0.1 * (tree.height - tree.crown_base)
    stem = np.vstack([np.column_stack([square, np.zeros(4)]), np.column_stack([square, np.full(4, top)])])
    sides = [[a, b, b + 4] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    sides += [[a, b + 4, a + 4] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    caps = [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]]
    faces = np.vstack([up, down, np.array(sides + caps) + len(crown)]).astype(np.int32)
    vertices = np.vstack([crown, stem]) + np.array([tree.x, tree.y, tree.ground])
    return TriangleMesh(tree.frame, vertices, faces, np.full(len(faces), Surface.VEGETATION, np.uint8))
