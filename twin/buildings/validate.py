"""Geometric validation of polyhedra, after ISO 19107 as the field applies it to city models.

Codes that ``check_geometry`` gives:

==================== ==========================================================================
``degenerate_face``  a face without area, or with fewer than three different vertices
``not_planar``       a vertex is farther than the tolerance from the plane of its face
``self_touching``    a ring runs through one vertex twice
``too_few_faces``    a shell of fewer than four faces
``not_closed``       an edge that bounds one face only
``not_oriented``     an edge that two faces run through in the same direction
``not_two_manifold`` an edge that bounds more than two faces
``not_connected``    a shell in several pieces
``no_volume``        a closed shell that encloses nothing
``inward``           a closed shell whose faces look the wrong way
==================== ==========================================================================

Faces that cross one another away from their edges are not looked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from twin.model.geometry import Geometry

PLANARITY_M = 0.01
"""Usual tolerance from a vertex to the plane of its face [m]."""

WELD_DECIMALS = 4
"""Vertices that agree to 0.1 mm are one, as they are in a file of that resolution."""

MIN_FACE_AREA_M2 = 1e-6
MIN_VOLUME_M3 = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class _Rings:
    """All rings of a geometry in a row: one entry per corner."""

    points: NDArray[np.float64]
    """(k, 3) corners, moved to the middle of the geometry."""
    place: NDArray[np.int64]
    """(k,) number of the welded vertex."""
    after: NDArray[np.int64]
    """(k,) entry of the next corner of the ring."""
    first: NDArray[np.int64]
    """(k,) entry of the ring's first corner."""
    surface: NDArray[np.int64]
    """(k,) number of the surface."""


def _rings(geometry: Geometry) -> _Rings:
    flat = [(number, ring) for number, rings in enumerate(geometry.surfaces) for ring in rings]
    count = np.array([len(ring) for _, ring in flat], dtype=np.int64)
    index = np.array([i for _, ring in flat for i in ring], dtype=np.int64)
    start = np.repeat(np.cumsum(count) - count, count)
    after = np.arange(len(index)) + 1
    after = np.where(after - start == np.repeat(count, count), start, after)
    vertices = geometry.vertices
    # Adding zero turns -0.0 into 0.0, which np.unique would tell apart by rows.
    rounded = np.round(vertices, WELD_DECIMALS) + 0.0
    _, welded = np.unique(rounded, axis=0, return_inverse=True)
    middle = vertices.mean(axis=0) if len(vertices) else np.zeros(3)
    surface = np.repeat(np.array([number for number, _ in flat], dtype=np.int64), count)
    return _Rings((vertices - middle)[index], welded.reshape(-1)[index], after, start, surface)


def check_geometry(geometry: Geometry, *, planarity_m: float = PLANARITY_M) -> tuple[str, ...]:
    """Error codes of a geometry, sorted; empty where it is valid.

    Parameters
    ----------
    geometry
        Solids are checked shell by shell; of surfaces that claim no solid only the faces are checked.
    planarity_m
        Largest distance from a vertex to the plane of its face [m].
    """
    if not geometry.surfaces:
        return ("too_few_faces",)
    rings = _rings(geometry)
    errors = _face_errors(rings, len(geometry.surfaces), planarity_m)
    if not geometry.is_solid:
        return tuple(sorted(errors))
    for key, volume in shell_volumes(geometry).items():
        members = (geometry.shells == key).all(axis=1)
        broken = _shell_errors(rings, members)
        if not broken:
            # The outer shell encloses; the inner ones (voids) look into what they leave out.
            enclosed = volume if key[1] == 0 else -volume
            if abs(enclosed) < MIN_VOLUME_M3:
                broken = {"no_volume"}
            elif enclosed < 0:
                broken = {"inward"}
        errors |= broken
    return tuple(sorted(errors))


def shell_volumes(geometry: Geometry) -> dict[tuple[int, int], float]:
    """Signed volume of each (solid, shell) by the divergence theorem [m3]; voids count negative.

    Each ring is fanned from its first corner: for flat faces the signed sum is exact, concave or with holes.
    """
    if not geometry.surfaces:
        return {}
    rings = _rings(geometry)
    a, b, c = rings.points[rings.first], rings.points, rings.points[rings.after]
    sixfold = np.bincount(rings.surface, np.einsum("ij,ij->i", a, np.cross(b, c)), len(geometry.surfaces))
    keys, which = np.unique(geometry.shells, axis=0, return_inverse=True)
    totals = np.bincount(which.reshape(-1), sixfold) / 6.0
    return {(int(key[0]), int(key[1])): float(total) for key, total in zip(keys, totals, strict=True)}


def solid_volume(geometry: Geometry) -> float:
    """Volume of all solids of a geometry less their voids [m3]; meaningful where it is valid."""
    return sum(shell_volumes(geometry).values())


def _face_errors(rings: _Rings, surfaces: int, planarity_m: float) -> set[str]:
    errors: set[str] = set()
    distinct = rings.place != rings.place[rings.after]
    per_ring = np.bincount(rings.first, distinct)[np.unique(rings.first)]
    pairs = np.column_stack([rings.first, rings.place])[distinct]
    if len(np.unique(pairs, axis=0)) < len(pairs):
        errors.add("self_touching")
    a = rings.points[rings.first]
    doubled = np.cross(rings.points - a, rings.points[rings.after] - a)
    normal = _sums(rings.surface, doubled, surfaces)
    length = np.linalg.norm(normal, axis=1)
    if (per_ring < 3).any() or (length / 2 < MIN_FACE_AREA_M2).any():
        errors.add("degenerate_face")
    corners = np.bincount(rings.surface, minlength=surfaces)
    middle = _sums(rings.surface, rings.points, surfaces) / corners[:, None]
    unit = normal / np.maximum(length, 2 * MIN_FACE_AREA_M2)[:, None]
    off = np.einsum("ij,ij->i", rings.points - middle[rings.surface], unit[rings.surface])
    if ((np.abs(off) > planarity_m) & (corners[rings.surface] > 3)).any():
        errors.add("not_planar")
    return errors


def _sums(group: NDArray[np.int64], values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Sum of the rows (k, 3) of each group."""
    return np.column_stack([np.bincount(group, values[:, k], count) for k in range(3)])


def _shell_errors(rings: _Rings, members: NDArray[np.bool_]) -> set[str]:
    """How the edges of a shell fail to cancel."""
    if np.count_nonzero(members) < 4:
        return {"too_few_faces"}
    mine = members[rings.surface]
    edges = np.column_stack([rings.place, rings.place[rings.after]])[mine]
    # A face with holes is one piece: its rings are tied together.
    ties = np.column_stack([rings.place[rings.first], _outer(rings)])[mine]
    edges = edges[edges[:, 0] != edges[:, 1]]
    count = int(rings.place.max()) + 1
    low, high = edges.min(axis=1), edges.max(axis=1)
    _, which, uses = np.unique(low * count + high, return_inverse=True, return_counts=True)
    turns = np.bincount(which.reshape(-1), np.where(edges[:, 0] < edges[:, 1], 1.0, -1.0))
    errors: set[str] = set()
    if (uses == 1).any() or ((uses > 2) & (turns != 0)).any():
        errors.add("not_closed")
    if ((uses == 2) & (turns != 0)).any():
        errors.add("not_oriented")
    if (uses > 2).any():
        errors.add("not_two_manifold")
    used, local = np.unique(np.concatenate([edges, ties]), return_inverse=True)
    pairs = local.reshape(-1, 2)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(used), len(used)))
    pieces, _ = connected_components(graph, directed=False)
    if pieces > 1:
        errors.add("not_connected")
    return errors


def _outer(rings: _Rings) -> NDArray[np.int64]:
    """For each entry the welded vertex at which the outer ring of its surface starts (k,)."""
    _, where, which = np.unique(rings.surface, return_index=True, return_inverse=True)
    return rings.place[where[which.reshape(-1)]]
