"""The scene: what studies, viewers and exports receive, and the one walk over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from twin.frame import Frame
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, CityObject, Tree, best_geometry
from twin.model.surface import Surface
from twin.model.terrain import Terrain
from twin.model.treemesh import tree_mesh
from twin.model.triangulate import triangulate

Status = Literal["existing", "proposed"]
Layer = Literal["terrain", "buildings", "proposals", "trees", "other"]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Terrain + existing - removed + proposed, in one frame.

    Parameters
    ----------
    scenario
        Id of the scenario, ``existing`` for the base.
    hash
        SHA-256 of what the scenario resolves from; every result and export carries it.
    terrain
        The ground.
    buildings
        Existing buildings that the scenario keeps.
    proposed
        Volumes of the proposals, as buildings.
    trees, others
        Trees and other city objects that stay.
    removed
        Ids of the existing objects that the scenario takes away.
    """

    scenario: str
    hash: str
    terrain: Terrain
    buildings: tuple[Building, ...] = ()
    proposed: tuple[Building, ...] = ()
    trees: tuple[Tree, ...] = ()
    others: tuple[CityObject, ...] = ()
    removed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        things: tuple[Building | Tree | CityObject, ...]
        things = (*self.buildings, *self.proposed, *self.trees, *self.others)
        for thing in things:
            self.frame.require_same(thing.frame, f"object {thing.id!r}")

    @property
    def frame(self) -> Frame:
        """Frame of the local coordinates."""
        return self.terrain.frame

    def to_geodataframe(self) -> Any:
        """Existing and proposed buildings as a ``geopandas.GeoDataFrame``, world space [m]; needs geopandas."""
        from twin.io.interop import scene_to_geodataframe

        return scene_to_geodataframe(self)


@dataclass(frozen=True, slots=True, eq=False)
class SceneItem:
    """One object of the walk: its mesh in local space and how to file it.

    Parameters
    ----------
    id
        The object's id; parts of a building carry the building's id.
    layer
        Which layer of a viewer or drawing it belongs to.
    type
        CityJSON type, such as ``Building`` or ``TINRelief``.
    status
        ``existing`` or ``proposed``.
    mesh
        Triangles with semantics.
    """

    id: str
    layer: Layer
    type: str
    status: Status
    mesh: TriangleMesh

    def to_trimesh(self) -> Any:
        """A ``trimesh.Trimesh`` in local space [m]; id, layer, type and status stand in its metadata."""
        made = self.mesh.to_trimesh()
        made.metadata.update(id=self.id, layer=self.layer, type=self.type, status=self.status)
        return made


SURFACE_OF = {
    "Road": Surface.TRAFFIC_AREA,
    "Railway": Surface.TRAFFIC_AREA,
    "TransportSquare": Surface.TRAFFIC_AREA,
    "WaterBody": Surface.WATER,
    "Waterway": Surface.WATER,
    "PlantCover": Surface.PLANT_COVER,
    "SolitaryVegetationObject": Surface.VEGETATION,
    "LandUse": Surface.LAND_USE,
    "Bridge": Surface.BRIDGE,
}
"""What the faces of an object are where its file does not say."""


def walk(scene: Scene, lod: str | None = None, trees: bool = True) -> Iterator[SceneItem]:
    """Every drawable object of a scene, in a fixed order: terrain, buildings, proposals, others, trees.

    Parameters
    ----------
    scene
        The scene.
    lod
        LoD of the buildings; the highest of each where None.
    trees
        Whether trees come along.
    """
    yield SceneItem("terrain", "terrain", "TINRelief", "existing", scene.terrain.tin)
    for building in scene.buildings:
        yield from _building_items(building, "buildings", "existing", lod)
    for building in scene.proposed:
        yield from _building_items(building, "proposals", "proposed", None)
    for thing in scene.others:
        geometry = best_geometry(thing)
        mesh = _named(triangulate(geometry, scene.frame), thing.type) if geometry is not None else None
        if mesh is not None and len(mesh.faces):
            yield SceneItem(thing.id, "other", thing.type, "existing", mesh)
    if trees:
        for tree in scene.trees:
            yield SceneItem(tree.id, "trees", "SolitaryVegetationObject", "existing", tree_mesh(tree))


def _named(mesh: TriangleMesh, kind: str) -> TriangleMesh:
    """The mesh with its unknown faces named by the type of their object."""
    code = SURFACE_OF.get(kind, Surface.UNKNOWN)
    codes = np.where(mesh.semantics == Surface.UNKNOWN, np.uint8(code), mesh.semantics)
    return TriangleMesh(mesh.frame, mesh.vertices, mesh.faces, codes)


def _building_items(building: Building, layer: Layer, status: Status, lod: str | None) -> Iterator[SceneItem]:
    meshes = building_meshes(building, lod)
    if meshes:
        mesh = TriangleMesh.joined(building.frame, meshes)
        yield SceneItem(building.id, layer, "Building", status, mesh)


def building_meshes(building: Building, lod: str | None = None) -> list[TriangleMesh]:
    """Meshes of a building and its parts at one LoD (the highest of each where None).

    The flat outline (LoD 0) of a building whose parts have more is left out: it is no face of the solid.
    """
    geometry = best_geometry(building, lod)
    inner = [mesh for part in building.parts for mesh in building_meshes(part, lod)]
    if geometry is None or (inner and lod is None and geometry.lod < "1"):
        return inner
    mesh = triangulate(geometry, building.frame)
    return [mesh, *inner] if len(mesh.faces) else inner


__all__ = ["Layer", "Scene", "SceneItem", "Status", "Surface", "building_meshes", "walk"]
