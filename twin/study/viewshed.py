"""What observers see of the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.raster import Grid
from twin.model.results import ViewshedResult
from twin.model.scene import Scene
from twin.study.hanging import faces_of
from twin.study.near import THIN_CELLS, NearScene, NearSight, held_badly
from twin.study.occluders import COVERINGS, FaceTable, face_table
from twin.study.readers import CHUNK, Engine, window_of
from twin.study.receptors import Receptors, ground_receptors, surface_lift
from twin.study.sight import bend_of, bend_vertices, curvature_record, sees
from twin.study.surface import scene_field
from twin.study.through import Crowns
from twin.study.watch import Progress
from twin.visibility.caster import Device, make_caster, make_sight


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
    sector
        First and last azimuth that is looked at, clockwise from grid north [degree]; all round where None.
    bare
        Whether nothing but the terrain hides (the bare-ground product).
    near_m
        With ``heightfield``: what stands nearer than this hides by its triangles, exactly, and so does what hangs
        (crowns apart) or is too thin for cells, wherever it stands; 0 leaves all to the height field [m].
    crowns
        Share of sight that each crown lets through, and its season, such as (0.5, "leaf_off"): then what is seen
        through crowns alone is told apart. With ``triangles``.
    """

    observer: tuple[float, float, float]
    target_height_m: float = 0.0
    max_distance_m: float = 3000.0
    curvature: bool = True
    refraction_k: float = 0.13
    trees: bool = True
    more: tuple[tuple[float, float, float], ...] = ()
    engine: Engine = "triangles"
    sector: tuple[float, float] | None = None
    bare: bool = False
    near_m: float = 50.0
    crowns: tuple[float, str] | None = None

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
        if not (np.isfinite(self.near_m) and self.near_m >= 0):
            raise InputError(f"what is near is a number of metres from 0 on; got {self.near_m}")
        if self.crowns is not None:
            if not 0 <= self.crowns[0] <= 1:
                raise InputError(f"a crown lets a share of 0 to 1 through; got {self.crowns[0]}")
            if self.engine != "triangles" or not self.trees or self.bare:
                raise InputError("what is seen through crowns needs trees and the engine triangles")
        if self.sector is not None and not np.isfinite(self.sector).all():
            raise InputError(f"a sector has two finite azimuths; got {self.sector}")

    def looks_at(self, eye: tuple[float, float, float], x: Any, y: Any) -> NDArray[np.bool_]:
        """Whether places (any shape) lie within the distance and the sector of an eye; its own place does."""
        off_x, off_y = x - eye[0], y - eye[1]
        near: NDArray[np.bool_] = np.hypot(off_x, off_y) <= self.max_distance_m
        if self.sector is None:
            return near
        first, last = self.sector
        width = (last - first) % 360.0 or 360.0
        turn = (np.degrees(np.arctan2(off_x, off_y)) - first) % 360.0
        inside: NDArray[np.bool_] = near & (
            (turn <= width + 1e-9) | (turn >= 360.0 - 1e-9) | ((off_x == 0) & (off_y == 0))
        )
        return inside


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

    With curvature, the whole scene is lowered before the lines are drawn (``twin.study.sight.bend_vertices``), once
    for all observers.

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
    if settings.bare:
        table = faces_of(table, np.array([layer == "terrain" for layer in table.layers]))
    look = _by_sweeps if settings.engine == "heightfield" else _by_rays
    if not len(targets):
        look = _nobody
    found = look(table, targets, settings, (device, threads), progress)
    count, least = found.count, found.least
    method = viewshed_method(settings, targets, lift, found.engine)
    several = targets.raster(count.astype(np.float32)) if settings.more else None
    return ViewshedResult(
        scene.hash,
        scene.scenario,
        targets.raster(count > 0),
        method,
        several,
        None if least is None else targets.raster(least),
        None if found.through is None else targets.raster(found.through),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """How many observers see each target (n,), and by which engine; the least height that is seen and the share of
    sight that comes through crowns, where they were asked."""

    count: NDArray[np.int32]
    engine: str
    least: NDArray[np.float32] | None = None
    through: NDArray[np.float32] | None = None


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
    eyes = np.array(settings.observers, dtype=np.float64)
    middle, k = (float(eyes[0, 0]), float(eyes[0, 1])), settings.refraction_k
    low = table.with_vertices(bend_vertices(table.vertices, middle, k)) if settings.curvature else table
    through = _Through(low, settings, where) if settings.crowns is not None else None
    share = np.zeros(len(targets), dtype=np.float32)
    caster = make_caster(low.triangles(), *where)
    try:
        for number, place in enumerate(settings.observers):
            eye = _lowered(eyes[number : number + 1], middle, settings)[0]
            for start in range(0, len(targets), CHUNK):
                part = slice(start, min(len(targets), start + CHUNK))
                xyz = targets.points(part)
                some = np.flatnonzero(settings.looks_at(place, xyz[:, 0], xyz[:, 1]))
                points = _lowered(xyz[some], middle, settings)
                seen = sees(caster, points, eye)
                count[part.start + some] += seen
                if through is not None:
                    best = share[part.start + some]
                    share[part.start + some] = np.maximum(best, through.share(points, eye, seen))
                if progress is not None:
                    progress(float(number * len(targets) + part.stop), total, "sight lines")
    finally:
        caster.close()
        if through is not None:
            through.close()
    engine = f"rays against triangles, {where[0].label}"
    return Counted(count, engine, through=None if through is None else share)


def _nobody(
    table: FaceTable,
    targets: Receptors,
    settings: ViewshedSettings,
    where: tuple[Device, int],
    progress: Progress | None,
) -> Counted:
    """No target lies within reach."""
    none = np.zeros(0, dtype=np.float32)
    least = none if settings.engine == "heightfield" else None
    through = none if settings.crowns is not None else None
    return Counted(np.zeros(0, dtype=np.int32), "none: no target lies within reach", least, through)


class _Through:
    """The scene without its trees, and its trees, for lines that only trees stop."""

    def __init__(self, table: FaceTable, settings: ViewshedSettings, where: tuple[Device, int]) -> None:
        trees = np.array([layer == "trees" for layer in table.layers])
        self._one = settings.crowns[0] if settings.crowns is not None else 0.0
        self._solid = make_caster(faces_of(table, ~trees).triangles(), *where)
        self._crowns = Crowns(faces_of(table, trees), where)

    def share(
        self, points: NDArray[np.float64], eye: NDArray[np.float64], seen: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Share of sight (n,) that comes through: 1 where points (n, 3) are seen freely, 0 behind what is solid."""
        out = seen.astype(np.float32)
        hidden = np.flatnonzero(~seen)
        free = hidden[sees(self._solid, points[hidden], eye)]
        out[free] = self._one ** np.maximum(1, self._crowns.between(points[free], eye))
        return out

    def close(self) -> None:
        self._solid.close()
        self._crowns.close()


def _lowered(
    points: NDArray[np.float64], middle: tuple[float, float], settings: ViewshedSettings
) -> NDArray[np.float64]:
    """Points (n, 3) in the lowered scene."""
    return bend_vertices(points, middle, settings.refraction_k) if settings.curvature else points


def _by_sweeps(
    table: FaceTable,
    targets: Receptors,
    settings: ViewshedSettings,
    where: tuple[Device, int],
    progress: Progress | None,
) -> Counted:
    """One sweep from each observer over the highest surface; what is near, thin or hanging hides by its triangles."""
    apart = held_badly(table, targets.grid.cell_size) & (settings.near_m > 0)
    field, whole = scene_field(faces_of(table, ~apart), targets.grid)
    rows, cols = window_of(targets.grid, whole)
    feet = np.full(whole.shape, np.nan)
    asked = float(max(settings.target_height_m, surface_lift(table)))
    feet[rows, cols] = targets.raster(targets.z - asked).values
    bend = bend_of(settings.refraction_k) if settings.curvature else 0.0
    count = np.zeros(len(targets), dtype=np.int32)
    least = np.full(len(targets), np.inf, dtype=np.float32)
    eyes = settings.observers
    sweep = make_sight(field, feet, where[0], bend=bend, threads=where[1])
    # Who looks one way only, or at what is near, is swept alone.
    together = sweep.together if settings.sector is None and settings.near_m == 0 else 1
    by_triangles = _Near(table, apart, targets, settings, where) if settings.near_m > 0 else None
    try:
        for start in range(0, len(eyes), together):
            some = eyes[start : start + together]
            counts, low = sweep.tally(some, asked, settings.max_distance_m, settings.near_m)
            by = counts[rows, cols].ravel()[targets.index]
            found = low[rows, cols].ravel()[targets.index]
            if settings.sector is not None:
                looked = settings.looks_at(some[0], targets.xyz[:, 0], targets.xyz[:, 1])
                by, found = np.where(looked, by, 0), np.where(looked, found, np.float32(np.nan))
            if by_triangles is not None:
                by, found = by_triangles.see(some[0], asked, found)
            count += by
            least = np.fmin(least, found)
            if progress is not None:
                progress(float(start + len(some)), float(len(eyes)), "observers")
    finally:
        sweep.close()
    engine = SWEEP_ENGINE.format("numba" if where[0].engine != "wgsl" else where[0].label)
    if by_triangles is not None:
        engine += f"; nearer than {settings.near_m:g} m, and for {int(apart.sum())} objects that hang or are narrower "
        engine += f"than {THIN_CELLS:g} cells, rays against triangles, {where[0].label}"
    return Counted(count, engine, np.where(np.isfinite(least), least, np.nan).astype(np.float32))


class _Near:
    """The lowered scene, for what is near each observer."""

    def __init__(
        self,
        table: FaceTable,
        apart: NDArray[np.bool_],
        targets: Receptors,
        settings: ViewshedSettings,
        where: tuple[Device, int],
    ) -> None:
        first = settings.observers[0]
        self._settings, self._where = settings, where
        self._middle, self._xyz = (first[0], first[1]), targets.xyz
        self._cell = targets.grid.cell_size
        low = table.with_vertices(_lowered(table.vertices, self._middle, settings))
        self._scene = NearScene(low, apart, self._cell)

    def see(
        self, eye: tuple[float, float, float], asked: float, far: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """1 for targets (n,) that an observer sees, and the least height at which each would be seen [m]."""
        settings = self._settings
        place = _lowered(np.array([eye], dtype=np.float64), self._middle, settings)[0]
        reach = min(settings.max_distance_m, float(np.ptp(self._xyz[:, :2], axis=0).max()) + self._cell)
        near = NearSight(self._scene, place, settings.near_m, reach, self._where)
        feet = self._xyz - np.array([0.0, 0.0, asked])
        try:
            seen, least = near.see(_lowered(feet, self._middle, settings), asked, far)
        finally:
            near.close()
        return seen.astype(np.int32), least


SWEEP_ENGINE = (
    "sweep over the height field of all that stands or hangs (massive down to the ground), {}, "
    "2 rays for each cell of the farthest row, both crossings; heights read linearly between cell centres"
)


def _within(grid: Grid, settings: ViewshedSettings, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Cells whose centre lies within the distance, and in the mask."""
    near = np.zeros(grid.shape, dtype=bool)
    for eye in settings.observers:
        near |= settings.looks_at(eye, grid.x_centres()[None, :], grid.y_centres()[:, None])
    if mask is None:
        return near
    if mask.shape != grid.shape:
        raise InputError(f"a mask of {mask.shape} cells does not fit a grid of {grid.shape}")
    return near & mask


def _trees_words(settings: ViewshedSettings) -> str:
    if not settings.trees or settings.bare:
        return "left out"
    if settings.crowns is None:
        return "opaque crowns"
    share, season = settings.crowns
    return (
        f"visible: opaque crowns; through crowns: each lets {100 * share:g} % of sight through ({season}), several the "
        "product; the best of all observers"
    )


def viewshed_method(
    settings: ViewshedSettings, targets: Receptors, lift_m: float, engine: str
) -> dict[str, object]:
    """How the result was made, for the manifest and the sheets."""
    places = targets.grid.frame.to_world(np.array(settings.observers)[:, :2])
    eyes = [
        {"east": float(east), "north": float(north), "height_m": float(eye[2])}
        for (east, north), eye in zip(places, settings.observers, strict=True)
    ]
    curvature = curvature_record(settings.refraction_k if settings.curvature else None)
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
        "what_hides": "the bare ground" if settings.bare else "all that stands",
        "sector_grid_deg": None if settings.sector is None else list(settings.sector),
        "trees": _trees_words(settings),
        "coverings": COVERINGS,
        "grazing": "visible",
        "engine": engine,
    }
