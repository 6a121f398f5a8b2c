"""The sheets of a study of façades: axonometric pictures of each quantity, elevations of what loses most sun."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.config import FacesStudySettings
from pipelines.console import Ticker
from pipelines.face_edges import edges_in_sight, edges_of_change
from pipelines.face_elevations import affected_facades, elevation_sheet
from pipelines.face_outputs import FacesFound
from pipelines.sheets import (
    SHEET_S,
    SheetContext,
    _change_entries,
    ramp_entries,
    sheet_info,
    span_text,
    trees_text,
)
from pipelines.studyrun import StudyRun
from pipelines.workers import map_tasks
from twin.model.scene import Scene
from twin.model.surface import Surface
from twin.model.triangulate import triangulate_surface
from twin.study.camera import ParallelCamera, picture_axes
from twin.study.compare import Row
from twin.study.facades import FaceSamples, FaceSun
from twin.study.picture import CELL_LIFT_M, Cells, render_cells
from twin.visibility.caster import Device
from viewers import palette
from viewers.face_plate import Axonometry, drawing_of, write_axonometry, write_elevation
from viewers.plate import Legend, SheetInfo
from viewers.words import number

BEARINGS_DEG = (45.0, 315.0, 135.0, 225.0)
"""Directions of view, from true north; the one that shows most of the change is taken."""
PITCH_DEG = -35.0
PLAIN: dict[Any, palette.Colour] = {
    **dict.fromkeys(Surface, (232, 230, 225)),
    Surface.TERRAIN: (243, 243, 239),
    Surface.ROOF: (216, 213, 207),
    Surface.WATER: (205, 219, 227),
    Surface.VEGETATION: (222, 228, 214),
    Surface.PLANT_COVER: (236, 239, 230),
    "proposed_roof": (216, 213, 207),
    "proposed_wall": (232, 230, 225),
}
"""What is not measured stands in light grey, so that colours are results alone."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity of a study on its samples.

    Parameters
    ----------
    key
        Name of its files.
    title, subtitle
        What it is, and of when.
    unit, change_unit
        For the legends.
    values
        Of a state.
    ramp, change
        Classes.
    suffix
        Unit after a number.
    digits
        Of its mean in words.
    walls_only
        Whether it says nothing of roofs.
    """

    key: str
    title: str
    subtitle: str
    unit: str
    change_unit: str
    values: Callable[[FaceSun], NDArray[np.float32]]
    ramp: palette.Ramp
    change: palette.Ramp
    suffix: str
    digits: int = 1
    walls_only: bool = False

    def of(self, samples: FaceSamples, state: FaceSun) -> NDArray[np.float64]:
        """Values of samples (n,); NaN where the quantity says nothing."""
        values: NDArray[np.float64] = self.values(state).astype(np.float64)
        if self.walls_only:
            roofs = [k for k, surface in enumerate(samples.surfaces) if surface.kind == "roof"]
            values[np.isin(samples.of, roofs)] = np.nan
        return values


def write_face_sheets(
    context: SheetContext,
    found: FacesFound,
    method: Mapping[str, Any],
    folder: Path,
    run: StudyRun,
    tick: Ticker,
    rows: Sequence[Row],
) -> list[Path]:
    """Write all sheets of a study; gives the files. ``rows`` are those of its surfaces."""
    settings = context.settings
    if not isinstance(settings, FacesStudySettings) or (not len(found.samples) and found.new is None):
        return []
    facades = affected_facades(found, settings.elevations)
    view = _View.of(context, found, run.device, run.threads)
    files: list[Path] = []
    metrics = metrics_of(context, found, method)
    files += view.sheets(metrics, folder, method, [surface.building for surface, _ in facades])
    sheets = [
        elevation_sheet(context, found, method, (place, facades), rows) for place in range(len(facades))
    ]
    words = [
        (
            sheet,
            sheet_info(
                context, sheet.title, sheet.subtitle, sheet.lines, hours_words(context, method, sheet.date)
            ),
        )
        for sheet in sheets
    ]
    draw = partial(_draw_elevation, folder)
    return files + [path for some in map_tasks(draw, words, run.threads, tick, SHEET_S) for path in some]


def _draw_elevation(folder: Path, task: tuple[Any, SheetInfo]) -> list[Path]:
    sheet, info = task
    return write_elevation(folder / sheet.name, sheet.elevation, sheet.legends, info)


def metrics_of(context: SheetContext, found: FacesFound, method: Mapping[str, Any]) -> list[Metric]:
    """The quantities that a study has, in the order of its sheets."""
    say, before = context.say, found.before
    states = [state for state in (before, found.after, found.new_sun) if state is not None]
    out: list[Metric] = []

    def most(values: Callable[[FaceSun], NDArray[np.float32]]) -> float:
        return max(float(values(state).max(initial=0.0)) for state in states)

    for name, days in method["days"].items():

        def hours(state: FaceSun, name: str = name) -> NDArray[np.float32]:
            return state.hours[name]

        longest = max(1.0, most(hours))
        out.append(
            Metric(
                f"hours-{name}",
                say("hours_of_sun"),
                span_text(context, name, days),
                say("hours_unit"),
                say("change_unit"),
                hours,
                palette.hours_ramp(longest),
                palette.change_ramp(palette.class_width(longest)),
                " h",
            )
        )
    percents: list[tuple[str, Callable[[FaceSun], Any]]] = []
    if before.sky is not None:
        percents.append(("vsc", lambda state: state.sky.vsc))  # type: ignore[union-attr]
    if before.probable is not None:
        percents.append(("apsh", lambda state: state.probable[0]))  # type: ignore[index]
    for key, values in percents:
        units = say("percent_unit"), say("change_percent_unit")
        ramps = palette.percent_ramp(40.0), palette.even_change_ramp(5.0)
        made = Metric(key, say(key), say(key), *units, values, *ramps, " %", walls_only=True)
        pairs = ((found.samples, before), (found.samples, found.after), (found.new, found.new_sun))
        tops = [
            float(np.nanmax(made.of(samples, state), initial=0.0))
            for samples, state in pairs
            if samples is not None and state is not None
        ]
        out.append(replace(made, ramp=palette.percent_ramp(max(10.0, *tops))))
    if before.energy is not None:

        def energy(state: FaceSun) -> NDArray[np.float32]:
            return state.energy  # type: ignore[return-value]

        top = max(100.0, most(energy))
        units = say("energy_unit"), say("change_energy_unit")
        ramp = palette.hours_ramp(top)
        change = palette.even_change_ramp(palette.class_width(top))
        title = say("irradiation")
        out.append(Metric("irradiation", title, title, *units, energy, ramp, change, "", 0))
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Mesh:
    """Cells of samples as triangles: corners off the face, faces, sample and object of each face."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    sample: NDArray[np.int64]
    objects: tuple[str, ...]

    @staticmethod
    def of(samples: FaceSamples) -> _Mesh:
        """The cells of some samples."""
        vertices, faces, sample, count = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], [], 0
        for k, cell in enumerate(samples.cells):
            if cell is None:
                continue
            triangles = triangulate_surface(cell, (tuple(range(len(cell))),))
            vertices.append(cell + CELL_LIFT_M * samples.normals[k])
            faces.append(triangles.astype(np.int64) + count)
            sample += [k] * len(triangles)
            count += len(cell)
        names = tuple(samples.surfaces[samples.of[k]].building for k in sample)
        return _Mesh(np.concatenate(vertices), np.concatenate(faces), np.array(sample, dtype=np.int64), names)

    def colours(self, values: NDArray[np.floating], ramp: palette.Ramp) -> NDArray[np.uint8]:
        """Colours (m, 3) of the faces by values of the samples; grey where there is none."""
        painted = ramp.paint(values[None])[0]
        painted[painted[:, 3] == 0, :3] = PLAIN[Surface.ROOF]
        colours: NDArray[np.uint8] = painted[self.sample, :3]
        return colours


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """One camera for all pictures of a study."""

    context: SheetContext
    found: FacesFound
    device: Device
    threads: int
    bearing_deg: float
    mesh: _Mesh
    new_mesh: _Mesh | None

    @staticmethod
    def of(context: SheetContext, found: FacesFound, device: Device, threads: int) -> _View:
        """The view that shows most of what changes; of the hours of sun where there is one state."""
        samples, frame = found.samples, found.scene.frame
        weight = samples.area * sum(
            (hours if found.after is None else np.abs(found.after.hours[name] - hours)).astype(np.float64)
            for name, hours in found.before.hours.items()
        )
        seen = [
            float(weight @ np.maximum(0.0, -samples.normals @ picture_axes(frame, bearing, PITCH_DEG)[2]))
            for bearing in BEARINGS_DEG
        ]
        new = None if found.new is None else _Mesh.of(found.new)
        bearing = BEARINGS_DEG[int(np.argmax(np.round(seen, 6)))]
        return _View(context, found, device, threads, bearing, _Mesh.of(samples), new)

    def camera(self, panels: int) -> tuple[Any, ParallelCamera]:
        """Scale, paper and camera for some pictures on one sheet."""
        frame = self.found.scene.frame
        axes = picture_axes(frame, self.bearing_deg, PITCH_DEG)
        corners = [self.mesh.vertices] + ([] if self.new_mesh is None else [self.new_mesh.vertices])
        points = np.concatenate(corners) @ axes.T
        low, high = points.min(axis=0), points.max(axis=0)
        wide, tall = (high - low)[:2] + 16.0
        drawing = drawing_of(float(wide), float(tall), panels)
        paper = drawing.panel_mm[1] * drawing.scale / 1000.0
        # The rays start before all that is to be seen, above the ground at the lower edge of the picture.
        back = low[2] - paper - 60.0
        eye = axes.T @ np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, back])
        place = (float(eye[0]), float(eye[1]), float(eye[2]))
        camera = ParallelCamera(place, self.bearing_deg, PITCH_DEG, drawing.pixel_m, *drawing.pixels)
        return drawing, camera

    def sheets(
        self, metrics: Sequence[Metric], folder: Path, method: Mapping[str, Any], named: Sequence[str]
    ) -> list[Path]:
        """For each quantity the sheet of the states, and that of the change where there are two."""
        context, found = self.context, self.found
        states = [("existing", found.base)] + ([("proposed", found.scene)] if found.after else [])
        drawing, camera = self.camera(len(states))
        made = [self.pictures(state, scene, metrics, camera) for state, scene in states]
        files: list[Path] = []
        for k, metric in enumerate(metrics):
            about = metric.title if metric.subtitle == metric.title else f"{metric.title}, {metric.subtitle}"
            legend = Legend(f"{metric.title}, {metric.unit}", _entries(metric, context))
            info = self.info(metric, method, about)
            pictures = [some[k] for some in made]
            files += write_axonometry(folder / metric.key, pictures, drawing, camera, legend, info)
        if found.after is None:
            return files
        drawing, camera = self.camera(1)
        changes = self.pictures("difference", replace(found.scene, proposed=()), metrics, camera)
        names = self.labels(camera, named)
        for metric, picture in zip(metrics, changes, strict=True):
            entries = _change_entries(context, metric.change, metric.suffix)
            legend = Legend(f"{metric.title}, {metric.change_unit}", entries)
            about = metric.title if metric.subtitle == metric.title else f"{metric.title}, {metric.subtitle}"
            info = self.info(metric, method, f"{context.say('change_of')}: {about}")
            stem, shown = folder / f"difference-{metric.key}", replace(picture, labels=names)
            files += write_axonometry(stem, [shown], drawing, camera, legend, info)
        return files

    def info(self, metric: Metric, method: Mapping[str, Any], about: str) -> SheetInfo:
        """The words of a sheet."""
        context = self.context
        title = context.settings.title or context.say("faces_title")
        words = metric_words(context, method, metric)
        return sheet_info(context, title, about, _means(context, self.found, metric), words)

    def pictures(
        self, state: str, scene: Scene, metrics: Sequence[Metric], camera: ParallelCamera
    ) -> list[Axonometry]:
        """One state in the colours of each quantity; trees are not drawn, they would hide façades."""
        found, context = self.found, self.context
        new = self.new_mesh if state == "proposed" else None
        colours = []
        for metric in metrics:
            old = metric.of(found.samples, found.before)
            now = old if found.after is None else metric.of(found.samples, found.after)
            values = {"existing": old, "proposed": now, "difference": now - old}[state]
            ramp = metric.change if state == "difference" else metric.ramp
            painted = [self.mesh.colours(values, ramp)]
            if new is not None and found.new is not None and found.new_sun is not None:
                painted.append(new.colours(metric.of(found.new, found.new_sun), ramp))
            colours.append(np.concatenate(painted))
        cells = _cells([self.mesh] + ([] if new is None else [new]))
        bare = replace(scene, trees=())
        made = render_cells(bare, camera, PLAIN, self.device, self.threads, cells, colours)
        title = context.say(state) + ("" if state == "existing" else f": {context.scene.scenario}")
        outlines: tuple[tuple[str, NDArray[np.float64]], ...] = ()
        if state == "proposed":
            outlines = edges_in_sight(bare, camera, self.device, self.threads)
        elif state == "difference":
            outlines = edges_of_change(found.base, found.scene, camera)
        return [
            Axonometry(title, np.where(one.ids[..., None] < 0, np.uint8(255), one.rgb), (), outlines)
            for one in made
        ]

    def labels(self, camera: ParallelCamera, named: Sequence[str]) -> tuple[tuple[float, float, str], ...]:
        """Names of some buildings above their tops, as picture points."""
        out = []
        owner = np.array(self.mesh.objects, dtype=object)
        for name in dict.fromkeys(named):
            faces = self.mesh.faces[owner == name]
            if not len(faces):
                continue
            corners = self.mesh.vertices[np.unique(faces)]
            middle = 0.5 * (corners.min(axis=0) + corners.max(axis=0))
            middle[2] = corners[:, 2].max()
            x, y = camera.project(self.found.scene.frame, middle)[0]
            out.append((float(x), float(y), name))
        return tuple(out)


def _cells(meshes: Sequence[_Mesh]) -> Cells:
    """The cells of several meshes as one, without their colours."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts[:-1], strict=True)])
    return Cells(
        np.concatenate([mesh.vertices for mesh in meshes]),
        faces,
        tuple(name for mesh in meshes for name in mesh.objects),
        np.zeros((len(faces), 3), dtype=np.uint8),
    )


def _entries(metric: Metric, context: SheetContext) -> tuple[tuple[palette.Colour, str], ...]:
    """Classes, and what has none."""
    return (*_classes(metric, context), (PLAIN["proposed_roof"], context.say("not_studied")))


def _classes(metric: Metric, context: SheetContext) -> tuple[tuple[palette.Colour, str], ...]:
    if metric.suffix == " h":
        return ramp_entries(metric.ramp, context)
    limits, rows = metric.ramp.limits, []
    for k, colour in enumerate(metric.ramp.colours):
        low = number(limits[k], 1 if limits[k] % 1 else 0, context.language)
        if k + 1 < len(limits):
            high = number(limits[k + 1], 1 if limits[k + 1] % 1 else 0, context.language)
            rows.append((colour, f"{low} - {high}{metric.suffix}"))
        else:
            rows.append((colour, f"{low}{metric.suffix} {context.say('and_more')}"))
    return tuple(reversed(rows))


def _means(context: SheetContext, found: FacesFound, metric: Metric) -> tuple[str, ...]:
    """Means over the walls and the roofs that stand in both states."""
    language, samples, out = context.language, found.samples, []
    kinds = np.array([surface.kind for surface in samples.surfaces] or ["wall"])[samples.of]
    for kind, key in (("wall", "walls"), ("roof", "roofs")):
        own = (kinds == kind) & (samples.area > 0)
        if not own.any() or (metric.walls_only and kind == "roof"):
            continue
        texts = []
        for state in (found.before, found.after):
            if state is not None:
                mean = float(
                    np.average(metric.values(state)[own].astype(np.float64), weights=samples.area[own])
                )
                texts.append(f"{number(mean, metric.digits, language)}{metric.suffix}")
        out.append(f"{context.say(key)}, {context.say('mean')}: {' → '.join(texts)}")
    return tuple(out)


def hours_words(context: SheetContext, method: Mapping[str, Any], date: str) -> tuple[str, ...]:
    """How hours of sun on façades were made."""
    language = context.language
    step = float(method["days"][date]["step_min"])
    return (
        f"{context.say('step')} {number(step, 0 if step % 1 == 0 else 1, language)} min",
        *_common(context),
        f"{context.say('min_altitude')} {number(float(method['min_altitude_deg']), 1, language)}°",
        context.say("true_sun"),
        context.say("points_on_face"),
        context.say("grazing"),
        f"{context.say('engine')} {context.device}",
    )


def _common(context: SheetContext) -> tuple[str, ...]:
    settings, out = context.settings, []
    if isinstance(settings, FacesStudySettings):
        out.append(f"{context.say('spacing')} {number(settings.spacing_m, 2, context.language)} m")
        if settings.profile:
            out.append(f"{context.say('profile')} {settings.profile}")
    return (*out, trees_text(context))


def metric_words(context: SheetContext, method: Mapping[str, Any], metric: Metric) -> tuple[str, ...]:
    """How a quantity was made."""
    if metric.key.startswith("hours-"):
        return hours_words(context, method, metric.key.removeprefix("hours-"))
    engine = f"{context.say('engine')} {context.device}"
    settings = context.settings
    if metric.key == "apsh":
        return (context.say("apsh_method"), *_common(context), engine)
    directions = f"{number(float(method['sky_directions']), 0, context.language)} {context.say('directions')}"
    if metric.key == "vsc":
        return (context.say("vsc_method"), directions, *_common(context), engine)
    sky = getattr(settings, "diffuse", "isotropic")
    weather = str(method["irradiation"]).rsplit("; ", 1)[-1]
    return (context.say(sky), weather, directions, *_common(context), engine)
