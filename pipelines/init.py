"""A new site from a user's own files: looks at them, guesses what is not said, and says why."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pipelines.config import TwinSettings, parse, parse_study, parse_views
from pipelines.console import Reporter
from pipelines.inputs import Inputs, expand_points, read_inputs
from pipelines.site import Site, open_site
from twin.buildings.outline import Outline, building_footprint
from twin.errors import InputError, UsageError
from twin.frame import Frame, crs_name
from twin.io.atomic import remove, write_text
from twin.io.cityjson import citymodel_info, read_citymodel
from twin.io.crs import parse_crs, use_grid_folder
from twin.io.geotiff import raster_info
from twin.io.las import LasInfo, class_counts, read_las_info
from twin.io.vector import choose_layer, read_footprints
from twin.region import Region
from twin.terrain.sampler import TinSampler

STUDY_YEAR = 2026
"""Year of the default study days; the sun of another year differs by minutes of arc."""
CELLS = 1_000_000
"""The default cell size keeps a study below about this many cells."""
DATUM_OF = {31370: "EPSG:5710", 3812: "EPSG:5710", 28992: "EPSG:5709", 2154: "EPSG:5720"}
"""National height system that usually comes with a projected CRS."""
TABLE_OF = {31370: "spw-2013", 3812: "spw-2021", 28992: "ahn", 2154: "ign-lidar-hd"}
"""Class table of the national campaign that usually comes in a projected CRS."""


@dataclass(frozen=True, slots=True)
class InitRequest:
    """What was asked for on the command line; None and empty mean: guess, or leave out."""

    folder: Path
    points: tuple[str, ...] = ()
    footprints: Path | None = None
    layer: str | None = None
    id_field: str | None = None
    citymodel: Path | None = None
    dtm: Path | None = None
    dsm: Path | None = None
    crs: str | None = None
    heights: str | None = None
    classes: str | None = None
    area: str | None = None
    name: str | None = None
    language: str = "fr"
    timezone: str = "Europe/Brussels"
    grids: Path | None = None
    points_crs: str | None = None
    accepted_accuracy_m: float | None = None


def init_site(request: InitRequest, reporter: Reporter) -> list[str]:
    """Write a site: twin.toml, a sunlight study, a viewshed and two views that work.

    Returns
    -------
    One line per guess, with its reason.

    Raises
    ------
    UsageError
        Nothing to build from.
    InputError
        A missing file, a file without CRS where none is stated, the folder already holds a site.
    """
    if not (request.points or request.dtm or request.citymodel):
        raise UsageError("nothing to build the ground from: give --points, --dtm or --citymodel")
    if request.dsm and not request.dtm:
        raise UsageError("--dsm needs --dtm: roof heights are measured above the ground")
    target = request.folder / "twin.toml"
    if target.exists():
        raise InputError(f"{target}: exists already; edit it, or choose another folder")
    if request.grids:
        use_grid_folder(request.grids)
    paths = expand_points(list(request.points), Path.cwd()) if request.points else []
    infos = [read_las_info(path) for path in paths]
    notes: list[str] = [note for info in infos for note in info.notes]
    table = settings_table(request, infos, notes)
    parse(TwinSettings, table, target)
    made: list[Path] = []
    try:
        made.append(target)
        write_text(target, commented_toml(TwinSettings, table))
        site = open_site(request.folder)
        with reporter.step("Looking at the files"):
            inputs = read_inputs(site)
            outlines, ground = outlines_of(site, inputs, notes)
        region = inputs.region.shifted(*inputs.frame.origin)
        notes.append(f"area: {region.describe()} ({inputs.region.width:.0f} x {inputs.region.height:.0f} m)")
        for path, text in first_files(site, inputs, outlines, ground).items():
            made.append(path)
            write_text(path, text)
        for path in made:
            if path.parent.name == "studies":
                parse_study(path)
        parse_views(request.folder / "views.toml")
    except BaseException:
        for path in made:
            remove(path)
        raise
    return notes


def settings_table(request: InitRequest, infos: list[LasInfo], notes: list[str]) -> dict[str, Any]:
    """The settings as a table; guesses go to ``notes``."""
    crs_text, heights = reference_of(request, infos, notes)
    epsg = parse_crs(crs_text)[0].to_epsg()
    site: dict[str, Any] = {
        "name": request.name or request.folder.resolve().name,
        "crs": crs_text,
        "heights": heights,
        "timezone": request.timezone,
        "language": request.language,
    }
    if request.area:
        site["area"] = {"ring": area_value(request.area, request.folder)}
    if request.grids:
        site["grids"] = relative(request.grids, request.folder)
    if request.accepted_accuracy_m is not None:
        site["accepted_accuracy_m"] = request.accepted_accuracy_m
    inputs: dict[str, Any] = {}
    if infos:
        inputs["points"] = [pattern_value(p, request.folder) for p in request.points]
        inputs["classes"] = table_of(request, infos, epsg, notes)
        if request.points_crs:
            inputs["points_crs"] = request.points_crs
    if request.footprints:
        inputs["footprints"] = footprints_value(request, notes)
    for key in ("citymodel", "dtm", "dsm"):
        path = getattr(request, key)
        if path is not None:
            if not path.is_file():
                raise InputError(f"--{key}: no such file: {path}")
            inputs[key] = relative(path, request.folder)
    return {"site": site, "inputs": inputs}


def reference_of(request: InitRequest, infos: list[LasInfo], notes: list[str]) -> tuple[str, str]:
    """CRS and vertical datum of the site: as stated, else from the first file that names one."""
    found, source, datum = request.crs, "--crs", request.heights
    if found is None:
        found, source, named = _crs_of_files(request, infos)
        datum = datum or named
        if found is None:
            raise UsageError(
                "no file names its CRS: state it, e.g. --crs EPSG:31370 (Lambert 72) or "
                "--crs EPSG:3812 (Lambert 2008)"
            )
        notes.append(f"crs: {found}, as {source} says")
    crs, own = parse_crs(found, datum)
    heights = own
    if heights == "unknown":
        epsg = crs.to_epsg()
        named = next((i.ref.vertical for i in infos if i.ref and i.ref.vertical != "unknown"), None)
        guess = named or DATUM_OF.get(epsg or 0)
        if guess:
            reason = "as the points say" if named else f"the height system that comes with {crs_name(crs)}"
            notes.append(f"heights: {guess}, {reason}; state another with --heights")
            heights = guess
        else:
            notes.append("heights: unknown datum; state one with --heights, e.g. EPSG:5710")
    return crs_name(crs) if crs.to_epsg() else found, heights


def _crs_of_files(request: InitRequest, infos: list[LasInfo]) -> tuple[str | None, str, str | None]:
    for info in infos:
        if info.ref is not None:
            return crs_name(info.ref.crs), info.path.name, info.ref.vertical
    if request.dtm is not None:
        raster = raster_info(request.dtm)
        if raster.crs is not None:
            return crs_name(raster.crs), request.dtm.name, None
    if request.citymodel is not None:
        model = citymodel_info(request.citymodel)
        if model.crs is not None:
            vertical = model.vertical if model.vertical != "unknown" else None
            return crs_name(model.crs), request.citymodel.name, vertical
    if request.footprints is not None:
        layer, _ = choose_layer(request.footprints, request.layer)
        if layer.crs is not None and layer.crs.is_projected:
            return crs_name(layer.crs), request.footprints.name, None
    return None, "", None


def table_of(request: InitRequest, infos: list[LasInfo], epsg: int | None, notes: list[str]) -> str:
    """Class table: as stated, else by the national campaign of the CRS and the codes in the first file."""
    if request.classes:
        return request.classes
    codes = set(class_counts(infos[0].path))
    guess = TABLE_OF.get(epsg or 0, "asprs")
    if guess == "spw-2021" and 6 in codes:
        guess = "asprs"
    why = f"codes {', '.join(str(c) for c in sorted(codes))} in {infos[0].path.name}, CRS EPSG:{epsg}"
    notes.append(f"classes: {guess} ({why}); state another with --classes")
    return guess


def footprints_value(request: InitRequest, notes: list[str]) -> dict[str, Any]:
    """[inputs.footprints] with the layer and id field that will be used."""
    path = request.footprints
    if path is None or not path.is_file():
        raise InputError(f"--footprints: no such file: {path}")
    info, chosen = choose_layer(path, request.layer)
    notes.extend(chosen)
    value: dict[str, Any] = {"file": relative(path, request.folder)}
    if request.layer or chosen:
        value["layer"] = info.name
    if request.id_field:
        value["id"] = request.id_field
    notes.append(f"footprints: {info.count} in layer {info.name!r} of {path.name}")
    return value


def relative(path: Path, folder: Path) -> str:
    """A path as twin.toml writes it: relative where it lies in the site, else absolute; always with '/'."""
    full = path.expanduser().resolve()
    base = folder.resolve()
    return full.relative_to(base).as_posix() if full.is_relative_to(base) else full.as_posix()


def pattern_value(pattern: str, folder: Path) -> str:
    """A pattern of the command line, from the site's folder."""
    full = Path(os.path.abspath(Path(pattern).expanduser()))  # noqa: PTH100 - a pattern must not be resolved
    base = folder.resolve()
    return full.relative_to(base).as_posix() if full.is_relative_to(base) else full.as_posix()


def area_value(text: str, folder: Path) -> Any:
    """--area as twin.toml holds it: a ring of four corners, or file#id."""
    parts = text.split(",")
    if len(parts) == 4:
        try:
            west, south, east, north = (float(p) for p in parts)
        except ValueError:
            raise UsageError(f"--area is west,south,east,north in metres; got {text!r}") from None
        if not (west < east and south < north):
            raise UsageError(f"--area is west,south,east,north with west < east, south < north; got {text!r}")
        return [[west, south], [east, south], [east, north], [west, north]]
    name, _, fragment = text.partition("#")
    if not Path(name).is_file():
        raise UsageError(f"--area is west,south,east,north or a GeoJSON file; got {text!r}")
    return relative(Path(name), folder) + (f"#{fragment}" if fragment else "")


def outlines_of(site: Site, inputs: Inputs, notes: list[str]) -> tuple[list[Outline], TinSampler | None]:
    """Building outlines to find a free standpoint, and the ground where triangles say where it ends."""
    settings = site.settings.inputs.footprints
    if settings is not None and inputs.footprints is not None:
        layer = read_footprints(
            inputs.footprints,
            inputs.frame,
            layer=settings.layer,
            id_field=settings.id,
            crs_text=settings.crs,
            area=inputs.area,
            accepted_accuracy_m=site.settings.site.accepted_accuracy_m,
        )
        notes.extend(layer.notes)
        return [f.polygon for f in layer.footprints], None
    if inputs.citymodel is not None:
        place = site.settings.site
        model = read_citymodel(
            inputs.citymodel,
            inputs.frame,
            crs_text=place.crs,
            heights=place.heights,
            accepted_accuracy_m=place.accepted_accuracy_m,
        )
        notes.extend(model.notes)
        alone = not inputs.clouds and inputs.dtm is None
        tin = model.terrain_mesh if alone else None
        outlines = [p for p in (building_footprint(b) for b in model.buildings) if p is not None]
        return outlines, TinSampler(tin) if tin is not None and len(tin.faces) else None
    return [], None


def free_spot(
    region: Region, outlines: list[Outline], ground: TinSampler | None = None
) -> tuple[float, float]:
    """The point nearest to the middle of a region that is on the ground and 4 m from every building, local [m]."""
    cx, cy = region.centre
    step = max(2.0, min(region.width, region.height) / 60)
    reach = 0.45 * min(region.width, region.height)
    k = np.arange(-int(reach / step), int(reach / step) + 1) * step
    x, y = (a.ravel() for a in np.meshgrid(cx + k, cy + k))
    order = np.lexsort((y, x, np.hypot(x - cx, y - cy)))
    xy = np.column_stack([x, y])[order]
    known = np.ones(len(xy), dtype=bool) if ground is None else np.isfinite(ground.heights(xy))
    free = known.copy()
    tree = shapely.STRtree(outlines)
    free[tree.query(shapely.points(xy), predicate="dwithin", distance=4.0)[0]] = False
    best = next((int(np.argmax(some)) for some in (free, known) if some.any()), 0)
    return float(xy[best, 0]), float(xy[best, 1])


def high_spot(region: Region, ground: TinSampler | None) -> tuple[float, float]:
    """Where the bird's eye stands: over the ground at the southern edge, local [m]."""
    x = region.centre[0]
    y = np.linspace(region.south + 0.03 * region.height, region.centre[1], 50)
    known = (
        np.array([True]) if ground is None else np.isfinite(ground.heights(np.column_stack([0 * y + x, y])))
    )
    return x, float(y[int(np.argmax(known))])


def first_files(
    site: Site, inputs: Inputs, outlines: list[Outline], ground: TinSampler | None
) -> dict[Path, str]:
    """A sunlight study, a viewshed and two views."""
    frame, region = inputs.frame, inputs.region
    spot = free_spot(region, outlines, ground)
    air = high_spot(region, ground)
    if ground is not None and not np.isfinite(ground.heights(np.array([air]))).all():
        air = spot
    (east, north), over = ([float(v) for v in p] for p in frame.to_world(np.array([spot, air])))
    area = region.width * region.height
    cell = next((c for c in (0.5, 1.0, 2.0, 5.0) if area / c**2 <= CELLS), 10.0)
    cell = max(cell, 1.0 if area > 10_000 else 0.5)
    french = site.settings.site.language == "fr"
    words = {
        "sun": "Ensoleillement au sol" if french else "Sunlight on the ground",
        "sight": "Bassin visuel" if french else "Viewshed",
        "air": "Vue d'oiseau" if french else "Bird's-eye view",
        "street": "Vue de rue" if french else "Street view",
    }
    return {
        site.folder / "studies" / "sun.toml": _sun_text(words["sun"], cell),
        site.folder / "studies" / "view.toml": _sight_text(words["sight"], cell, east, north, region),
        site.folder / "views.toml": _views_text(words, frame, region, (east, north), (over[0], over[1])),
    }


def _sun_text(title: str, cell: float) -> str:
    days = "\n".join(
        f"[[days]]\ndate = {STUDY_YEAR}-{day}\nstep_min = {step}\n"
        for day, step in (("03-21", 10), ("06-21", 30), ("12-21", 30))
    )
    return (
        "# Sunlight on the ground: hours of sun per day, and plates of single hours.\n"
        "# Dates and hours are yours to choose; no Walloon rule fixes them.\n"
        f'kind = "sunlight"\ntitle = {quoted(title)}\n'
        "scenarios = []          # ids of scenarios/<id>.toml to compare with the existing state\n"
        f"cell_size_m = {cell}\nmin_altitude_deg = 0.0   # lower suns are left out [degree]\n"
        "sample_height_m = 0.0    # height above ground [m]\n"
        "plates_solar_h = [9.0, 12.0, 15.0]   # local apparent solar time [h]\ntrees = true\n\n" + days
    )


def _sight_text(title: str, cell: float, east: float, north: float, region: Region) -> str:
    reach = max(100.0, float(np.ceil(np.hypot(region.width, region.height) / 100) * 100))
    return (
        "# What an observer sees of the ground.\n"
        f'kind = "viewshed"\ntitle = {quoted(title)}\n'
        "scenarios = []          # ids of scenarios/<id>.toml to compare with the existing state\n"
        f"cell_size_m = {cell}\ntarget_height_m = 0.0   # height of what is looked at, above ground [m]\n"
        f"max_distance_m = {reach:.1f}\n\n"
        "[observer]\n"
        f"east = {east:.1f}\nnorth = {north:.1f}\nabove_ground_m = 1.6   # eye height [m]\n"
    )


def _views_text(
    words: dict[str, str],
    frame: Frame,
    region: Region,
    spot: tuple[float, float],
    air: tuple[float, float],
) -> str:
    size = max(region.width, region.height)
    east, north = air
    bearing = frame.azimuth_true(0.0)
    return (
        "# Named views; bearings are from true north, clockwise [degree].\n"
        f"[air]\ntitle = {quoted(words['air'])}\n"
        f"eye = {{ east = {east:.1f}, north = {north:.1f}, above_ground_m = {0.55 * size + 20:.0f} }}\n"
        f"bearing_true_deg = {bearing:.2f}\npitch_deg = -42.0\nhfov_deg = 70.0\n"
        f"date = {STUDY_YEAR}-03-21\nsolar_h = 15.0   # local apparent solar time [h]\n\n"
        f"[street]\ntitle = {quoted(words['street'])}\n"
        f"eye = {{ east = {spot[0]:.1f}, north = {spot[1]:.1f}, above_ground_m = 1.6 }}\n"
        f"bearing_true_deg = {bearing:.2f}\npitch_deg = 4.0\nhfov_deg = 70.0\n"
        f"date = {STUDY_YEAR}-03-21\nsolar_h = 15.0\n"
    )


def quoted(value: Any) -> str:
    """A TOML value: JSON's form of text, numbers and lists is valid TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {quoted(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(quoted(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def commented_toml(model: type[BaseModel], table: dict[str, Any]) -> str:
    """A settings file with every key, its default and its help; keys that are not set stand as comments."""
    lines = ["# Site of the digital twin. Lines with '#' show defaults; remove the '#' to change one."]
    for section, info in model.model_fields.items():
        inner: Any = info.annotation
        lines += ["", f"[{section}]"]
        values = table.get(section, {})
        for key, entry in inner.model_fields.items():
            default = entry.get_default(call_default_factory=True)
            note = f"   # {entry.description}" if entry.description else ""
            if key in values:
                lines.append(f"{key} = {quoted(values[key])}{note}")
            elif default is PydanticUndefined or default is None or isinstance(default, BaseModel):
                lines.append(f"# {key} = {note}".rstrip())
            else:
                lines.append(f"# {key} = {quoted(default)}{note}")
    return "\n".join(lines) + "\n"
