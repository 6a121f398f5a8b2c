"""From polygon surfaces to triangles (ear clipping in the plane of each surface)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.frame import Frame
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
    parts = [triangulate_surface(geometry.vertices, rings) for rings in geometry.surfaces]
    counts = [len(part) for part in parts]
    faces = np.concatenate(parts) if parts else np.empty((0, 3), np.int32)
    return TriangleMesh(frame, geometry.vertices, faces, np.repeat(geometry.semantics, counts))
