"""Sheets of a study of exposure: targets seen, lowest point seen, solid angle, with the standpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.config_views import ExposureStudySettings
from pipelines.console import Ticker
from pipelines.sheets import (
    Sheet,
    SheetContext,
    curvature_text,
    draw_sheets,
    ramp_entries,
    sheet_info,
    trees_text,
)
from pipelines.studyrun import StudyRun
from twin.model.results import ExposureResult
from twin.study.exposure import FRAME_SR
from twin.study.targets import Targets
from viewers import palette
from viewers.plate import Legend, Panel
from viewers.words import number

States = Mapping[str, tuple[Targets, Mapping[str, ExposureResult]]]
"""By state: the targets, and what is seen by product."""


def write_exposure_sheets(
    context: SheetContext,
    states: States,
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    run: StudyRun,
    tick: Ticker,
) -> list[Path]:
    """Write the sheets; gives the files."""
    settings = context.settings
    if not isinstance(settings, ExposureStudySettings):
        return []
    sheets: list[Sheet] = []
    for state, (targets, products) in states.items():
        if not len(targets):
            continue
        if settings.kind == "ztv":
            sheets.append(_seen_sheet(context, settings, state, products))
            sheets.append(_lowest_sheet(context, settings, state, products))
        else:
            sheets.append(_angle_sheet(context, settings, state, products, rows))
    return draw_sheets(context, sheets, folder / "plates", tick, run.threads) if sheets else []


def _facts(context: SheetContext, result: ExposureResult) -> list[str]:
    values = result.rasters["targets_seen"].values
    cell = result.rasters["targets_seen"].grid.cell_size ** 2
    ground, seen = int(np.isfinite(values).sum()), int((values > 0).sum())
    percent = 100.0 * seen / ground if ground else 0.0
    area = number(cell * seen, 0, context.language)
    return [f"{context.say('seen_area')}: {area} m² ({number(percent, 1, context.language)} %)"]


def _method(context: SheetContext, settings: ExposureStudySettings, spacing_m: float) -> tuple[str, ...]:
    language = context.language
    sweep = "sweep (numba)" if settings.engine == "heightfield" else context.device
    return (
        f"{context.say('cell')} {number(settings.cell_size_m, 2, language)} m",
        f"{context.say('eye_height')} {number(settings.eye_height_m, 2, language)} m",
        f"{context.say('target_spacing')} {number(spacing_m, 2, language)} m",
        f"{context.say('reach')} {number(settings.max_distance_m, 0, language)} m",
        curvature_text(context, settings.refraction_k if settings.curvature else None),
        trees_text(context),
        context.say("grazing"),
        f"{context.say('engine')} {sweep}",
    )


def _spacing(products: Mapping[str, ExposureResult]) -> float:
    return float(products["screened"].method["target_spacing_m"])


def _panels(
    context: SheetContext, state: str, products: Mapping[str, ExposureResult], paint: Any
) -> tuple[Panel, ...]:
    title = context.scene.scenario if state == "proposed" else context.say("existing")
    return tuple(
        Panel(
            f"{title}: {context.say(product)}" if len(products) > 1 else title,
            paint(result),
            result.rasters["targets_seen"].grid,
            state == "proposed",
        )
        for product, result in products.items()
    )


def _clear(image: np.ndarray[Any, Any], shown: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The relief shows where nothing is seen."""
    image[~shown, 3] = 0
    return image


def _seen_sheet(
    context: SheetContext, settings: ExposureStudySettings, state: str, products: Mapping[str, ExposureResult]
) -> Sheet:
    ramp = palette.Ramp(tuple(10.0 * k for k in range(10)), palette.share_ramp().colours)
    count = products["screened"].targets

    def paint(result: ExposureResult) -> Any:
        values = result.rasters["targets_seen"].values
        return _clear(ramp.paint(100.0 * values / max(1, result.targets)), values > 0)

    entries = list(ramp_entries(ramp, context, "%"))
    entries[0] = (entries[0][0], "90 - 100 %")
    entries[-1] = (entries[-1][0], "> 0 - 10 %")
    title = settings.title or context.say("ztv")
    legend = Legend(context.say("share_of_targets").format(count), tuple(entries))
    facts = [
        f"{context.say(product)}: {fact}"
        for product, result in products.items()
        for fact in _facts(context, result)
    ]
    info = sheet_info(
        context, title, context.say("ztv"), tuple(facts), _method(context, settings, _spacing(products))
    )
    return Sheet(f"targets-seen-{state}", _panels(context, state, products, paint), legend, info)


def _lowest_sheet(
    context: SheetContext,
    settings: ExposureStudySettings,
    state: str,
    products: Mapping[str, ExposureResult],
) -> Sheet:
    known = [r.rasters["lowest_seen"].values for r in products.values()]
    most = max((float(np.nanmax(v)) for v in known if np.isfinite(v).any()), default=1.0)
    ramp = palette.percent_ramp(max(most, 1.0)) if most <= 120.0 else palette.hours_ramp(most)

    def paint(result: ExposureResult) -> Any:
        return ramp.paint(result.rasters["lowest_seen"].values)

    title = settings.title or context.say("ztv")
    legend = Legend(context.say("lowest_seen"), ramp_entries(ramp, context, "m"))
    info = sheet_info(
        context, title, context.say("lowest_seen"), (), _method(context, settings, _spacing(products))
    )
    return Sheet(f"lowest-seen-{state}", _panels(context, state, products, paint), legend, info)


def _angle_sheet(
    context: SheetContext,
    settings: ExposureStudySettings,
    state: str,
    products: Mapping[str, ExposureResult],
    rows: Sequence[Mapping[str, Any]],
) -> Sheet:
    ramp = palette.Ramp((0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0), palette.share_ramp().colours)

    def paint(result: ExposureResult) -> Any:
        values = 100.0 * result.rasters["solid_angle"].values / FRAME_SR
        return _clear(ramp.paint(values), values > 0)

    title = settings.title or context.say("exposure")
    legend = Legend(context.say("frame_share"), ramp_entries(ramp, context, "%"))
    key = f"frame_50mm_{state}_percent"
    facts = _facts(context, products["screened"])
    facts.append(f"{context.say('frame_share')}:")
    facts += [
        f"{row['viewpoint']}: {number(float(row[key]), 1, context.language)} %" for row in rows if key in row
    ][:12]
    info = sheet_info(
        context, title, context.say("exposure"), tuple(facts), _method(context, settings, _spacing(products))
    )
    return Sheet(f"solid-angle-{state}", _panels(context, state, products, paint), legend, info)
