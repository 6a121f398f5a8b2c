"""What all settings share: strictness, names, numbers, places."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

import shapely
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Ring = list[tuple[Finite, Finite]]


class Settings(BaseModel):
    """Base of all settings: unknown keys and numbers that are not finite are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True)


class FoliageSettings(Settings):
    """[foliage] of a sunlight study: what crowns let through (UMEP's values for deciduous trees)"""

    leaf_on: float = Field(0.03, ge=0, le=1, description="share of the direct sun through a crown in leaf")
    leaf_off: float = Field(0.5, ge=0, le=1, description="share through a bare crown")
    first: int = Field(100, ge=1, le=366, description="first day of the year in leaf")
    last: int = Field(300, ge=1, le=366, description="last day of the year in leaf")


class AreaSettings(Settings):
    """An area in plan."""

    ring: Ring | str = Field(description="[[east, north], ...] in the site's CRS [m], or file.geojson#id")


class EyeSettings(Settings):
    """A standpoint: above the ground, or at an absolute height."""

    east: float = Field(description="east [m]")
    north: float = Field(description="north [m]")
    above_ground_m: float | None = Field(None, ge=0, le=2000, description="height above ground [m]")
    height_m: float | None = Field(None, description="height above the datum [m], instead of above_ground_m")

    @model_validator(mode="after")
    def _one_height(self) -> EyeSettings:
        if (self.above_ground_m is None) == (self.height_m is None):
            raise ValueError("give above_ground_m or height_m, one of the two")
        return self


def _some_length(line: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if not shapely.LineString(line).length > 0.01:
        raise ValueError("the line has no length")
    return line


LineOfPlaces = Annotated[
    list[tuple[Finite, Finite]], Field(min_length=2, max_length=1000), AfterValidator(_some_length)
]


def places_along(line: Ring, spacing_m: float) -> list[tuple[float, float]]:
    """Places at even steps of at most ``spacing_m`` from a line's first point to its last."""
    whole = shapely.LineString(line)
    count = max(1, math.ceil(whole.length / spacing_m - 1e-9))
    places = shapely.get_coordinates(
        whole.interpolate([k / count for k in range(count + 1)], normalized=True)
    )
    return [(float(x), float(y)) for x, y in places]


class AlongSettings(Settings):
    """[along]: eyes along a line, such as a walk or a train"""

    line: LineOfPlaces = Field(description="corners of the line, [[east, north], ...]")
    spacing_m: float = Field(10.0, ge=0.5, le=10_000, description="distance between eyes [m]")
    above_ground_m: float = Field(1.6, ge=0, le=2000, description="height of the eyes above ground [m]")

    @property
    def eyes(self) -> tuple[EyeSettings, ...]:
        """The eyes, at even steps of at most ``spacing_m`` from the line's first point to its last."""
        return tuple(
            EyeSettings(east=x, north=y, above_ground_m=self.above_ground_m)
            for x, y in places_along(self.line, self.spacing_m)
        )


def one_name_each(names: Iterable[str], what: str) -> None:
    """ValueError where two things have one name."""
    seen = list(names)
    if len(set(seen)) != len(seen):
        raise ValueError(f"two {what} have one name")
