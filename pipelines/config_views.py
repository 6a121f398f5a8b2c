"""Settings of views and of the studies of sight: viewsheds, exposure, protected views, lines, skylines, pictures."""

from __future__ import annotations

import datetime as dt
import math
from typing import Literal

import shapely
from pydantic import Field, model_validator

from pipelines.config_base import (
    AlongSettings,
    AreaSettings,
    EyeSettings,
    Finite,
    FoliageSettings,
    Identifier,
    LineOfPlaces,
    Settings,
    one_name_each,
)

MOST_FRAMES = 400
"""Of a walk."""


class SightSettings(Settings):
    """What all studies of sight have"""

    title: str = Field("", max_length=200, description="title of the sheets")
    scenarios: list[Identifier] = Field(
        default_factory=list, description="scenarios to compare with the existing state"
    )
    curvature: bool = Field(True, description="earth curvature and refraction")
    refraction_k: float = Field(
        0.13, ge=0, lt=1, description="refraction coefficient; drop = (1 - k) d2 / 2R"
    )
    trees: bool = Field(True, description="whether trees hide")


class WithinSettings(AreaSettings):
    """[within]: eyes all over an area, such as a square or a park"""

    spacing_m: float = Field(10.0, ge=0.5, le=10_000, description="distance between eyes [m]")
    above_ground_m: float = Field(1.6, ge=0, le=2000, description="height of the eyes above ground [m]")


class ViewshedStudySettings(Settings):
    """studies/<id>.toml with kind = "viewshed" """

    kind: Literal["viewshed"]
    title: str = Field("", max_length=200, description="title of the sheets")
    scenarios: list[Identifier] = Field(
        default_factory=list, description="scenarios to compare with the existing state"
    )
    cell_size_m: float = Field(1.0, gt=0.05, le=50, description="cell of the result [m]")
    observer: EyeSettings | None = Field(None, description="where the eye is; 1.6 m above ground is usual")
    observers: list[EyeSettings] = Field(
        default_factory=list, max_length=10_000, description="several eyes: by how many each cell is seen"
    )
    along: AlongSettings | None = Field(None, description="eyes along a line, as a table")
    engine: Literal["triangles", "heightfield"] = Field(
        "triangles",
        description="triangles: exact rays; heightfield: fast, for wide ground, many eyes and the least height seen",
    )
    target_height_m: float = Field(0.0, ge=0, le=500, description="height of the target above ground [m]")
    max_distance_m: float = Field(3000.0, gt=0, le=100_000, description="farthest target [m]")
    curvature: bool = Field(True, description="earth curvature and refraction")
    refraction_k: float = Field(
        0.13, ge=0, lt=1, description="refraction coefficient; drop = (1 - k) d2 / 2R"
    )
    trees: bool = Field(True, description="whether trees hide")
    sector_true_deg: tuple[Finite, Finite] | None = Field(
        None, description="first and last direction looked at, clockwise from true north [degree]"
    )
    bare_ground: bool = Field(False, description="whether the terrain alone hides: the bare-ground product")
    area: AreaSettings | None = Field(None, description="where to sample; the whole site where unset")
    within: WithinSettings | None = Field(None, description="eyes all over an area, as a table")
    near_m: float = Field(
        50.0,
        ge=0,
        le=2000,
        description="with heightfield: nearer, all hides by its triangles, as decks and thin things do everywhere [m]",
    )
    season: Literal["leaf_on", "leaf_off"] | None = Field(
        None, description="crowns let sight through, more of it when bare: told apart; opaque where unset"
    )
    through_crown: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of sight that a crown lets through; 0.03 in leaf, 0.5 bare where unset",
    )

    @model_validator(mode="after")
    def _crowns(self) -> ViewshedStudySettings:
        if self.through_crown is not None and self.season is None:
            raise ValueError('through_crown: give season = "leaf_on" or "leaf_off" too')
        if self.season is not None and (self.engine != "triangles" or not self.trees or self.bare_ground):
            raise ValueError('season: needs engine = "triangles", and trees that hide')
        return self

    @model_validator(mode="after")
    def _some_eye(self) -> ViewshedStudySettings:
        if self.observer is None and not self.observers and self.along is None and self.within is None:
            raise ValueError("give an [observer], [[observers]], [along] or [within]: nobody looks")
        return self

    @property
    def crowns(self) -> tuple[float, str] | None:
        """Share of sight that a crown lets through, and the season; UMEP's values for the sun where none is given."""
        if self.season is None:
            return None
        crowns = FoliageSettings()
        known = crowns.leaf_on if self.season == "leaf_on" else crowns.leaf_off
        return (known if self.through_crown is None else self.through_crown), self.season

    @property
    def eyes(self) -> tuple[EyeSettings, ...]:
        """All eyes, those along the line last, without those within an area."""
        first = () if self.observer is None else (self.observer,)
        return (*first, *self.observers, *(self.along.eyes if self.along is not None else ()))


class ControlPointSettings(Settings):
    """[[<view>.photo.points]]: a point that is known in the world and in the photograph"""

    name: str = Field(min_length=1, max_length=100, description="name in the table of residuals")
    east: float = Field(description="east [m]")
    north: float = Field(description="north [m]")
    height_m: float = Field(description="height above the datum [m]")
    x: float = Field(description="to the right from the left edge of the photograph [pixel]")
    y: float = Field(description="down from its upper edge [pixel]")


class PhotoSettings(Settings):
    """[<view>.photo]: a photograph as backdrop; the camera is solved from control points"""

    file: str = Field(description="JPEG, PNG or TIFF, in the site's folder")
    points: list[ControlPointSettings] = Field(
        min_length=5, max_length=200, description="five or more, as tables"
    )
    known_lens: bool = Field(False, description="whether hfov_deg is that of the photograph and is kept")
    warn_px: float = Field(3.0, gt=0, description="residuals (RMS) that are warned of [pixel]")

    @model_validator(mode="after")
    def _one_name_each(self) -> PhotoSettings:
        one_name_each((point.name for point in self.points), "control points")
        return self


class WalkSettings(Settings):
    """[<view>.walk]: pictures along a line one after another, existing and proposed"""

    line: LineOfPlaces = Field(description="corners of the line, [[east, north], ...]")
    spacing_m: float = Field(5.0, ge=0.1, le=1000, description="distance of the pictures [m]")
    look: Literal["ahead", "fixed"] = Field(
        "ahead",
        description="ahead: along the line, turned by bearing_true_deg; fixed: towards bearing_true_deg",
    )
    frame_s: float = Field(0.25, ge=0.02, le=10, description="how long a picture stands [s]")
    width: int = Field(960, ge=64, le=1920, description="width of the pictures [pixel]")
    animation: Literal["webp", "gif", "mp4"] = Field(
        "webp", description="form of the moving picture; mp4 needs ffmpeg on the path"
    )

    @model_validator(mode="after")
    def _not_too_long(self) -> WalkSettings:
        if self.count > MOST_FRAMES:
            raise ValueError(
                f"{self.count} pictures are more than {MOST_FRAMES}: a larger spacing_m, or a shorter line"
            )
        return self

    @property
    def count(self) -> int:
        """Number of pictures."""
        return max(1, math.ceil(shapely.LineString(self.line).length / self.spacing_m - 1e-9)) + 1


class ViewSettings(Settings):
    """One table of views.toml"""

    title: str = Field("", max_length=200, description="caption")
    eye: EyeSettings = Field(description="standpoint")
    bearing_true_deg: float = Field(ge=-360, le=360, description="direction of view from true north [degree]")
    pitch_deg: float = Field(0.0, ge=-89.9, le=89.9, description="upwards positive [degree]")
    hfov_deg: float | None = Field(
        None, ge=1, le=120, description="horizontal field of view; 60 without a lens [degree]"
    )
    lens_mm: float | None = Field(
        None, ge=4, le=2000, description="focal length, instead of hfov_deg; 50 is usual [mm]"
    )
    sensor_width_mm: float = Field(36.0, ge=2, le=200, description="width of the sensor behind lens_mm [mm]")
    width: int = Field(1920, ge=64, le=8192, description="picture width [pixel]")
    height: int = Field(1080, ge=64, le=8192, description="picture height [pixel]")
    lod: Literal["1.2", "1.3", "2.2"] | None = Field(
        None, description="level of detail of the existing buildings; the best of each where unset"
    )
    roofs_by: Literal["rmse"] | None = Field(
        None, description="colour of the existing roofs: rmse, their distance to the points at that level"
    )
    date: dt.date = Field(dt.date(2026, 3, 21), description="day of the sun")
    solar_h: float = Field(15.0, ge=0, lt=24, description="hour of the sun, local apparent solar time [h]")
    photo: PhotoSettings | None = Field(None, description="photograph as backdrop, as a table")
    scenarios: list[Identifier] | None = Field(
        None, min_length=1, description="scenarios to render besides the existing state; all where unset"
    )
    walk: WalkSettings | None = Field(None, description="a walk from here, as a table: a moving picture")

    @model_validator(mode="after")
    def _one_lens(self) -> ViewSettings:
        if self.hfov_deg is not None and self.lens_mm is not None:
            raise ValueError("give hfov_deg or lens_mm, one of the two")
        if not 1.0 <= self.field_of_view_deg <= 120.0:
            raise ValueError(
                f"lens_mm and sensor_width_mm make {self.field_of_view_deg:.1f} degrees, not 1 to 120"
            )
        return self

    @property
    def field_of_view_deg(self) -> float:
        """Horizontal field of view: 2 atan(sensor / (2 lens)) where a lens is given [degree]."""
        if self.lens_mm is None:
            return 60.0 if self.hfov_deg is None else self.hfov_deg
        return math.degrees(2.0 * math.atan(self.sensor_width_mm / (2.0 * self.lens_mm)))


class PictureStudySettings(Settings):
    """studies/<id>.toml with kind = "picture": verified pictures of views, existing, proposed, and what changes"""

    kind: Literal["picture"]
    title: str = Field("", max_length=200, description="title of the sheets")
    scenarios: list[Identifier] = Field(
        default_factory=list, description="scenarios to compare with the existing state"
    )
    views: list[Identifier] | None = Field(
        None, min_length=1, description="views of views.toml; all of them where unset"
    )


class ViewpointSettings(Settings):
    """[[viewpoints]]: a named standpoint"""

    name: str = Field(min_length=1, max_length=100, description="name in tables and on sheets")
    east: float = Field(description="east [m]")
    north: float = Field(description="north [m]")
    above_ground_m: float = Field(1.6, gt=0, le=2000, description="height of the eye above ground [m]")

    @property
    def eye(self) -> EyeSettings:
        """The standpoint alone."""
        return EyeSettings(east=self.east, north=self.north, above_ground_m=self.above_ground_m)


class LandmarkSettings(Settings):
    """[landmark] of a protected view: the line above which it is to stay seen"""

    name: str = Field(min_length=1, max_length=100, description="name of the landmark")
    left: tuple[Finite, Finite] = Field(description="left end as seen by the observer, [east, north]")
    right: tuple[Finite, Finite] = Field(description="right end, [east, north]")
    height_m: float = Field(description="height of the left end, and the right one, above the datum [m]")
    right_height_m: float | None = Field(None, description="height of the right end, where it is another [m]")


class ProtectedViewStudySettings(SightSettings):
    """studies/<id>.toml with kind = "protected_view": the plane to a landmark, and what breaks through it"""

    kind: Literal["protected_view"]
    observer: EyeSettings = Field(description="the standpoint of the view")
    landmark: LandmarkSettings = Field(description="what is to stay seen, as a table")
    behind_m: float = Field(0.0, ge=0, le=20_000, description="how far the view goes on behind it [m]")
    error_m: float = Field(
        0.1, ge=0, le=10, description="error of heights: within it a clearance is too close to call [m]"
    )
    cell_size_m: float = Field(1.0, gt=0.05, le=50, description="cell of the raster of the limit [m]")


class LineSettings(Settings):
    """[[lines]] of a study of lines of sight"""

    name: str = Field(min_length=1, max_length=100, description="name in tables and on sheets")
    eye: EyeSettings = Field(description="where the eye is")
    target: EyeSettings = Field(description="what it looks at")


class SightlineStudySettings(SightSettings):
    """studies/<id>.toml with kind = "sightline": from point to point, with the profile and the first obstacle"""

    kind: Literal["sightline"]
    lines: list[LineSettings] = Field(min_length=1, max_length=500, description="the lines, as tables")
    step_m: float = Field(1.0, ge=0.05, le=100, description="distance of the points of the profile [m]")

    @model_validator(mode="after")
    def _one_name_each(self) -> SightlineStudySettings:
        one_name_each((line.name for line in self.lines), "lines")
        return self


class SkylineStudySettings(SightSettings):
    """studies/<id>.toml with kind = "skyline": the highest of all that stands in each direction"""

    kind: Literal["skyline"]
    observer: EyeSettings = Field(description="the standpoint")
    from_true_deg: float = Field(
        0.0, ge=-360, le=360, description="first direction, from true north [degree]"
    )
    to_true_deg: float = Field(360.0, ge=-360, le=720, description="last direction, clockwise [degree]")
    step_deg: float = Field(0.1, ge=0.005, le=5, description="distance of the directions [degree]")


PointStudySettings = ProtectedViewStudySettings | SightlineStudySettings | SkylineStudySettings


class PublicSettings(Settings):
    """[public]: streets, squares, quays and paths, on whose ground the most exposed places are sought"""

    file: str = Field(description="polygons: GeoPackage, GeoJSON, Shapefile")
    layer: str | None = Field(None, description="layer, where the file has several")
    label: str | None = Field(None, description="field with the name of each place")
    crs: str | None = Field(None, description="CRS, where the file names none")


class ExposureStudySettings(SightSettings):
    """studies/<id>.toml with kind = "ztv" (targets seen) or "exposure" (solid angle) of what a scenario builds"""

    kind: Literal["ztv", "exposure"]
    max_distance_m: float = Field(3000.0, gt=0, le=100_000, description="farthest target, in plan [m]")
    cell_size_m: float = Field(2.0, gt=0.05, le=50, description="cell of the result [m]")
    of: list[str] = Field(
        default_factory=list, description="ids of buildings; what the scenario adds (and removes) where unset"
    )
    spacing_m: float | None = Field(
        None,
        ge=0.25,
        le=100,
        description="distance of the targets on walls, roofs and edges [m]; some 200 targets where unset",
    )
    eye_height_m: float = Field(1.6, gt=0, le=100, description="height of the eyes above ground [m]")
    engine: Literal["triangles", "heightfield"] = Field(
        "triangles", description="triangles: exact rays; heightfield: fast, for wide ground"
    )
    bare_ground: bool | None = Field(
        None, description="also with the bare terrain alone as what hides; yes for ztv where unset"
    )
    viewpoints: list[ViewpointSettings] = Field(
        default_factory=list, max_length=1000, description="named standpoints, as tables"
    )
    public: PublicSettings | None = Field(
        None, description="public ground, as a table; all ground where unset"
    )
    worst: int = Field(5, ge=0, le=200, description="most exposed places that are sought and named")
    apart_m: float = Field(40.0, gt=0, le=10_000, description="least distance between these places [m]")
    from_m: float = Field(
        20.0, ge=0, le=10_000, description="least distance of these places from the buildings [m]"
    )
    area: AreaSettings | None = Field(None, description="where to sample; the whole site where unset")

    @property
    def with_bare_ground(self) -> bool:
        """Whether the bare-ground product is asked for."""
        return self.kind == "ztv" if self.bare_ground is None else self.bare_ground

    @model_validator(mode="after")
    def _one_name_each(self) -> ExposureStudySettings:
        one_name_each((point.name for point in self.viewpoints), "viewpoints")
        return self
