"""Files of a study of façades: GeoPackage, CityJSON, coloured models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from pipelines.studyrun import StudyRun
from twin.buildings.outline import building_footprint
from twin.io.cityjson_write import write_city
from twin.io.meshes import Placement, write_painted_glb
from twin.io.vector import VectorFeature, write_gpkg
from twin.model.scene import Scene
from twin.model.triangulate import triangulate_surface
from twin.study.compare import Row
from twin.study.facades import FaceSamples, FaceSun
from viewers import palette


@dataclass(frozen=True, slots=True, eq=False)
class FacesFound:
    """What a study of façades found.

    Parameters
    ----------
    base, scene
        The existing state, and the one compared with it.
    samples, before, after
        On buildings that stand in both; ``after`` is None where there is one state.
    new, new_sun
        On proposed volumes, where there are any.
    """

    base: Scene
    scene: Scene
    samples: FaceSamples
    before: FaceSun
    after: FaceSun | None = None
    new: FaceSamples | None = None
    new_sun: FaceSun | None = None


def write_layers(folder: Path, found: FacesFound, by_building: Sequence[Row]) -> list[Path]:
    """A GeoPackage: buildings by date with their row, and all samples as points with heights."""
    scene, base = found.scene, found.base
    outlines = {b.id: building_footprint(b) for b in (*base.buildings, *scene.proposed)}
    layers: dict[str, list[VectorFeature]] = {}
    for row in by_building:
        shape = outlines.get(str(row["building"]))
        if shape is not None:
            values = {k: v for k, v in row.items() if k not in ("building", "date")}
            layers.setdefault(f"buildings-{row['date']}", []).append(
                VectorFeature(str(row["building"]), shape, values)
            )
    samples, before, after = found.samples, found.before, found.after
    points = []
    for k in range(len(samples)):
        surface = samples.surfaces[samples.of[k]]
        line = float(samples.line[k])
        cells: dict[str, Any] = {
            "surface": f"{surface.kind}-{surface.number}",
            "line_m": None if np.isnan(line) else line,
            "area_m2": float(samples.area[k]),
        }
        for state, sun in (("existing", before), ("proposed", after)):
            if sun is not None:
                cells |= {name.format(state): float(column[k]) for name, column in _columns(sun)}
        points.append(VectorFeature(surface.building, shapely.Point(samples.points[k]), cells))
    if points:
        layers["samples"] = points
    if not layers:
        return []
    write_gpkg(folder / "faces.gpkg", layers, scene.frame)
    return [folder / "faces.gpkg"]


def _columns(sun: FaceSun) -> list[tuple[str, NDArray[np.float32]]]:
    """Values of the samples of a state by column name."""
    out = [(f"h_{name}_{{}}", hours) for name, hours in sun.hours.items()]
    if sun.sky is not None:
        out.append(("vsc_{}_percent", sun.sky.vsc))
        out.append(("svf_cosine_{}", sun.sky.svf_cosine))
    if sun.energy is not None:
        out.append(("irradiation_{}_kwh_m2", sun.energy))
    if sun.probable is not None:
        out += [("apsh_{}_percent", sun.probable[0]), ("wpsh_{}_percent", sun.probable[1])]
    return out


def write_buildings(path: Path, run: StudyRun, scene: Scene, by_building: Sequence[Row]) -> Path:
    """The studied buildings of the scene as CityJSON, each with its row as attributes."""
    found: dict[str, dict[str, Any]] = {}
    for row in by_building:
        values = found.setdefault(str(row["building"]), {})
        for key, value in row.items():
            if key not in ("building", "date") and value is not None:
                values[f"sun_{row['date']}_{key}"] = round(value, 4) if isinstance(value, float) else value
    place = run.site.settings.site
    write_city(
        path,
        frame=scene.frame,
        buildings=[
            replace(thing, attributes={**thing.attributes, **found[thing.id]})
            for thing in (*scene.buildings, *scene.proposed)
            if thing.id in found
        ],
        metadata={"title": place.name, "synthetic": place.synthetic},
    )
    return path


def write_models(folder: Path, run: StudyRun, found: FacesFound) -> list[Path]:
    """The cells in the colours of their hours, for each date and state, as GLB."""
    samples, before, after, scene = found.samples, found.before, found.after, found.scene
    files: list[Path] = []
    place = run.site.settings.site
    longest = {name: float(max(hours.max(initial=0.0), 1.0)) for name, hours in before.hours.items()}
    for name in before.hours:
        ramp = palette.hours_ramp(longest[name])
        change = palette.change_ramp(palette.class_width(longest[name]))
        states: dict[str, list[tuple[FaceSamples, NDArray[np.float32]]]] = {
            "existing": [(samples, before.hours[name])]
        }
        if after is not None:
            states["proposed"] = [(samples, after.hours[name])]
            if found.new is not None and found.new_sun is not None:
                states["proposed"].append((found.new, found.new_sun.hours[name]))
            states["difference"] = [(samples, after.hours[name] - before.hours[name])]
        for state, parts in states.items():
            paint = change if state == "difference" else ramp
            classes = [
                {"from_h": low, "colour": "#{:02x}{:02x}{:02x}".format(*colour)}
                for low, colour in zip(paint.limits, paint.colours, strict=True)
            ]
            about = {
                "site": place.name,
                "scenario": scene.scenario,
                "scene_hash": scene.hash,
                "quantity": f"hours of sun, {name}, {state}",
                "classes": classes,
                "attribution": place.attribution,
                "synthetic": place.synthetic,
            }
            vertices, faces, colours = painted(parts, paint)
            if len(faces):
                path = folder / state / f"hours-{name}.glb"
                files += write_painted_glb(path, vertices, faces, colours, Placement(scene.frame, about))
    return files


def painted(
    parts: Sequence[tuple[FaceSamples, NDArray[np.float32]]], ramp: palette.Ramp
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.uint8]]:
    """Cells as triangles with the colour of their value: vertices, faces, RGBA of each vertex."""
    vertices: list[NDArray[np.float64]] = []
    faces: list[NDArray[np.int32]] = []
    colours: list[NDArray[np.uint8]] = []
    count = 0
    for samples, values in parts:
        rgba = ramp.paint(values[None, :])[0]
        for k, cell in enumerate(samples.cells):
            if cell is None:
                continue
            triangles = triangulate_surface(cell, (tuple(range(len(cell))),))
            vertices.append(cell)
            faces.append(triangles + count)
            colours.append(np.broadcast_to(rgba[k], (len(cell), 4)))
            count += len(cell)
    if not faces:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int32), np.zeros((0, 4), np.uint8)
    return np.concatenate(vertices), np.concatenate(faces).astype(np.int32), np.concatenate(colours)
