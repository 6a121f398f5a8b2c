"""Imported models: set down at an anchor, then filed as buildings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from twin.buildings.outline import building_footprint
from twin.errors import InputError
from twin.frame import Frame
from twin.model.geometry import Geometry, Kind
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building
from twin.model.proposal import PlacedModel
from twin.model.surface import Surface
from twin.validation.validate import validate_geometry
from twin.validation.volumes import solid_volume

LOD = "3.0"
DECIMALS = 3

WELD_M = 1e-4
"""Vertices of a model nearer than this are one [m]: mesh formats repeat them for normals and textures."""

UPRIGHT = 0.1
"""A face whose unit normal has |z| up to this is a wall."""

FOOT_M = 0.5
"""Faces that look down are ground within this of the model's lowest point, outer ceilings above it [m]."""


def place_mesh(
    vertices: NDArray[Any],
    faces: NDArray[Any],
    *,
    anchor_model: tuple[float, float, float],
    anchor_world: tuple[float, float, float],
    frame: Frame,
    rotation_grid_deg: float = 0.0,
    scale: float = 1.0,
) -> TriangleMesh:
    """A model set down so that its anchor point meets a point of the site.

    Parameters
    ----------
    vertices
        (n, 3) model space, x right, y forward, z up [m].
    faces
        (m, 3) vertex numbers, counter-clockwise seen from outside.
    anchor_model
        The anchor in model space [m], before scaling.
    anchor_world
        East, north, height above the datum of the same point, world space [m].
    frame
        Frame of the result.
    rotation_grid_deg
        Where the model's y axis points: azimuth from grid north, clockwise [degree].
    scale
        Metres of the site per unit of the model.

    Returns
    -------
    TriangleMesh
        Local space; faces that look up are roof, down ground or outer ceiling, the others wall.

    Raises
    ------
    InputError
        No faces, or numbers that are not finite, or a scale that is not positive.
    """
    points = np.asarray(vertices, dtype=np.float64).reshape(-1, 3)
    triangles = np.asarray(faces).reshape(-1, 3)
    numbers = np.array([*anchor_model, *anchor_world, rotation_grid_deg, scale], dtype=np.float64)
    if not len(triangles):
        raise InputError("the model has no faces")
    if not (np.isfinite(points).all() and np.isfinite(numbers).all()):
        raise InputError("the model or its anchor has coordinates that are not finite numbers")
    if scale <= 0:
        raise InputError(f"the scale of a model must be positive; got {scale}")
    angle = np.deg2rad(rotation_grid_deg % 360.0)
    cos, sin = np.cos(angle), np.sin(angle)
    # Clockwise, because azimuths are: what points north (0, 1) then points along (sin, cos).
    turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    foot = frame.to_local(np.asarray([anchor_world], dtype=np.float64))
    placed = scale * (points - np.asarray(anchor_model, dtype=np.float64)) @ turn.T + foot
    bare = TriangleMesh(frame, placed, triangles.astype(np.int32), np.zeros(len(triangles), np.uint8))
    return TriangleMesh(frame, placed, bare.faces, _semantics(bare))


def _semantics(mesh: TriangleMesh) -> NDArray[np.uint8]:
    up = mesh.face_normals()[:, 2]
    lowest = float(mesh.vertices[mesh.faces.ravel(), 2].min())
    low = mesh.vertices[mesh.faces][:, :, 2].max(axis=1) <= lowest + FOOT_M
    out = np.full(len(up), Surface.WALL, dtype=np.uint8)
    out[up > UPRIGHT] = Surface.ROOF
    out[up < -UPRIGHT] = Surface.OUTER_CEILING
    out[(up < -UPRIGHT) & low] = Surface.GROUND
    return out


def mesh_building(placed: PlacedModel, proposal_id: str) -> Building:
    """A placed model as a building: solids where all its bodies close, else a ``MultiSurface``.

    Parameters
    ----------
    placed
        The model in local space.
    proposal_id
        Id of the proposal.

    Returns
    -------
    Building
        Id ``<proposal>/<model>``, LoD 3.0. A closed body whose faces look inward is turned.

    Raises
    ------
    InputError
        No face with an area; the message names proposal and model.
    """
    mesh = placed.mesh
    _, first, inverse = np.unique(
        np.rint(mesh.vertices / WELD_M), axis=0, return_index=True, return_inverse=True
    )
    points, faces = mesh.vertices[first], inverse.reshape(-1)[mesh.faces]
    a, b, c = (points[faces[:, k]] for k in range(3))
    wide = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2 >= WELD_M**2
    faces, codes = faces[wide], mesh.semantics[wide]
    if not len(faces):
        raise InputError(f"proposal {proposal_id!r}, model {placed.id!r}: no face has an area")
    bodies = _bodies(faces)
    flipped = _turned(points, faces, bodies)
    if (flipped != faces).any():
        faces = flipped
        codes = _semantics(TriangleMesh(mesh.frame, points, faces.astype(np.int32), codes))
    kind: Kind = "Solid" if bodies.max() == 0 else "MultiSolid"
    geometry = _triangles(kind, points, faces, (bodies, codes))
    if validate_geometry(geometry):
        geometry = _triangles("MultiSurface", points, faces, (np.zeros_like(bodies), codes))
    z = points[np.unique(faces), 2]
    attributes: dict[str, Any] = {
        "status": "proposed",
        "proposal": proposal_id,
        "model": placed.id,
        "source": placed.source,
        "h_base": round(float(z.min()), DECIMALS),
        "h_top": round(float(z.max()), DECIMALS),
        "height_m": round(float(z.max() - z.min()), DECIMALS),
        "lod": LOD,
    }
    if geometry.is_solid:
        attributes["volume_m3"] = round(solid_volume(geometry), DECIMALS)
    building = Building(f"{proposal_id}/{placed.id}", mesh.frame, (geometry,), attributes)
    footprint = building_footprint(building)
    attributes["footprint_area_m2"] = round(float(footprint.area), DECIMALS) if footprint else 0.0
    return Building(building.id, mesh.frame, (geometry,), attributes)


def _triangles(
    kind: Kind,
    points: NDArray[np.float64],
    faces: NDArray[np.int64],
    marks: tuple[NDArray[np.int64], NDArray[np.uint8]],
) -> Geometry:
    """A geometry of triangles; ``marks`` are the body and the semantic code of each."""
    bodies, codes = marks
    rings = tuple((tuple(face),) for face in faces.tolist())
    return Geometry(kind, LOD, points, rings, codes, np.column_stack([bodies, np.zeros_like(bodies)]))


def _bodies(faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the connected piece that each face belongs to, counted in the order of the faces."""
    used, local = np.unique(faces, return_inverse=True)
    corners = local.reshape(-1, 3)
    pairs = np.concatenate([corners[:, :2], corners[:, 1:]])
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(used), len(used)))
    _, label = connected_components(graph, directed=False)
    piece = label[corners[:, 0]].astype(np.int64)
    _, first, which = np.unique(piece, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[which.reshape(-1)]


def _turned(
    points: NDArray[np.float64], faces: NDArray[np.int64], bodies: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The faces with every closed body that looks inward turned outward."""
    a, b, c = (points[faces[:, k]] - points.mean(axis=0) for k in range(3))
    volume = np.bincount(bodies, np.einsum("ij,ij->i", a, np.cross(b, c)))
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    owner = np.tile(bodies, 3)
    low, high = edges.min(axis=1), edges.max(axis=1)
    key, which = np.unique(np.column_stack([low, high]), axis=0, return_inverse=True)
    turns = np.bincount(which.reshape(-1), np.where(edges[:, 0] < edges[:, 1], 1.0, -1.0), len(key))
    open_bodies = np.unique(owner[turns[which.reshape(-1)] != 0])
    inward = volume < 0
    inward[open_bodies] = False
    return np.where(inward[bodies][:, None], faces[:, ::-1], faces)
