"""Settings of limits, rules and windows of a study of façades."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from pipelines.config_base import EyeSettings, Identifier, Settings


class LimitSettings(Settings):
    """[limit] of a study of façades: the user's own"""

    at_least_h: float | None = Field(None, gt=0, le=24, description="hours of sun that a sample needs [h]")
    share: float = Field(
        0.5, gt=0, le=1, description="part of the samples of a surface or line that need them"
    )
    kept: float | None = Field(None, gt=0, le=1, description="or this part of the share before the proposal")
    most_shadow_h: float | None = Field(
        None, gt=0, description="instead: most shadow that may be added over a period with daily = true [h]"
    )
    levels: dict[Identifier, Annotated[float, Field(gt=0, le=24)]] | None = Field(
        None, description="named levels of the hours of a room, e.g. { minimum = 1.5, high = 4.0 } [h]"
    )
    most_shadow_day_min: float | None = Field(None, gt=0, description="and on any day of it [min]")

    @model_validator(mode="after")
    def _one_rule(self) -> LimitSettings:
        shadow = self.most_shadow_h is not None or self.most_shadow_day_min is not None
        if (self.at_least_h is None) != shadow:
            raise ValueError(
                "give at_least_h, or most_shadow_h and/or most_shadow_day_min, one of the two rules"
            )
        return self


class VscRuleSettings(Settings):
    """[vsc] of a study of façades: when the vertical sky component of a window line is too low"""

    at_least_percent: float = Field(gt=0, le=100, description="enough, whatever it was before [percent]")
    kept: float | None = Field(None, gt=0, le=1, description="or this part of the former value")


class SunRuleSettings(VscRuleSettings):
    """[apsh] and [wpsh] of a study of façades: when probable sunlight hours of a window line are too few"""

    most_annual_drop_points: float | None = Field(
        None, ge=0, le=100, description="or no more than this lost of the annual hours [percentage points]"
    )
    within_south_deg: float = Field(
        90.0, gt=0, le=180, description="façades that turn farther from true south do not count [degree]"
    )


class OpeningSettings(EyeSettings):
    """[[windows.points]]: the middle of one window"""

    room: str = Field(min_length=1, max_length=100, description="room that the window gives light to")
    id: str | None = Field(None, max_length=100, description="name of the window; counted where unset")


class WindowsSettings(Settings):
    """[windows] of a study of façades: middles of windows, grouped by room"""

    file: str | None = Field(None, description="GeoPackage, GeoJSON, ... of points")
    layer: str | None = Field(None, description="layer, where the file has several")
    label: str = Field("room", description="field with the room of each window")
    id: str | None = Field(None, description="field with the name of each window")
    height: str | None = Field(
        None, description="field with the height above ground [m]; without it points have a z above the datum"
    )
    crs: str | None = Field(None, description="CRS, where the file names none")
    points: list[OpeningSettings] = Field(default_factory=list, description="windows without a file")
    max_distance_m: float = Field(
        1.0, gt=0, le=20, description="farthest façade that a window belongs to [m]"
    )

    @model_validator(mode="after")
    def _some(self) -> WindowsSettings:
        if self.file is None and not self.points:
            raise ValueError("give a file of points, or [[windows.points]]")
        return self
