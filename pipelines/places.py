"""Where a study asks: the cells of its area, and its standpoints, in local space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from pipelines.config_base import AreaSettings, EyeSettings
from pipelines.config_views import WithinSettings
from pipelines.inputs import area_polygon
from pipelines.studyrun import StudyRun
from twin.buildings.outline import building_footprint
from twin.errors import InputError
from twin.model.raster import Grid
from twin.model.scene import Scene
from twin.region import Region
from twin.study.sight import EYE_LIFT_M
from twin.terrain.sampler import TinSampler


def study_grid(
    run: StudyRun, area: AreaSettings | None, cell_size_m: float, scene: Scene
) -> tuple[Grid, NDArray[np.bool_] | None, Any]:
    """Grid of a study over its area, which of its cells count, and what it covers in plan."""
    where = str(run.file)
    region = scene.terrain.dtm.grid.region
    if area is None:
        return Grid.over(scene.frame, region, cell_size_m), None, shapely.box(*region_bounds(region))
    polygon = area_polygon(
        area.ring,
        run.site.folder,
        scene.frame,
        f"{where}: key 'area.ring'",
        run.site.settings.site.accepted_accuracy_m,
    )
    common = Region(*polygon.bounds).intersection(region)
    if common is None:
        asked = Region(*polygon.bounds).shifted(*scene.frame.origin).describe()
        raise InputError(
            f"{where}: key 'area.ring': the area ({asked}) lies outside the model "
            f"({region.shifted(*scene.frame.origin).describe()})"
        )
    covers = polygon.intersection(shapely.box(*region_bounds(region)))
    if covers.area < 0.999 * polygon.area:
        outside = 100 * (1 - covers.area / polygon.area)
        run.reporter.warn(
            f"{where}: key 'area.ring': {outside:.0f} % of the area lies outside the model, left out"
        )
    grid = Grid.over(scene.frame, common, cell_size_m)
    centres = grid.centres()
    inside = shapely.contains_xy(polygon, centres[:, 0], centres[:, 1]).reshape(grid.shape)
    return grid, inside, covers


MOST_EYES = 10_000


def eyes_within(run: StudyRun, within: WithinSettings) -> tuple[tuple[EyeSettings, ...], Any]:
    """Eyes on a lattice over an area, its middle at least, and the area in local space.

    Raises
    ------
    InputError
        No such area, or more than ``MOST_EYES`` eyes in it.
    """
    frame, where = run.base.scene.frame, f"{run.file}: key 'within.ring'"
    accuracy = run.site.settings.site.accepted_accuracy_m
    polygon = area_polygon(within.ring, run.site.folder, frame, where, accuracy)
    step = within.spacing_m
    west, south, east, north = polygon.bounds
    if (east - west) * (north - south) / step**2 > 4 * MOST_EYES:
        raise InputError(
            f"{run.file}: key 'within.spacing_m': the area is too large for eyes {step:g} m apart"
        )
    # A lattice of round coordinates: the same eyes for a neighbouring area.
    x, y = (
        np.arange(np.ceil(a / step), np.floor(b / step) + 1) * step for a, b in ((west, east), (south, north))
    )
    places = np.column_stack([grid.ravel() for grid in np.meshgrid(x, y)])
    places = places[shapely.contains_xy(polygon, places)] if len(places) else places
    if len(places) > MOST_EYES:
        raise InputError(f"{run.file}: key 'within.spacing_m': {len(places)} eyes are more than {MOST_EYES}")
    if not len(places):
        middle = polygon.representative_point()
        places = np.array([[middle.x, middle.y]])
    world = frame.to_world(places)
    above = within.above_ground_m
    return tuple(EyeSettings(east=e, north=n, above_ground_m=above) for e, n in world.tolist()), polygon


def inside_buildings(scene: Scene, eyes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which eyes (n, 3), local space, stand in the plan of a building and below its top."""
    inside = np.zeros(len(eyes), dtype=bool)
    for building in (*scene.buildings, *scene.proposed):
        parts = [g.vertices for part in (building, *building.parts) for g in part.geometries]
        if not parts:
            continue
        low, high = (
            np.min([v.min(axis=0) for v in parts], axis=0),
            np.max([v.max(axis=0) for v in parts], axis=0),
        )
        near = ((eyes[:, :2] >= low[:2]) & (eyes[:, :2] <= high[:2])).all(axis=1) & (eyes[:, 2] < high[2])
        plan = building_footprint(building) if near.any() else None
        if plan is not None:
            inside[near] |= shapely.contains_xy(plan, eyes[near, :2])
    return inside


def warn_indoors(run: StudyRun, scene: Scene, named: Mapping[str, Sequence[float]]) -> None:
    """Say which standpoints, by the keys that name them, lie in a building: they see through its walls."""
    eyes = np.array(list(named.values()), dtype=np.float64).reshape(-1, 3)
    for base in {one.scenario: one for one in (run.base.scene, scene)}.values():
        for number in np.flatnonzero(inside_buildings(base, eyes)):
            key = list(named)[number]
            run.reporter.warn(f"{run.file}: {key}: stands in a building of the scene {base.scenario!r}")


def region_bounds(region: Region) -> tuple[float, float, float, float]:
    """West, south, east, north of a region."""
    return region.west, region.south, region.east, region.north


def eye_place(run: StudyRun, eye: EyeSettings, key: str = "observer") -> tuple[float, float, float]:
    """x, y and height of an eye, local space; InputError, with its key, where it stands off the terrain or below it."""
    frame = run.base.scene.frame
    x, y = frame.to_local(np.array([[eye.east, eye.north]]))[0]
    ground = float(TinSampler(run.base.scene.terrain.tin).heights(np.array([[x, y]]))[0])
    if np.isnan(ground):
        raise InputError(f"{run.file}: key {key!r}: E {eye.east} N {eye.north} lies outside the terrain")
    height = eye.height_m if eye.height_m is not None else ground + float(eye.above_ground_m or 0.0)
    if height < ground:
        raise InputError(
            f"{run.file}: key '{key}.height_m': {height:.3f} m lies below the ground ({ground:.3f} m)"
        )
    return float(x), float(y), max(height, ground + EYE_LIFT_M)
