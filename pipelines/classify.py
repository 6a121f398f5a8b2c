"""The step before the ground: look at every point once, then settle ground, noise and which classes may be roof."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from pipelines.campaigns import Earlier
from pipelines.inputs import Inputs
from pipelines.site import Site
from pipelines.workers import map_tasks
from twin.classify.ground import GroundModel, find_ground
from twin.classify.noise import NoiseFilter
from twin.classify.survey import VENDOR_GROUND, Survey, doubts
from twin.classify.tables import ClassTable, PointClass
from twin.errors import InputError
from twin.frame import Frame
from twin.io.crs import SpatialRef
from twin.io.las import LasInfo, iter_clouds
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid
from twin.terrain.accumulate import CANOPY_CLASSES

CHUNK = 1_000_000
"""Points read at a time; a file never sits in memory whole."""
COARSEST_M = 10.0
"""Largest cell of the ground filter [m], for clouds with less than a point per 100 m2."""
SHARED_CLASSES = frozenset(
    {
        PointClass.NEVER_CLASSIFIED,
        PointClass.UNCLASSIFIED,
        PointClass.ABOVE_GROUND,
        PointClass.BUILDING,
        PointClass.OTHER,
    }
)
"""Where no class of the cloud is for buildings, these may hold roofs."""
LOOSE_CLASSES = SHARED_CLASSES - {PointClass.BUILDING}
"""Where no class of the cloud is for vegetation, these may hold it."""

Tick = Callable[[float, float], None]


@dataclass(frozen=True, slots=True)
class CloudReader:
    """How to read the clouds of a site; travels to other processes.

    Parameters
    ----------
    frame, table, ref, extra, accepted_accuracy_m, grids
        See ``twin.io.las.iter_clouds``.
    noise, ground
        What is left out, and the ground that replaces the vendor's; neither where None.
    earlier
        An earlier flight among the files; None where all are of one.
    """

    frame: Frame
    table: ClassTable
    ref: SpatialRef | None
    extra: dict[int, PointClass]
    accepted_accuracy_m: float | None
    grids: str | None
    noise: NoiseFilter | None = None
    ground: GroundModel | None = None
    earlier: Earlier | None = None

    def chunks(self, info: LasInfo) -> Iterable[PointCloud]:
        """The points of one file, chunk by chunk, local space."""
        if self.grids:
            from pathlib import Path

            from twin.io.crs import use_grid_folder

            use_grid_folder(Path(self.grids))
        earlier = self.earlier if self.earlier is not None and info.path in self.earlier.files else None
        clouds = iter_clouds(
            info,
            self.table if earlier is None else earlier.table,
            self.frame,
            ref=self.ref,
            extra=self.extra,
            accepted_accuracy_m=self.accepted_accuracy_m,
            chunk=CHUNK,
        )
        for whole in clouds:
            cloud = whole if earlier is None else earlier.beyond(whole)
            clean = cloud if self.noise is None else self.noise.kept(cloud)
            yield clean if self.ground is None else self.ground.relabel(clean)


@dataclass(frozen=True, slots=True)
class Classified:
    """How the points of a site are to be read and what that means.

    Parameters
    ----------
    reader
        Gives the points without noise and with the chosen ground.
    ground
        One phrase: whose ground it is.
    roof_classes
        Classes whose points may be roof.
    shared
        Whether those classes hold other things too, so that roofs have to be told by their shape.
    counts, notes
        For the report.
    loose
        Classes among which vegetation has to be told by its returns; empty where it has a class of its own.
    """

    reader: CloudReader
    ground: str
    roof_classes: frozenset[PointClass]
    shared: bool
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    loose: frozenset[PointClass] = frozenset()


def classify(site: Site, inputs: Inputs, reader: CloudReader, workers: int, tick: Tick) -> Classified:
    """Settle ground, noise and roof classes from one pass over the points.

    Raises
    ------
    InputError
        The vendor's ground is asked for and there is none; no point lies in the site's area.
    """
    settings, table = site.settings.classify, reader.table
    roofs = table.roof_classes
    if reader.earlier is not None:
        roofs |= reader.earlier.table.roof_classes
    if settings.ground == "vendor" and not settings.noise:
        known = {**table.codes, **reader.extra}.values()
        loose = _loose(any(code in known for code in CANOPY_CLASSES))
        return Classified(reader, _vendor(table), roofs, roofs != {PointClass.BUILDING}, loose=loose)
    grid = Grid.over(inputs.frame, inputs.region, filter_cell(inputs))
    survey = Survey(grid)
    for part in map_tasks(partial(_survey, reader, grid), inputs.clouds, workers, tick):
        if part is not None:
            survey.merge(part)
    counts: dict[str, int] = {}
    notes: list[str] = []
    noise = survey.voxels.finish() if settings.noise else None
    if noise is not None:
        counts["isolated_points"] = noise.points
        notes += [noise.note] if noise.note else []
        if noise.points:
            notes.append(f"{noise.points} isolated points were left out as noise")
    model, why = _own_ground(site, inputs, survey)
    if model is not None:
        notes.append(f"the ground was found by a filter (SMRF), not taken from the points' classes: {why}")
    read = replace(reader, noise=noise, ground=model)
    held = sum(int(survey.classes[code]) for code in roofs)
    if not held or (model is not None and settings.ground == "auto" and _has_ground(survey)):
        notes.append("roofs are sought by shape in all classes that may hold them: no class can be relied on")
        roofs = SHARED_CLASSES
    loose = _loose(any(survey.classes[code] for code in CANOPY_CLASSES))
    if loose:
        notes.append(
            "no class holds vegetation: points whose pulse went on, off the buildings, are taken for it"
        )
    ground = _vendor(table) if model is None else "found by SMRF"
    return Classified(read, ground, roofs, roofs != {PointClass.BUILDING}, counts, notes, loose)


def filter_cell(inputs: Inputs) -> float:
    """Cell of the ground filter [m]: 1, or as wide as the points stand apart by their headers."""
    points = sum(info.point_count for info in inputs.clouds)
    area = sum(info.region_world.width * info.region_world.height for info in inputs.clouds)
    apart = (area / max(points, 1)) ** 0.5
    return float(min(COARSEST_M, max(1.0, round(apart))))


def _loose(has_vegetation: bool) -> frozenset[PointClass]:
    """Classes among which vegetation is to be told by its returns."""
    return frozenset() if has_vegetation else LOOSE_CLASSES


def _vendor(table: ClassTable) -> str:
    return f"ground class of {table.name}"


def _has_ground(survey: Survey) -> bool:
    return any(survey.classes[code] for code in VENDOR_GROUND)


def _own_ground(site: Site, inputs: Inputs, survey: Survey) -> tuple[GroundModel | None, str]:
    """A ground of our own where it is asked for or the vendor's cannot be used, and why."""
    asked = site.settings.classify.ground
    names = ", ".join(sorted({info.path.name for info in inputs.clouds})[:5])
    if asked == "vendor":
        if not _has_ground(survey):
            table = inputs.table.name if inputs.table else ""
            raise InputError(
                f"{names}: no ground points: class table {table!r} finds no ground among them. "
                'Let the ground be found ([classify] ground = "smrf"), choose another table (--classes), '
                "or give a terrain raster (--dtm)"
            )
        return None, ""
    lowest = survey.lowest()
    if not (lowest.values == lowest.values).any():
        raise InputError(f"none of the points in {names} lies in the site's area")
    model = find_ground(lowest)
    why = "asked for" if asked == "smrf" else doubts(survey, model)
    if asked == "auto" and not why:
        return None, ""
    return model, why if asked == "smrf" else f"of the ground class, {why}"


def _survey(reader: CloudReader, grid: Grid, info: LasInfo) -> Survey | None:
    """One file into the part of the grid that it can reach."""
    part: Survey | None = None
    for cloud in reader.chunks(info):
        if part is None:
            window = reach(grid, reader.frame, info, cloud)
            if window is None:
                return None
            part = Survey(window)
        part.add(cloud)
    return part


def reach(grid: Grid, frame: Frame, info: LasInfo, cloud: PointCloud) -> Grid | None:
    """The part of the grid under a file: by its header where that is in the site's CRS, else all of it."""
    if not len(cloud):
        return grid
    local = info.region_world.shifted(-frame.origin[0], -frame.origin[1])
    inside = (
        local.west - 1 <= cloud.xyz[:, 0].min()
        and cloud.xyz[:, 0].max() <= local.east + 1
        and local.south - 1 <= cloud.xyz[:, 1].min()
        and cloud.xyz[:, 1].max() <= local.north + 1
    )
    if not inside:
        return grid
    return grid.window(local.buffered(grid.cell_size))
