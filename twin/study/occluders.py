"""The faces of a scene as one list, with what each face belongs to: one walk for studies and pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.frame import Frame
from twin.model.arrays import readonly
from twin.model.mesh import TriangleMesh
from twin.model.scene import Layer, Scene, SceneItem, Status, walk
from twin.model.surface import Surface
from twin.terrain.sampler import TinSampler
from twin.visibility.occluders import Triangles

COVERING_M = 0.5
"""Faces of roads, lawns, water and other objects that lie no higher than this above the terrain cover the ground
and block nothing: two sources of one surface never agree to the millimetre [m]."""
SAME_M = 0.001
"""Water so near to the terrain is the same surface [m]."""
COVERINGS = f"faces of other objects up to {COVERING_M} m above the terrain cover it and block nothing"
"""The same for the record of a method."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceTable:
    """All faces of a scene, object by object in the order of the walk; the terrain is object 0.

    Parameters
    ----------
    frame
        Frame of the local coordinates.
    vertices
        (n, 3) float64 local space [m].
    faces
        (m, 3) int32, counter-clockwise from outside.
    semantics
        (m,) uint8 codes of ``twin.model.surface.Surface``.
    objects
        (m,) int32 index of each face's object in ``ids``.
    ids, layers, statuses
        Of each object.
    """

    frame: Frame
    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    semantics: NDArray[np.uint8]
    objects: NDArray[np.int32]
    ids: tuple[str, ...]
    layers: tuple[Layer, ...]
    statuses: tuple[Status, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", readonly(np.reshape(self.vertices, (-1, 3)), np.float64))
        object.__setattr__(self, "faces", readonly(np.reshape(self.faces, (-1, 3)), np.int32))
        object.__setattr__(self, "semantics", readonly(self.semantics, np.uint8))
        object.__setattr__(self, "objects", readonly(self.objects, np.int32))

    def triangles(self) -> Triangles:
        """What blocks rays, for the visibility seam."""
        return Triangles(self.vertices, self.faces)

    def in_layers(self, *layers: Layer) -> NDArray[np.bool_]:
        """Which faces (m,) belong to objects of some layers."""
        wanted = np.array([layer in layers for layer in self.layers], dtype=bool)
        return wanted[self.objects]

    def mesh(self, faces: NDArray[np.bool_]) -> TriangleMesh:
        """Some of the faces as a mesh."""
        return TriangleMesh(self.frame, self.vertices, self.faces[faces], self.semantics[faces])

    def with_vertices(self, vertices: NDArray[np.float64]) -> FaceTable:
        """The same faces upon moved vertices."""
        return replace(self, vertices=vertices)


def face_table(scene: Scene, trees: bool = True, coverings: bool = True) -> FaceTable:
    """The faces of a scene.

    Parameters
    ----------
    scene
        The scene; every building with its highest LoD.
    trees
        Whether trees come along, as opaque crowns and stems.
    coverings
        Whether faces that merely cover the ground (``COVERING_M``) come along; studies leave them out.
    """
    items = [item for item in walk(scene, trees=trees) if not _is_ground_already(item, scene)]
    if not coverings and any(item.layer == "other" for item in items):
        ground = TinSampler(scene.terrain.tin)
        items = [_raised(item, ground) if item.layer == "other" else item for item in items]
    mesh = TriangleMesh.joined(scene.frame, [item.mesh for item in items])
    return FaceTable(
        scene.frame,
        mesh.vertices,
        mesh.faces,
        mesh.semantics,
        np.repeat(np.arange(len(items), dtype=np.int32), [len(item.mesh.faces) for item in items]),
        tuple(item.id for item in items),
        tuple(item.layer for item in items),
        tuple(item.status for item in items),
    )


def _is_ground_already(item: SceneItem, scene: Scene) -> bool:
    """Whether water lies in the terrain's own water triangles: two faces in one place would take turns in a picture."""
    if item.type != "WaterBody":
        return False
    tin = scene.terrain.tin
    wet = tin.semantics == Surface.WATER
    if not wet.any():
        return False
    water = TinSampler(TriangleMesh(tin.frame, tin.vertices, tin.faces[wet], tin.semantics[wet]))
    middle = item.mesh.vertices[item.mesh.faces].mean(axis=1)
    return bool((np.abs(water.heights(middle[:, :2]) - middle[:, 2]) < SAME_M).all())


def _raised(item: SceneItem, ground: TinSampler) -> SceneItem:
    """An object without the faces that cover the ground; what stands wholly beside the terrain stays."""
    mesh = item.mesh
    above = (mesh.vertices[:, 2] - ground.heights(mesh.vertices[:, :2]))[mesh.faces]
    keep = (above > COVERING_M).any(axis=1) | np.isnan(above).all(axis=1)
    return replace(item, mesh=TriangleMesh(mesh.frame, mesh.vertices, mesh.faces[keep], mesh.semantics[keep]))


def scene_occluders(scene: Scene, trees: bool = True) -> tuple[Triangles, FaceTable]:
    """What blocks rays in a scene, and the table that says what each face is."""
    table = face_table(scene, trees)
    return table.triangles(), table
