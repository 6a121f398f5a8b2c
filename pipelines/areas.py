"""Named areas of a sunlight study: read, judged by the user's limit, written as table and GeoPackage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.config import StudySettings, SunlightStudySettings
from pipelines.site import Site
from pipelines.tables import write_csv
from twin.errors import InputError
from twin.frame import Frame
from twin.io.vector import VectorFeature, read_footprints, write_gpkg
from twin.study.areas import AreaRule, area_table
from twin.study.compare import Comparison, Row


@dataclass(frozen=True, slots=True)
class ByArea:
    """The table of named areas, their outlines, and what could not be used."""

    rows: list[Row]
    outlines: dict[str, Any]
    left_out: list[str]
    error_h: dict[str, float]


def areas_of(site: Site, settings: StudySettings, frame: Frame, comparison: Comparison) -> ByArea | None:
    """Sun in the named areas of a study; None where it names none.

    Raises
    ------
    InputError
        No such file, layer or field, or no area that can be used.
    """
    if not isinstance(settings, SunlightStudySettings) or settings.areas is None:
        return None
    asked = settings.areas
    path = site.path(asked.file)
    if not path.is_file():
        raise InputError(f"{site.folder / 'studies'}: key 'areas.file': no such file: {path}")
    layer = read_footprints(
        path,
        frame,
        layer=asked.layer,
        id_field=asked.label,
        crs_text=asked.crs,
        accepted_accuracy_m=site.settings.site.accepted_accuracy_m,
    )
    if not layer.footprints:
        raise InputError(f"{path}: holds no area that can be used")
    outlines = {area.id: area.polygon for area in sorted(layer.footprints, key=lambda a: a.id)}
    method = comparison.existing.method
    field_h = float(method.get("error", {}).get("p95_min", 0.0)) / 60.0
    error_h = {date: float(day["step_min"]) / 120.0 + field_h for date, day in method["days"].items()}
    rule = AreaRule(asked.at_least_h, asked.share, asked.kept)
    rows = area_table(comparison, list(outlines.items()), rule, error_h)
    return ByArea(rows, outlines, [f"{f.object_id}: {f.reason}" for f in layer.failures], error_h)


def write_areas(folder: Path, by_area: ByArea, frame: Frame) -> list[Path]:
    """The table as CSV and, with the outlines, as GeoPackage: a layer for each date."""
    table, package = folder / "areas.csv", folder / "areas.gpkg"
    write_csv(table, list(by_area.rows))
    layers: dict[str, list[VectorFeature]] = {}
    for row in by_area.rows:
        name = str(row["area"])
        values = {key: value for key, value in row.items() if key != "area"}
        layers.setdefault(f"areas-{row['date']}", []).append(
            VectorFeature(name, by_area.outlines[name], values)
        )
    write_gpkg(package, layers, frame)
    return [table, package]
