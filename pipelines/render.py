"""Stills of the named views: the existing state and every scenario, from the same camera."""

from __future__ import annotations

from pathlib import Path

from pipelines.build import load
from pipelines.config import ViewSettings
from pipelines.console import Reporter
from pipelines.propose import scenario_ids, scene_of
from pipelines.provenance import files_of, forget, is_done, mark_done, step
from pipelines.site import EXISTING, Site
from twin.errors import InputError
from twin.model.results import SunInstant
from twin.model.scene import Scene
from twin.study.picture import Picture, render
from twin.sun.dates import instant_at_solar_hour
from twin.visibility.caster import Device, DeviceChoice, choose_device
from viewers.camera import camera_of
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
            made = step(
                f"picture-{name}-{state}",
                {"scene": scene.hash},
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
                write_view(site, scene, name, settings, engine, workers, path)
            mark_done(site.out, made, [path])
            files.append(path)
    return files


def write_view(
    site: Site,
    scene: Scene,
    name: str,
    settings: ViewSettings,
    device: Device,
    threads: int,
    path: Path,
) -> Picture:
    """One still with its caption."""
    place = site.settings.site
    sun = view_sun(site, scene, settings)
    camera = camera_of(scene, settings.model_dump(), f"{site.folder / 'views.toml'}: view {name!r}")
    shown = at_lod(scene, settings.lod)
    cells = roof_cells(shown, settings.lod) if settings.roofs_by == "rmse" else None
    picture = render(shown, camera, sun, surface_colours(), device=device, threads=threads, paint=cells)
    info = StillInfo(
        view=settings.title or name,
        site=place.name,
        scenario=scene.scenario,
        scene_hash=scene.hash,
        language=place.language,
        attribution=place.attribution,
        synthetic=place.synthetic,
        engine=device.label,
        lod=settings.lod,
        legend=None if cells is None else residual_legend(place.language),
    )
    write_still(path, picture, camera, sun, scene.frame, info)
    return picture


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
