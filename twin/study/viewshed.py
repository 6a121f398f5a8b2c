"""What an observer sees of the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.raster import Grid
from twin.model.results import ViewshedResult
from twin.model.scene import Scene
from twin.study.occluders import COVERINGS, face_table
from twin.study.readers import CHUNK
from twin.study.receptors import Receptors, ground_receptors, surface_lift
from twin.study.sight import EARTH_RADIUS_M, bend_vertices, sees
from twin.study.watch import Progress
from twin.visibility.caster import Device, make_caster


@dataclass(frozen=True, slots=True)
class ViewshedSettings:
    """What a viewshed asks.

    Parameters
    ----------
    observer
        x, y, z of the eye, local space, height above the datum [m].
    target_height_m
        Height of the targets above the ground [m].
    max_distance_m
        Farthest target, in plan [m].
    curvature
        Whether the earth's curvature and refraction count.
    refraction_k
        Refraction coefficient; drop = (1 - k) d^2 / (2 R).
    trees
        Whether trees hide, as opaque crowns.
    """

    observer: tuple[float, float, float]
    target_height_m: float = 0.0
    max_distance_m: float = 3000.0
    curvature: bool = True
    refraction_k: float = 0.13
    trees: bool = True

    def __post_init__(self) -> None:
        if not np.isfinite(self.observer).all():
            raise InputError(f"an observer has three finite coordinates; got {self.observer}")
        if not (np.isfinite(self.target_height_m) and self.target_height_m >= 0):
            raise InputError(f"a target height is a number of metres from 0 on; got {self.target_height_m}")
        if not self.max_distance_m > 0:
            raise InputError(f"the farthest target is a positive number of metres; got {self.max_distance_m}")
        if not 0 <= self.refraction_k < 1:
            raise InputError(f"a refraction coefficient lies in 0 to 1; got {self.refraction_k}")


def viewshed(
    scene: Scene,
    grid: Grid,
    settings: ViewshedSettings,
    device: Device,
    threads: int = 1,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> ViewshedResult:
    """What an observer sees of the ground, by sight lines against the scene's triangles.

    With curvature, the whole scene is lowered around the observer before the lines are drawn
    (``twin.study.sight.bend_vertices``).

    Parameters
    ----------
    scene
        The scene.
    grid
        Cells of the result, in the scene's frame.
    settings
        Eye, targets, reach.
    device
        Where rays are cast (``twin.visibility.caster.choose_device``).
    threads
        Threads of the engine.
    mask
        (rows, cols) bool, the cells that count; all where None.
    progress
        Told how far it is.

    Returns
    -------
    ViewshedResult
        1.0 visible, 0.0 hidden; NaN inside buildings, outside the ground or mask, and beyond the distance.

    Raises
    ------
    InputError
        A mask of another shape.
    FrameMismatchError
        The grid lies in another frame.
    """
    scene.frame.require_same(grid.frame, "the grid of a viewshed")
    eye = np.array(settings.observer, dtype=np.float64)
    table = face_table(scene, settings.trees, coverings=False)
    if settings.curvature:
        table = table.with_vertices(bend_vertices(table.vertices, (eye[0], eye[1]), settings.refraction_k))
    targets = ground_receptors(table, grid, settings.target_height_m, _within(grid, settings, mask))
    seen = np.zeros(len(targets), dtype=bool)
    caster = make_caster(table.triangles(), device, threads)
    try:
        for start in range(0, len(targets), CHUNK):
            part = slice(start, min(len(targets), start + CHUNK))
            seen[part] = sees(caster, targets.points(part), eye)
            if progress is not None:
                progress(float(part.stop), float(len(targets)), "sight lines")
    finally:
        caster.close()
    method = viewshed_method(settings, targets, surface_lift(table), device.label)
    return ViewshedResult(scene.hash, scene.scenario, targets.raster(seen), method)


def _within(grid: Grid, settings: ViewshedSettings, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Cells whose centre lies within the distance, and in the mask."""
    x, y, _ = settings.observer
    near: NDArray[np.bool_] = (
        np.hypot(grid.x_centres()[None, :] - x, grid.y_centres()[:, None] - y) <= settings.max_distance_m
    )
    if mask is None:
        return near
    if mask.shape != grid.shape:
        raise InputError(f"a mask of {mask.shape} cells does not fit a grid of {grid.shape}")
    return near & mask


def viewshed_method(
    settings: ViewshedSettings, targets: Receptors, lift_m: float, engine: str
) -> dict[str, object]:
    """How the result was made, for the manifest and the sheets."""
    x, y, z = settings.observer
    east, north = (float(v) for v in targets.grid.frame.to_world(np.array([[x, y]]))[0])
    curvature: dict[str, object] = {"applied": settings.curvature}
    if settings.curvature:
        curvature |= {"refraction_k": settings.refraction_k, "earth_radius_m": EARTH_RADIUS_M}
        curvature["drop"] = "(1 - k) d2 / (2 R), scene lowered around the observer"
    return {
        "quantity": "ground that the observer sees",
        "observer": {"east": east, "north": north, "height_m": float(z)},
        "target_height_m": settings.target_height_m,
        "surface_lift_m": lift_m,
        "max_distance_m": settings.max_distance_m,
        "curvature": curvature,
        "cell_size_m": targets.grid.cell_size,
        "cells": len(targets),
        "left_out": "cells inside buildings, outside the ground or area, beyond the distance",
        "trees": "opaque crowns" if settings.trees else "left out",
        "coverings": COVERINGS,
        "grazing": "visible",
        "engine": f"rays against triangles, {engine}",
    }
