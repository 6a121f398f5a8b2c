"""What a site is made from: its input files, frame, class table and area, checked before any work starts."""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely
from pyproj import CRS

from pipelines.site import Site
from twin.classify.tables import ClassTable, load_class_table
from twin.errors import InputError
from twin.frame import UNKNOWN_DATUM, Frame, crs_name
from twin.io.cityjson import citymodel_info
from twin.io.crs import SpatialRef, check_extent, parse_crs, region_in, site_frame, use_grid_folder
from twin.io.geotiff import raster_info
from twin.io.las import LasInfo, read_las_info, reference_of
from twin.io.shapes import split_place
from twin.io.vector import choose_layer, layer_crs, polygon_of_area, read_polygon
from twin.region import Region

MARGIN_M = 100.0
"""Terrain is kept this far around the footprints, where a raster reaches farther [m]."""
CITY_MARGIN_M = 30.0
"""The ground reaches this far beyond a city model without terrain [m]."""
AREA_LIMIT_KM2 = 400.0
"""Without a stated area, an input larger than this is not taken whole."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Checked inputs of one site.

    Parameters
    ----------
    frame
        The site's frame.
    region
        What to model, local space [m].
    area
        The stated area, local space, or None.
    clouds
        Headers of the point files that touch the region, sorted by path.
    table
        Class table of the points, None without points.
    layers
        Files of water and break lines.
    older, older_table
        Those of ``clouds`` that an earlier flight gave, and their class table.
    """

    frame: Frame
    region: Region
    area: shapely.Polygon | None
    clouds: tuple[LasInfo, ...]
    table: ClassTable | None
    dtm: Path | None
    dsm: Path | None
    footprints: Path | None
    citymodel: Path | None
    notes: tuple[str, ...] = field(default=())
    layers: tuple[Path, ...] = field(default=())
    older: frozenset[Path] = frozenset()
    older_table: ClassTable | None = None

    @property
    def newest(self) -> tuple[LasInfo, ...]:
        """The clouds of the latest flight."""
        return tuple(info for info in self.clouds if info.path not in self.older)

    def files(self) -> list[Path]:
        """Every input file."""
        singles = [p for p in (self.dtm, self.dsm, self.footprints, self.citymodel) if p is not None]
        return [*(info.path for info in self.clouds), *singles, *self.layers]


def expand_points(patterns: list[str], base: Path) -> list[Path]:
    """Files of patterns, relative to ``base`` or absolute, sorted, each once.

    Raises
    ------
    InputError
        A pattern that matches nothing.
    """
    found: set[Path] = set()
    for pattern in patterns:
        text = str(Path(pattern).expanduser())
        full = text if Path(text).is_absolute() else str(base / text)
        plain = Path(full)
        if plain.is_dir():
            matches = [p for p in plain.iterdir() if p.suffix.lower() in (".las", ".laz")]
        elif plain.is_file():
            matches = [plain]
        else:
            matches = [Path(m) for m in glob.glob(full, recursive=True)]  # noqa: PTH207 - absolute patterns
        files = [m.resolve() for m in matches if m.is_file()]
        if not files:
            raise InputError(f"points {pattern!r}: no such file; looked for {full}")
        found.update(files)
    return sorted(found)


def site_area(site: Site, frame: Frame) -> shapely.Polygon | None:
    """The stated area of the site, local space."""
    area = site.settings.site.area
    if area is None:
        return None
    where = str(site.folder / "twin.toml")
    return area_polygon(area.ring, site.folder, frame, where, site.settings.site.accepted_accuracy_m)


def area_polygon(
    ring: object, folder: Path, frame: Frame, where: str, accepted_accuracy_m: float | None = None
) -> shapely.Polygon:
    """An area of the settings as a local polygon: a ring of world coordinates, or ``file.geojson#id``.

    Raises
    ------
    InputError
        The message begins with ``where``.
    """
    try:
        if isinstance(ring, str):
            name, _, feature = ring.partition("#")
            file = f"{folder / name}#{feature}" if feature else folder / name
            return read_polygon(file, frame, accepted_accuracy_m=accepted_accuracy_m)
        return polygon_of_area(ring, frame)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def read_inputs(site: Site) -> Inputs:
    """Look at every input of a site (headers only) and settle frame, region and class table.

    Raises
    ------
    InputError
        Nothing to build from, a missing file, a contradiction of CRS and coordinates.
    """
    settings = site.settings.inputs
    place = site.settings.site
    if place.grids:
        use_grid_folder(site.path(place.grids))
    paths = expand_points(settings.points, site.folder) if settings.points else []
    older = [p for p in expand_points(settings.older_points, site.folder) if p not in paths]
    if older and not paths:
        raise InputError(f"{site.folder / 'twin.toml'}: key 'inputs.older_points': there are no newer points")
    table = older_table = None
    if paths:
        table = load_class_table(settings.classes, site.folder)
        older_table = load_class_table(settings.older_classes or settings.classes, site.folder)
    single = {name: _existing(site, name) for name in ("dtm", "dsm", "citymodel")}
    outlines = _existing(site, "footprints")
    if not paths and single["dtm"] is None and single["citymodel"] is None:
        raise InputError(
            f"{site.folder / 'twin.toml'}: nothing to build the ground from; "
            "[inputs] needs points, dtm (with dsm) or citymodel"
        )
    crs, heights = parse_crs(place.crs, place.heights if place.heights != "unknown" else None)
    infos = [read_las_info(p) for p in sorted([*paths, *older])]
    world = _world_region(site, infos, single, outlines)
    _check_overlap(site, world, outlines, crs)
    frame = site_frame(place.crs, heights, world)
    area = site_area(site, frame)
    region = world.shifted(-frame.origin[0], -frame.origin[1])
    if area is not None:
        region = Region(*area.bounds)
    square_km = region.width * region.height / 1e6
    if area is None and square_km > AREA_LIMIT_KM2:
        raise InputError(
            f"{site.folder / 'twin.toml'}: the inputs cover {square_km:.0f} km2; "
            "state what to model with [site.area] ring = [[east, north], ...] (or --area)"
        )
    return Inputs(
        frame,
        region,
        area,
        tuple(infos),
        table,
        single["dtm"],
        single["dsm"],
        outlines,
        single["citymodel"],
        tuple(note for info in infos for note in info.notes),
        _layer_files(site),
        frozenset(older),
        older_table,
    )


def _layer_files(site: Site) -> tuple[Path, ...]:
    """Files of the water and the break lines."""
    found = []
    for key in ("water", "breaklines"):
        place = getattr(site.settings.inputs, key)
        if place is None:
            continue
        path = split_place(place, site.folder)[0]
        if not path.is_file():
            raise InputError(f"{site.folder / 'twin.toml'}: key 'inputs.{key}': no such file: {path}")
        found.append(path)
    return tuple(found)


def _existing(site: Site, key: str) -> Path | None:
    inputs = site.settings.inputs
    text = inputs.footprints.file if key == "footprints" and inputs.footprints else getattr(inputs, key)
    if text is None or not isinstance(text, str):
        return None
    path = site.path(text)
    if not path.is_file():
        raise InputError(f"{site.folder / 'twin.toml'}: key 'inputs.{key}': no such file: {path}")
    return path


def _world_region(
    site: Site, infos: list[LasInfo], single: dict[str, Path | None], outlines: Path | None
) -> Region:
    """Extent of what gives the ground, in the site's CRS."""
    place, settings = site.settings.site, site.settings.inputs
    crs = parse_crs(place.crs)[0]
    if place.area is not None:
        region = _area_region(site, place.area.ring, crs)
        check_extent(region, crs, f"{site.folder / 'twin.toml'}: [site.area]")
        return region
    if infos:
        return Region.around(
            _points_region(info, stated_ref(settings.points_crs, place.heights), crs) for info in infos
        )
    if single["dtm"] is not None:
        raster = raster_info(single["dtm"])
        stated = parse_crs(settings.raster_crs)[0] if settings.raster_crs else raster.crs
        whole = region_in(Region(*raster.bounds), stated or crs, crs)
        check_extent(whole, crs, str(single["dtm"]))
        if outlines is None:
            return whole
        layer, _ = choose_layer(outlines, settings.footprints.layer if settings.footprints else None)
        if layer.bounds is None:
            return whole
        claimed = layer_crs(outlines, layer, settings.footprints.crs if settings.footprints else None)
        around = region_in(Region(*layer.bounds), claimed, crs).buffered(MARGIN_M)
        return whole.intersection(around) or whole
    if single["citymodel"] is None:
        raise InputError("nothing to build the ground from")
    model = citymodel_info(single["citymodel"])
    margin = 0.0 if "TINRelief" in model.counts else CITY_MARGIN_M
    region = region_in(model.region_world, model.crs or crs, crs)
    check_extent(region, crs, str(single["citymodel"]))
    return region.buffered(margin)


def stated_ref(points_crs: str | None, site_vertical: str) -> SpatialRef | None:
    """What [inputs] points_crs says of the points; without a datum of its own they have the site's."""
    if not points_crs:
        return None
    crs, vertical = parse_crs(points_crs)
    return SpatialRef(crs, vertical if vertical != UNKNOWN_DATUM else site_vertical)


def _points_region(info: LasInfo, stated: SpatialRef | None, crs: CRS) -> Region:
    """Extent of a point file in the site's CRS; refused where its CRS is broken or contradicts it."""
    if stated is None and info.ref is None and not info.ref_fault:
        stated = SpatialRef(crs, UNKNOWN_DATUM)
    region = region_in(info.region_world, reference_of(info, stated).crs, crs)
    check_extent(region, crs, str(info.path))
    return region


def _check_overlap(site: Site, world: Region, outlines: Path | None, crs: CRS) -> None:
    """Refuse footprints that all lie somewhere else than the ground."""
    settings = site.settings.inputs.footprints
    if outlines is None or settings is None:
        return
    layer, _ = choose_layer(outlines, settings.layer)
    if layer.bounds is None:
        return
    theirs = region_in(Region(*layer.bounds), layer_crs(outlines, layer, settings.crs), crs)
    if world.intersection(theirs) is None:
        raise InputError(
            f"{outlines}: the footprints ({theirs.describe()}) lie outside the ground ({world.describe()}); "
            "are all files of one place, and their CRSs right?"
        )


def _area_region(site: Site, ring: object, crs: CRS) -> Region:
    """Rectangle around the stated area, in the site's CRS."""
    if isinstance(ring, str):
        path = site.folder / ring.partition("#")[0]
        layer, _ = choose_layer(path)
        if layer.bounds is None:
            raise InputError(f"{path}: holds no polygon")
        return region_in(Region(*layer.bounds), layer_crs(path, layer, crs_name(crs)), crs)
    corners = np.asarray(ring, dtype=np.float64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return Region(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
