"""What a proposal changes: the sun is recounted where its shadow can reach, and nowhere else."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.errors import FrameMismatchError
from twin.jit import njit
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, CityObject, Tree
from twin.model.raster import Grid, Raster
from twin.model.results import SunInstant, SunlightResult
from twin.model.scene import Scene
from twin.region import Region
from twin.study.hanging import Reach, faces_of, hanging_objects, over_field
from twin.study.occluders import FaceTable, face_table
from twin.study.readers import TOGETHER, FieldReader, parts, window_of
from twin.study.receptors import Receptors, ground_receptors
from twin.study.sunlight import GroundSun, SunCount, ray_readers
from twin.study.watch import Ticker
from twin.sun.position import sun_direction_local

AROUND_CELLS = 2
"""Cells around a changed object whose reading of the surface it may change."""
NEAR_M = 0.05
"""How much a changed object is widened, so that no ray that it may block is overlooked [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What differs between two scenes of one place.

    Parameters
    ----------
    added
        Faces of what the second scene has more (and the terrain, as object 0).
    removed
        Ids of what it has no more.
    boxes
        (n, 6) west, south, low, east, north, high of each of these objects, local space [m].
    hanging
        (n,) which of them hang over the ground (by the height field's engine; none for rays).
    added_hanging
        The same of the objects of ``added``.
    """

    added: FaceTable
    removed: frozenset[str]
    boxes: NDArray[np.float64]
    hanging: NDArray[np.bool_]
    added_hanging: NDArray[np.bool_]

    @property
    def standing(self) -> NDArray[np.float64]:
        """Boxes of what stands on the ground."""
        return self.boxes[~self.hanging]


def change_between(study: GroundSun, scene: Scene) -> Change:
    """What a scene adds to that of a study and takes from it, object by object.

    Raises
    ------
    FrameMismatchError
        The scenes do not stand on one terrain.
    """
    base, table = study.scene, study.table
    if scene.terrain is not base.terrain:
        raise FrameMismatchError("the two states of a study stand on different terrains")
    old, new = _objects(base), _objects(scene)
    gone = frozenset(thing.id for key, thing in old.items() if key not in new)
    more = {key for key in new if key not in old}
    extra = replace(
        scene,
        buildings=tuple(thing for thing in scene.buildings if id(thing) in more),
        proposed=tuple(thing for thing in scene.proposed if id(thing) in more),
        trees=tuple(thing for thing in scene.trees if id(thing) in more),
        others=tuple(thing for thing in scene.others if id(thing) in more),
    )
    added = face_table(extra, study.settings.trees, coverings=False)
    hangs = np.zeros(len(added.ids), dtype=bool) if study.field is None else hanging_objects(added)
    came = _boxes(added, set(range(1, len(added.ids))))
    went = _boxes(table, {k for k, name in enumerate(table.ids) if k and name in gone})
    boxes = np.array([*came.values(), *went.values()], dtype=np.float64).reshape(-1, 6)
    return Change(added, gone, boxes, np.concatenate([hangs[[*came]], study.hanging[[*went]]]), hangs)


def _objects(scene: Scene) -> dict[int, Building | Tree | CityObject]:
    things: tuple[Building | Tree | CityObject, ...]
    things = (*scene.buildings, *scene.proposed, *scene.trees, *scene.others)
    return {id(thing): thing for thing in things}


def _boxes(table: FaceTable, wanted: set[int]) -> dict[int, NDArray[np.float64]]:
    found = {}
    for number in sorted(wanted):
        faces = table.faces[table.objects == number]
        if len(faces):
            points = table.vertices[faces.ravel()]
            found[number] = np.concatenate([points.min(axis=0) - NEAR_M, points.max(axis=0) + NEAR_M])
    return found


def proposed_sun(study: GroundSun, scene: Scene) -> SunlightResult:
    """The study of another state of its scene; what no shadow of the change can reach is taken over.

    With the height field the lines through the changed cells are swept once with the old and once with the new
    surface; where anything hangs over the ground, the points that these tell apart, and those that may meet what
    hangs and changes, are asked again. With triangles the points whose way to some sun meets a changed object's box
    are asked again. All equal a full run.

    Parameters
    ----------
    study
        The existing state.
    scene
        The other state, on the same terrain.
    """
    change = change_between(study, scene)
    if study.field is None:
        return _by_rays(study, scene, change)
    if not _inside(study.scene.terrain.tin.region, change.standing):
        # The surface would have other cells.
        return GroundSun(
            scene, study.grid, study.settings, study.device, study.threads, study.mask, study.progress
        ).existing
    if not len(change.boxes):
        return replace(study.existing, scene_hash=scene.hash, scenario=scene.scenario)
    counts_alone = not (study.settings.runs or any(span.daily for span in study.spans))
    if counts_alone and not study.hanging.any() and not change.hanging.any():
        return _by_field(study, study.field, scene, change)
    return _by_both(study, study.field, scene, change)


def _inside(region: Region, boxes: NDArray[np.float64]) -> bool:
    low, high = boxes[:, :2], boxes[:, 3:5]
    return bool((low >= (region.west, region.south)).all() and (high <= (region.east, region.north)).all())


def _window(grid: Grid, boxes: NDArray[np.float64]) -> Grid | None:
    """The cells that changed objects may touch."""
    if not len(boxes):
        return None
    margin = AROUND_CELLS * grid.cell_size
    low, high = boxes[:, :2].min(axis=0) - margin, boxes[:, 3:5].max(axis=0) + margin
    return grid.window(Region(float(low[0]), float(low[1]), float(high[0]), float(high[1])))


def _table_within(study: GroundSun, change: Change, window: Grid) -> FaceTable:
    """The faces of the new state over a window."""
    table, region = study.table, window.region
    x, y = (table.vertices[:, k][table.faces] for k in (0, 1))
    near = (x.max(axis=1) >= region.west) & (x.min(axis=1) <= region.east)
    near &= (y.max(axis=1) >= region.south) & (y.min(axis=1) <= region.north)
    stays = np.array([name not in change.removed or not k for k, name in enumerate(table.ids)])
    near &= stays[table.objects]
    more = change.added.objects > 0
    new = change.added
    mesh = TriangleMesh.joined(table.frame, [table.mesh(near), new.mesh(more)])
    return FaceTable(
        table.frame,
        mesh.vertices,
        mesh.faces,
        mesh.semantics,
        np.concatenate([table.objects[near], new.objects[more] + len(table.ids)]),
        table.ids + new.ids,
        table.layers + new.layers,
        table.statuses + new.statuses,
    )


def _receptors(
    study: GroundSun, table: FaceTable, window: Grid | None
) -> tuple[Receptors, NDArray[np.bool_]]:
    """Receptors of the new state, and which of them are new (they are asked whatever the shadows do)."""
    old = study.receptors
    if window is None:
        return old, np.zeros(len(old), dtype=bool)
    rows, cols = window_of(window, study.grid)
    mask = None if study.mask is None else study.mask[rows, cols]
    part = ground_receptors(table, window, study.settings.sample_height_m, mask)
    heights = np.full(study.grid.shape, np.nan)
    heights.reshape(-1)[old.index] = old.z
    was = np.isfinite(heights[rows, cols])
    inner = np.full(window.rows * window.cols, np.nan)
    inner[part.index] = part.z
    heights[rows, cols] = inner.reshape(window.shape)
    fresh = np.zeros(study.grid.shape, dtype=bool)
    fresh[rows, cols] = np.isfinite(heights[rows, cols]) & ~was
    index = np.flatnonzero(np.isfinite(heights))
    return Receptors(study.grid, heights.ravel()[index], index), fresh.ravel()[index]


def _by_field(study: GroundSun, field: FieldReader, scene: Scene, change: Change) -> SunlightResult:
    window = _window(field.whole, change.boxes)
    if window is None:
        return replace(study.existing, scene_hash=scene.hash, scenario=scene.scenario)
    table = _table_within(study, change, window)
    inner = study.grid.window(window.region)
    receptors, _ = _receptors(study, table, inner)
    batches = [span.instants for span in study.spans] + [(sun,) for sun in study.instants]
    more = field.recounted(table, window, receptors, batches)
    hours: dict[str, Raster] = {}
    for span, found in zip(study.spans, more, strict=False):
        # Hours are whole steps: back to their number, and on.
        old = _values(study.existing.hours[span.name], receptors) * (60.0 / span.step_min)
        counted = np.rint(old).astype(np.int64) + found
        hours[span.name] = receptors.raster((counted * (span.step_min / 60.0)).astype(np.float32))
    plates = tuple(
        (sun, receptors.raster(_values(raster, receptors) + found))
        for (sun, raster), found in zip(study.existing.plates, more[len(study.spans) :], strict=True)
    )
    method = {**study.existing.method, "cells": len(receptors)}
    return SunlightResult(scene.hash, scene.scenario, hours, plates, method)


def _by_both(study: GroundSun, field: FieldReader, scene: Scene, change: Change) -> SunlightResult:
    """Sweep and rays: what either tells apart in the two states is asked again, sun by sun."""
    inner = _window(study.grid, change.boxes)
    table = study.table if inner is None else _table_within(study, change, inner)
    receptors, fresh = _receptors(study, table, inner)
    suns = [sun for span in study.spans for sun in span.instants] + list(study.instants)
    edit = _window(field.whole, change.standing)
    standing = study.table if edit is None else _standing_within(study, change, edit)
    asked = fresh | _shaded_anew(study, change, receptors, suns)
    if edit is not None:
        asked |= _told_apart(field, (standing, edit), receptors, suns)
    index = np.flatnonzero(asked)
    again = Receptors(study.grid, receptors.z[index], receptors.index[index])
    count = SunCount(study.spans, study.instants, len(again), study.settings)
    if len(again):
        whole = face_table(scene, study.settings.trees, coverings=False)
        hanging = faces_of(whole, hanging_objects(whole))
        tick = Ticker(study.progress, len(again) * len(suns))
        with ExitStack() as stack:
            now = field.asking(again)
            if edit is not None:
                now = stack.enter_context(field.edited(standing, edit, again))
            reader = stack.enter_context(
                over_field(now, hanging, study.settings.share, study.device, study.threads)
            )
            count.run([(slice(0, len(again)), reader)], tick)
    return _merged(study.existing, study.result(count, scene, again), receptors)


def _standing_within(study: GroundSun, change: Change, window: Grid) -> FaceTable:
    """The faces of the new state over a window that stand on the ground."""
    table = _table_within(study, change, window)
    return faces_of(table, ~np.concatenate([study.hanging, change.added_hanging]))


def _shaded_anew(
    study: GroundSun, change: Change, receptors: Receptors, suns: list[SunInstant]
) -> NDArray[np.bool_]:
    """Which points (n,) may meet something that hangs and comes or goes."""
    found = np.zeros(len(receptors), dtype=bool)
    went = np.array([name in change.removed and bool(k) for k, name in enumerate(study.table.ids)])
    for table, objects in ((change.added, change.added_hanging), (study.table, went & study.hanging)):
        faces = faces_of(table, objects)
        if len(faces.faces) and len(receptors):
            reach = Reach(faces, receptors, study.threads)
            for sun in suns:
                if sun.altitude_deg > 0.0:
                    found |= reach.met(sun_direction_local(sun))
    return found


def _told_apart(
    field: FieldReader, edit: tuple[FaceTable, Grid], receptors: Receptors, suns: list[SunInstant]
) -> NDArray[np.bool_]:
    """Which points (n,) some sun reaches over one of two surfaces alone, of those on lines with the edited cells."""
    found = np.zeros(len(receptors), dtype=bool)
    was = field.asking(receptors, edit[1])
    for start in range(0, len(suns), TOGETHER):
        some = suns[start : start + TOGETHER]
        before = [was.lit(sun) for sun in some]
        with field.edited(*edit, receptors):
            for sun, lit in zip(some, before, strict=True):
                found |= lit != was.lit(sun)
    return found


def _values(raster: Raster, receptors: Receptors) -> NDArray[np.float64]:
    """Values (n,) at the receptors; 0 where there was none."""
    found: NDArray[np.float64] = np.nan_to_num(raster.values.ravel()[receptors.index].astype(np.float64))
    return found


def _by_rays(study: GroundSun, scene: Scene, change: Change) -> SunlightResult:
    window = _window(study.grid, change.boxes)
    table = study.table if window is None else _table_within(study, change, window)
    receptors, fresh = _receptors(study, table, window)
    suns = [sun for span in study.spans for sun in span.instants] + list(study.instants)
    asked = np.flatnonzero(reached(receptors, change.boxes, suns) | fresh)
    again = Receptors(study.grid, receptors.z[asked], receptors.index[asked])
    count = SunCount(study.spans, study.instants, len(again), study.settings)
    if len(again):
        whole = face_table(scene, study.settings.trees, coverings=False)
        tick = Ticker(study.progress, len(again) * len(suns))
        with ray_readers(scene, whole, study.settings, study.device, study.threads) as make:
            count.run(((p, make(again.points(p), None, study.far)) for p in parts(len(again))), tick)
    found = study.result(count, scene, again)
    return _merged(study.existing, found, receptors)


def _merged(old: SunlightResult, new: SunlightResult, receptors: Receptors) -> SunlightResult:
    """Old values where nothing was asked again; nothing where there is no receptor any more."""
    keep = np.zeros(receptors.grid.rows * receptors.grid.cols, dtype=bool)
    keep[receptors.index] = True
    keep = keep.reshape(receptors.grid.shape)
    asked = np.isfinite(next(iter(new.hours.values())).values)

    def one(was: Raster, now: Raster) -> Raster:
        values = np.where(asked, now.values, np.where(keep, was.values, np.float32(np.nan)))
        return Raster(was.grid, values.astype(np.float32))

    runs = {
        name: replace(
            run,
            longest=one(old.runs[name].longest, run.longest),
            first=one(old.runs[name].first, run.first),
            last=one(old.runs[name].last, run.last),
        )
        for name, run in new.runs.items()
    }
    daily = {}
    for name, was in old.daily.items():
        now = new.daily[name]
        whole = np.zeros((len(was.dates), receptors.grid.rows * receptors.grid.cols), dtype=np.float32)
        whole[:, was.index] = was.hours
        whole[:, now.index] = now.hours
        daily[name] = replace(was, index=receptors.index, hours=whole[:, receptors.index])
    return SunlightResult(
        new.scene_hash,
        new.scenario,
        {name: one(old.hours[name], raster) for name, raster in new.hours.items()},
        tuple((sun, one(was, now)) for (sun, was), (_, now) in zip(old.plates, new.plates, strict=True)),
        {**new.method, "cells": len(receptors)},
        runs,
        {name: one(old.least[name], raster) for name, raster in new.least.items()},
        daily,
    )


def reached(receptors: Receptors, boxes: NDArray[np.float64], suns: list[SunInstant]) -> NDArray[np.bool_]:
    """Which points (n,) have a way to some sun that meets some box (k, 6)."""
    found = np.zeros(len(receptors), dtype=bool)
    up = [sun_direction_local(sun) for sun in suns if sun.altitude_deg > 0.0]
    if not up or not len(boxes):
        return found
    for part in parts(len(receptors)):
        _meets(receptors.points(part), np.array(up), boxes, found[part])
    return found


@njit
def _meets(
    points: NDArray[np.float64],
    directions: NDArray[np.float64],
    boxes: NDArray[np.float64],
    found: NDArray[np.bool_],
) -> None:
    """Slab test (Kay and Kajiya 1986) of each point's rays; stops at the first that meets a box."""
    for n in range(len(points)):
        for d in range(len(directions)):
            for b in range(len(boxes)):
                near, far = 0.0, np.inf
                for k in range(3):
                    low, high = boxes[b, k] - points[n, k], boxes[b, k + 3] - points[n, k]
                    along = directions[d, k]
                    if abs(along) < 1e-12:
                        if low > 0.0 or high < 0.0:
                            near = np.inf
                        continue
                    s, t = low / along, high / along
                    near, far = max(near, min(s, t)), min(far, max(s, t))
                if near <= far:
                    found[n] = True
                    break
            if found[n]:
                break
