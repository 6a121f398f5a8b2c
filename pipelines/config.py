"""Settings, declared once: name, type, default, unit, range and help in one place.

The parser, the comments of a new ``twin.toml``, the JSON Schema and the documentation come from here.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipelines.config_base import AreaSettings, Finite, FoliageSettings, Identifier, Ring, Settings
from pipelines.config_faces import LimitSettings, SunRuleSettings, VscRuleSettings, WindowsSettings
from pipelines.config_views import (
    ExposureStudySettings,
    PictureStudySettings,
    ProtectedViewStudySettings,
    SightlineStudySettings,
    SkylineStudySettings,
    ViewSettings,
    ViewshedStudySettings,
)
from pipelines.profiles import fill_in
from twin.errors import InputError


class SiteSettings(Settings):
    """[site]"""

    name: str = Field(min_length=1, max_length=200, description="name shown on every sheet")
    crs: str = Field(description="projected CRS in metres, e.g. EPSG:3812 or EPSG:31370")
    heights: str = Field(
        "unknown", description="vertical datum, e.g. EPSG:5710 (Ostend, DNG/TAW); or unknown"
    )
    timezone: str = Field("Europe/Brussels", description="time zone of the legal hours")
    language: Literal["fr", "en"] = Field("fr", description="language of sheets and captions: fr or en")
    attribution: str = Field("", max_length=400, description="credit line of the data, shown on every sheet")
    synthetic: bool = Field(False, description="true for invented places; sheets then say so")
    area: AreaSettings | None = Field(None, description="what to model; the extent of the inputs where unset")
    grids: str | None = Field(None, description="folder with PROJ grids (be_ign_*.tif), where not installed")
    accepted_accuracy_m: Annotated[float, Field(gt=0, le=10)] | None = Field(
        None, description="accept moves between CRSs of this accuracy [m] where a grid is missing"
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"no time zone {value!r}; use a name such as Europe/Brussels") from error
        return value


class FootprintSettings(Settings):
    """[inputs.footprints]"""

    file: str = Field(description="GeoPackage, GeoJSON, Shapefile or SQLite of building outlines")
    layer: str | None = Field(None, description="layer, where the file has several")
    id: str | None = Field(None, description="field with a stable id")
    crs: str | None = Field(None, description="CRS, where the file names none")


class InputSettings(Settings):
    """[inputs]"""

    points: list[str] = Field(default_factory=list, description="LAS, LAZ or COPC files or patterns")
    points_date: dt.date | None = Field(None, description="day of the flight, for the attributes")
    older_points: list[str] = Field(
        default_factory=list, description="files of an earlier flight: used where the points do not reach"
    )
    older_classes: str | None = Field(None, description="their class table, where it is another one")
    older_points_date: dt.date | None = Field(None, description="day of the earlier flight")
    points_crs: str | None = Field(
        None, description="CRS of the points, where the files name none or a wrong one"
    )
    classes: str = Field(
        "asprs", description="class table: asprs, spw-2013, spw-2021, ahn, ign-lidar-hd, or a file"
    )
    extra_classes: dict[str, str] = Field(
        default_factory=dict, description='codes that the table lacks, e.g. { 26 = "bridge" }'
    )
    footprints: FootprintSettings | None = Field(None, description="building outlines")
    citymodel: str | None = Field(None, description="CityJSON or CityJSONSeq with the buildings")
    dtm: str | None = Field(None, description="GeoTIFF of the bare ground, instead of points")
    far_dtm: str | None = Field(
        None, description="coarse GeoTIFF of the ground around the site, for the far horizon"
    )
    dsm: str | None = Field(None, description="GeoTIFF of the surface with roofs, instead of points")
    raster_crs: str | None = Field(None, description="CRS of the rasters, where the files name none")
    water: str | None = Field(
        None, description="outlines of water, file.gpkg#layer; found among the points where unset"
    )
    breaklines: str | None = Field(
        None, description="lines that stay edges of the ground (quay walls, kerbs), file.gpkg#layer"
    )


class ClassifySettings(Settings):
    """[classify]"""

    ground: Literal["auto", "vendor", "smrf"] = Field(
        "auto", description="auto: the points' ground class where it can be used; vendor; smrf: a filter's"
    )
    noise: bool = Field(True, description="leave isolated points out")


class TerrainSettings(Settings):
    """[terrain]"""

    cell_size_m: float = Field(0.5, gt=0.05, le=50, description="cell of DTM and DSM [m]")
    max_error_m: float = Field(0.15, gt=0, le=10, description="largest error of the simplified triangles [m]")
    water_min_area_m2: float = Field(100.0, gt=0, le=1e6, description="smallest piece of water [m2]")
    bridge_min_area_m2: float = Field(20.0, gt=0, le=1e5, description="smallest bridge [m2]")
    bridge_thickness_m: float = Field(
        1.0, gt=0.05, le=20, description="from the top of a bridge to its underside, which no point shows [m]"
    )


class BuildingSettings(Settings):
    """[buildings]"""

    min_height_m: float = Field(2.0, gt=0, le=20, description="points lower above ground are not roof [m]")


class TreeSettings(Settings):
    """[trees]"""

    detect: bool = Field(True, description="find trees in the canopy")
    min_height_m: float = Field(3.0, gt=0.5, le=50, description="lowest tree [m]")


class TwinSettings(Settings):
    """twin.toml"""

    site: SiteSettings
    inputs: InputSettings = Field(default_factory=InputSettings)
    classify: ClassifySettings = Field(default_factory=ClassifySettings)
    terrain: TerrainSettings = Field(default_factory=TerrainSettings)
    buildings: BuildingSettings = Field(default_factory=BuildingSettings)
    trees: TreeSettings = Field(default_factory=TreeSettings)


class DaySettings(Settings):
    """[[days]] of a sunlight study"""

    date: dt.date = Field(description="day, e.g. 2026-03-21")
    step_min: float = Field(10.0, gt=0, le=120, description="time step [min]")


class PeriodSettings(Settings):
    """[[periods]] of a sunlight study"""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    name: Identifier = Field(description="name of the period in files and tables, e.g. year-2026")
    first: dt.date = Field(alias="from", description="first day")
    last: dt.date = Field(alias="to", description="last day, counted too")
    step_min: float = Field(60.0, gt=0, le=120, description="time step [min]")
    daily: bool = Field(False, description="also keep the hours of each day, and the least of them")

    @model_validator(mode="after")
    def _order(self) -> PeriodSettings:
        if self.last < self.first:
            raise ValueError(f"it ends on {self.last}, before it begins on {self.first}")
        return self


class AreasSettings(Settings):
    """[areas] of a sunlight study"""

    file: str = Field(description="GeoPackage, GeoJSON, ... of gardens, squares, parks, playgrounds")
    layer: str | None = Field(None, description="layer, where the file has several")
    label: str | None = Field(None, description="field with the name of each area")
    crs: str | None = Field(None, description="CRS, where the file names none")
    at_least_h: float = Field(2.0, gt=0, le=24, description="hours of sun that a cell needs [h]")
    share: float = Field(0.5, gt=0, le=1, description="part of the area that needs them")
    kept: float | None = Field(
        None, gt=0, le=1, description="or this part of the share before the proposal (0.8 in BR 209)"
    )


class SunDays(Settings):
    """Days and periods of a study of the sun, and what shades"""

    profile: str | None = Field(
        None, max_length=300, description="named profile, or a TOML file of your own, whose values fill in"
    )
    days: list[DaySettings] = Field(default_factory=list, description="days and their time steps")
    dates: list[dt.date] = Field(default_factory=list, description="short form of days, all with step_min")
    step_min: float = Field(10.0, gt=0, le=120, description="time step of the short form [min]")
    periods: list[PeriodSettings] = Field(
        default_factory=list, description="seasons or years with a total each"
    )
    min_altitude_deg: float = Field(0.0, ge=0, lt=60, description="lower suns are left out [degree]")
    trees: bool = Field(True, description="whether trees cast shadow")
    foliage: FoliageSettings | None = Field(
        None, description="what crowns let through, as a table; opaque where unset"
    )

    @model_validator(mode="after")
    def _some_day(self) -> SunDays:
        if self.days and self.dates:
            raise ValueError("give either [[days]] (date, step_min) or dates = [...], not both")
        if not (self.days or self.dates or self.periods):
            raise ValueError("give at least one day ([[days]] or dates = [...]) or one of [[periods]]")
        if self.foliage is not None and not self.trees:
            raise ValueError("foliage: trees = false leaves trees out, so drop one of the two")
        all_days = [day.date for day in self.all_days]
        if len(set(all_days)) != len(all_days):
            raise ValueError("a day stands twice in the study")
        if len({p.name for p in self.periods} | {str(d) for d in all_days}) != len(self.periods) + len(
            all_days
        ):
            raise ValueError("two periods of the study have one name")
        return self

    @property
    def all_days(self) -> tuple[DaySettings, ...]:
        """The days of either form."""
        return tuple(self.days) or tuple(DaySettings(date=d, step_min=self.step_min) for d in self.dates)


class SunlightStudySettings(SunDays):
    """studies/<id>.toml with kind = "sunlight" """

    kind: Literal["sunlight"]
    title: str = Field("", max_length=200, description="title of the sheets")
    scenarios: list[Identifier] = Field(
        default_factory=list, description="scenarios to compare with the existing state"
    )
    cell_size_m: float = Field(1.0, gt=0.05, le=50, description="cell of the result [m]")
    sample_height_m: float = Field(0.0, ge=0, le=50, description="height of the samples above ground [m]")
    plates_solar_h: list[Annotated[float, Field(ge=0, lt=24)]] = Field(
        default_factory=list, description="hours of the instant plates, local apparent solar time [h]"
    )
    plates_legal: list[dt.time] = Field(
        default_factory=list, description="hours of more instant plates, legal time, e.g. 10:00:00"
    )
    animation: Literal["none", "webp", "gif", "mp4"] = Field(
        "none", description="the shadows of each day as a moving picture (mp4 with your own ffmpeg)"
    )
    animation_every_min: float = Field(60.0, ge=5, le=240, description="time between its frames [min]")
    engine: Literal["triangles", "heightfield"] = Field(
        "triangles",
        description="triangles: exact rays; heightfield: fast, for wide ground, with a stated error",
    )
    runs: bool = Field(False, description="also the longest run, the first and the last sun of each day")
    areas: AreasSettings | None = Field(None, description="named areas with a limit of your own, as a table")
    area: AreaSettings | None = Field(None, description="where to sample; the whole site where unset")


class FacesStudySettings(SunDays):
    """studies/<id>.toml with kind = "faces": sun and sky on façades and roofs"""

    kind: Literal["faces"]
    title: str = Field("", max_length=200, description="title")
    scenarios: list[Identifier] = Field(
        default_factory=list, description="scenarios to compare with the existing state"
    )
    spacing_m: float = Field(1.0, ge=0.1, le=20, description="side of the cells on walls and roofs [m]")
    window_lines_m: list[Annotated[float, Field(ge=0, le=300)]] = Field(
        default_factory=list, description="heights of lines of windows above the ground before a wall [m]"
    )
    walls: bool = Field(True, description="sample walls")
    roofs: bool = Field(True, description="sample roofs")
    sky_directions: int = Field(
        0, ge=0, le=100_000, description="directions of the sky for its view factors and the VSC; 0: none"
    )
    irradiation: str | None = Field(
        None, max_length=300, description="'clear-sky', or an EPW file: energy of a year [kWh/m2]"
    )
    diffuse: Literal["perez", "isotropic"] = Field(
        "perez",
        description="sky of the irradiation: perez (bright around the sun and at the horizon), isotropic",
    )
    irradiation_year: int = Field(2026, ge=1900, le=2200, description="year of clear sky and probable hours")
    sunshine_probability: list[Annotated[float, Field(ge=0, le=1)]] | None = Field(
        None,
        min_length=12,
        max_length=12,
        description="sunshine over possible hours of each month at your place: for APSH and WPSH",
    )
    around_m: float = Field(100.0, gt=0, le=5000, description="neighbours within this of what changes [m]")
    limit: LimitSettings | None = Field(None, description="a limit of your own, as a table")
    vsc: VscRuleSettings | None = Field(None, description="rule for the VSC of window lines, as a table")
    apsh: SunRuleSettings | None = Field(None, description="rule for the annual probable hours, as a table")
    wpsh: SunRuleSettings | None = Field(None, description="rule for those of winter, as a table")
    windows: WindowsSettings | None = Field(None, description="windows by room, as a table")
    elevations: int = Field(6, ge=0, le=50, description="most affected façades with a plate of their own")
    area: AreaSettings | None = Field(None, description="which buildings; all, or those around the change")


class SkyStudySettings(Settings):
    """studies/<id>.toml with kind = "sky": both sky view factors of the ground"""

    kind: Literal["sky"]
    title: str = Field("", max_length=200, description="title of the sheets")
    scenarios: list[Identifier] = Field(
        default_factory=list, description="scenarios to compare with the existing state"
    )
    cell_size_m: float = Field(1.0, gt=0.05, le=50, description="cell of the result [m]")
    directions: int = Field(2000, ge=145, le=100_000, description="directions of each of the two skies")
    sample_height_m: float = Field(0.0, ge=0, le=50, description="height of the samples above ground [m]")
    trees: bool = Field(True, description="whether crowns hide the sky (opaque)")
    engine: Literal["triangles", "heightfield"] = Field(
        "triangles",
        description="triangles: exact rays; heightfield: fast, for wide ground, with a stated error",
    )
    area: AreaSettings | None = Field(None, description="where to sample; the whole site where unset")


StudySettings = (
    SunlightStudySettings
    | ViewshedStudySettings
    | SkyStudySettings
    | FacesStudySettings
    | ExposureStudySettings
    | ProtectedViewStudySettings
    | SightlineStudySettings
    | SkylineStudySettings
    | PictureStudySettings
)


class AnchorSettings(Settings):
    """Where an imported model stands."""

    model: tuple[Finite, Finite, Finite] = Field(
        (0.0, 0.0, 0.0), description="anchor point in model units, z up"
    )
    east: float = Field(description="east of the anchor [m]")
    north: float = Field(description="north of the anchor [m]")
    height: float | None = Field(
        None, description="height of the anchor above the datum [m]; the ground where unset"
    )
    rotation_grid_deg: float = Field(0.0, ge=-360, le=360, description="clockwise from grid north [degree]")


class VolumeSettings(Settings):
    """[[volume]] of a proposal"""

    id: Identifier
    footprint: str | Ring = Field(
        description="file.geojson#id beside the proposal, or a ring [[east, north], ...]"
    )
    levels: int | str = Field(description="storeys: R+4 or 5")
    floor_height_m: float = Field(3.0, ge=2, le=12, description="height of the upper storeys [m]")
    ground_floor_height_m: float | None = Field(
        None, ge=2, le=20, description="height of the ground floor [m]"
    )
    height_m: float | None = Field(
        None, gt=0, le=1000, description="explicit height, overrides the storeys [m]"
    )
    base: Literal["terrain_min", "terrain_mean", "terrain_max"] | Finite = Field(
        "terrain_mean", description="level of the ground floor: a rule, or metres above the datum"
    )
    phase: Identifier | None = Field(None, description="phase that builds it")


class ModelSettings(Settings):
    """[[model]] of a proposal"""

    id: Identifier | None = None
    file: str = Field(description="GLB, OBJ or STL beside the proposal")
    units: Literal["m", "cm", "mm", "ft", "in"] = Field("m", description="unit of the file")
    up: Literal["y", "z"] | None = Field(
        None, description="up axis; y for GLB, z for OBJ and STL where unset"
    )
    anchor: AnchorSettings
    phase: Identifier | None = Field(None, description="phase that builds it")


class RemoveSettings(Settings):
    """[[remove]] of a proposal"""

    ids: list[str] = Field(default_factory=list, description="ids of existing objects")
    polygon: str | Ring | None = Field(
        None, description="file.geojson#id or ring; takes what lies mostly inside"
    )
    phase: Identifier | None = Field(None, description="phase that removes it")

    @model_validator(mode="after")
    def _something(self) -> RemoveSettings:
        if not self.ids and self.polygon is None:
            raise ValueError("give ids or a polygon")
        return self


class ProposalSettings(Settings):
    """proposals/<id>/proposal.toml"""

    id: Identifier
    title: str = Field("", max_length=200)
    status: Literal["draft", "submitted", "approved", "refused", "built", "withdrawn"] = "draft"
    author: str = Field("", max_length=200)
    note: str = Field("", max_length=2000)
    volume: list[VolumeSettings] = Field(default_factory=list)
    model: list[ModelSettings] = Field(default_factory=list)
    remove: list[RemoveSettings] = Field(default_factory=list)


class ApplySettings(Settings):
    """One step of a scenario"""

    proposal: Identifier
    phase: Identifier | None = None


class ScenarioSettings(Settings):
    """scenarios/<id>.toml"""

    id: Identifier
    title: str = Field("", max_length=200)
    note: str = Field("", max_length=2000)
    parent: Identifier = Field("existing", description="existing, or another scenario")
    apply: list[ApplySettings] = Field(default_factory=list)


class PhaseSettings(Settings):
    """[[phase]] of plan.toml"""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    id: Identifier
    label: str = ""
    start: str = Field("", alias="from", description="first year or date")
    end: str = Field("", alias="to", description="last year or date")


class PlanSettings(Settings):
    """plan.toml"""

    title: str = ""
    phase: list[PhaseSettings] = Field(default_factory=list)


S = TypeVar("S", bound=Settings)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a table; InputError names file and line of a fault."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error


def parse(model: type[S], table: Any, path: Path, within: str = "") -> S:
    """A checked settings object; InputError names file and key of every fault."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        faults = [_fault(fault, within, model) for fault in error.errors()]
        raise InputError(f"{path}: " + "; ".join(faults)) from None


def _fault(fault: Any, within: str, model: type[Settings]) -> str:
    parts = [
        p for p in fault["loc"] if not (isinstance(p, str) and ("[" in p or p in ("float", "str", "int")))
    ]
    key = ".".join(str(p) for p in ([within] if within else []) + parts) or "(whole file)"
    if fault["type"] == "extra_forbidden":
        hint = close_key(str(parts[-1]) if parts else "", model)
        return f"unknown key {key!r}{hint}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    given = fault.get("input")
    shown = f", got {given!r}" if isinstance(given, str | int | float | bool) else ""
    return f"key {key!r}: {message[:1].lower()}{message[1:]}{shown}"


def close_key(key: str, model: type[Settings]) -> str:
    """A hint at the key that was probably meant."""
    import difflib

    names: set[str] = set()
    pending: list[Any] = [model]
    while pending:
        current = pending.pop()
        for name, info in current.model_fields.items():
            names.add(name)
            inner = info.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                pending.append(inner)
    near = difflib.get_close_matches(key, sorted(names), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def parse_study(path: Path) -> StudySettings:
    """The study of a file, by its ``kind``."""
    table = fill_in(read_toml(path), path, path.parent.parent, read_toml)
    kinds: dict[str, type[StudySettings]] = {
        "sunlight": SunlightStudySettings,
        "faces": FacesStudySettings,
        "sky": SkyStudySettings,
        "viewshed": ViewshedStudySettings,
        "ztv": ExposureStudySettings,
        "exposure": ExposureStudySettings,
        "protected_view": ProtectedViewStudySettings,
        "sightline": SightlineStudySettings,
        "skyline": SkylineStudySettings,
        "picture": PictureStudySettings,
    }
    kind = table.get("kind")
    if kind not in kinds:
        raise InputError(f"{path}: key 'kind': expected one of {', '.join(kinds)}, got {kind!r}")
    return parse(kinds[kind], table, path)


def parse_views(path: Path) -> dict[str, ViewSettings]:
    """The named views of views.toml, in the file's order."""
    views: dict[str, ViewSettings] = {}
    for name, table in read_toml(path).items():
        parse_identifier(name, path, name)
        views[name] = parse(ViewSettings, table, path, within=name)
    return views


def parse_identifier(text: str, path: Path, key: str) -> str:
    """An id that is safe as a file name."""

    class Holder(Settings):
        id: Identifier

    try:
        return Holder(id=text).id
    except ValidationError:
        raise InputError(
            f"{path}: key {key!r}: an id has only letters, digits, '.', '_', '-' (at most 64); got {text!r}"
        ) from None
