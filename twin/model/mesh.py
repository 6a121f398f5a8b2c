"""Triangle meshes: counter-clockwise seen from outside, a semantic type per face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.frame import Frame
from twin.model.arrays import readonly
from twin.region import Region


@dataclass(frozen=True, slots=True, eq=False)
class TriangleMesh:
    """Triangles in a site's local space.

    Parameters
    ----------
    frame
        Frame of the local coordinates.
    vertices
        (n, 3) float64, x east, y north, z up, local space [m].
    faces
        (m, 3) int32, counter-clockwise seen from outside (from above for terrain).
    semantics
        (m,) uint8 codes of ``twin.model.surface.Surface``.
    """

    frame: Frame
    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    semantics: NDArray[np.uint8]

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", readonly(np.reshape(self.vertices, (-1, 3)), np.float64))
        object.__setattr__(self, "faces", readonly(np.reshape(self.faces, (-1, 3)), np.int32))
        object.__setattr__(self, "semantics", readonly(self.semantics, np.uint8))
        if len(self.semantics) != len(self.faces):
            raise InputError(f"{len(self.faces)} faces but {len(self.semantics)} semantic codes")
        if not np.isfinite(self.vertices).all():
            raise InputError("a mesh has vertices that are not finite numbers")
        if self.faces.size and (self.faces.min() < 0 or self.faces.max() >= len(self.vertices)):
            raise InputError("a mesh has faces that point past its vertices")

    @staticmethod
    def joined(frame: Frame, meshes: list[TriangleMesh]) -> TriangleMesh:
        """All meshes as one, in order."""
        if not meshes:
            return TriangleMesh(frame, np.empty((0, 3)), np.empty((0, 3), np.int32), np.empty(0, np.uint8))
        for mesh in meshes:
            frame.require_same(mesh.frame, "a mesh")
        starts = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
        return TriangleMesh(
            frame,
            np.concatenate([m.vertices for m in meshes]),
            np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]).astype(np.int32),
            np.concatenate([m.semantics for m in meshes]),
        )

    @property
    def region(self) -> Region:
        """Plan rectangle around the vertices, local space [m]."""
        return Region(*self.vertices[:, :2].min(axis=0), *self.vertices[:, :2].max(axis=0))

    def face_normals(self) -> NDArray[np.float64]:
        """Unit outward normals (m, 3); zero where a face has no area."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        normals = np.cross(b - a, c - a)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        unit: NDArray[np.float64] = np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)
        return unit

    def signed_volume(self) -> float:
        """Volume by the divergence theorem [m3]; positive where a closed mesh faces outward."""
        if not len(self.faces):
            return 0.0
        points = self.vertices - self.vertices.mean(axis=0)
        a, b, c = (points[self.faces[:, k]] for k in range(3))
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)

    def to_trimesh(self) -> Any:
        """A ``trimesh.Trimesh`` in local coordinates [m], unprocessed; needs trimesh."""
        from twin.io.meshes import mesh_to_trimesh

        return mesh_to_trimesh(self)
