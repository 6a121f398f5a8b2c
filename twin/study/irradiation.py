"""Energy of sun and sky on façades and roofs over a year."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twin.model.arrays import readonly
from twin.study.readers import Reader
from twin.study.sky import SkyOfFaces
from twin.study.watch import Ticker
from twin.sun.position import sun_direction_local
from twin.sun.weather import Weather

Diffuse = Literal["perez", "isotropic"]
ALBEDO = 0.2
"""Share of the global radiation that the ground throws back."""
LOW_SUN = np.cos(np.radians(85.0))
"""Least cosine of the zenith angle that the brightness around the sun is related to (Perez et al. 1990)."""
PEREZ_SET = "allsitescomposite1990"
"""Coefficients of pvlib."""
_SKIES = {
    "perez": (
        "sky of Perez et al. (1990), brightness coefficients 'all sites composite' of pvlib: the part around the sun "
        "where the sun is seen, the horizon by the part of the sky below 6.5 degrees that the sample sees, the rest "
        "by its cosine-weighted view factor"
    ),
    "isotropic": "isotropic sky by the cosine-weighted view factor of the sample",
}


def energy_method(diffuse: Diffuse) -> str:
    """What a record says of the irradiation."""
    return (
        f"beam where the sun is seen; {_SKIES[diffuse]}; and the ground's reflection with an albedo of {ALBEDO} as "
        "if the ground were open and all of it seen below the horizon"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Brightness:
    """How a sky differs from an even one at each sun.

    Parameters
    ----------
    around_sun
        (n,) share F1 of the diffuse radiation that comes from around the sun.
    horizon
        (n,) share F2 that the band at the horizon adds, or takes where negative.
    """

    around_sun: NDArray[np.float64]
    horizon: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("around_sun", "horizon"):
            object.__setattr__(self, name, readonly(getattr(self, name), np.float64))


def brightness(weather: Weather, diffuse: Diffuse) -> Brightness:
    """Coefficients of the sky for each sun of the weather; zeros for an isotropic sky.

    They are read off pvlib's own components: F1 off a level plane, F2 off an upright one that faces the sun.
    """
    count = len(weather.suns)
    if diffuse == "isotropic" or not count:
        return Brightness(np.zeros(count), np.zeros(count))
    import pandas
    import pvlib

    zenith = 90.0 - np.array([sun.altitude_deg for sun in weather.suns])
    azimuth = np.array([sun.azimuth_true_deg for sun in weather.suns])
    index = pandas.DatetimeIndex([sun.utc for sun in weather.suns])
    extra = np.asarray(pvlib.irradiance.get_extra_radiation(index), dtype=np.float64)
    mass = np.asarray(pvlib.atmosphere.get_relative_airmass(zenith), dtype=np.float64)
    some = weather.diffuse_horizontal > 0.0
    sky = np.where(some, weather.diffuse_horizontal, 1.0)

    def part(tilt: float, name: str) -> NDArray[np.float64]:
        found = pvlib.irradiance.perez(
            tilt,
            azimuth,
            sky,
            weather.direct_normal,
            extra,
            zenith,
            azimuth,
            mass,
            model=PEREZ_SET,
            return_components=True,
        )
        share = np.asarray(found[name], dtype=np.float64) / sky
        return np.where(some & np.isfinite(mass), share, 0.0)

    level = part(0.0, "poa_isotropic")
    return Brightness(np.where(level > 0.0, 1.0 - level, 0.0), part(90.0, "poa_horizon"))


def irradiation(
    reader: Reader,
    normals: NDArray[np.float64],
    sky: SkyOfFaces,
    weather: Weather,
    diffuse: Diffuse = "perez",
    tick: Ticker | None = None,
) -> NDArray[np.float32]:
    """Energy on samples (n,) over the time of the weather [kWh/m2].

    Sum of E_b max(0, cos i) lit + E_d [(1 - F1) F + F1 max(0, cos i) lit / max(cos 85, cos z) + F2 h]
    + albedo E_g (1 - cos tilt) / 2: the model of Perez et al. (Solar Energy 44(5), 1990) with the sample's own sky
    view factor F in place of (1 + cos tilt) / 2, its own view h of the horizon in place of sin tilt, and its own
    shading of the part around the sun. With F1 = F2 = 0 it is the isotropic model of Liu and Jordan (1963).

    Parameters
    ----------
    reader
        Says which suns shine on the samples.
    normals
        (n, 3) unit vectors.
    sky
        What the samples see of the sky.
    weather
        Radiation.
    diffuse
        How the sky's brightness is spread.
    tick
        Told of each sun times the samples.
    """
    total = np.zeros(len(normals))
    seen, horizon = sky.svf_cosine.astype(np.float64), sky.horizon.astype(np.float64)
    shape = brightness(weather, diffuse)
    for k in (tick or Ticker(None, 1.0)).steps(
        "irradiation", len(weather.suns), len(normals), {"total": total}
    ):
        sun = weather.suns[k]
        direct, even = float(weather.direct_normal[k]), float(weather.diffuse_horizontal[k])
        around, low = float(shape.around_sun[k]), float(shape.horizon[k])
        part = (1.0 - around) * seen + low * horizon
        if direct > 0.0 or around * even > 0.0:
            towards = sun_direction_local(sun)
            cosine = np.maximum(0.0, normals @ towards) * reader.lit(sun)
            part += around * cosine / max(LOW_SUN, float(towards[2]))
            total += direct * cosine
        total += even * np.maximum(0.0, part)
    total += ALBEDO * float(weather.global_horizontal.sum()) * 0.5 * (1.0 - normals[:, 2])
    energy: NDArray[np.float32] = (total * (weather.step_h / 1000.0)).astype(np.float32)
    return energy
