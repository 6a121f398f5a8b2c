"""Roofs in the colour of their distance to the points, at one level of detail."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from twin.model.objects import Building, best_geometry
from twin.model.scene import Scene, building_meshes
from twin.model.surface import Surface
from twin.study.picture import CELL_LIFT_M, Cells
from viewers.palette import Colour, Ramp
from viewers.plate import Legend
from viewers.words import number, word

RESIDUALS = Ramp(
    (0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0),
    (
        (44, 123, 182),
        (120, 180, 205),
        (200, 225, 205),
        (255, 235, 160),
        (253, 174, 97),
        (225, 90, 60),
        (150, 10, 40),
    ),
)
"""RMSE of roof points [m], blue where they fit."""
UNKNOWN: Colour = (170, 170, 170)


def at_lod(scene: Scene, lod: str | None) -> Scene:
    """The scene with its existing buildings at one level of detail, the best of each where they have it not."""
    if lod is None:
        return scene
    return replace(scene, buildings=tuple(_at(b, lod) for b in scene.buildings))


def _at(building: Building, lod: str) -> Building:
    geometry = best_geometry(building, lod)
    return building if geometry is None else replace(building, geometries=(geometry,))


def roof_cells(scene: Scene, lod: str | None) -> Cells:
    """The roofs of existing buildings as cells in the colour of their RMSE; grey where it is not known."""
    key = "rmse_m" if lod is None else f"rmse_lod{lod.replace('.', '')}_m"
    vertices: list[NDArray[np.float64]] = []
    objects: list[str] = []
    values: list[float] = []
    for building in scene.buildings:
        value = building.attributes.get(key)
        for mesh in building_meshes(building):
            corners = mesh.vertices[mesh.faces[mesh.semantics == Surface.ROOF]]
            normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
            vertices.append((corners + CELL_LIFT_M * normals[:, None]).reshape(-1, 3))
            objects += [building.id] * len(corners)
            values += [np.nan if value is None else float(value)] * len(corners)
    rmse = np.array(values)
    colours = RESIDUALS.paint(rmse)[:, :3].astype(np.int64)
    colours[np.isnan(rmse)] = UNKNOWN
    points = np.concatenate([np.empty((0, 3)), *vertices])
    return Cells(points, np.arange(len(points)).reshape(-1, 3), objects, colours)


def residual_legend(language: str) -> Legend:
    """The classes with their unit."""
    limits = RESIDUALS.limits
    labels = [f"{number(a, 1, language)} - {number(b, 1, language)}" for a, b in itertools.pairwise(limits)]
    labels.append(f"> {number(limits[-1], 1, language)}")
    known = zip(RESIDUALS.colours, labels, strict=True)
    return Legend(word("roof_rmse", language), (*known, (UNKNOWN, word("not_known", language))))
