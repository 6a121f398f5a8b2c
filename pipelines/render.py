"""Stills of the named views: the existing state and every scenario, from the same camera."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.build import load
from pipelines.config import ViewSettings
from pipelines.console import Reporter
from pipelines.photo import photo_hash, solved_photo
from pipelines.propose import scenario_ids, scene_of
from pipelines.provenance import files_of, forget, is_done, mark_done, step
from pipelines.site import EXISTING, Site
from pipelines.tables import write_csv
from twin.errors import InputError
from twin.io.atomic import plain, write_json
from twin.model.results import SunInstant
from twin.model.scene import Scene
from twin.study.outline import proposal_masks
from twin.study.picture import render
from twin.sun.dates import instant_at_solar_hour
from twin.visibility.caster import Device, DeviceChoice, choose_device
from viewers.camera import camera_of
from viewers.outline import draw_outlines
from viewers.palette import surface_colours
from viewers.residuals import at_lod, residual_legend, roof_cells
from viewers.still import StillInfo, write_still


def render_views(
    site: Site,
    reporter: Reporter,
    device: DeviceChoice = "auto",
    workers: int = 1,
    only: str | None = None,
) -> list[Path]:
    """Render the views of a site (or one of them), existing and for each scenario.

    Raises
    ------
    InputError
        No views.toml, no such view, a standpoint outside the terrain or inside a building.
    """
    views = site.views()
    if not views:
        raise InputError(f"{site.folder / 'views.toml'}: no view there; `twin init` writes first ones")
    if only is not None and only not in views:
        raise InputError(f"{site.folder / 'views.toml'}: no view {only!r}; there are: {', '.join(views)}")
    chosen = {only: views[only]} if only is not None else views
    known = scenario_ids(site)
    for name, settings in chosen.items():
        strange = [s for s in settings.scenarios or [] if s not in (EXISTING, *known)]
        if strange:
            raise InputError(
                f"{site.folder / 'views.toml'}: view {name!r}, key 'scenarios': no scenario {strange[0]!r}; "
                f"there are: {', '.join(known) or 'none'}"
            )
    base = load(site).scene
    engine = choose_device(device)
    files: list[Path] = []
    for state in [EXISTING, *known]:
        wanted = {n: v for n, v in chosen.items() if state == EXISTING or state in (v.scenarios or known)}
        scene = scene_of(site, base, state) if wanted else base
        for name, settings in wanted.items():
            path = site.out / "pictures" / name / f"{state}.png"
            inputs = {"scene": scene.hash}
            if settings.photo is not None:
                inputs["photo"] = photo_hash(site, name, settings.photo)
            made = step(
                f"picture-{name}-{state}",
                inputs,
                {
                    "view": settings.model_dump(mode="json"),
                    "site": site.settings.site.model_dump(mode="json"),
                },
                engine.label,
            )
            if is_done(site.out, made):
                files.extend(files_of(site.out, made.name))
                continue
            forget(site.out, made.name)
            with reporter.step(f"Picture {name}, {state}"):
                done = write_view(site, (base, scene), name, settings, (engine, workers), path, reporter)
            mark_done(site.out, made, done)
            files.extend(done)
    return files


def write_view(
    site: Site,
    scenes: tuple[Scene, Scene],
    name: str,
    settings: ViewSettings,
    engine: tuple[Device, int],
    path: Path,
    reporter: Reporter,
) -> list[Path]:
    """One still with its caption, and a photograph or outlines where asked for; ``scenes``: existing, and shown."""
    place = site.settings.site
    base, scene = scenes
    where = f"{site.folder / 'views.toml'}: view {name!r}"
    sun = view_sun(site, scene, settings)
    camera, photo = camera_of(base, settings.model_dump(), where), None
    if settings.photo is not None:
        photo = solved_photo(site, where, settings.photo, camera, scene.frame)
        camera = photo.pose.camera
    shown = at_lod(scene, settings.lod)
    cells = roof_cells(shown, settings.lod) if settings.roofs_by == "rmse" else None
    picture = render(shown, camera, sun, surface_colours(), *engine, paint=cells)
    info = StillInfo(
        view=settings.title or name,
        site=place.name,
        scenario=scene.scenario,
        scene_hash=scene.hash,
        language=place.language,
        attribution=place.attribution,
        synthetic=place.synthetic,
        engine=engine[0].label,
        lod=settings.lod,
        legend=None if cells is None else residual_legend(place.language),
        accuracy="" if photo is None else photo.words(place.language),
    )
    write_still(path, picture, camera, sun, scene.frame, info)
    files = [path]
    if photo is not None:
        files.append(path.with_name("control-points.csv"))
        write_csv(files[-1], list(photo.rows()))
        files.append(path.with_name("camera.json"))
        write_json(files[-1], plain(photo.record(scene.frame)))
        for line in photo.warnings():
            reporter.warn(f"{where}: {line}")
    if scene.scenario != EXISTING and (settings.outline or photo is not None):
        seen, whole = proposal_masks(scene, camera, engine)
        if photo is None:
            back = render(at_lod(base, settings.lod), camera, sun, surface_colours(), *engine).rgb
        else:
            back = np.where(seen[..., None], picture.rgb, photo.pixels)
        files.append(path.with_name(f"{scene.scenario}-outlined.png"))
        outlined = replace(picture, rgb=draw_outlines(back, seen, whole))
        write_still(files[-1], outlined, camera, sun, scene.frame, replace(info, outlined=True))
    return files


def view_sun(site: Site, scene: Scene, settings: ViewSettings) -> SunInstant:
    """The sun of a view; it must stand above the horizon."""
    place = site.settings.site
    sun = instant_at_solar_hour(settings.date, settings.solar_h, place.timezone, scene.frame)
    if sun.altitude_deg <= 0:
        raise InputError(
            f"{site.folder / 'views.toml'}: the sun is down on {settings.date} "
            f"at {settings.solar_h} h solar; choose another hour"
        )
    return sun
