"""The sheets of a study: which maps, in which colours, with which words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.build import Built
from pipelines.config import StudySettings
from pipelines.config_base import EyeSettings
from pipelines.config_views import ViewshedStudySettings
from pipelines.console import Ticker
from pipelines.site import EXISTING, Site
from pipelines.workers import map_tasks
from twin import __version__
from twin.buildings.outline import building_footprint
from twin.model.raster import Raster
from twin.model.results import SkyResult, SunInstant, SunlightResult
from twin.model.scene import Scene
from twin.study.compare import Comparison, sky_table, sunlight_table
from twin.terrain.sampler import aligned
from viewers import palette
from viewers.animation import Form, write_animation
from viewers.plate import BaseMap, Legend, Panel, SheetInfo, write_sheet
from viewers.words import day_text, instant_text, number, sun_text, word

SHEET_S = 1.2
"""What a sheet takes to draw, about [s]."""


@dataclass(frozen=True, slots=True)
class SheetContext:
    """What every sheet of a study and scenario shares."""

    site: Site
    base: Built
    scene: Scene
    device: str
    study_id: str
    settings: StudySettings
    areas: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Standpoints by name, local space [m]."""

    @property
    def language(self) -> str:
        """fr or en."""
        return self.site.settings.site.language

    def say(self, key: str) -> str:
        """A phrase in the site's language."""
        return word(key, self.language)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet, ready to draw in any process."""

    name: str
    panels: tuple[Panel, ...]
    legend: Legend
    info: SheetInfo


@dataclass(frozen=True, slots=True)
class Frames:
    """Sheets that are frames of a moving picture and no plates: their names, and where they lie meanwhile."""

    names: frozenset[str]
    folder: Path


def write_sheets(
    context: SheetContext,
    comparison: Comparison,
    folder: Path,
    tick: Ticker,
    workers: int = 1,
    frames: Frames | None = None,
) -> list[Path]:
    """Write all sheets of a comparison; gives the files, without frames."""
    sheets = sun_sheets(context, comparison) if isinstance(comparison.existing, SunlightResult) else []
    if isinstance(comparison.existing, SkyResult):
        sheets = sky_sheets(context, comparison)
    return draw_sheets(context, sheets, folder, tick, workers, frames)


def draw_sheets(
    context: SheetContext,
    sheets: list[Sheet],
    folder: Path,
    tick: Ticker,
    workers: int = 1,
    frames: Frames | None = None,
) -> list[Path]:
    """Write some sheets over the relief of the grid of the first; gives the files, without frames."""
    base = base_map(context, sheets[0].panels[0].grid)
    draw = partial(_draw, folder, frames, base)
    return [path for files in map_tasks(draw, sheets, workers, tick, SHEET_S) for path in files]


def _draw(folder: Path, frames: Frames | None, base: BaseMap, sheet: Sheet) -> list[Path]:
    if frames is not None and sheet.name in frames.names:
        stem = frames.folder / sheet.name
        write_sheet(stem, sheet.panels, base, sheet.legend, sheet.info, pdf=False)
        return []
    return write_sheet(folder / sheet.name, sheet.panels, base, sheet.legend, sheet.info)


def base_map(context: SheetContext, grid: Any) -> BaseMap:
    """Relief on the study's grid and the outlines of what stands, goes and comes."""
    scene, before = context.scene, context.base.scene
    removed = set(scene.removed)
    gone = [b for b in before.buildings if b.id in removed]
    observers = tuple(context.places.values())
    if isinstance(context.settings, ViewshedStudySettings) and context.settings.eyes:
        places = np.array([[eye.east, eye.north] for eye in context.settings.eyes])
        observers = tuple((float(x), float(y)) for x, y in scene.frame.to_local(places))
    return BaseMap(
        aligned(before.terrain.dtm, grid),
        _outlines(scene.buildings),
        _outlines(gone),
        _outlines(scene.proposed),
        observers,
        tuple(context.areas.items()),
        tuple(context.places),
    )


def _outlines(buildings: Any) -> tuple[Any, ...]:
    return tuple(o for o in (building_footprint(b) for b in buildings) if o is not None)


def sheet_info(
    context: SheetContext, title: str, subtitle: str, lines: tuple[str, ...], method: tuple[str, ...]
) -> SheetInfo:
    """The words of a sheet: what it shows, facts, method, and what all sheets of a site say."""
    place = context.site.settings.site
    return SheetInfo(
        title=title,
        subtitle=subtitle,
        site=place.name,
        scenario=context.scene.scenario,
        scene_hash=context.scene.hash,
        language=context.language,
        frame=context.scene.frame,
        lines=lines,
        method=method,
        attribution=place.attribution,
        synthetic=place.synthetic,
        software=f"valley-twin {__version__}",
    )


def sun_sheets(context: SheetContext, comparison: Comparison) -> list[Sheet]:
    """Per date the hours before, after and their change; per instant the shadows in three tints."""
    before, after = comparison.existing, comparison.proposed
    if not isinstance(before, SunlightResult):
        return []
    rows = {str(row["date"]): row for row in sunlight_table(comparison)}
    sheets: list[Sheet] = []
    for date, raster in before.hours.items():
        later = after.hours[date] if isinstance(after, SunlightResult) else None
        sheets.extend(_hours_sheets(context, date, raster, later, rows[date], before.method))
    sheets.extend(_clock_sheets(context, before, after if isinstance(after, SunlightResult) else None))
    plates = after.plates if isinstance(after, SunlightResult) else (None,) * len(before.plates)
    for (sun, old), new in zip(before.plates, plates, strict=True):
        sheets.append(_instant_sheet(context, sun, old, new[1] if new else None, before.method))
    return sheets


def _hours_sheets(
    context: SheetContext,
    date: str,
    old: Raster,
    new: Raster | None,
    row: Mapping[str, Any],
    method: Mapping[str, Any],
) -> list[Sheet]:
    language = context.language
    day = span_text(context, date, method["days"][date])
    width = palette.class_width(float(row["longest_h"]))
    ramp = palette.hours_ramp(float(row["longest_h"]))
    legend = Legend(
        f"{context.say('hours_of_sun')}, {context.say('hours_unit')}", ramp_entries(ramp, context)
    )
    words = (*sun_method(context, method, date), f"{context.say('engine')} {engine_text(context, method)}")
    mean = f"{context.say('existing')}: {context.say('mean')} {_hours(row['mean_existing_h'], language)}"
    lines = [f"{context.say('longest')}: {_hours(row['longest_h'], language)}", mean]
    title = context.settings.title or context.say("hours_of_sun")
    panels = [Panel(context.say("existing"), ramp.paint(old.values), old.grid)]
    if new is not None:
        lines.append(
            f"{context.say('proposed')}: {context.say('mean')} {_hours(row['mean_proposed_h'], language)}"
        )
        panels.append(Panel(context.say("proposed"), ramp.paint(new.values), new.grid, True))
    info = sheet_info(context, title, day, tuple(lines), words)
    sheets = [Sheet(f"hours-{date}", tuple(panels), legend, info)]
    if new is not None:
        change = palette.change_ramp(width)
        image = change.paint(new.values - old.values)
        lost, said = row.get("area_losing_over_1h_m2"), "area_lost"
        if lost is None:
            lost, said = row["area_losing_over_1h_a_day_m2"], "area_lost_a_day"
        loss = f"{context.say(said)}: {number(lost, 0, language)} m²"
        legend = Legend(
            f"{context.say('change_of_hours')}, {context.say('change_unit')}",
            (*_change_entries(context, change), *_one_state(context, old, new)),
        )
        panel = Panel(f"{context.say('difference')}: {context.scene.scenario}", image, new.grid, True)
        info = sheet_info(context, title, f"{context.say('change_of_hours')}, {day}", (*lines, loss), words)
        sheets.append(Sheet(f"difference-{date}", (panel,), legend, info))
    return sheets


def _clock_sheets(context: SheetContext, before: SunlightResult, after: SunlightResult | None) -> list[Sheet]:
    """Longest run, first and last sun of each day that asks for them, and the day with the least sun of a period."""
    found: list[tuple[str, str, str, Raster, Raster | None]] = []
    for date, runs in before.runs.items():
        later = after.runs[date] if after is not None else None
        for name, key in (("longest", "longest_run"), ("first", "first_sun"), ("last", "last_sun")):
            new = None if later is None else getattr(later, name)
            found.append((f"{name}-{date}", key, date, getattr(runs, name), new))
    for name, raster in before.least.items():
        found.append(
            (f"least-{name}", "least_day", name, raster, None if after is None else after.least[name])
        )
    return [_clock_sheet(context, before.method, *one) for one in found]


def _clock_sheet(
    context: SheetContext,
    method: Mapping[str, Any],
    file: str,
    key: str,
    span: str,
    old: Raster,
    new: Raster | None,
) -> Sheet:
    maps = [(context.say("existing"), old, False)]
    if new is not None:
        maps.append((context.say("proposed"), new, True))
    known = np.concatenate([raster.values[np.isfinite(raster.values)] for _, raster, _ in maps])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    clock = key in ("first_sun", "last_sun")
    ramp = palette.clock_ramp(low, high) if clock else palette.hours_ramp(max(high, 1.0))
    unit = "h" if clock else context.say("hours_unit")
    legend = Legend(f"{context.say(key)}, {unit}", ramp_entries(ramp, context))
    words = (*sun_method(context, method, span), f"{context.say('engine')} {engine_text(context, method)}")
    day = span_text(context, span, method["days"][span])
    title = context.settings.title or context.say(key)
    info = sheet_info(context, title, f"{context.say(key)}, {day}", (), words)
    panels = tuple(Panel(name, ramp.paint(raster.values), raster.grid, shown) for name, raster, shown in maps)
    return Sheet(file, panels, legend, info)


def _one_state(context: SheetContext, old: Raster, new: Raster) -> tuple[tuple[palette.Colour, str], ...]:
    """The legend of cells that have a value in one state only, where there are any."""
    some = (np.isfinite(old.values) != np.isfinite(new.values)).any()
    return ((palette.ONE_STATE, context.say("one_state")),) if some else ()


def _hours(value: Any, language: str) -> str:
    return "-" if value is None else f"{number(float(value), 2, language)} h"


def ramp_entries(
    ramp: palette.Ramp, context: SheetContext, unit: str = "h"
) -> tuple[tuple[palette.Colour, str], ...]:
    """Classes from high values down to low ones."""

    def text(value: float) -> str:
        return number(value, 1 if value % 1 else 0, context.language)

    rows = []
    for k, colour in enumerate(ramp.colours):
        low = text(ramp.limits[k])
        if k + 1 < len(ramp.limits):
            rows.append((colour, f"{low} - {text(ramp.limits[k + 1])} {unit}"))
        else:
            rows.append((colour, f"{low} {unit} {context.say('and_more')}"))
    return tuple(reversed(rows))


def _change_entries(
    context: SheetContext, ramp: palette.Ramp, unit: str = " h"
) -> tuple[tuple[palette.Colour, str], ...]:
    language, labels = context.language, []

    def text(value: float) -> str:
        return number(value, 0 if value % 1 == 0 else 2, language)

    for k in range(len(ramp.colours)):
        low = ramp.limits[k]
        high = ramp.limits[k + 1] if k + 1 < len(ramp.limits) else None
        if k == 0:
            labels.append(f"< −{text(-ramp.limits[1])}{unit}")
        elif high is None:
            labels.append(f"> +{text(low)}{unit}")
        elif low < 0 < high:
            labels.append(f"± {text(high)}{unit}: {context.say('no_change')}")
        else:
            labels.append(f"{_signed(low, language)} … {_signed(high, language)}{unit}")
    return tuple(zip(ramp.colours, labels, strict=True))


def _signed(value: float, language: str) -> str:
    digits = 0 if value % 1 == 0 else 2
    return ("+" if value > 0 else "") + number(value, digits, language).replace("-", "−")


def sun_method(context: SheetContext, method: Mapping[str, Any], date: str | None) -> tuple[str, ...]:
    """The phrases of rule 6: step, heights, limits, trees."""
    language = context.language
    words = []
    if date is not None:
        step = method["days"][date]["step_min"]
        words.append(
            f"{context.say('step')} {number(float(step), 0 if float(step) % 1 == 0 else 1, language)} min"
        )
    words += [
        f"{context.say('cell')} {number(float(method['cell_size_m']), 2, language)} m",
        f"{context.say('sample_height')} {number(float(method['sample_height_m']), 2, language)} m",
        f"{context.say('min_altitude')} {number(float(method['min_altitude_deg']), 1, language)}°",
        context.say("true_sun"),
        trees_text(context),
        context.say("grazing"),
    ]
    return tuple(words)


def trees_text(context: SheetContext) -> str:
    """How trees are taken."""
    if not getattr(context.settings, "trees", True):
        return context.say("trees_out")
    seasons = getattr(context.settings, "foliage", None) or getattr(context.settings, "season", None)
    return context.say("leaves" if seasons else "trees_in")


def engine_text(context: SheetContext, method: Mapping[str, Any]) -> str:
    """Which engine gave the result, with its error where it has one."""
    if getattr(context.settings, "engine", "triangles") == "triangles":
        return context.device
    error = method.get("error")
    return "sweep (numba)" + (context.say("field_error").format(error["p95_min"]) if error else "")


def span_text(context: SheetContext, name: str, record: Mapping[str, Any]) -> str:
    """The day of a map, or its period."""
    if "from" not in record:
        return day_text(dt.date.fromisoformat(name), context.language)
    ends = (day_text(dt.date.fromisoformat(record[key]), context.language) for key in ("from", "to"))
    return context.say("from_to").format(*ends)


def sky_sheets(context: SheetContext, comparison: Comparison) -> list[Sheet]:
    """Each sky view factor before and after, and its change."""
    before, after = comparison.existing, comparison.proposed
    if not isinstance(before, SkyResult):
        return []
    language, method = context.language, before.method
    words = (
        f"{number(max(method['directions'].values()), 0, language)} {context.say('directions')}",
        f"{context.say('cell')} {number(float(method['cell_size_m']), 2, language)} m",
        f"{context.say('sample_height')} {number(float(method['sample_height_m']), 2, language)} m",
        trees_text(context),
        f"{context.say('engine')} {engine_text(context, method)}",
    )
    sheets = []
    rows = {str(row["factor"]): row for row in sky_table(comparison)}
    for name, old in before.factors.items():
        ramp = palette.share_ramp()
        title, kind = context.settings.title or context.say(name), context.say(name)
        entries = [
            (colour, f"{number(low, 1, language)} - {number(low + 0.1, 1, language)}")
            for low, colour in zip(ramp.limits, ramp.colours, strict=True)
        ]
        row = rows[name]
        lines = [f"{context.say('existing')}: {context.say('mean')} {_share(row['mean_existing'], language)}"]
        panels = [Panel(context.say("existing"), ramp.paint(old.values), old.grid)]
        new = after.factors[name] if isinstance(after, SkyResult) else None
        if new is not None:
            lines.append(
                f"{context.say('proposed')}: {context.say('mean')} {_share(row['mean_proposed'], language)}"
            )
            panels.append(Panel(context.say("proposed"), ramp.paint(new.values), new.grid, True))
        legend = Legend(f"{kind}, {context.say('sky_unit')}", tuple(reversed(entries)))
        info = sheet_info(context, title, kind, tuple(lines), words)
        sheets.append(Sheet(name.replace("_", "-"), tuple(panels), legend, info))
        if new is not None:
            change = palette.share_change_ramp()
            panel = Panel(
                f"{context.say('difference')}: {context.scene.scenario}",
                change.paint(new.values - old.values),
                new.grid,
                True,
            )
            entries = [*_change_entries(context, change, ""), *_one_state(context, old, new)]
            legend = Legend(f"{kind}, {context.say('sky_change_unit')}", tuple(entries))
            info = sheet_info(context, title, f"{context.say('sky_change')}: {kind}", tuple(lines), words)
            sheets.append(Sheet(f"difference-{name.replace('_', '-')}", (panel,), legend, info))
    return sheets


def _share(value: Any, language: str) -> str:
    return "-" if value is None else number(float(value), 3, language)


def _instant_sheet(
    context: SheetContext, sun: SunInstant, old: Raster, new: Raster | None, method: Mapping[str, Any]
) -> Sheet:
    language = context.language
    image = shadow_image(old.values, new.values if new is not None else None)
    entries = [(palette.SHADE, context.say("shade"))]
    if new is not None:
        entries += [
            (palette.NEW_SHADE, context.say("new_shade")),
            (palette.GONE_SHADE, context.say("gone_shade")),
            (palette.FREED_SHADE, context.say("freed_shade")),
        ]
    facts = [sun_text(sun, language)]
    if sun.altitude_deg <= 0:
        facts.append(context.say("below_horizon"))
    words = (*sun_method(context, method, None), f"{context.say('engine')} {engine_text(context, method)}")
    title = (
        f"{context.settings.title}: {context.say('shadow')}"
        if context.settings.title
        else context.say("shadow")
    )
    info = sheet_info(context, title, instant_text(sun, language), tuple(facts), words)
    state = context.scene.scenario if new is not None else context.say(EXISTING)
    panel = Panel(f"{context.say('shadow')}: {state}", image, old.grid, new is not None)
    return Sheet(instant_name(sun), (panel,), Legend(context.say("legend"), tuple(entries)), info)


def instant_name(sun: SunInstant) -> str:
    """File name of the sheet of one instant."""
    return f"sun-{sun.utc:%Y-%m-%dT%H%MZ}"


def write_animations(comparison: Comparison, folder: Path, frames: Frames, form: Form) -> list[Path]:
    """The sheets of each day's instants one after another, one file for each day."""
    result = comparison.existing
    if not isinstance(result, SunlightResult):
        return []
    days: dict[str, list[SunInstant]] = {}
    for sun, _ in result.plates:
        days.setdefault(sun.legal.date().isoformat(), []).append(sun)
    return [
        write_animation(
            folder / f"shadows-{date}.{form}",
            [_frame(folder, frames, instant_name(sun)) for sun in sorted(suns, key=lambda sun: sun.utc)],
        )
        for date, suns in days.items()
    ]


def _frame(folder: Path, frames: Frames, name: str) -> Path:
    return (frames.folder if name in frames.names else folder) / f"{name}.png"


def shadow_image(old: NDArray[Any], new: NDArray[Any] | None) -> NDArray[np.uint8]:
    """Shadows as RGBA: what stays, what comes, what goes, what lies on ground that was none; lit ground stays clear."""
    image = np.zeros((*old.shape, 4), dtype=np.uint8)
    was = old < 0.5
    if new is None:
        image[was] = (*palette.SHADE, 255)
        return image
    now = new < 0.5
    image[was & now] = (*palette.SHADE, 255)
    image[now & ~was] = (*palette.NEW_SHADE, 255)
    image[now & ~np.isfinite(old)] = (*palette.FREED_SHADE, 255)
    image[was & (new >= 0.5)] = (*palette.GONE_SHADE, 255)
    return image


def eye_text(context: SheetContext, eye: EyeSettings) -> str:
    """Where an eye is."""
    language = context.language
    height = f"{number(eye.height_m or 0.0, 2, language)} m"
    if eye.above_ground_m is not None:
        height = f"{number(eye.above_ground_m, 2, language)} m {context.say('above_ground')}"
    return f"{context.say('observer')}: E {eye.east:.1f} N {eye.north:.1f}, {height}"


def curvature_text(context: SheetContext, refraction_k: float | None) -> str:
    """How the earth's curve is taken; None for a flat earth."""
    if refraction_k is None:
        return context.say("no_curvature")
    return f"{context.say('curvature')} {number(refraction_k, 2, context.language)}, R = 6371 km"
