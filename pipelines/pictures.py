"""Verified pictures: a view before, after and what changes, with the images behind it, a record and a walk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image

from pipelines.config_base import AlongSettings
from pipelines.config_views import PictureStudySettings, ViewSettings, WalkSettings
from pipelines.console import Ticker
from pipelines.provenance import Step, versions
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
from pipelines.sheets import SheetContext, base_map, sheet_info
from pipelines.site import EXISTING, Site
from pipelines.studyrun import StudyRun
from pipelines.tables import write_csv
from twin.errors import InputError
from twin.io.atomic import plain, sha256_file, write_json, writing
from twin.model.scene import Scene
from twin.study.camera import Camera
from twin.study.exposure import FRAME_SR
from twin.study.impact import Change, Impact, impact_of, kinds_of, proposal_whole
from twin.study.picture import Picture, Studio
from twin.terrain.sampler import TinSampler
from viewers.animation import write_animation
from viewers.outline import draw_change
from viewers.picture_sheet import Labelled, Plan, picture_width_mm, write_picture_sheet
from viewers.plate import BaseMap
from viewers.still import write_still
from viewers.words import instant_text, number, sun_text

KINDS = {
    "terrain": "terrain",
    "buildings": "buildings",
    "proposals": "proposals",
    "trees": "trees",
    "sky": "sky",
    "water": "water",
}
"""Phrases of what a picture shows; all else is other."""


@dataclass(slots=True, eq=False)
class Shot:
    """What is drawn of a view."""

    view: View
    pictures: dict[str, Picture]
    impact: Impact | None = None

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


def picture_study(
    run: StudyRun, settings: PictureStudySettings, scene: Scene, folder: Path, made: Step, tick: Ticker
) -> list[Path]:
    """Draw and write the pictures of one scenario; gives the files.

    Raises
    ------
    InputError
        No such view, a camera below the ground or off it, a photograph that cannot be solved, a sun that is down.
    """
    base = run.base.scene
    shots = [
        Shot(ready_view(run.site, base, name, view), {})
        for name, view in chosen_views(run.site, settings.views).items()
    ]
    states = {"existing": base} | ({} if scene.scenario == EXISTING else {"proposed": scene})
    files = _draw(run, states, shots, folder, tick)
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
        files += _sheet(context, base_of, shot, folder)
        warn_of(shot.view, run.reporter, run.site)
    for name, table in (("table.csv", rows), ("changes.csv", changes)):
        if table:
            write_csv(folder / name, list[Mapping[str, Any]](table))
            files.append(folder / name)
    cameras = {shot.view.name: camera_record(run, shot.view) for shot in shots}
    write_json(folder / "cameras.json", plain(cameras))
    files.append(folder / "cameras.json")
    record = {
        "kind": settings.kind,
        "site": run.site.settings.site.name,
        "synthetic": run.site.settings.site.synthetic,
        "scenario": scene.scenario,
        "scene_hash": {state: one.hash for state, one in states.items()},
        "settings": settings.model_dump(mode="json"),
        "views": views_input(run.site, settings),
        "cameras": cameras,
        "method": dict(shots[0].pictures["existing"].method) | {"device": run.device.label},
        "data_dates": data_dates(run.site),
        "accuracy": model_accuracy(base),
        "table": rows,
        "files": {f.relative_to(folder).as_posix(): sha256_file(f) for f in sorted(files)},
        "provenance": {"step": made.key, "inputs": plain(made.record)["inputs"], "versions": versions()},
    }
    write_json(folder / "manifest.json", plain(record))
    return [*files, folder / "manifest.json"]


def _draw(
    run: StudyRun, states: Mapping[str, Scene], shots: list[Shot], folder: Path, tick: Ticker
) -> list[Path]:
    """The pictures of every view in every state, the images behind them, and the walks."""
    files, done = [], 0.0
    total = float(len(states) * sum(1 + _frames(shot.view.settings) for shot in shots))
    for state, shown in states.items():
        for shot, studio in _with_studios(run, shown, shots):
            view = shot.view
            shot.pictures[state] = studio.picture(view.camera, view.sun)
            files += _images(folder / state, shot, state)
            done += 1.0
            tick(done, total)
            if view.settings.walk is not None:
                path = folder / state / f"{view.name}-walk.{view.settings.walk.animation}"
                files.append(_walk(run, shown, view, studio, path, (tick, done, total)))
                done += view.settings.walk.count
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


def _frames(settings: ViewSettings) -> int:
    return 0 if settings.walk is None else settings.walk.count


def walk_cameras(
    scene: Scene, camera: Camera, walk: WalkSettings, above_m: float, where: str
) -> list[Camera]:
    """The cameras of a walk: at even steps, at one height above the ground, looking along the line or one way.

    Raises
    ------
    InputError
        A step off the terrain.
    """
    frame, line = scene.frame, walk.line
    eyes = AlongSettings(line=line, spacing_m=walk.spacing_m, above_ground_m=above_m).eyes
    xy = frame.to_local(np.array([[eye.east, eye.north] for eye in eyes]))
    ground = TinSampler(scene.terrain.tin).heights(xy)
    if np.isnan(ground).any():
        k = int(np.flatnonzero(np.isnan(ground))[0])
        raise InputError(
            f"{where}: key 'walk.line': E {eyes[k].east:.1f} N {eyes[k].north:.1f} lies outside the terrain"
        )
    path = shapely.LineString(frame.to_local(np.array(line)))
    cameras = []
    for k, (x, y) in enumerate(xy):
        bearing = camera.bearing_true_deg
        if walk.look == "ahead":
            # Over a stretch before and behind, so that the view turns before and after a corner, not in it.
            at, reach = path.length * k / (len(xy) - 1), max(8.0, 2.0 * walk.spacing_m)
            ends = shapely.get_coordinates(
                path.interpolate([max(0.0, at - reach), min(path.length, at + reach)])
            )
            east, north = ends[1] - ends[0]
            bearing += frame.azimuth_true(float(np.degrees(np.arctan2(east, north))))
        eye = (float(x), float(y), float(ground[k] + above_m))
        cameras.append(replace(camera, eye=eye, bearing_true_deg=bearing % 360.0))
    return cameras


def _walk(
    run: StudyRun,
    scene: Scene,
    view: View,
    studio: Studio,
    path: Path,
    progress: tuple[Ticker, float, float],
) -> Path:
    """The moving picture of a view's walk in one state."""
    tick, done, total = progress
    walk = view.settings.walk
    assert walk is not None
    where = f"{run.site.folder / 'views.toml'}: view {view.name!r}"
    above = 1.6 if view.above_ground_m is None else view.above_ground_m
    cameras = walk_cameras(run.base.scene, smaller(view.camera, walk.width), walk, above, where)
    info = still_info(run.site, scene, replace(view, photo=None), run.device)
    with tempfile.TemporaryDirectory() as temporary:
        frames = []
        for k, camera in enumerate(cameras):
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


def _row(shot: Shot) -> dict[str, Any]:
    """What a picture shows of the proposal, in numbers."""
    view, impact = shot.view, shot.impact
    row: dict[str, Any] = {"view": view.name, "pixels": view.camera.width * view.camera.height}
    kinds = kinds_of(shot.pictures["proposed" if impact is not None else "existing"])
    if impact is not None:
        row |= {
            "proposal_pixels": int(impact.seen.sum()),
            "proposal_percent": 100.0 * float(impact.seen.mean()),
            "proposal_msr": 1000.0 * impact.solid_angle,
            "frame_50mm_percent": 100.0 * impact.solid_angle / FRAME_SR,
            "outline_pixels": int((impact.whole | impact.seen).sum()),
            "outline_hidden_percent": 100.0 * impact.share_hidden,
            "removed_pixels": int(impact.gone.sum()),
        }
    for kind in ("sky", "terrain", "water", "trees", "buildings"):
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
        for change, some in (("hidden by the proposal", impact.hides), ("opened", impact.opens))
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


def data_dates(site: Site) -> list[str]:
    """Days of the flights that the model was made from, where the site says them; the newest first."""
    inputs = site.settings.inputs
    return [d.isoformat() for d in (inputs.points_date, inputs.older_points_date) if d is not None]


def model_accuracy(scene: Scene) -> dict[str, Any]:
    """How well the existing roofs fit the points [m], and the share of buildings at LoD 2.2; None where not known."""
    off = [float(b.attributes["rmse_m"]) for b in scene.buildings if b.attributes.get("rmse_m") is not None]
    best = [b for b in scene.buildings if any(g.lod == "2.2" for g in b.geometries)]
    return {
        "roof_rmse_median_m": float(np.median(off)) if off else None,
        "lod22_percent": 100.0 * len(best) / len(scene.buildings) if scene.buildings else None,
    }


def _sheet(context: SheetContext, base: BaseMap, shot: Shot, folder: Path) -> list[Path]:
    """The plate of a view."""
    settings, scene = context.settings, context.scene
    view, say = shot.view, context.say
    pictures: list[Labelled] = [(say(state), shot.shown(state)) for state in shot.pictures]
    if shot.impact is not None:
        pictures.append((f"{say('picture_change')} ({say('change_key')})", _drawn(shot, shot.impact)))
    name = view.settings.title or view.name
    title = f"{settings.title}: {name}" if settings.title else f"{say('picture')}: {name}"
    width = picture_width_mm(len(pictures), pictures[0][1].shape)
    language = context.language
    lines = [
        f"{say('camera')}: {_camera_words(context, view)}",
        f"{instant_text(view.sun, language)}; {sun_text(view.sun, language)}",
        *([] if shot.impact is None else _impact_words(context, shot.impact)),
        *([] if view.photo is None else [say("photo_backdrop"), view.photo.words(language)]),
        _model_words(context),
        say("hold_at").format(
            number(width / 20 / float(np.tan(np.radians(view.camera.hfov_deg) / 2)), 0, language)
        ),
    ]
    method = (say("picture_method"), f"{say('engine')} {context.device}")
    subtitle = f"{say('scenario')} {scene.scenario}"
    info = sheet_info(context, title, subtitle, tuple(lines), method)
    camera = view.camera
    plan = Plan(
        base.existing,
        base.removed,
        base.proposed,
        (camera.eye[0], camera.eye[1]),
        scene.frame.azimuth_grid(camera.bearing_true_deg),
        camera.hfov_deg,
    )
    return write_picture_sheet(folder / "plates" / view.name, pictures, info, plan)


def _camera_words(context: SheetContext, view: View) -> str:
    camera, frame, language = view.camera, context.scene.frame, context.language
    east, north = frame.to_world(np.array([camera.eye[:2]]))[0]
    above = (
        ""
        if view.above_ground_m is None
        else f", {number(view.above_ground_m, 2, language)} m {context.say('above_ground')}"
    )
    lens = 18.0 / float(np.tan(np.radians(camera.hfov_deg) / 2))
    text = (
        f"{context.say('eye_at')} E {east:.1f} N {north:.1f}, {number(camera.eye[2], 2, language)} m{above}; "
        f"{context.say('bearing')} {number(camera.bearing_true_deg % 360, 2, language)}°; "
        f"{context.say('pitch')} {number(camera.pitch_deg, 1, language)}°; "
        f"{context.say('field_of_view')} {number(camera.hfov_deg, 1, language)}° "
        f"({number(lens, 0, language)} mm / 36 mm)"
    )
    return text + (
        f"; {context.say('roll')} {number(camera.roll_deg, 2, language)}°" if camera.roll_deg else ""
    )


def _impact_words(context: SheetContext, impact: Impact) -> list[str]:
    language, say = context.language, context.say
    removed = []
    if impact.gone.any():
        removed = [say("removed_takes").format(number(100 * float(impact.gone.mean()), 2, language))]
    if not impact.seen.any():
        return [say("not_in_picture"), *removed]
    share = 100.0 * float(impact.seen.mean())
    takes = say("takes").format(number(share, 2, language), number(1000 * impact.solid_angle, 2, language))
    frame = say("frame_is").format(number(100 * impact.solid_angle / FRAME_SR, 2, language))
    part = say("part_hidden").format(number(100 * impact.share_hidden, 0, language))
    pixels = float(impact.seen.sum())
    most = ", ".join(
        f"{_kind_word(context, kind)} {number(100 * count / pixels, 0, language)} %"
        for kind, count in _by_kind(impact.hides)
        if count >= 0.01 * pixels
    )
    return [f"{takes} ({frame}); {part}", say("hides_most").format(most), *removed]


def _by_kind(changes: tuple[Change, ...]) -> list[tuple[str, int]]:
    total: dict[str, int] = {}
    for change in changes:
        total[change.kind] = total.get(change.kind, 0) + change.pixels
    return sorted(total.items(), key=lambda item: -item[1])


def _kind_word(context: SheetContext, kind: str) -> str:
    return context.say(KINDS.get(kind, "other")).lower()


def _model_words(context: SheetContext) -> str:
    language, say = context.language, context.say
    dates = data_dates(context.site)
    words = say("data_dates").format(", ".join(dates)) if dates else say("data_undated")
    known: Mapping[str, Any] = model_accuracy(context.base.scene)
    if known["roof_rmse_median_m"] is not None:
        off = number(known["roof_rmse_median_m"], 2, language)
        words += f"; {say('roofs_off').format(off, number(known['lod22_percent'], 0, language))}"
    return f"{say('model_accuracy')}: {words}"
