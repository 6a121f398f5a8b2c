"""The outline of a building in plan, from its faces."""

from __future__ import annotations

import numpy as np
import shapely

from twin.model.mesh import TriangleMesh
from twin.model.objects import Building
from twin.model.scene import building_meshes

SNAP_M = 0.001
"""Corners are joined on a lattice this fine, so that neighbouring triangles leave no slivers [m]."""

MIN_AREA_M2 = 1e-4
"""Triangles smaller than this in plan are upright faces [m2]."""


def building_outline(building: Building) -> shapely.Polygon | shapely.MultiPolygon | None:
    """What a building and its parts cover in plan.

    Parameters
    ----------
    building
        Its highest LoD counts.

    Returns
    -------
    Polygon (or MultiPolygon where the parts stand apart), local space [m]; None for a building without faces
    that have an area in plan.
    """
    meshes = building_meshes(building)
    if not meshes:
        return None
    mesh = TriangleMesh.joined(building.frame, meshes)
    corners = mesh.vertices[mesh.faces][:, :, :2]
    side, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0]) / 2
    flat = corners[area > MIN_AREA_M2]
    if not len(flat):
        return None
    rings = np.concatenate([flat, flat[:, :1]], axis=1)
    shape = shapely.union_all(shapely.polygons(rings), grid_size=SNAP_M)
    parts = [part for part in shapely.get_parts(shape) if isinstance(part, shapely.Polygon)]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
