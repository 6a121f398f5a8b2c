"""Settings of the studies of sight on a proposal: zones of visibility and exposure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.config_base import AreaSettings, EyeSettings, Identifier, Settings


class SightSettings(Settings):
    """What all studies of sight have"""

    title: str = Field("", max_length=200, description="title of the sheets")
    scenarios: list[Identifier] = Field(
        default_factory=list, description="scenarios to compare with the existing state"
    )
    max_distance_m: float = Field(3000.0, gt=0, le=100_000, description="farthest target, in plan [m]")
    curvature: bool = Field(True, description="earth curvature and refraction")
    refraction_k: float = Field(
        0.13, ge=0, lt=1, description="refraction coefficient; drop = (1 - k) d2 / 2R"
    )
    trees: bool = Field(True, description="whether trees hide")


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


class PublicSettings(Settings):
    """[public]: streets, squares, quays and paths, on whose ground the most exposed places are sought"""

    file: str = Field(description="polygons: GeoPackage, GeoJSON, Shapefile")
    layer: str | None = Field(None, description="layer, where the file has several")
    label: str | None = Field(None, description="field with the name of each place")
    crs: str | None = Field(None, description="CRS, where the file names none")


class ExposureStudySettings(SightSettings):
    """studies/<id>.toml with kind = "ztv" (targets seen) or "exposure" (solid angle) of what a scenario builds"""

    kind: Literal["ztv", "exposure"]
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
        names = [point.name for point in self.viewpoints]
        if len(set(names)) != len(names):
            raise ValueError("two viewpoints have one name")
        return self
