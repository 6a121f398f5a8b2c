"""The frame of a site: projected CRS, named vertical datum, local origin, meridian convergence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer
from pyproj.exceptions import ProjError

from twin.errors import FrameMismatchError, InputError

SCALE_LIMIT = 0.005
"""Largest accepted error of the map scale at the site; EPSG:3857 has 0.6 at 50 degrees north."""

UNKNOWN_DATUM = "unknown"
"""Name of a vertical datum that nobody stated; it is printed wherever heights are."""


def crs_name(crs: CRS) -> str:
    """``EPSG:3812`` where the CRS has a code, else its own name."""
    authority = crs.to_authority(min_confidence=100)
    return f"{authority[0]}:{authority[1]}" if authority else crs.name


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a site lies: x east, y north, z up, metres, in a projected CRS less a local origin.

    ``local = world - origin`` in plan; heights are never shifted. One frame per site, never per tile.

    Parameters
    ----------
    crs
        Projected horizontal CRS with metres as unit.
    vertical
        Name of the vertical datum, such as ``EPSG:5710``, or ``unknown``.
    origin
        East and north of the local origin in whole metres, world space [m].

    Attributes
    ----------
    longitude_deg, latitude_deg
        The origin on the CRS's own ellipsoid [degree]; good to about 100 m, for sun and convergence only.
    convergence_deg
        Meridian convergence at the origin, PROJ's sign: grid azimuth = true azimuth - convergence [degree].
    scale
        Map distance over true distance at the origin.

    Raises
    ------
    InputError
        The CRS is not projected, not metric, or its scale is off by more than ``SCALE_LIMIT``.
    """

    crs: CRS
    vertical: str
    origin: tuple[int, int]
    longitude_deg: float = field(init=False, compare=False)
    latitude_deg: float = field(init=False, compare=False)
    convergence_deg: float = field(init=False, compare=False)
    scale: float = field(init=False, compare=False)

    def __post_init__(self) -> None:
        check_projected_metric(self.crs)
        if not all(isinstance(v, int) for v in self.origin):
            raise InputError(f"the origin of a frame is in whole metres; got {self.origin}")
        longitude, latitude = _place(self.crs, self.origin)
        try:
            factors = Proj(self.crs).get_factors(longitude, latitude)
        except ProjError as error:
            raise InputError(f"{crs_name(self.crs)} is not usable at {self.origin}: {error}") from error
        scale = float(np.sqrt(abs(factors.areal_scale)))
        if not abs(scale - 1.0) <= SCALE_LIMIT:
            raise InputError(
                f"{crs_name(self.crs)} stretches lengths by {100 * (scale - 1):+.1f} % at this site "
                f"(limit {100 * SCALE_LIMIT} %); use the national projected CRS, e.g. EPSG:3812 in Belgium"
            )
        object.__setattr__(self, "longitude_deg", longitude)
        object.__setattr__(self, "latitude_deg", latitude)
        object.__setattr__(self, "convergence_deg", float(factors.meridian_convergence))
        object.__setattr__(self, "scale", scale)

    @property
    def crs_name(self) -> str:
        """Authority code or name of the horizontal CRS."""
        return crs_name(self.crs)

    @property
    def epsg(self) -> int | None:
        """EPSG code of the horizontal CRS, where it has one."""
        code = self.crs.to_epsg(min_confidence=100)
        return int(code) if code is not None else None

    def to_local(self, world: NDArray[Any]) -> NDArray[np.float64]:
        """World coordinates (n, 2) or (n, 3) [m] to local ones; heights stay as they are."""
        out = np.array(world, dtype=np.float64)
        out[..., 0] -= self.origin[0]
        out[..., 1] -= self.origin[1]
        return out

    def to_world(self, local: NDArray[Any]) -> NDArray[np.float64]:
        """Local coordinates (n, 2) or (n, 3) [m] to world ones."""
        out = np.array(local, dtype=np.float64)
        out[..., 0] += self.origin[0]
        out[..., 1] += self.origin[1]
        return out

    def azimuth_grid(self, azimuth_true_deg: float) -> float:
        """Azimuth from grid north of a direction given from true north [degree, clockwise, 0 to 360)."""
        return (azimuth_true_deg - self.convergence_deg) % 360.0

    def azimuth_true(self, azimuth_grid_deg: float) -> float:
        """Azimuth from true north of a direction given from grid north [degree, clockwise, 0 to 360)."""
        return (azimuth_grid_deg + self.convergence_deg) % 360.0

    def require_same(self, other: Frame, what: str) -> None:
        """Raise FrameMismatchError unless ``other`` is this frame; ``what`` names the thing."""
        if self == other:
            return
        raise FrameMismatchError(f"{what} lies in {other.describe()}, expected {self.describe()}")

    def describe(self) -> str:
        """One line for people: CRS, vertical datum, origin."""
        return f"{self.crs_name} + {self.vertical}, origin E {self.origin[0]} N {self.origin[1]}"


def check_projected_metric(crs: CRS) -> None:
    """Raise InputError unless the CRS is projected (or compound with a projected part) in metres."""
    if not crs.is_projected or crs.is_compound:
        raise InputError(
            f"{crs_name(crs)} is not a projected CRS of plan coordinates in metres; "
            "state one such as EPSG:3812 or EPSG:31370"
        )
    units = {axis.unit_name for axis in crs.axis_info}
    if units != {"metre"}:
        raise InputError(f"{crs_name(crs)} counts in {', '.join(sorted(units))}; a site is in metres")


def _place(crs: CRS, origin: tuple[int, int]) -> tuple[float, float]:
    geodetic = crs.geodetic_crs
    if geodetic is None:
        raise InputError(f"{crs_name(crs)} has no geodetic base; state a national projected CRS")
    transformer = Transformer.from_crs(crs, geodetic, always_xy=True)
    longitude, latitude = transformer.transform(float(origin[0]), float(origin[1]))
    if not (np.isfinite(longitude) and np.isfinite(latitude)):
        raise InputError(f"E {origin[0]} N {origin[1]} lies outside the reach of {crs_name(crs)}")
    return float(longitude), float(latitude)
