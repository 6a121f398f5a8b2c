"""The truth beside the sample: roofs, solids, ground and trees as they were before the scanner saw them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from pipelines.sample.footprints import Drawn
from pipelines.sample.solids import true_solid
from pipelines.sample.things import TrueBuilding, plane_of
from pipelines.sample.town import Town
from twin.frame import Frame
from twin.io.atomic import write_text
from twin.io.cityjson_write import write_city
from twin.io.geotiff import write_cog
from twin.model.objects import Building
from twin.model.raster import Grid, Raster


def write_truth(folder: Path, town: Town, rows: list[Drawn]) -> None:
    """Write the truth of a town.

    Parameters
    ----------
    folder
        ``truth`` of the site.
    town
        What is true.
    rows
        Rows of the footprint file; the deliberately bad ones are listed.
    """
    frame = town.size.frame()
    write_text(folder / "roofs.jsonl", "".join(_line(_roof(b, frame)) for b in town.buildings))
    write_text(folder / "buildings.csv", _table([_measures(town, b) for b in town.buildings]))
    write_text(folder / "stems.csv", _table(_stems(town, frame)))
    bad = [{"georef_id": r.georef_id, "why": r.expected} for r in rows if r.expected]
    write_text(folder / "bad_footprints.csv", _table(bad or [{"georef_id": "", "why": ""}]))
    write_city(
        folder / "solids.city.jsonl",
        frame=frame,
        buildings=true_buildings(town),
        metadata={"title": "Synthetic valley (sample): true solids", "synthetic": True},
    )
    write_cog(
        folder / "ground.tif",
        true_ground(town),
        tags={"synthetic": "yes", "water": "height of the water surface where there is water"},
        description="true bare ground",
    )


def true_buildings(town: Town) -> tuple[Building, ...]:
    """The buildings as closed LoD 2.2 solids in the site's frame."""
    frame = town.size.frame()
    return tuple(
        Building(
            b.id,
            frame,
            (true_solid(b),),
            {"nature": b.nature, "roof": b.shape.kind, "overhang_m": round(b.overhang, 3), "synthetic": True},
        )
        for b in town.buildings
    )


def true_ground(town: Town) -> Raster:
    """The bare ground at cell centres; the water's surface on the river."""
    grid = Grid.over(town.size.frame(), town.window, town.size.truth_cell)
    values = town.valley.grid(grid.x_centres(), grid.y_centres()[::-1])[::-1]
    return Raster(grid, values.astype(np.float32))


def roof_planes(building: TrueBuilding) -> list[tuple[shapely.Polygon, np.ndarray]]:
    """Connected plane pieces of a roof: polygon in plan and a, b, c of z = a x + b y + c, local space."""
    groups: dict[tuple[float, ...], list[shapely.Polygon]] = {}
    for face in building.shape.faces:
        plane = plane_of(building.shape, face)
        polygon = shapely.Polygon(building.shape.points[[k for k, _ in face]])
        groups.setdefault(tuple(np.round(plane, 6)), []).append(polygon)
    pieces = []
    for key, polygons in groups.items():
        merged = shapely.union_all(polygons) if len(polygons) > 1 else polygons[0]
        pieces += [(part, np.array(key)) for part in shapely.get_parts(merged)]
    return pieces


def _roof(building: TrueBuilding, frame: Frame) -> dict[str, Any]:
    planes = []
    for polygon, (a, b, c) in roof_planes(building):
        normal = np.array([-a, -b, 1.0]) / np.sqrt(a * a + b * b + 1.0)
        rings = []
        for ring in (polygon.exterior, *polygon.interiors):
            xy = np.array(ring.coords)[:-1]
            local = np.column_stack([xy, xy @ [a, b] + c])
            rings.append(np.round(frame.to_world(local), 4).tolist())
        planes.append(
            {"area_m2": round(polygon.area, 3), "normal": np.round(normal, 7).tolist(), "rings": rings}
        )
    return {"id": building.id, "roof": building.shape.kind, "nature": building.nature, "planes": planes}


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n"


def volume_above_ground(town: Town, building: TrueBuilding) -> tuple[float, np.ndarray]:
    """Volume between roof and ground [m3], and the ground heights it was taken with [m]."""
    outline = building.outline
    west, south, east, north = outline.bounds
    step = max(0.25, min(1.0, float(np.sqrt(outline.area)) / 12.0))
    x, y = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
    inside = shapely.contains_xy(outline, x.ravel(), y.ravel())
    ground = town.valley.heights(x.ravel()[inside], y.ravel()[inside])
    under_roof = 0.0
    for face, (a, b, c) in zip(building.shape.faces, building.planes(), strict=True):
        part = shapely.Polygon(building.shape.points[[k for k, _ in face]])
        under_roof += part.area * (a * part.centroid.x + b * part.centroid.y + c)
    return under_roof - outline.area * float(ground.mean()), ground


def _measures(town: Town, building: TrueBuilding) -> dict[str, Any]:
    volume, ground = volume_above_ground(town, building)
    z = [h for face in building.shape.faces for _, h in face]
    return {
        "id": building.id,
        "roof": building.shape.kind,
        "nature": building.nature,
        "area_m2": f"{building.outline.area:.3f}",
        "volume_above_ground_m3": f"{volume:.3f}",
        "ground_min_m": f"{ground.min():.3f}",
        "ground_mean_m": f"{ground.mean():.3f}",
        "ground_max_m": f"{ground.max():.3f}",
        "roof_min_m": f"{min(z):.3f}",
        "roof_max_m": f"{max(z):.3f}",
        "base_m": f"{building.bottom:.3f}",
        "overhang_m": f"{building.overhang:.3f}",
    }


def _stems(town: Town, frame: Frame) -> list[dict[str, Any]]:
    return [
        {
            "id": t.id,
            "kind": t.kind,
            "east_m": f"{t.x + frame.origin[0]:.3f}",
            "north_m": f"{t.y + frame.origin[1]:.3f}",
            "ground_m": f"{t.ground:.3f}",
            "height_m": f"{t.height:.3f}",
            "crown_radius_m": f"{t.crown_radius:.3f}",
            "crown_base_m": f"{t.crown_base:.3f}",
        }
        for t in town.trees
    ]


def _table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
