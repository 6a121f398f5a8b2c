"""Buildings at LoD 1.2: the outline, a flat roof at the 70th percentile, feet on the terrain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.buildings.prism import DECIMALS as FILE_DECIMALS
from twin.buildings.prism import prism, roof_is_clear
from twin.buildings.rings import clean_polygon
from twin.buildings.seat import GroundProfile, ground_profile
from twin.model.objects import Building, Failure, Footprint
from twin.terrain.sampler import TinSampler
from twin.validation.validate import codes_of, validate_geometry
from twin.validation.volumes import solid_volume

LOD = "1.2"

ROOF_PERCENTILE = 70
"""Height of the flat roof among the roof points, as 3DBAG and roofer choose it."""

MIN_POINTS, ENOUGH_POINTS = 3, 10
POINTS_PER_M2 = 0.2
"""A roof needs this many points per square metre, at least ``MIN_POINTS``; ``ENOUGH_POINTS`` are enough."""

DECIMALS = 3
"""Attributes are rounded to the millimetre."""


def reconstruct_lod12(footprint: Footprint, z: NDArray[Any], sampler: TinSampler) -> Building:
    """The solid of one footprint, or the reason why there is none; bad data never raise.

    Parameters
    ----------
    footprint
        Outline in the terrain's frame.
    z
        (n,) heights above the datum of the roof points inside it [m], see ``RoofPointCollector``.
    sampler
        The terrain's triangles.

    Returns
    -------
    Building
        With one ``Solid`` of LoD 1.2, or with a ``Failure``:

        ``degenerate_footprint``
            Nothing with an area is left of the outline once it is rounded to the millimetre.
        ``no_terrain``
            Part of the outline has no terrain under it.
        ``no_points``, ``too_few_points``
            Nothing, or too little, shows where the roof is.
        ``roof_below_ground``
            The roof height is below the mean ground of the outline.
        ``invalid_solid``
            The solid did not pass ``validate_geometry``; the detail has the codes.

        Where a roof stands above the mean ground, but a slope rises past it, the solid goes into the slope
        and ``buried_share`` says for how much of the outline.
    """
    heights = np.sort(np.asarray(z, dtype=np.float64).reshape(-1))
    heights = heights[np.isfinite(heights)]
    area = float(footprint.polygon.area)
    known: dict[str, Any] = {"n_points": len(heights), "footprint_area_m2": round(area, DECIMALS)}
    polygon = clean_polygon(footprint.polygon)
    if polygon is None:
        return _failed(footprint, known, "degenerate_footprint", f"its area is {area:.3f} m2")
    profile = ground_profile(polygon, sampler)
    if profile is None:
        return _failed(footprint, known, "no_terrain", "part of its outline lies outside the terrain")
    known.update(_ground(profile))
    needed = int(min(ENOUGH_POINTS, max(MIN_POINTS, np.ceil(POINTS_PER_M2 * area))))
    if not len(heights):
        return _failed(footprint, known, "no_points", "no roof point lies inside it")
    if len(heights) < needed:
        text = f"{len(heights)} roof points for {area:.0f} m2; {needed} are needed"
        return _failed(footprint, known, "too_few_points", text)
    known.update(_roof(heights))
    top = float(np.percentile(heights, ROOF_PERCENTILE))
    if not roof_is_clear(profile, top):
        text = f"roof at {top:.2f} m, mean ground of the outline at {profile.mean:.2f} m"
        return _failed(footprint, known, "roof_below_ground", text)
    geometry = prism(profile, top, LOD)
    # On the grid of a file: what is judged valid is what is read back.
    geometry = replace(geometry, vertices=np.round(geometry.vertices, FILE_DECIMALS))
    errors = validate_geometry(geometry)
    if errors:
        return _failed(footprint, known, "invalid_solid", codes_of(errors))
    known["height_m"] = round(top - profile.lowest, DECIMALS)
    known["point_density_m2"] = round(len(heights) / area, DECIMALS)
    known["buried_share"] = round(profile.share_above(top), DECIMALS)
    known["volume_m3"] = round(solid_volume(geometry), DECIMALS)
    known["lod"] = LOD
    return Building(footprint.id, footprint.frame, (geometry,), {**footprint.attributes, **known})


def _ground(profile: GroundProfile) -> dict[str, float]:
    return {
        "h_ground_min": round(profile.lowest, DECIMALS),
        "h_ground_mean": round(profile.mean, DECIMALS),
        "h_ground_max": round(profile.highest, DECIMALS),
    }


def _roof(heights: NDArray[np.float64]) -> dict[str, float]:
    shares = {"h_roof_p50": 50, "h_roof_p70": ROOF_PERCENTILE, "h_roof_p90": 90, "h_roof_max": 100}
    return {name: round(float(np.percentile(heights, q)), DECIMALS) for name, q in shares.items()}


def _failed(footprint: Footprint, known: dict[str, Any], reason: str, detail: str) -> Building:
    return Building(
        footprint.id,
        footprint.frame,
        attributes={**footprint.attributes, **known},
        failure=Failure(footprint.id, reason, detail),
    )
