"""Middles of windows upon façades, and the sun of rooms with several of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.model.scene import Scene
from twin.study.facades import FaceSamples, FaceSurface, outside, walls_of
from twin.study.horizon import far_horizon
from twin.study.occluders import face_table
from twin.study.receptors import surface_lift
from twin.study.sunlight import ray_readers
from twin.study.suns import SunlightSettings, spans_of
from twin.study.tally import Span
from twin.terrain.sampler import TinSampler
from twin.visibility.caster import Device, make_caster


@dataclass(frozen=True, slots=True)
class Opening:
    """The middle of a window as it was given.

    Parameters
    ----------
    id, room
        Its name, and that of its room.
    x, y
        Local space [m].
    height
        Above the datum [m], or above the ground where ``above_ground`` [m].
    above_ground
        Which of the two.
    """

    id: str
    room: str
    x: float
    y: float
    height: float
    above_ground: bool = True


@dataclass(frozen=True, slots=True)
class Placed:
    """A window on its façade, or why it has none.

    Parameters
    ----------
    opening
        As it was given.
    surface
        Its façade; None where it has none.
    point
        (3,) on the façade, local space [m].
    moved_m
        How far it was moved to the façade [m].
    reason
        Why it does not count; empty where it does.
    """

    opening: Opening
    surface: FaceSurface | None = None
    point: tuple[float, float, float] | None = None
    moved_m: float | None = None
    reason: str = ""


def place_openings(scene: Scene, openings: Sequence[Opening], max_distance_m: float) -> list[Placed]:
    """Windows upon the nearest façade of a scene; one without is given back with its reason."""
    ground = TinSampler(scene.terrain.tin)
    walls = walls_of(scene)
    out: list[Placed] = []
    for opening in openings:
        height = opening.height
        if opening.above_ground:
            foot = float(ground.heights(np.array([[opening.x, opening.y]]))[0])
            if np.isnan(foot):
                out.append(Placed(opening, reason="outside the terrain"))
                continue
            height += foot
        out.append(_nearest(opening, np.array([opening.x, opening.y, height]), walls, max_distance_m))
    return out


def _nearest(opening: Opening, at: NDArray[np.float64], walls: Sequence[Any], most: float) -> Placed:
    best: tuple[float, Any, NDArray[np.float64]] | None = None
    for surface, polygon, plane in walls:
        off = abs(float((at - plane.origin) @ plane.normal))
        if off > most or (best is not None and off >= best[0]):
            continue
        flat = shapely.Point(plane.flat(at[None])[0])
        near = shapely.get_point(shapely.shortest_line(polygon, flat), 0)
        point = plane.space(shapely.get_coordinates(near))[0]
        away = float(np.linalg.norm(point - at))
        if away <= most and (best is None or away < best[0] - 1e-9):
            best = (away, surface, point)
    if best is None:
        return Placed(opening, reason=f"no façade within {most:g} m")
    away, surface, point = best
    x, y, z = (float(v) for v in point)
    return Placed(opening, surface, (x, y, z), away)


def window_samples(
    scene: Scene, placed: Sequence[Placed], device: Device, threads: int = 1
) -> tuple[FaceSamples, list[Placed]]:
    """Samples of the windows that have a façade and look into the open, in their order; and all of them, those behind
    another solid with that as their reason."""
    table = face_table(scene, trees=False, coverings=False)
    lift = surface_lift(table)
    some = [k for k, p in enumerate(placed) if p.surface is not None and not p.reason]
    made = _samples([placed[k] for k in some], lift)
    if not some:
        return made, list(placed)
    caster = make_caster(table.triangles(), device, threads)
    try:
        free = outside(made, table, caster)
    finally:
        caster.close()
    # A point's place is its name: what is left comes in the old order.
    left = {tuple(point) for point in free.points.tolist()}
    out = list(placed)
    for k, point in zip(some, made.points.tolist(), strict=True):
        if tuple(point) not in left:
            p = placed[k]
            out[k] = Placed(
                p.opening, p.surface, p.point, p.moved_m, "inside another solid or under the ground"
            )
    return free, out


def _samples(placed: Sequence[Placed], lift: float) -> FaceSamples:
    surfaces = list(dict.fromkeys(p.surface for p in placed if p.surface is not None))
    number = {surface: k for k, surface in enumerate(surfaces)}
    normals = np.array([p.surface.normal for p in placed if p.surface is not None]).reshape(-1, 3)
    points = np.array([p.point for p in placed]).reshape(-1, 3)
    count = len(placed)
    return FaceSamples(
        tuple(surfaces),
        np.array([number[p.surface] for p in placed if p.surface is not None], dtype=np.int32),
        points + lift * normals,
        normals,
        np.zeros(count),
        np.full(count, np.nan),
        (None,) * count,
    )


@dataclass(frozen=True, slots=True)
class RoomSun:
    """Sun of a room on a day or over a period.

    Parameters
    ----------
    hours
        At which at least one of its windows is lit [h].
    least
        Hours of the day with the least [h].
    longest
        Longest time without a break within a day [h].
    """

    hours: float
    least: float
    longest: float


def rooms_sun(
    scene: Scene,
    samples: FaceSamples,
    rooms: Sequence[str],
    settings: SunlightSettings,
    device: Device,
    threads: int = 1,
) -> Mapping[str, Mapping[str, RoomSun]]:
    """Sun of each room by day or period: the time at which at least one of its windows is lit.

    Parameters
    ----------
    scene
        What casts shadow.
    samples
        Windows.
    rooms
        Room of each sample.
    settings
        Days, periods, trees.

    Notes
    -----
    EN 17037: hours of several openings are added where they are not simultaneous. Behind crowns that let a part of the
    sun through, the best window counts.
    """
    names = sorted(set(rooms))
    of = np.array([names.index(room) for room in rooms], dtype=np.int64)
    found: dict[str, dict[str, RoomSun]] = {name: {} for name in names}
    if not names:
        return found
    table = face_table(scene, settings.trees, coverings=False)
    far = far_horizon(scene.terrain)
    with ray_readers(scene, table, settings, device, threads) as make:
        reader = make(samples.points, samples.normals, far)
        for span in spans_of(settings, scene.frame):
            for name, sun in zip(names, _span_sun(span, reader, of, len(names)), strict=True):
                found[name][span.name] = sun
    return found


def _span_sun(span: Span, reader: Any, of: NDArray[np.int64], count: int) -> list[RoomSun]:
    step = span.step_min / 60.0
    days, longest = np.zeros((len(span.days), count)), np.zeros(count)
    for number, day in enumerate(span.days):
        run, last = np.zeros(count), None
        for sun in day.instants:
            lit = np.zeros(count)
            np.maximum.at(lit, of, np.asarray(reader.lit(sun), dtype=np.float64))
            days[number] += lit
            # A gap between suns (a clock that jumps, a sun too low) ends a run.
            together = last is not None and (sun.utc - last).total_seconds() <= span.step_min * 60.06
            run = np.where(lit >= 1.0, run * together + 1.0, 0.0)
            longest = np.maximum(longest, run)
            last = sun.utc
    total, least = days.sum(axis=0) * step, days.min(axis=0) * step
    return [RoomSun(float(total[k]), float(least[k]), float(longest[k] * step)) for k in range(count)]
