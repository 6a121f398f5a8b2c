"""The sheets of a viewshed: what is seen before, after, and what changes; by how many of several observers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely

from pipelines.config_views import ViewshedStudySettings
from pipelines.sheets import Sheet, SheetContext, curvature_text, eye_text, sheet_info, trees_text
from pipelines.site import EXISTING
from twin.frame import Frame
from twin.io.vector import VectorFeature, write_gpkg
from twin.model.results import ViewshedResult
from twin.study.compare import Comparison, seen_through, viewshed_table
from viewers import palette
from viewers.plate import Legend, Panel
from viewers.words import number


def sight_sheets(context: SheetContext, comparison: Comparison) -> list[Sheet]:
    """The viewshed before, after, and what changes, on one sheet."""
    before, after = comparison.existing, comparison.proposed
    if not isinstance(before, ViewshedResult):
        return []
    language = context.language
    old = before.visible.values
    new = after.visible.values if isinstance(after, ViewshedResult) else None
    image = np.zeros((*old.shape, 4), dtype=np.uint8)
    shown = after if isinstance(after, ViewshedResult) else before
    image[seen_through(shown)] = (*palette.SEEN_THROUGH, 255)
    image[old == 1 if new is None else (old == 1) & (new == 1)] = (*palette.SEEN, 255)
    entries = [(palette.SEEN, context.say("seen"))]
    if new is not None:
        image[(new == 1) & (old != 1)] = (*palette.NEWLY_SEEN, 255)
        image[(old == 1) & (new == 0)] = (*palette.NEWLY_HIDDEN, 255)
        entries += [
            (palette.NEWLY_SEEN, context.say("newly_seen")),
            (palette.NEWLY_HIDDEN, context.say("newly_hidden")),
        ]
    if shown.through is not None:
        entries.append((palette.SEEN_THROUGH, _through_text(context)))
    row = viewshed_table(comparison)[0]
    facts = [
        f"{context.say('visible_area')}, {context.say('existing')}: {_area(row['visible_existing_m2'], language)}"
    ]
    if new is not None:
        facts.append(
            f"{context.say('visible_area')}, {context.say('proposed')}: {_area(row['visible_proposed_m2'], language)}"
        )
    for state in ("existing", "proposed"):
        if f"through_crowns_{state}_m2" in row:
            size = _area(row[f"through_crowns_{state}_m2"], language)
            facts.append(f"{context.say('through_area')}, {context.say(state)}: {size}")
    title = context.settings.title or context.say("viewshed")
    eyes = _eye_text(context, observers_of(before))
    info = sheet_info(context, title, eyes, tuple(facts), sight_method(context))
    state = context.scene.scenario if new is not None else context.say(EXISTING)
    panel = Panel(f"{context.say('viewshed')}: {state}", image, before.visible.grid, new is not None)
    sheets = [Sheet("viewshed", (panel,), Legend(context.say("legend"), tuple(entries)), info)]
    if before.seen_by is not None:
        sheets.append(_many_eyes_sheet(context, comparison, tuple(facts)))
    return sheets


def _many_eyes_sheet(context: SheetContext, comparison: Comparison, facts: tuple[str, ...]) -> Sheet:
    """By what share of several observers each cell is seen, before and after."""
    language, settings = context.language, context.settings
    count = observers_of(comparison.existing)
    states = [r for r in (comparison.existing, comparison.proposed) if isinstance(r, ViewshedResult)]
    maps = [r.seen_by for r in states if r.seen_by is not None]
    ramp = palette.percent_ramp(max(1.0, *(100.0 * float(np.nanmax(m.values)) / count for m in maps)))
    panels = []
    for k, raster in enumerate(maps):
        share = 100.0 * raster.values / count
        image = ramp.paint(share)
        image[~(share > 0), 3] = 0
        panels.append(Panel(context.say("proposed" if k else "existing"), image, raster.grid, bool(k)))
    entries = [
        (colour, f"{number(low, 1, language)} - {number(low + ramp.limits[1], 1, language)} %")
        for low, colour in zip(ramp.limits, ramp.colours, strict=True)
    ]
    unit = context.say("share_of_observers").format(count)
    legend = Legend(unit, tuple(reversed(entries)))
    title = settings.title or context.say("seen_by")
    info = sheet_info(context, title, context.say("seen_by"), facts, sight_method(context))
    return Sheet("seen-by", tuple(panels), legend, info)


def _area(value: Any, language: str) -> str:
    return "-" if value is None else f"{number(float(value), 0, language)} m²"


def _through_text(context: SheetContext) -> str:
    settings = context.settings
    if not isinstance(settings, ViewshedStudySettings) or settings.season is None:
        return ""
    share = settings.crowns[0] if settings.crowns is not None else 0.0
    return context.say("through_crowns").format(
        context.say(settings.season).format(number(100 * share, 0, context.language))
    )


def observers_of(result: Any) -> int:
    """How many observers a viewshed has."""
    return len(_observers(result))


def _observers(result: Any) -> list[dict[str, float]]:
    found = result.method
    return list(found["observers"]) if "observers" in found else [found["observer"]]


def write_observers(path: Path, comparison: Comparison, frame: Frame) -> Path:
    """The observers of a viewshed as points, with the height of each eye."""
    eyes = _observers(comparison.existing)
    local = frame.to_local(np.array([[eye["east"], eye["north"]] for eye in eyes]))
    points = [
        VectorFeature(str(k + 1), shapely.Point(*place), dict(eye))
        for k, (place, eye) in enumerate(zip(local, eyes, strict=True))
    ]
    write_gpkg(path, {"observers": points}, frame)
    return path


def _eye_text(context: SheetContext, count: int) -> str:
    settings = context.settings
    if not isinstance(settings, ViewshedStudySettings) or count > 1 or not settings.eyes:
        return f"{count} {context.say('observers')}"
    return eye_text(context, settings.eyes[0])


def sight_method(context: SheetContext) -> tuple[str, ...]:
    """How the viewshed was made."""
    settings, language = context.settings, context.language
    if not isinstance(settings, ViewshedStudySettings):
        return ()
    return (
        f"{context.say('cell')} {number(settings.cell_size_m, 2, language)} m",
        f"{context.say('target_height')} {number(settings.target_height_m, 2, language)} m",
        curvature_text(context, settings.refraction_k if settings.curvature else None),
        context.say("bare_ground") if settings.bare_ground else trees_text(context),
        context.say("grazing"),
        f"{context.say('engine')} {_engine_text(context, settings)}",
    )


def _engine_text(context: SheetContext, settings: ViewshedStudySettings) -> str:
    if settings.engine == "triangles":
        return context.device
    sweep = f"{context.say('sweep')} ({'numba' if context.device.startswith('cpu') else context.device})"
    if not settings.near_m:
        return sweep
    return f"{sweep}, {context.say('near_exact').format(number(settings.near_m, 0, context.language))}"
