"""How much of the sky is seen: both sky view factors, the vertical sky component, the obstruction angle.

Two sky view factors are in use and differ by up to a half: the share of the solid angle of the upper half of space
(relief tools), and the view factor of a level surface, in which a direction counts by the sine of its altitude
(radiation). They are named apart everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.model.raster import Grid
from twin.model.results import SkyResult
from twin.model.scene import Scene
from twin.study.hanging import faces_of, hanging_objects, over_field
from twin.study.horizon import METHOD as FAR_METHOD
from twin.study.horizon import FarHorizon, far_horizon
from twin.study.occluders import COVERINGS, FaceTable, face_table
from twin.study.readers import Engine, FieldReader, parts
from twin.study.receptors import Receptors, ground_receptors, surface_lift
from twin.study.suns import field_engine
from twin.study.watch import Progress, Ticker
from twin.sun.sky import OVERCAST_HORIZONTAL, SKY_DIRECTIONS, Measure, Sky, cie_overcast, sky_of
from twin.visibility.caster import Caster, Device, make_caster

GROUND: dict[str, Measure] = {"svf_solid_angle": "solid_angle", "svf_cosine": "cosine"}
"""Sky view factors of the ground, and how their directions are spread."""
ANGLES_DEG = np.arange(0.25, 90.0, 0.5)
"""Altitudes at which the section in front of a face is looked at [degree]."""

HORIZON_BAND = np.sin(np.radians(6.5))
"""Height of the band of sky at the horizon, as a sine (Perez et al. 1987: 6.5 degrees)."""


@dataclass(frozen=True, slots=True, eq=False)
class SkyOfFaces:
    """What points on faces see of the sky.

    Parameters
    ----------
    svf_solid_angle
        (n,) share of the solid angle of the upper half of space, 0 to 1; a wall in the open sees a half.
    svf_cosine
        (n,) view factor from the face to the sky, 0 to 1; a wall in the open has a half, level ground 1.
    vsc
        (n,) sky component under the CIE overcast sky [percent of open level ground]: for a wall its vertical sky
        component (39.6 in the open).
    obstruction_angle_deg
        (n,) altitude of the lowest sky in the section at right angles to a wall [degree]; NaN for roofs flatter
        than 45 degrees; 90 where none is seen.
    horizon
        (n,) view of the band of sky at the horizon, weighted by the cosine of incidence: the sine of the tilt in the
        open (1 for a wall, 0 for a level roof), 0 where nothing of the band is seen.
    """

    svf_solid_angle: NDArray[np.float32]
    svf_cosine: NDArray[np.float32]
    vsc: NDArray[np.float32]
    obstruction_angle_deg: NDArray[np.float32]
    horizon: NDArray[np.float32]


def sky_of_faces(
    caster: Caster,
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    sky: Sky | None = None,
    far: FarHorizon | None = None,
    tick: Ticker | None = None,
) -> SkyOfFaces:
    """The sky that points on faces see.

    Parameters
    ----------
    caster
        What blocks.
    points, normals
        (n, 3) local space [m], already lifted off their faces, and unit normals.
    sky
        Directions, spread by solid angle.
    far
        Horizon beyond the site.
    tick
        Told of each direction times the points.
    """
    sky = sky or sky_of()
    sums = np.zeros((3, len(points)))
    band, whole = np.zeros(len(points)), np.zeros(len(points))
    low = max(HORIZON_BAND, float(sky.directions[:, 2].min()) + 1e-9)
    state = {"sums": sums, "band": band, "whole": whole}
    for k in (tick or Ticker(None, 1.0)).steps("sky", len(sky.directions), len(points), state):
        direction, angle = sky.directions[k], sky.solid_angles[k]
        cosine = normals @ direction
        free = _sees(caster, points, direction, cosine > 1e-9, far)
        if direction[2] <= low:
            facing = np.maximum(0.0, normals[:, :2] @ direction[:2])
            whole += facing
            band += facing * free
        weights = angle * cosine[free]
        sums[0, free] += angle
        sums[1, free] += weights
        sums[2, free] += weights * cie_overcast(direction[2])
    return SkyOfFaces(
        (sums[0] / (2.0 * np.pi)).astype(np.float32),
        (sums[1] / np.pi).astype(np.float32),
        (100.0 * sums[2] / OVERCAST_HORIZONTAL).astype(np.float32),
        obstruction_angles(caster, points, normals),
        np.divide(
            np.hypot(normals[:, 0], normals[:, 1]) * band, whole, out=np.zeros(len(points)), where=whole > 0
        ).astype(np.float32),
    )


def _sees(
    caster: Caster,
    points: NDArray[np.float64],
    direction: NDArray[np.float64],
    facing: NDArray[np.bool_],
    far: FarHorizon | None,
) -> NDArray[np.bool_]:
    free = facing.copy()
    if far is not None:
        free &= far.clears_direction(points, direction)
    asked = np.flatnonzero(free)
    if len(asked):
        free[asked] = ~caster.occluded(points[asked], direction)
    return free


def obstruction_angles(
    caster: Caster, points: NDArray[np.float64], normals: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Altitude of the lowest sky in front of each wall (n,) [degree], at half a degree; see ``SkyOfFaces``."""
    out = np.full(len(points), np.nan, dtype=np.float32)
    flat = np.hypot(normals[:, 0], normals[:, 1])
    left = np.flatnonzero(flat > np.sqrt(0.5))
    out[left] = 90.0
    ahead = normals[:, :2] / np.maximum(flat, 1e-12)[:, None]
    for angle in ANGLES_DEG:
        up = np.radians(angle)
        directions = np.column_stack([ahead[left] * np.cos(up), np.full(len(left), np.sin(up))])
        clear = ~caster.occluded(points[left], directions) & (
            np.einsum("ij,ij->i", normals[left], directions) > 0
        )
        out[left[clear]] = angle - 0.25
        left = left[~clear]
        if not len(left):
            break
    return out


@dataclass(frozen=True, slots=True)
class SkySettings:
    """What a study of the sky over the ground asks.

    Parameters
    ----------
    engine
        Triangles, or the height field of what stands on the ground, with rays against what hangs over it.
    trees
        Whether crowns hide the sky, as opaque ones.
    directions
        Directions of each of the two skies.
    sample_height_m
        Height above the ground [m].
    """

    engine: Engine = "triangles"
    trees: bool = True
    directions: int = SKY_DIRECTIONS
    sample_height_m: float = 0.0


def _by_field(
    table: FaceTable,
    receptors: Receptors,
    skies: dict[str, Sky],
    far: FarHorizon | None,
    engine: tuple[Device, int],
    tick: Ticker,
) -> dict[str, NDArray[Any]]:
    """How many directions of each sky are free, by sweeps, and rays against what hangs over the ground."""
    hangs = hanging_objects(table)
    field = FieldReader(faces_of(table, ~hangs), receptors, *engine, far)
    counts: dict[str, NDArray[Any]] = {}
    try:
        with over_field(field, faces_of(table, hangs), None, *engine) as reader:
            for name, sky in skies.items():
                counts[name] = np.zeros(len(receptors), dtype=np.int32)
                for start in range(0, len(sky), field.together):
                    some = sky.directions[start : start + field.together]
                    counts[name] += reader.count_directions(some)
                    tick.add(len(some) * len(receptors), name)
    finally:
        field.close()
    return counts


def _by_rays(
    table: FaceTable,
    receptors: Receptors,
    skies: dict[str, Sky],
    far: FarHorizon | None,
    engine: tuple[Device, int],
    tick: Ticker,
) -> dict[str, NDArray[Any]]:
    """The same by rays alone."""
    caster = make_caster(table.triangles(), *engine)
    counts: dict[str, NDArray[Any]] = {}
    try:
        for name, sky in skies.items():
            counts[name] = np.zeros(len(receptors), dtype=np.int32)
            for part in parts(len(receptors)):
                points = receptors.points(part)
                everywhere = np.ones(len(points), dtype=bool)
                for direction in sky.directions:
                    counts[name][part] += _sees(caster, points, direction, everywhere, far)
                    tick.add(len(points), name)
    finally:
        caster.close()
    return counts


def sky_on_ground(
    scene: Scene,
    grid: Grid,
    settings: SkySettings,
    device: Device,
    threads: int = 1,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> SkyResult:
    """Both sky view factors of the ground; parameters and errors as ``twin.study.sunlight.sunlight``."""
    scene.frame.require_same(grid.frame, "the grid of a sky study")
    table = face_table(scene, settings.trees, coverings=False)
    receptors = ground_receptors(table, grid, settings.sample_height_m, mask)
    far = far_horizon(scene.terrain)
    tick = Ticker(progress, 2.0 * settings.directions * len(receptors))
    skies = {name: sky_of(measure, settings.directions) for name, measure in GROUND.items()}
    ask = _by_field if settings.engine == "heightfield" else _by_rays
    counts = ask(table, receptors, skies, far, (device, threads), tick)
    found = {
        name: receptors.raster((count / len(skies[name])).astype(np.float32))
        for name, count in counts.items()
    }
    method: dict[str, Any] = {
        "quantity": "sky view factors of level ground: share of the solid angle, and cosine-weighted",
        "directions": {name: len(sky) for name, sky in skies.items()},
        "sample_height_m": settings.sample_height_m,
        "surface_lift_m": surface_lift(table),
        "cell_size_m": grid.cell_size,
        "cells": len(receptors),
        "trees": "opaque crowns" if settings.trees else "left out",
        "coverings": COVERINGS,
        "far_terrain": FAR_METHOD if far is not None else "none: nothing beyond the site hides the sky",
        "grazing": "seen",
        "engine": f"rays against triangles, {device.label}"
        if settings.engine == "triangles"
        else field_engine(device),
    }
    return SkyResult(scene.hash, scene.scenario, found, method)
