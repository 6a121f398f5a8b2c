"""What observers see of the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.earth import EARTH_RADIUS_M
from twin.errors import InputError
from twin.model.raster import Grid
from twin.model.results import ViewshedResult
from twin.model.scene import Scene
from twin.study.occluders import COVERINGS, FaceTable, face_table
from twin.study.readers import CHUNK, Engine, window_of
from twin.study.receptors import Receptors, ground_receptors, surface_lift
from twin.study.sight import bend_of, bend_vertices, sees
from twin.study.surface import scene_field
from twin.study.watch import Progress
from twin.visibility.caster import Device, make_caster
from twin.visibility.sight_sweep import SightSweep


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
    more
        Further observers; what any of them sees is seen.
    engine
        ``triangles``: rays; ``heightfield``: one sweep from each observer over the highest surface, in which all that
        hangs (crowns, decks) is massive down to the ground.
    """

    observer: tuple[float, float, float]
    target_height_m: float = 0.0
    max_distance_m: float = 3000.0
    curvature: bool = True
    refraction_k: float = 0.13
    trees: bool = True
    more: tuple[tuple[float, float, float], ...] = ()
    engine: Engine = "triangles"

    @property
    def observers(self) -> tuple[tuple[float, float, float], ...]:
        """All of them."""
        return (self.observer, *self.more)

    def __post_init__(self) -> None:
        for eye in self.observers:
            if not np.isfinite(eye).all():
                raise InputError(f"an observer has three finite coordinates; got {eye}")
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
    table = face_table(scene, settings.trees, coverings=False)
    lift = surface_lift(table)
    mask = _within(grid, settings, mask)
    targets = ground_receptors(table, grid, settings.target_height_m, mask)
    look = _by_sweeps if settings.engine == "heightfield" else _by_rays
    count, least, engine = look(table, targets, settings, (device, threads), progress)
    method = viewshed_method(settings, targets, lift, engine)
    several = targets.raster(count.astype(np.float32)) if settings.more else None
    return ViewshedResult(
        scene.hash,
        scene.scenario,
        targets.raster(count > 0),
        method,
        several,
        None if least is None else targets.raster(least),
    )


Counted = tuple[NDArray[np.int32], NDArray[np.float32] | None, str]
"""How many observers see each target (n,), the least height that is seen (n,), and by which engine."""


def _by_rays(
    table: FaceTable,
    targets: Receptors,
    settings: ViewshedSettings,
    where: tuple[Device, int],
    progress: Progress | None,
) -> Counted:
    """Sight lines against triangles, observer by observer."""
    count = np.zeros(len(targets), dtype=np.int32)
    total = float(len(targets) * len(settings.observers))
    caster = None
    try:
        for number, place in enumerate(settings.observers):
            eye = np.array(place, dtype=np.float64)
            if settings.curvature or caster is None:
                if caster is not None:
                    caster.close()
                bent = table
                if settings.curvature:
                    bent = table.with_vertices(
                        bend_vertices(table.vertices, (eye[0], eye[1]), settings.refraction_k)
                    )
                caster = make_caster(bent.triangles(), *where)
                points = ground_receptors(bent, targets.grid, settings.target_height_m, _mask_of(targets))
            for start in range(0, len(targets), CHUNK):
                part = slice(start, min(len(targets), start + CHUNK))
                xyz = points.points(part)
                near = np.hypot(xyz[:, 0] - eye[0], xyz[:, 1] - eye[1]) <= settings.max_distance_m
                count[part] += near & sees(caster, xyz, eye)
                if progress is not None:
                    progress(float(number * len(targets) + part.stop), total, "sight lines")
    finally:
        if caster is not None:
            caster.close()
    return count, None, f"rays against triangles, {where[0].label}"


def _mask_of(targets: Receptors) -> NDArray[np.bool_]:
    mask = np.zeros(targets.grid.rows * targets.grid.cols, dtype=bool)
    mask[targets.index] = True
    return mask.reshape(targets.grid.shape)


def _by_sweeps(
    table: FaceTable,
    targets: Receptors,
    settings: ViewshedSettings,
    where: tuple[Device, int],
    progress: Progress | None,
) -> Counted:
    """One sweep from each observer over the highest surface."""
    field, whole = scene_field(table, targets.grid)
    rows, cols = window_of(targets.grid, whole)
    feet = np.full(whole.shape, np.nan)
    feet[rows, cols] = targets.raster(targets.z - max(settings.target_height_m, surface_lift(table))).values
    bend = bend_of(settings.refraction_k) if settings.curvature else 0.0
    sweep = SightSweep(field, feet, bend=bend, threads=where[1])
    asked = np.float32(max(settings.target_height_m, surface_lift(table)))
    count = np.zeros(len(targets), dtype=np.int32)
    least = np.full(len(targets), np.inf, dtype=np.float32)
    for number, eye in enumerate(settings.observers):
        found = sweep.lowest_seen(eye, settings.max_distance_m)[rows, cols].ravel()[targets.index]
        count += found <= asked
        least = np.fmin(least, found)
        if progress is not None:
            progress(float(number + 1), float(len(settings.observers)), "observers")
    return count, np.where(np.isfinite(least), least, np.nan).astype(np.float32), SWEEP_ENGINE


SWEEP_ENGINE = (
    "sweep over the height field of all that stands or hangs (massive down to the ground), numba, "
    "2 rays for each cell of the farthest row, both crossings; heights read linearly between cell centres"
)


def _within(grid: Grid, settings: ViewshedSettings, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Cells whose centre lies within the distance, and in the mask."""
    near = np.zeros(grid.shape, dtype=bool)
    for x, y, _ in settings.observers:
        near |= (
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
    places = targets.grid.frame.to_world(np.array(settings.observers)[:, :2])
    eyes = [
        {"east": float(east), "north": float(north), "height_m": float(eye[2])}
        for (east, north), eye in zip(places, settings.observers, strict=True)
    ]
    curvature: dict[str, object] = {"applied": settings.curvature}
    if settings.curvature:
        curvature |= {"refraction_k": settings.refraction_k, "earth_radius_m": EARTH_RADIUS_M}
        curvature["drop"] = "(1 - k) d2 / (2 R), scene lowered around the observer"
    return {
        "quantity": "ground that the observer sees",
        **({"observer": eyes[0]} if len(eyes) == 1 else {"observers": eyes}),
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
        "engine": engine,
    }
