"""Proposed volumes by footprint and storeys, seated on the terrain."""

from __future__ import annotations

import math
from typing import Any

from twin.buildings.prism import prism, roof_is_clear
from twin.buildings.rings import clean_polygon
from twin.buildings.seat import GroundProfile, ground_profile
from twin.errors import InputError
from twin.model.objects import Building
from twin.model.proposal import Volume
from twin.terrain.sampler import TinSampler
from twin.validation.validate import codes_of, validate_geometry
from twin.validation.volumes import solid_volume

LOD = "1.2"
DECIMALS = 3


def volume_building(volume: Volume, proposal_id: str, sampler: TinSampler) -> Building:
    """The solid of a proposed volume.

    Its top is at base + ground floor height + (storeys - 1) x floor height, or at base + explicit height. The
    base is the level of the ground floor; the walls reach down (or up) to the terrain all along the outline,
    as those of existing buildings do, so that nothing floats on a slope.

    Parameters
    ----------
    volume
        Footprint, storeys and heights. The rules ``terrain_min``, ``terrain_mean`` and ``terrain_max`` speak
        of the ground along the outline; the mean is weighted by length.
    proposal_id
        Id of the proposal.
    sampler
        The terrain's triangles.

    Returns
    -------
    Building
        Id ``<proposal>/<volume>``, one ``Solid`` of LoD 1.2. ``gross_floor_area_m2`` is storeys times
        footprint area, outer walls included, above the base only.

    Raises
    ------
    InputError
        A height that is none, an outline that is not wholly on the terrain, a top below the ground. The
        message names proposal and volume.
    """
    where = f"proposal {proposal_id!r}, volume {volume.id!r}"
    height = _height(volume, where)
    polygon = clean_polygon(volume.polygon) if volume.polygon.is_valid else None
    if polygon is None:
        raise InputError(f"{where}: the footprint is not a valid polygon with an area; draw it again")
    profile = ground_profile(polygon, sampler)
    if profile is None:
        raise InputError(
            f"{where}: the footprint lies outside the modelled terrain, or partly; "
            "move it, check its coordinates and CRS, or build the model over a larger area"
        )
    base = _base(volume, profile, where)
    top = base + height
    if not roof_is_clear(profile, top):
        raise InputError(
            f"{where}: its top at {top:.2f} m is below the ground of its outline "
            f"({profile.lowest:.2f} to {profile.highest:.2f} m); raise 'base' or the height"
        )
    geometry = prism(profile, top, LOD)
    errors = validate_geometry(geometry)
    if errors:
        raise InputError(f"{where}: the footprint gives no valid solid ({codes_of(errors)}); simplify it")
    area = float(polygon.area)
    attributes: dict[str, Any] = {
        "status": "proposed",
        "proposal": proposal_id,
        "volume": volume.id,
        "storeys": volume.storeys,
        "height_m": round(height, DECIMALS),
        "h_base": round(base, DECIMALS),
        "h_top": round(top, DECIMALS),
        "h_ground_min": round(profile.lowest, DECIMALS),
        "h_ground_mean": round(profile.mean, DECIMALS),
        "h_ground_max": round(profile.highest, DECIMALS),
        "height_is_explicit": volume.height is not None,
        "footprint_area_m2": round(area, DECIMALS),
        "gross_floor_area_m2": round(volume.storeys * area, DECIMALS),
        "volume_m3": round(solid_volume(geometry), DECIMALS),
        "buried_share": round(profile.share_above(top), DECIMALS),
        "lod": LOD,
    }
    return Building(f"{proposal_id}/{volume.id}", sampler.frame, (geometry,), attributes)


def _height(volume: Volume, where: str) -> float:
    """Height of the top above the base [m]."""
    if volume.height is not None:
        if not (math.isfinite(volume.height) and volume.height > 0):
            raise InputError(f"{where}: the height must be a positive number of metres; got {volume.height}")
        return float(volume.height)
    if volume.storeys < 1:
        raise InputError(f"{where}: at least one storey is needed; got {volume.storeys}")
    for name, value in (
        ("ground floor height", volume.ground_floor_height),
        ("floor height", volume.floor_height),
    ):
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{where}: the {name} must be a positive number of metres; got {value}")
    return float(volume.ground_floor_height + (volume.storeys - 1) * volume.floor_height)


def _base(volume: Volume, profile: GroundProfile, where: str) -> float:
    """Level of the ground floor above the datum [m]."""
    rules = {"terrain_min": profile.lowest, "terrain_mean": profile.mean, "terrain_max": profile.highest}
    if isinstance(volume.base, str):
        if volume.base not in rules:
            raise InputError(
                f"{where}: 'base' is one of {', '.join(rules)} or a height in metres; got {volume.base!r}"
            )
        return rules[volume.base]
    if not math.isfinite(volume.base):
        raise InputError(f"{where}: 'base' must be a finite height above the datum; got {volume.base}")
    return float(volume.base)
