"""Elevations of the façades that lose most sun: which, how they lie in their plane, what their sheets say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.face_outputs import FacesFound
from pipelines.face_rules import NAMES
from pipelines.sheets import SheetContext, _change_entries, _hours, _outlines, ramp_entries, span_text
from twin.study.compare import Row
from twin.study.facades import FaceSurface
from twin.terrain.sampler import TinSampler
from viewers import palette
from viewers.face_plate import Elevation, KeyPlan
from viewers.plate import Legend
from viewers.words import compass_word, number

LEAST_LOSS_H = 0.05
"""A façade whose cells lose less on the mean on every day is not affected [h]."""


@dataclass(frozen=True, slots=True, eq=False)
class ElevationSheet:
    """One sheet, ready to draw in any process."""

    name: str
    date: str
    title: str
    subtitle: str
    lines: tuple[str, ...]
    elevation: Elevation
    legends: tuple[Legend, ...]


def affected_facades(found: FacesFound, most: int) -> list[tuple[FaceSurface, str]]:
    """The façades with the largest loss of hours times area, and the day or period of it; the worst first."""
    if found.after is None or not most:
        return []
    samples = found.samples
    losses: list[tuple[float, int, str]] = []
    for name, old in found.before.hours.items():
        loss = np.maximum(0.0, old - found.after.hours[name]).astype(np.float64) * samples.area
        total = np.bincount(samples.of, weights=loss, minlength=len(samples.surfaces))
        area = np.bincount(samples.of, weights=samples.area, minlength=len(samples.surfaces))
        for number_, surface in enumerate(samples.surfaces):
            if surface.kind == "wall" and total[number_] > LEAST_LOSS_H * max(area[number_], 1e-9):
                losses.append((-round(float(total[number_]), 6), number_, name))
    chosen: dict[int, str] = {}
    for _, number_, name in sorted(losses):
        chosen.setdefault(number_, name)
    return [(samples.surfaces[k], name) for k, name in list(chosen.items())[:most]]


def elevation_sheet(
    context: SheetContext,
    found: FacesFound,
    method: Mapping[str, Any],
    which: tuple[int, Sequence[tuple[FaceSurface, str]]],
    rows: Sequence[Row],
) -> ElevationSheet:
    """The sheet of one of the affected façades: its place among them, and all; ``rows`` are those of the surfaces."""
    place, facades = which
    surface, date = facades[place]
    samples, after, language = found.samples, found.after, context.language
    if after is None:
        raise ValueError("elevations are of two states")
    own = np.flatnonzero(samples.of == samples.surfaces.index(surface))
    cells = np.array([k for k in own if samples.cells[k] is not None], dtype=np.int64)
    old, new = found.before.hours[date], after.hours[date]
    # The classes of the pictures of the whole study: one colour means one thing on all sheets.
    states_ = (found.before, after, *(() if found.new_sun is None else (found.new_sun,)))
    longest = max(1.0, *(float(state.hours[date].max(initial=0.0)) for state in states_))
    ramp = palette.hours_ramp(longest)
    change = palette.change_ramp(palette.class_width(longest))
    states = tuple(
        (title, paint.paint(values[cells][None])[0, :, :3])
        for title, paint, values in (
            (context.say("existing"), ramp, old),
            (f"{context.say('proposed')}: {context.scene.scenario}", ramp, new),
            (context.say("difference"), change, new - old),
        )
    )
    azimuth = found.scene.frame.azimuth_true(surface.azimuth_grid_deg) % 360.0
    towards = f"{number(azimuth, 0, language)}° ({compass_word(azimuth, language)})"
    legends = (
        Legend(f"{context.say('hours_of_sun')}, {context.say('hours_unit')}", ramp_entries(ramp, context)),
        Legend(
            f"{context.say('change_of_hours')}, {context.say('change_unit')}",
            _change_entries(context, change),
        ),
    )
    return ElevationSheet(
        f"facade-{place + 1:02d}",
        date,
        f"{context.say('facade')} {surface.building}, {surface.kind}-{surface.number}",
        f"{context.say('azimuth')} {towards}, {span_text(context, date, method['days'][date])}",
        (
            context.say("rank").format(place + 1, len(facades)),
            *_facts(context, found, own, date),
            *_verdicts(context, surface, date, rows),
        ),
        _elevation(found, surface, own, cells, states),
        legends,
    )


def _elevation(
    found: FacesFound,
    surface: FaceSurface,
    own: NDArray[np.int64],
    cells: NDArray[np.int64],
    states: tuple[tuple[str, NDArray[Any]], ...],
) -> Elevation:
    """Cells of a façade in its plane, seen from outside, and the ground at its foot."""
    samples = found.samples
    normal = np.array(surface.normal)
    # To the right of who looks at the façade from outside.
    across = np.array([-normal[1], normal[0], 0.0]) / np.hypot(normal[0], normal[1])

    def flat(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([points @ across, points[:, 2]])

    outlines = tuple(flat(np.asarray(samples.cells[k])) for k in cells)
    corners = np.concatenate([np.asarray(samples.cells[k]) for k in cells])
    along = corners @ across
    first, last = corners[np.argmin(along)], corners[np.argmax(along)]
    share = np.linspace(0.0, 1.0, 41)[:, None]
    foot = first + share * (last - first) + 0.3 * normal
    heights = TinSampler(found.scene.terrain.tin).heights(foot[:, :2])
    known = np.isfinite(heights)
    low = float(corners[:, 2].min())
    ground = np.column_stack([foot[:, :2] @ across[:2], np.where(known, heights, low)])
    lines = np.array([k for k in own if samples.cells[k] is None], dtype=np.int64)
    gone = set(found.scene.removed)
    key = KeyPlan(
        np.stack([first[:2], last[:2]]),
        (float(normal[0] / np.hypot(*normal[:2])), float(normal[1] / np.hypot(*normal[:2]))),
        _outlines(b for b in found.base.buildings if b.id not in gone),
        _outlines(found.scene.proposed),
    )
    return Elevation(outlines, states, ground, flat(samples.points[lines]), key)


def _verdicts(context: SheetContext, surface: FaceSurface, date: str, rows: Sequence[Row]) -> tuple[str, ...]:
    """What the rules and the limit say of the window lines of a façade."""
    language, out = context.language, []
    name = f"{surface.kind}-{surface.number}"
    for row in rows:
        if (row["building"], row["surface"], row["date"]) != (surface.building, name, date):
            continue
        if row["line_m"] is None:
            continue
        height = f"{context.say('line_at')} {number(float(row['line_m']), 1, language)} m"
        if row.get("verdict"):
            out.append(f"{context.say('hours_of_sun')} {height}: {context.say(str(row['verdict']))}")
        for metric in NAMES:
            if row.get(f"{metric}_verdict"):
                values = [row.get(f"{metric}_{state}_percent") for state in ("existing", "proposed")]
                text = " → ".join(number(float(v), 1, language) for v in values if v is not None)
                verdict = context.say(str(row[f"{metric}_verdict"]))
                out.append(f"{metric.upper()} {height}: {text} %, {verdict}")
    lines = [row for row in rows if row["building"] == surface.building and row["surface"] == name]
    if any(row["line_m"] is not None for row in lines):
        out.append(context.say("window_points"))
    return tuple(out)


def _facts(context: SheetContext, found: FacesFound, own: NDArray[np.int64], date: str) -> tuple[str, ...]:
    """Means, largest loss, and VSC of a façade in words."""
    samples, before, after, language = found.samples, found.before, found.after, context.language
    if after is None:
        return ()
    cells = own[samples.area[own] > 0]
    area = samples.area[cells]

    def mean(values: NDArray[np.floating]) -> float:
        return float(np.average(values[cells].astype(np.float64), weights=area))

    old, new = before.hours[date], after.hours[date]
    loss = float(max(0.0, (old[cells] - new[cells]).max()))
    out = [
        f"{context.say('area_of_facade')}: {number(float(area.sum()), 0, language)} m²",
        f"{context.say('mean')}: {_hours(mean(old), language)} → {_hours(mean(new), language)}",
        f"{context.say('most_loss')}: {_hours(loss, language)}",
    ]
    if before.sky is not None and after.sky is not None:
        was, now = (number(mean(state.vsc), 1, language) for state in (before.sky, after.sky))
        out.append(f"VSC, {context.say('mean')}: {was} → {now} %")
    return tuple(out)
