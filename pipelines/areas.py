"""Named areas of a sunlight study: read, judged by the user's limit, written as table and GeoPackage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from pipelines.config import AreasSettings, StudySettings, SunlightStudySettings
from pipelines.config_views import PublicSettings
from pipelines.studyrun import StudyRun
from pipelines.tables import write_csv
from twin.errors import InputError
from twin.frame import Frame
from twin.io.vector import VectorFeature, read_footprints, write_gpkg
from twin.study.areas import AreaRule, area_table, day_error_h
from twin.study.compare import Comparison, Row

WHOLE = 0.99
"""Least share of an area inside a study for a verdict on it."""


@dataclass(frozen=True, slots=True)
class NamedAreas:
    """Outlines by name, local space, and what could not be used, with its reason."""

    outlines: dict[str, Any]
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class ByArea:
    """The table of named areas, and the error of the hours that its verdicts reckon with [h]."""

    areas: NamedAreas
    rows: list[Row]
    error_h: dict[str, float]


def read_areas(run: StudyRun, settings: StudySettings, frame: Frame) -> NamedAreas | None:
    """The named areas of a study; None where it names none.

    Raises
    ------
    InputError
        No such file, layer or field, or no area that can be used.
    """
    if not isinstance(settings, SunlightStudySettings) or settings.areas is None:
        return None
    return named_polygons(run, "areas", settings.areas, frame)


def named_polygons(
    run: StudyRun, key: str, asked: AreasSettings | PublicSettings, frame: Frame
) -> NamedAreas:
    """The polygons of a file by name, local space.

    Raises
    ------
    InputError
        No such file, layer or field, or no area that can be used.
    """
    path = run.site.path(asked.file)
    if not path.is_file():
        raise InputError(f"{run.file}: key '{key}.file': no such file: {path}")
    layer = read_footprints(
        path,
        frame,
        layer=asked.layer,
        id_field=asked.label,
        crs_text=asked.crs,
        accepted_accuracy_m=run.site.settings.site.accepted_accuracy_m,
    )
    left_out = [f"{failure.object_id}: {failure.reason}" for failure in layer.failures]
    if not layer.footprints:
        why = f" ({'; '.join(left_out[:5])})" if left_out else ""
        raise InputError(f"{path}: holds no area that can be used{why}")
    parts: dict[str, list[Any]] = {}
    for area in layer.footprints:
        parts.setdefault(layer.objects.get(area.id, area.id), []).append(area.polygon)
    # An area of several parts is one area: the share is that of the whole.
    outlines = {name: shapely.union_all(found) for name, found in sorted(parts.items())}
    return NamedAreas(outlines, left_out)


def judge(areas: NamedAreas, settings: AreasSettings, comparison: Comparison, studied: Any) -> ByArea:
    """Hours and shares in the areas, and whether they keep the user's limit.

    Parameters
    ----------
    areas, settings, comparison
        The areas, the user's limit, the study.
    studied
        What the study covers, local space: an area that reaches beyond it has no verdict.
    """
    method = comparison.existing.method
    of_engine = float(method.get("error", {}).get("p95_min", 0.0)) / 60.0
    error_h = {date: day_error_h(float(day["step_min"])) + of_engine for date, day in method["days"].items()}
    rule = AreaRule(settings.at_least_h, settings.share, settings.kept)
    rows = area_table(comparison, list(areas.outlines.items()), rule, error_h)
    limit: Row = {"at_least_h": rule.at_least_h, "least_share": rule.share, "kept_share": rule.kept}
    for row in rows:
        outline = areas.outlines[str(row["area"])]
        share = float(outline.intersection(studied).area / outline.area)
        row |= {"area_m2": float(outline.area), "studied_share": share}
        if row["verdict"] is not None and share < WHOLE:
            row["verdict"] = f"not judged: {100 * share:.0f} % of the area lies in the study"
        row |= {**limit, "error_h": error_h[str(row["date"])]}
    return ByArea(areas, rows, error_h)


def partly_studied(by_area: ByArea) -> list[str]:
    """Names of areas that reach beyond the study, with the share inside."""
    shares = {str(row["area"]): float(row["studied_share"] or 0.0) for row in by_area.rows}
    return [f"{name} ({100 * share:.0f} %)" for name, share in shares.items() if share < WHOLE]


def write_areas(folder: Path, by_area: ByArea, frame: Frame) -> list[Path]:
    """The table as CSV and, with the outlines, as GeoPackage: a layer for each date."""
    table, package = folder / "areas.csv", folder / "areas.gpkg"
    write_csv(table, list(by_area.rows))
    layers: dict[str, list[VectorFeature]] = {}
    for row in by_area.rows:
        name = str(row["area"])
        values = {key: value for key, value in row.items() if key != "area"}
        layers.setdefault(f"areas-{row['date']}", []).append(
            VectorFeature(name, by_area.areas.outlines[name], values)
        )
    write_gpkg(package, layers, frame)
    return [table, package]
