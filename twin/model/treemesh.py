"""The simple shape of a tree: a rounded crown on a thin stem."""

from __future__ import annotations

import numpy as np

from twin.model.mesh import TriangleMesh
from twin.model.objects import Tree
from twin.model.surface import Surface

CROWN_SIDES = 8
STEM_RADIUS_M = 0.15
PROFILE = ((0.12, 0.62), (0.38, 1.0), (0.68, 0.88), (0.90, 0.48))
"""Rings of the crown: height as a share of the crown's, radius as a share of its largest."""


def tree_mesh(tree: Tree) -> TriangleMesh:
    """Crown (rings of eight corners, pointed below and above) and a square stem, closed and outward, local [m]."""
    angles = 2 * np.pi * np.arange(CROWN_SIDES) / CROWN_SIDES
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    depth = tree.height - tree.crown_base
    rings = [
        np.column_stack(
            [tree.crown_radius * share * circle, np.full(CROWN_SIDES, tree.crown_base + level * depth)]
        )
        for level, share in PROFILE
    ]
    crown = np.vstack([*rings, [[0, 0, tree.crown_base]], [[0, 0, tree.height]]])
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
    r = STEM_RADIUS_M
    square = np.array([[-r, -r], [r, -r], [r, r], [-r, r]])
    into = tree.crown_base + 0.1 * depth
    stem = np.vstack([np.column_stack([square, np.zeros(4)]), np.column_stack([square, np.full(4, into)])])
    sides = [[a, b, b + 4] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    sides += [[a, b + 4, a + 4] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    caps = [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]]
    everything = np.vstack([*faces, np.array(sides + caps) + len(crown)]).astype(np.int32)
    vertices = np.vstack([crown, stem]) + np.array([tree.x, tree.y, tree.ground])
    return TriangleMesh(
        tree.frame, vertices, everything, np.full(len(everything), Surface.VEGETATION, np.uint8)
    )
