"""Stills of the named views: the existing state and every scenario, from the same camera."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.build import load
from pipelines.config_views import ViewSettings
from pipelines.console import Reporter
from pipelines.photo import SolvedPhoto, photo_hash, solved_photo
from pipelines.places import inside_buildings
from pipelines.propose import scenario_ids, scene_of
from pipelines.provenance import files_of, forget, is_done, mark_done, step
from pipelines.site import EXISTING, Site
from twin.errors import InputError
from twin.model.results import SunInstant
from twin.model.scene import Scene
from twin.study.camera import Camera
from twin.study.picture import Studio
from twin.sun.dates import instant_at_solar_hour
from twin.terrain.sampler import TinSampler
from twin.visibility.caster import Device, DeviceChoice, choose_device
from viewers.camera import camera_of
from viewers.palette import surface_colours
from viewers.residuals import at_lod, residual_legend, roof_cells
from viewers.still import StillInfo, write_still


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A view of views.toml, ready to be drawn: its camera, the photograph that it was solved from, its sun."""

    name: str
    settings: ViewSettings
    camera: Camera
    photo: SolvedPhoto | None
    sun: SunInstant
    above_ground_m: float | None
    """Height of the eye above the ground; None where there is none below it."""


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
        No views.toml, no such view, a standpoint outside the terrain or below it.
    """
    chosen = chosen_views(site, None if only is None else [only])
    known = scenario_ids(site)
    base = load(site).scene
    engine = choose_device(device)
    files: list[Path] = []
    for state in [EXISTING, *known]:
        wanted = {n: v for n, v in chosen.items() if state == EXISTING or state in (v.scenarios or known)}
        scene = scene_of(site, base, state) if wanted else base
        for name, settings in wanted.items():
            path = site.out / "pictures" / name / f"{state}.png"
            inputs = {"scene": scene.hash, **photo_input(site, name, settings)}
            values = {
                "view": settings.model_dump(mode="json"),
                "site": site.settings.site.model_dump(mode="json"),
            }
            made = step(f"picture-{name}-{state}", inputs, values, engine.label)
            if is_done(site.out, made):
                files.extend(files_of(site.out, made.name))
                continue
            forget(site.out, made.name)
            with reporter.step(f"Picture {name}, {state}"):
                view = ready_view(site, base, name, settings)
                with studio_of(scene, settings, (engine, workers)) as studio:
                    picture = studio.picture(view.camera, view.sun)
                write_still(
                    path, picture, view.camera, view.sun, scene.frame, still_info(site, scene, view, engine)
                )
                warn_of(view, scene, reporter, site)
            mark_done(site.out, made, [path])
            files.append(path)
    return files


def chosen_views(site: Site, only: list[str] | None) -> dict[str, ViewSettings]:
    """Views of views.toml by name, all where ``only`` is None; InputError where there is none of that name."""
    file, views = site.folder / "views.toml", site.views()
    if not views:
        raise InputError(f"{file}: no view there; `twin init` writes first ones")
    for name in only or []:
        if name not in views:
            raise InputError(f"{file}: no view {name!r}; there are: {', '.join(views)}")
    known = scenario_ids(site)
    chosen = views if only is None else {name: views[name] for name in dict.fromkeys(only)}
    for name, settings in chosen.items():
        strange = [s for s in settings.scenarios or [] if s not in (EXISTING, *known)]
        if strange:
            raise InputError(
                f"{file}: view {name!r}, key 'scenarios': no scenario {strange[0]!r}; "
                f"there are: {', '.join(known) or 'none'}"
            )
    return chosen


def photo_input(site: Site, name: str, settings: ViewSettings) -> dict[str, str]:
    """What a view's picture depends on besides scene and settings; InputError where a photograph is missing."""
    return {} if settings.photo is None else {"photo": photo_hash(site, name, settings.photo)}


def ready_view(site: Site, base: Scene, name: str, settings: ViewSettings) -> View:
    """Camera and sun of a view.

    Raises
    ------
    InputError
        A standpoint below the ground or off it, a photograph that cannot be solved, a sun that is down.
    """
    where = f"{site.folder / 'views.toml'}: view {name!r}"
    values = settings.model_dump() | {"field_of_view_deg": settings.field_of_view_deg}
    camera, photo = camera_of(base, values, where), None
    if settings.photo is not None:
        photo = solved_photo(site, where, settings.photo, camera, base.frame)
        camera = photo.pose.camera
    ground = float(TinSampler(base.terrain.tin).heights(np.array([camera.eye[:2]]))[0])
    above = None if np.isnan(ground) else camera.eye[2] - ground
    return View(name, settings, camera, photo, view_sun(site, base, settings, where), above)


def warn_of(view: View, scene: Scene, reporter: Reporter, site: Site) -> None:
    """Say what a person should know of a view: a solved photograph that fits badly, an eye indoors."""
    lines = view.photo.warnings() if view.photo is not None else []
    if inside_buildings(scene, np.array([view.camera.eye])).any():
        lines.append(
            f"its eye stands in a building of the scene {scene.scenario!r}: what is drawn is its inside"
        )
    for line in lines:
        reporter.warn(f"{site.folder / 'views.toml'}: view {view.name!r}: {line}")


def studio_of(scene: Scene, settings: ViewSettings, engine: tuple[Device, int]) -> Studio:
    """A scene as a view shows it: level of detail, colour of the roofs."""
    shown = at_lod(scene, settings.lod)
    cells = roof_cells(shown, settings.lod) if settings.roofs_by == "rmse" else None
    return Studio(shown, surface_colours(), *engine, cells)


def still_info(site: Site, scene: Scene, view: View, device: Device) -> StillInfo:
    """What the caption of a view's still says."""
    place = site.settings.site
    return StillInfo(
        view=view.settings.title or view.name,
        site=place.name,
        scenario=scene.scenario,
        scene_hash=scene.hash,
        language=place.language,
        attribution=place.attribution,
        synthetic=place.synthetic,
        engine=device.label,
        eye_above_ground_m=view.above_ground_m,
        lens=None if view.settings.lens_mm is None or view.photo is not None else view.settings.lens_mm,
        lod=view.settings.lod,
        legend=residual_legend(place.language) if view.settings.roofs_by == "rmse" else None,
        accuracy="" if view.photo is None else view.photo.words(place.language),
    )


def view_sun(site: Site, scene: Scene, settings: ViewSettings, where: str) -> SunInstant:
    """The sun of a view; it must stand above the horizon."""
    place = site.settings.site
    sun = instant_at_solar_hour(settings.date, settings.solar_h, place.timezone, scene.frame)
    if sun.altitude_deg <= 0:
        raise InputError(
            f"{where}: key 'solar_h': the sun is down on {settings.date} at {settings.solar_h} h solar; "
            "choose another hour"
        )
    return sun


def smaller(camera: Camera, width: int) -> Camera:
    """The same camera with pixels for a picture of another width; heights are even, as films ask."""
    height = max(2, 2 * round(camera.height * width / camera.width / 2))
    return replace(camera, width=width, height=height)
