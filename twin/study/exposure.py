"""What the ground sees of some buildings: how many targets on them, the lowest of these, and their solid angle.

A target is asked from the eye above every cell; sight is mutual, so it does not matter from which end a ray or a
sweep runs. The same answers, from named places, say how much of a view a proposal takes, and up to which height it
would not be seen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin import __version__
from twin.errors import InputError
from twin.model.raster import Grid
from twin.model.results import ExposureResult
from twin.model.scene import Scene
from twin.study.hanging import faces_of
from twin.study.occluders import COVERINGS, FaceTable, face_table
from twin.study.readers import CHUNK, Engine, window_of
from twin.study.receptors import Receptors, ground_receptors, surface_lift
from twin.study.sight import bend_of, bend_vertices, curvature_record, sees
from twin.study.surface import scene_field
from twin.study.targets import KINDS, Targets
from twin.study.watch import Progress, Ticker
from twin.terrain.sampler import rasterise
from twin.visibility.caster import Caster, Device, make_caster, make_sight
from twin.visibility.exposed import Exposed, FaceTargets, Patch, padded, taken_by_each

FRAME_SR = 4.0 * float(
    np.arcsin(36.0 * 24.0 / np.sqrt((36.0**2 + 4.0 * 50.0**2) * (24.0**2 + 4.0 * 50.0**2)))
)
"""Solid angle of the picture of a 50 mm lens on 36 x 24 mm [sr]: 4 asin(w h / sqrt((w2 + 4 d2)(h2 + 4 d2)))."""
TOGETHER = 2048
"""Targets that are swept between two words of progress, at most; a GPU's sums are read back between them."""


@dataclass(frozen=True, slots=True)
class ExposureSettings:
    """What a study of visual exposure asks.

    Parameters
    ----------
    eye_height_m
        Height of the eyes above the ground of the cells [m].
    max_distance_m
        Farthest eye from a target, in plan [m].
    curvature, refraction_k
        Earth's curvature and refraction; drop = (1 - k) d2 / (2 R).
    trees
        Whether trees hide, as opaque crowns.
    bare
        Whether nothing but the terrain and the buildings asked for hides (the bare-ground product).
    engine
        ``triangles``: rays; ``heightfield``: one sweep from each target over the highest surface without its own
        building, whose walls and roofs hide by the way that they face.
    """

    eye_height_m: float = 1.6
    max_distance_m: float = 3000.0
    curvature: bool = True
    refraction_k: float = 0.13
    trees: bool = True
    bare: bool = False
    engine: Engine = "triangles"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.eye_height_m) and self.eye_height_m > 0):
            raise InputError(f"eyes are at a positive height above the ground; got {self.eye_height_m}")
        if not self.max_distance_m > 0:
            raise InputError(
                f"the farthest eye is a positive number of metres off; got {self.max_distance_m}"
            )
        if not 0 <= self.refraction_k < 1:
            raise InputError(f"a refraction coefficient lies in 0 to 1; got {self.refraction_k}")


@dataclass(slots=True, eq=False)
class Seen:
    """What eyes see of targets, target after target.

    Parameters
    ----------
    count
        (n,) int32 targets seen by each eye.
    lowest
        (n,) height of the lowest of them above the foot of the buildings [m]; infinite where none is seen.
    solid_angle
        (n,) what the cells seen take [sr].
    """

    count: NDArray[np.int32]
    lowest: NDArray[np.float64]
    solid_angle: NDArray[np.float64]
    state: dict[str, NDArray[np.generic]] = field(init=False)

    def __post_init__(self) -> None:
        self.state = {"count": self.count, "lowest": self.lowest, "solid_angle": self.solid_angle}

    @classmethod
    def none(cls, eyes: int) -> Seen:
        """Nothing seen yet."""
        return cls(np.zeros(eyes, np.int32), np.full(eyes, np.inf), np.zeros(eyes))

    def add(self, targets: Targets, number: int, eyes: NDArray[np.float64], seen: NDArray[np.int64]) -> None:
        """One target, and the places (k,) of those among all eyes (n, 3) that see it."""
        self.count[seen] += 1
        height = float(targets.points[number, 2]) - targets.foot
        self.lowest[seen] = np.minimum(self.lowest[seen], height)
        if targets.area[number] > 0:
            self.solid_angle[seen] += cell_solid_angle(targets, number, eyes[seen])

    def add_all(self, found: Exposed, window: tuple[slice, slice], index: NDArray[np.int64]) -> None:
        """What cells see of several targets; the eyes stand over those of a window, at some places (n,) in it."""
        self.count += found.count[window].ravel()[index]
        np.minimum(self.lowest, found.lowest[window].ravel()[index], out=self.lowest)
        self.solid_angle += found.solid_angle[window].ravel()[index]


def cell_solid_angle(targets: Targets, number: int, eyes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solid angle of the cell of a target from eyes (n, 3) before it [sr]; see ``twin.visibility.exposed``."""
    point, outline = targets.points[number], targets.cells[number]
    corners = np.empty((0, 3)) if outline is None else outline - point
    return taken_by_each(eyes - point, targets.normals[number], float(targets.area[number]), corners)


def face_targets(targets: Targets, some: NDArray[np.integer]) -> FaceTargets:
    """Some targets (k,) as the sweeps know them: marks are heights above the foot of the buildings [m], patches the
    field without their building."""
    points = targets.points[some]
    outlines, corners = padded([targets.cells[k] for k in some.tolist()])
    return FaceTargets(
        points,
        targets.normals[some],
        points[:, 2] - targets.foot,
        targets.area[some],
        outlines,
        corners,
        targets.of[some],
    )


def bent(
    table: FaceTable, points: NDArray[np.float64], targets: Targets, settings: ExposureSettings
) -> tuple[FaceTable, NDArray[np.float64]]:
    """Faces and points (n, 3) lowered by the earth's curve around the targets."""
    if not settings.curvature:
        return table, points
    x, y, _ = (float(v) for v in targets.middle)
    k = settings.refraction_k
    return table.with_vertices(bend_vertices(table.vertices, (x, y), k)), bend_vertices(points, (x, y), k)


def hiding(table: FaceTable, targets: Targets, settings: ExposureSettings) -> FaceTable:
    """The faces of a scene that may hide the targets."""
    if not settings.bare:
        return table
    keep = [
        layer == "terrain" or name in targets.ids for name, layer in zip(table.ids, table.layers, strict=True)
    ]
    return faces_of(table, np.array(keep))


def seen_from(
    table: FaceTable,
    targets: Targets,
    eyes: NDArray[np.float64],
    settings: ExposureSettings,
    where: tuple[Device, int],
    tick: Ticker | None = None,
) -> Seen:
    """What eyes (n, 3), local space [m], see of targets, by rays against the faces of a table."""
    seen = Seen.none(len(eyes))
    if not len(eyes) or not len(targets):
        return seen
    both = np.concatenate([eyes, targets.points])
    low, points = bent(table, both, targets, settings)
    caster = make_caster(low.triangles(), *where)
    try:
        ticker = tick or Ticker(None, 1.0)
        for k in ticker.steps("targets", len(targets), len(eyes), seen.state):
            for start in range(0, len(eyes), CHUNK):
                some = start + np.flatnonzero(_faces(targets, k, eyes[start : start + CHUNK], settings))
                if len(some):
                    free = sees(caster, points[some], points[len(eyes) + k])
                    seen.add(targets, k, eyes, some[free])
    finally:
        caster.close()
    return seen


def _faces(
    targets: Targets, number: int, eyes: NDArray[np.float64], settings: ExposureSettings
) -> NDArray[np.bool_]:
    """Which eyes (n, 3) are near enough to a target, and before its face."""
    off = eyes - targets.points[number]
    near: NDArray[np.bool_] = np.hypot(off[:, 0], off[:, 1]) <= settings.max_distance_m
    normal = targets.normals[number]
    return near & (off @ normal > 0.0) if normal.any() else near


def exposure(
    scene: Scene,
    targets: Targets,
    grid: Grid,
    settings: ExposureSettings,
    where: tuple[Device, int],
    mask: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> ExposureResult:
    """What an eye above each cell sees of targets.

    Parameters
    ----------
    scene
        What hides, the buildings of the targets with it.
    targets
        From ``targets_of``, in the same scene.
    grid
        Cells of the result, in the scene's frame.
    settings
        Eyes, reach, what hides.
    where
        Device and threads.
    mask
        (rows, cols) bool, the cells that count; all where None.
    progress
        Told how far it is; may keep a run that is stopped.

    Raises
    ------
    InputError
        A mask of another shape.
    FrameMismatchError
        The grid lies in another frame.
    """
    scene.frame.require_same(grid.frame, "the grid of a study of exposure")
    whole = face_table(scene, settings.trees, coverings=False)
    ground = ground_receptors(whole, grid, settings.eye_height_m, mask)
    table = hiding(whole, targets, settings)
    # Counts of other targets or cells, or of another release, are not continued.
    about = f"{__version__} {scene.hash} {targets.ids} {grid} {settings} {where[0].label}"
    key = hashlib.sha256(about.encode() + targets.points.tobytes() + ground.index.tobytes())
    tick = Ticker(progress, len(targets) * len(ground), key.hexdigest())
    if settings.engine == "heightfield":
        seen = _by_sweeps(table, targets, ground, settings, where, tick)
        engine = "sweep from each target over the height field of all but its own building, {}; its own faces hide "
        engine += "by the way they face, its edges by nothing of their own"
        engine = engine.format(where[0].label if where[0].engine == "wgsl" else "numba")
    else:
        seen = seen_from(table, targets, ground.xyz, settings, where, tick)
        engine = f"rays against triangles, {where[0].label}"
    lowest = np.where(np.isfinite(seen.lowest), seen.lowest, np.nan)
    rasters = {
        "targets_seen": ground.raster(seen.count.astype(np.float32)),
        "lowest_seen": ground.raster(lowest.astype(np.float32)),
        "solid_angle": ground.raster(np.minimum(seen.solid_angle, 2.0 * np.pi).astype(np.float32)),
    }
    return ExposureResult(
        scene.hash,
        scene.scenario,
        rasters,
        len(targets),
        exposure_method(targets, settings, ground, whole, engine),
    )


def _by_sweeps(
    table: FaceTable,
    targets: Targets,
    ground: Receptors,
    settings: ExposureSettings,
    where: tuple[Device, int],
    tick: Ticker,
) -> Seen:
    """Sweeps from the targets, building by building: the field is without the one that is asked for."""
    seen = Seen.none(len(ground))
    if not len(ground) or not len(targets):
        return seen
    height = max(settings.eye_height_m, surface_lift(table))
    field_, whole = scene_field(table, ground.grid)
    window = window_of(ground.grid, whole)
    feet = np.full(whole.shape, np.nan, np.float32)
    feet[window] = ground.raster((ground.z - height).astype(np.float32)).values
    patches = [_without(table, name, whole) for name in targets.ids]
    order = np.argsort(targets.of, kind="stable")
    bend = bend_of(settings.refraction_k) if settings.curvature else 0.0
    sweep = make_sight(field_, feet, where[0], bend=bend, threads=where[1])
    try:
        for part in tick.spans("targets", len(order), len(ground), seen.state, TOGETHER):
            some = face_targets(targets, order[part.start : part.stop])
            seen.add_all(sweep.expose(some, height, settings.max_distance_m, patches), window, ground.index)
    finally:
        sweep.close()
    return seen


def _without(table: FaceTable, own: str, whole: Grid) -> Patch:
    """The highest surface around a building without it."""
    mine = np.array([name == own for name in table.ids])
    corners = table.vertices[table.faces[mine[table.objects]]].reshape(-1, 3)
    low, high, cell = corners.min(axis=0), corners.max(axis=0), whole.cell_size
    row = max(0, int((whole.north - high[1]) / cell) - 1)
    col = max(0, int((low[0] - whole.west) / cell) - 1)
    rows = min(whole.rows, int((whole.north - low[1]) / cell) + 2) - row
    cols = min(whole.cols, int((high[0] - whole.west) / cell) + 2) - col
    around = Grid(whole.frame, whole.west + col * cell, whole.north - row * cell, cell, rows, cols)
    others = faces_of(table, ~mine)
    heights = rasterise(others.mesh(np.ones(len(others.faces), dtype=bool)), around).values
    return Patch(row, col, heights)


def exposure_method(
    targets: Targets, settings: ExposureSettings, ground: Receptors, table: FaceTable, engine: str
) -> dict[str, object]:
    """How the result was made, for the manifest and the sheets."""
    hides = "the bare ground and the buildings themselves" if settings.bare else "all that stands"
    return {
        "quantity": "targets on the buildings that an eye above the ground sees, the lowest of them above their foot, "
        "and their solid angle: sum of A cos(i) / d2 over the cells whose middle is seen, a half space at most; coarse "
        "nearer to a building than the targets are apart",
        "buildings": list(targets.ids),
        "targets": {name: int((targets.kind == k).sum()) for k, name in enumerate(KINDS)},
        "target_spacing_m": targets.spacing_m,
        "eye_height_m": settings.eye_height_m,
        "max_distance_m": settings.max_distance_m,
        "curvature": curvature_record(settings.refraction_k if settings.curvature else None),
        "what_hides": hides,
        "frame_50mm_sr": round(FRAME_SR, 6),
        "cell_size_m": ground.grid.cell_size,
        "cells": len(ground),
        "surface_lift_m": surface_lift(table),
        "left_out": "cells inside buildings, outside the ground or area",
        "trees": "opaque crowns" if settings.trees and not settings.bare else "left out",
        "coverings": COVERINGS,
        "grazing": "visible",
        "engine": engine,
    }


def hidden_up_to(
    table: FaceTable,
    targets: Targets,
    eyes: NDArray[np.float64],
    settings: ExposureSettings,
    where: tuple[Device, int],
) -> NDArray[np.float64]:
    """Height above the foot of the buildings up to which nothing would be seen of them from each eye (n,) [m].

    All else stays; over the plan of the targets the lowest point that the eye sees in the scene without the buildings
    is sought upright, to a centimetre.

    Parameters
    ----------
    table
        The faces of the scene.
    targets
        Of the buildings.
    eyes
        (n, 3) local space [m].
    settings
        Curvature and what hides.
    where
        Device and threads.

    Returns
    -------
    0 where their foot is seen; infinite where even 1000 m would not be.
    """
    table = hiding(table, targets, settings)
    table = faces_of(table, np.array([name not in targets.ids for name in table.ids]))
    plan = np.unique(np.round(targets.points[:, :2], 1), axis=0)
    feet = np.column_stack([plan, np.full(len(plan), targets.foot)])
    low, points = bent(table, np.concatenate([eyes, feet]), targets, settings)
    caster = make_caster(low.triangles(), *where)
    try:
        return np.array([_lowest_free(caster, eye, points[len(eyes) :]) for eye in points[: len(eyes)]])
    finally:
        caster.close()


def _lowest_free(caster: Caster, eye: NDArray[np.float64], feet: NDArray[np.float64]) -> float:
    """Least height above feet (n, 3) at which any point over them is seen from an eye [m]."""

    def free(heights: NDArray[np.float64]) -> NDArray[np.bool_]:
        return sees(caster, feet + np.column_stack([np.zeros((len(feet), 2)), heights]), eye)

    hidden, seen = np.zeros(len(feet)), np.full(len(feet), 1000.0)
    if free(np.full(len(feet), 0.05)).any():
        return 0.0
    if not free(seen).any():
        return float("inf")
    while float((seen - hidden).max()) > 0.01:
        middle = 0.5 * (hidden + seen)
        up = free(middle)
        seen, hidden = np.where(up, middle, seen), np.where(up, hidden, middle)
    return float(seen.min())
