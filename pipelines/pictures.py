"""Verified pictures: a view before, after and what changes, with the images behind it, a record and a walk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image

from pipelines.config_base import places_along
from pipelines.config_views import PictureStudySettings, ViewSettings, WalkSettings
from pipelines.console import Ticker
from pipelines.picture_sheets import data_dates, model_accuracy, write_view_sheet
from pipelines.provenance import Step
from pipelines.render import (
    View,
    chosen_views,
    photo_input,
    ready_view,
    smaller,
    still_info,
    studio_of,
    warn_of,
)
from pipelines.sheets import SheetContext, base_map
from pipelines.site import EXISTING, Site
from pipelines.studyrun import StudyRun, record_of
from pipelines.tables import write_csv
from twin.errors import InputError
from twin.frame import Frame
from twin.io.atomic import plain, write_json, writing
from twin.io.vector import VectorFeature, write_gpkg
from twin.model.scene import Scene
from twin.study.camera import Camera
from twin.study.exposure import FRAME_SR
from twin.study.impact import Impact, impact_of, kinds_of, proposal_whole
from twin.study.picture import Picture, Studio
from twin.study.sight import EYE_LIFT_M
from twin.terrain.sampler import TinSampler
from viewers.animation import write_animation
from viewers.outline import draw_change
from viewers.picture_sheet import Labelled
from viewers.still import write_still


@dataclass(slots=True, eq=False)
class Shot:
    """What is drawn of a view."""

    view: View
    pictures: dict[str, Picture]
    impact: Impact | None = None
    walk: list[Camera] = field(default_factory=list)

    def shown(self, state: str) -> NDArray[np.uint8]:
        """The picture (h, w, 3) of a state; the photograph where there is one, with the proposal drawn into it."""
        picture, photo = self.pictures[state], self.view.photo
        if photo is None:
            return picture.rgb
        return np.where(picture.proposed()[..., None], picture.rgb, photo.pixels).astype(np.uint8)


def views_input(site: Site, settings: PictureStudySettings) -> dict[str, Any]:
    """What a study of pictures depends on besides its scenes: its views, and their photographs."""
    found: dict[str, Any] = {}
    for name, view in chosen_views(site, settings.views).items():
        found[name] = {"view": view.model_dump(mode="json"), **photo_input(site, name, view)}
    return found


def shown_views(site: Site, settings: PictureStudySettings, scenario: str) -> dict[str, ViewSettings]:
    """The views that the study names; where it names none, those that are for a scenario."""
    views = chosen_views(site, settings.views)
    if settings.views is not None or scenario == EXISTING:
        return views
    return {name: v for name, v in views.items() if v.scenarios is None or scenario in v.scenarios}


def picture_study(
    run: StudyRun,
    settings: PictureStudySettings,
    scene: Scene,
    out: tuple[Path, Step, Ticker],
    known: dict[str, Picture],
) -> list[Path]:
    """Draw and write the pictures of one scenario; gives the files. ``known`` keeps those of the existing state.

    Raises
    ------
    InputError
        No such view, a camera below the ground or off it, a photograph that cannot be solved, a sun that is down.
    """
    folder, made, tick = out
    base = run.base.scene
    shots = _shots(run, settings, scene)
    states = {"existing": base} | ({} if scene.scenario == EXISTING else {"proposed": scene})
    files = _draw(run, states, shots, known, (folder, tick))
    changes: list[dict[str, Any]] = []
    if scene.scenario != EXISTING:
        for shot in shots:
            whole = proposal_whole(scene, shot.view.camera, (run.device, run.threads))
            old, new = shot.pictures["existing"], shot.pictures["proposed"]
            shot.impact = impact_of(old, new, whole, shot.view.camera)
            changes += _change_rows(shot.view.name, shot.impact)
    rows = [_row(shot) for shot in shots]
    context = SheetContext(run.site, run.base, scene, run.device.label, folder.parent.name, settings)
    base_of = base_map(context, base.terrain.dtm.grid)
    for shot in shots:
        files += _stills(run, scene, shot, folder)
        stem = folder / "plates" / shot.view.name
        files += write_view_sheet(stem, context, base_of, shot.view, _labelled(context, shot), shot.impact)
    for name, table in (("table.csv", rows), ("changes.csv", changes)):
        if table:
            write_csv(folder / name, list[Mapping[str, Any]](table))
            files.append(folder / name)
    cameras = {shot.view.name: camera_record(run, shot.view) for shot in shots}
    write_json(folder / "cameras.json", plain(cameras))
    files += [folder / "cameras.json", write_cameras(folder / "cameras.gpkg", shots, cameras, base.frame)]
    about = {
        "views": views_input(run.site, settings),
        "cameras": cameras,
        "method": dict(shots[0].pictures["existing"].method) | {"device": run.device.label},
        "data_dates": data_dates(run.site),
        "accuracy": {shot.view.name: model_accuracy(base, shot.view.settings.lod) for shot in shots},
        "table": rows,
    }
    record = record_of(run, settings, states, made, about, (folder, files))
    write_json(folder / "manifest.json", record)
    return [*files, folder / "manifest.json"]


def _shots(run: StudyRun, settings: PictureStudySettings, scene: Scene) -> list[Shot]:
    """The views of a scenario, with what can be wrong with them said before anything is drawn."""
    base = run.base.scene
    shots = [
        Shot(ready_view(run.site, base, name, view), {})
        for name, view in shown_views(run.site, settings, scene.scenario).items()
    ]
    if not shots:
        raise InputError(
            f"{run.file}: no view of views.toml is for the scenario {scene.scenario!r}: name it under their "
            "'scenarios', or name views here"
        )
    for shot in shots:
        shot.walk = _walk_of(run, shot.view)
        for shown in {one.scenario: one for one in (base, scene)}.values():
            warn_of(shot.view, shown, run.reporter, run.site)
    return shots


def _draw(
    run: StudyRun,
    states: Mapping[str, Scene],
    shots: list[Shot],
    known: dict[str, Picture],
    out: tuple[Path, Ticker],
) -> list[Path]:
    """The pictures of every view in every state, the images behind them, and the walks."""
    folder, tick = out
    files: list[Path] = []
    done, total = 0.0, float(len(states) * sum(1 + len(shot.walk) for shot in shots))
    for state, shown in states.items():
        for shot, studio in _with_studios(run, shown, shots):
            view = shot.view
            picture = known.get(view.name) if state == "existing" else None
            shot.pictures[state] = studio.picture(view.camera, view.sun) if picture is None else picture
            if state == "existing":
                known[view.name] = shot.pictures[state]
            files += _images(folder / state, shot, state)
            done += 1.0
            tick(done, total)
            if shot.walk:
                path = folder / state / f"{view.name}-walk.{_walk_settings(view).animation}"
                files.append(_film(run, shown, shot, studio, path, (tick, done, total)))
                done += len(shot.walk)
    return files


def _with_studios(run: StudyRun, scene: Scene, shots: list[Shot]) -> Iterator[tuple[Shot, Studio]]:
    """Each view with a scene as it shows it; views that show it alike share one."""
    groups: dict[tuple[str | None, str | None], list[Shot]] = {}
    for shot in shots:
        groups.setdefault((shot.view.settings.lod, shot.view.settings.roofs_by), []).append(shot)
    for some in groups.values():
        with studio_of(scene, some[0].view.settings, (run.device, run.threads)) as studio:
            for shot in some:
                yield shot, studio


def _images(folder: Path, shot: Shot, state: str) -> list[Path]:
    """Depth and id images of a picture, as TIFF with one number a pixel, and what the ids are."""
    picture, stem = shot.pictures[state], shot.view.name
    ids, depth, key = (folder / f"{stem}-{name}" for name in ("object-ids.tif", "depth-m.tif", "objects.csv"))
    for path, values in ((ids, picture.ids.astype(np.int32)), (depth, picture.depth)):
        with writing(path) as temporary:
            Image.fromarray(np.asarray(values)).save(
                temporary, format="TIFF", compression="tiff_adobe_deflate"
            )
    count = np.bincount(picture.ids[picture.ids >= 0], minlength=len(picture.objects))
    nearest = np.full(len(picture.objects), np.inf)
    hit = picture.ids >= 0
    np.minimum.at(nearest, picture.ids[hit], picture.depth[hit])
    rows: list[Mapping[str, Any]] = [
        {
            "number": int(k),
            "object": picture.objects[k],
            "layer": picture.layers[k],
            "status": picture.statuses[k],
            "pixels": int(count[k]),
            "share_percent": 100.0 * float(count[k]) / picture.ids.size,
            "nearest_m": float(nearest[k]),
        }
        for k in np.flatnonzero(count)
    ]
    write_csv(key, rows or [{"number": -1, "object": "", "layer": "sky", "pixels": picture.ids.size}])
    return [ids, depth, key]


def walk_cameras(
    scene: Scene, camera: Camera, walk: WalkSettings, above_m: float, where: str
) -> list[Camera]:
    """The cameras of a walk: at even steps, at one height above the ground, looking along the line or one way.

    Raises
    ------
    InputError
        A step off the terrain.
    """
    frame = scene.frame
    world = np.array(places_along(walk.line, walk.spacing_m))
    xy = frame.to_local(world)
    ground = TinSampler(scene.terrain.tin).heights(xy)
    if np.isnan(ground).any():
        east, north = world[int(np.flatnonzero(np.isnan(ground))[0])]
        raise InputError(f"{where}: key 'walk.line': E {east:.1f} N {north:.1f} lies outside the terrain")
    path = shapely.LineString(frame.to_local(np.array(walk.line)))
    cameras, ahead = [], 0.0
    for k, (x, y) in enumerate(xy):
        bearing = camera.bearing_true_deg
        if walk.look == "ahead":
            # Over a stretch before and behind, so that the view turns before and after a corner, not in it.
            at, reach = path.length * k / (len(xy) - 1), max(8.0, 2.0 * walk.spacing_m)
            for stretch in (reach, 0.05 * reach):
                ends = shapely.get_coordinates(
                    path.interpolate([max(0.0, at - stretch), min(path.length, at + stretch)])
                )
                east, north = ends[1] - ends[0]
                # Where the line turns back on itself, the way of the step before is kept.
                if np.hypot(east, north) > 0.2 * min(stretch, path.length):
                    ahead = frame.azimuth_true(float(np.degrees(np.arctan2(east, north))))
                    break
            bearing += ahead
        eye = (float(x), float(y), float(ground[k] + above_m))
        cameras.append(replace(camera, eye=eye, bearing_true_deg=bearing % 360.0))
    return cameras


def _walk_settings(view: View) -> WalkSettings:
    walk = view.settings.walk
    if walk is None:
        raise InputError(f"view {view.name!r} has no walk")
    return walk


def _walk_of(run: StudyRun, view: View) -> list[Camera]:
    """The cameras of a view's walk; none where it has none."""
    walk = view.settings.walk
    if walk is None:
        return []
    where = f"{run.site.folder / 'views.toml'}: view {view.name!r}"
    above = 1.6 if view.above_ground_m is None else max(view.above_ground_m, EYE_LIFT_M)
    return walk_cameras(run.base.scene, smaller(view.camera, walk.width), walk, above, where)


def _film(
    run: StudyRun,
    scene: Scene,
    shot: Shot,
    studio: Studio,
    path: Path,
    progress: tuple[Ticker, float, float],
) -> Path:
    """The moving picture of a view's walk in one state."""
    tick, done, total = progress
    view, walk = shot.view, _walk_settings(shot.view)
    info = still_info(run.site, scene, replace(view, photo=None), run.device)
    with tempfile.TemporaryDirectory() as temporary:
        frames = []
        for k, camera in enumerate(shot.walk):
            frames.append(Path(temporary) / f"{k:04d}.png")
            write_still(frames[-1], studio.picture(camera, view.sun), camera, view.sun, scene.frame, info)
            tick(done + k + 1.0, total)
        return write_animation(path, frames, frame_s=walk.frame_s, width=walk.width)


def _stills(run: StudyRun, scene: Scene, shot: Shot, folder: Path) -> list[Path]:
    """The captioned pictures, and the table of a photograph's control points."""
    view, files = shot.view, []
    states = {"existing": run.base.scene, "proposed": scene}
    for state, picture in shot.pictures.items():
        files.append(folder / state / f"{view.name}.png")
        info = still_info(run.site, states[state], view, run.device)
        shown = replace(picture, rgb=shot.shown(state))
        write_still(files[-1], shown, view.camera, view.sun, scene.frame, info)
    if shot.impact is not None:
        files.append(folder / "difference" / f"{view.name}.png")
        info = replace(still_info(run.site, scene, view, run.device), change=True, legend=None)
        drawn = replace(shot.pictures["existing"], rgb=_drawn(shot, shot.impact))
        write_still(files[-1], drawn, view.camera, view.sun, scene.frame, info)
    if view.photo is not None:
        files.append(folder / f"{view.name}-control-points.csv")
        write_csv(files[-1], list(view.photo.rows()))
    return files


def _drawn(shot: Shot, impact: Impact) -> NDArray[np.uint8]:
    return draw_change(shot.shown("existing"), impact.seen, impact.whole, impact.gone)


CONE_M = 200.0
"""How far the area that a camera looks over is drawn [m]."""


def write_cameras(path: Path, shots: list[Shot], records: Mapping[str, Any], frame: Frame) -> Path:
    """The cameras as points with all that is known of them, and where they look, as areas."""
    points, cones = [], []
    for shot in shots:
        camera, name = shot.view.camera, shot.view.name
        known = {k: v for k, v in records[name].items() if isinstance(v, int | float | str)}
        points.append(VectorFeature(name, shapely.Point(*camera.eye[:2]), known))
        turns = np.linspace(-camera.hfov_deg / 2, camera.hfov_deg / 2, 33)
        ways = np.radians(frame.azimuth_grid(camera.bearing_true_deg) + turns)
        rim = np.array(camera.eye[:2]) + CONE_M * np.column_stack([np.sin(ways), np.cos(ways)])
        cones.append(VectorFeature(name, shapely.Polygon([camera.eye[:2], *rim]), {"view": name}))
    write_gpkg(path, {"cameras": points, "views": cones}, frame)
    return path


def _labelled(context: SheetContext, shot: Shot) -> list[Labelled]:
    """The pictures of a view, as a sheet shows them."""
    pictures: list[Labelled] = [(context.say(state), shot.shown(state)) for state in shot.pictures]
    if shot.impact is not None:
        label = f"{context.say('picture_change')} ({context.say('change_key')})"
        pictures.append((label, _drawn(shot, shot.impact)))
    return pictures


def _row(shot: Shot) -> dict[str, Any]:
    """What a picture shows of the proposal, in numbers."""
    view, impact = shot.view, shot.impact
    row: dict[str, Any] = {"view": view.name, "pixels": view.camera.width * view.camera.height}
    kinds = kinds_of(shot.pictures["proposed" if impact is not None else "existing"])
    if impact is not None:
        row |= {
            "proposal_pixels": int(impact.seen.sum()),
            "proposal_msr": 1000.0 * impact.solid_angle,
            "frame_50mm_percent": 100.0 * impact.solid_angle / FRAME_SR,
            "outline_pixels": int((impact.whole | impact.seen).sum()),
            "outline_hidden_percent": 100.0 * impact.share_hidden,
            "removed_pixels": int(impact.gone.sum()),
            "in_place_of_removed_pixels": int((impact.gone & impact.seen).sum()),
        }
    # What a picture shows adds up to 100.
    for kind in ("sky", "terrain", "water", "trees", "buildings", "proposals", "other"):
        pixels = sum(change.pixels for change in kinds if change.kind == kind)
        row[f"{kind}_percent"] = 100.0 * pixels / row["pixels"]
    return row


def _change_rows(name: str, impact: Impact) -> list[dict[str, Any]]:
    """What the proposal hides, and what opens where something is removed, thing by thing."""
    return [
        {
            "view": name,
            "change": change,
            "kind": one.kind,
            "object": one.object,
            "pixels": one.pixels,
            "solid_angle_msr": 1000.0 * one.solid_angle,
        }
        for change, some in (
            ("hidden by the proposal", impact.hides),
            ("removed, the proposal in its place", impact.replaces),
            ("opened", impact.opens),
        )
        for one in some
    ]


def camera_record(run: StudyRun, view: View) -> dict[str, Any]:
    """A camera, its sun, and how it is known."""
    camera, frame, sun = view.camera, run.base.scene.frame, view.sun
    east, north = frame.to_world(np.array([camera.eye[:2]]))[0]
    record: dict[str, Any] = {
        "crs": frame.crs_name,
        "heights": frame.vertical,
        "east": float(east),
        "north": float(north),
        "height_m": camera.eye[2],
        "above_ground_m": view.above_ground_m,
        "bearing_true_deg": camera.bearing_true_deg % 360.0,
        "bearing_grid_deg": frame.azimuth_grid(camera.bearing_true_deg) % 360.0,
        "pitch_deg": camera.pitch_deg,
        "roll_deg": camera.roll_deg,
        "hfov_deg": camera.hfov_deg,
        "vfov_deg": camera.vfov_deg,
        "lens_on_36mm_mm": 18.0 / float(np.tan(np.radians(camera.hfov_deg) / 2)),
        "width": camera.width,
        "height": camera.height,
        "sun": {
            "utc": f"{sun.utc:%Y-%m-%dT%H:%M:%SZ}",
            "legal": sun.legal.isoformat(timespec="seconds"),
            "altitude_true_deg": sun.altitude_deg,
            "azimuth_true_deg": sun.azimuth_true_deg,
        },
    }
    if view.photo is not None:
        record["photo"] = view.photo.record(frame)
    return record
