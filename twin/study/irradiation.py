"""Energy of sun and sky on façades and roofs over a year."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.study.readers import Reader
from twin.study.watch import Ticker
from twin.sun.position import sun_direction_local
from twin.sun.weather import Weather

ALBEDO = 0.2
"""Share of the global radiation that the ground throws back."""
METHOD = (
    "beam where the sun is seen, isotropic sky by the cosine-weighted view factor of the sample, and the ground's "
    f"reflection with an albedo of {ALBEDO} as if the ground were open and all of it seen below the horizon"
)


def irradiation(
    reader: Reader,
    normals: NDArray[np.float64],
    svf_cosine: NDArray[np.floating],
    weather: Weather,
    tick: Ticker | None = None,
) -> NDArray[np.float32]:
    """Energy on samples (n,) over the time of the weather [kWh/m2].

    Sum of E_b max(0, cos i) lit + E_d F + albedo E_g (1 - cos tilt) / 2, the isotropic model of Liu and Jordan (1963)
    with the sample's own sky view factor F in place of (1 + cos tilt) / 2.

    Parameters
    ----------
    reader
        Says which suns shine on the samples.
    normals
        (n, 3) unit vectors.
    svf_cosine
        (n,) view factor from the face to the sky (``twin.study.sky``).
    weather
        Radiation.
    tick
        Told of each sun times the samples.
    """
    beam = np.zeros(len(normals))
    for sun, direct in zip(weather.suns, weather.direct_normal, strict=True):
        if direct > 0.0:
            cosine = np.maximum(0.0, normals @ sun_direction_local(sun))
            beam += direct * cosine * reader.lit(sun)
        if tick is not None:
            tick.add(len(normals), "irradiation")
    diffuse = float(weather.diffuse_horizontal.sum()) * svf_cosine
    below = ALBEDO * float(weather.global_horizontal.sum()) * 0.5 * (1.0 - normals[:, 2])
    energy: NDArray[np.float32] = ((beam + diffuse + below) * (weather.step_h / 1000.0)).astype(np.float32)
    return energy
