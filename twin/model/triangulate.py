"""From polygon surfaces to triangles (ear clipping in the plane of each surface)."""

from __future__ import annotations

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from twin.frame import Frame
from twin.jit import njit
from twin.model.geometry import Geometry, Rings
from twin.model.mesh import TriangleMesh


def newell_normal(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal of a ring (n, 3) by Newell's method, length = twice the area [m2]; zero where it has no area."""
    x, y, z = (points - points[0]).T
    a, b, c = np.append(x[1:], 0.0), np.append(y[1:], 0.0), np.append(z[1:], 0.0)
    return np.array([y @ c - z @ b, z @ a - x @ c, x @ b - y @ a])


def clip_ears(plane: NDArray[np.float64], ends: NDArray[np.integer], turn: float = 1.0) -> NDArray[np.int64]:
    """Triangles (t, 3) of a polygon in the plane, by the numbers of its corners (k, 2), ring after ring.

    Corners that lie in the line of others may be left out. ``ends`` says where each ring ends, the outer one first;
    the triangles turn left, or right where ``turn`` is negative.
    """
    import mapbox_earcut

    found = mapbox_earcut.triangulate_float64(plane, ends.astype(np.uint32))
    cut = np.asarray(found, dtype=np.int64).reshape(-1, 3)
    a, b, c = (plane[cut[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    wrong = area * turn < 0
    cut[wrong] = cut[wrong][:, ::-1]
    return cut


def triangulate_surface(vertices: NDArray[np.float64], rings: Rings) -> NDArray[np.int32]:
    """Triangles (k, 3) of vertex indices that cover one surface, turned as its outer ring is.

    Parameters
    ----------
    vertices
        (n, 3) local space [m].
    rings
        Outer ring first, holes after it.

    Returns
    -------
    (k, 3) int32; (0, 3) for a surface without area.
    """
    if len(rings) == 1 and len(rings[0]) == 3:
        return np.array([rings[0]], dtype=np.int32)
    normal = newell_normal(vertices[list(rings[0])])
    if not np.linalg.norm(normal) > 0:
        return np.empty((0, 3), dtype=np.int32)
    drop = int(np.argmax(np.abs(normal)))
    # The two axes that stay, in the order that keeps the turning direction.
    axes = [(1, 2), (2, 0), (0, 1)][drop]
    index = np.concatenate([np.asarray(ring, dtype=np.int64) for ring in rings])
    plane = np.ascontiguousarray(vertices[index][:, axes], dtype=np.float64)
    ends = np.cumsum([len(ring) for ring in rings])
    return index[clip_ears(plane, ends, float(np.sign(normal[drop])))].astype(np.int32)


def triangulate(geometry: Geometry, frame: Frame) -> TriangleMesh:
    """The geometry as triangles, each with the semantic code of its surface."""
    surfaces = geometry.surfaces
    sizes = np.array([len(rings[0]) if len(rings) == 1 else 0 for rings in surfaces], dtype=np.int64)
    outer = chain.from_iterable(rings[0] for rings in surfaces if len(rings) == 1)
    faces, counts = _simple(geometry.vertices, np.fromiter(outer, np.int64, int(sizes.sum())), sizes)
    hard = np.flatnonzero(counts < 0)
    if len(hard):
        parts = np.split(faces, np.cumsum(np.maximum(counts, 0))[:-1])
        for k in hard:
            parts[k] = triangulate_surface(geometry.vertices, surfaces[k])
        counts = np.array([len(part) for part in parts], dtype=np.int64)
        faces = np.concatenate(parts)
    return TriangleMesh(frame, geometry.vertices, faces, np.repeat(geometry.semantics, counts))


@njit
def _simple(
    vertices: NDArray[np.float64], corners: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Triangles of triangles and of convex quadrangles, and how many each surface has; -1 where ears must be cut.

    ``corners`` are those of the surfaces with one ring, one after the other, ``sizes`` how many each has, 0 where a
    surface has holes.
    """
    faces = np.empty((2 * len(sizes), 3), np.int32)
    counts = np.empty(len(sizes), np.int64)
    start, used = 0, 0
    for k in range(len(sizes)):
        n = sizes[k]
        counts[k] = -1
        if n == 3:
            for m in range(3):
                faces[used, m] = corners[start + m]
            used += 1
            counts[k] = 1
        elif n == 4 and _is_convex(vertices, corners[start : start + 4]):
            for m in range(3):
                faces[used, m] = corners[start + m]
                faces[used + 1, m] = corners[start + (2, 3, 0)[m]]
            used += 2
            counts[k] = 2
        start += n
    return faces[:used], counts


@njit
def _is_convex(vertices: NDArray[np.float64], ring: NDArray[np.int64]) -> bool:
    """Whether a quadrangle turns the same way at each corner, seen along its normal; not where one is straight."""
    nx, ny, nz = _cross(vertices, ring[0], ring[2], ring[1], ring[3])
    size = nx * nx + ny * ny + nz * nz
    for k in range(4):
        a, b, c = ring[k], ring[(k + 1) % 4], ring[(k + 2) % 4]
        tx, ty, tz = _cross(vertices, a, b, b, c)
        if not nx * tx + ny * ty + nz * tz > 1e-9 * size:
            return False
    return True


@njit
def _cross(vertices: NDArray[np.float64], a: int, b: int, c: int, d: int) -> tuple[float, float, float]:
    """The cross product of the ways from a to b and from c to d."""
    ux, uy, uz = (
        vertices[b, 0] - vertices[a, 0],
        vertices[b, 1] - vertices[a, 1],
        vertices[b, 2] - vertices[a, 2],
    )
    vx, vy, vz = (
        vertices[d, 0] - vertices[c, 0],
        vertices[d, 1] - vertices[c, 1],
        vertices[d, 2] - vertices[c, 2],
    )
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
