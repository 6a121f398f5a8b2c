"""Water, bridges and break lines of a site: what of them the inputs hold, and where."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from pipelines.gather import Ground
from pipelines.inputs import Inputs
from pipelines.site import Site
from twin.errors import InputError
from twin.io.shapes import read_shapes
from twin.model.objects import CityObject, Failure
from twin.model.terrain import Terrain
from twin.terrain.bridges import make_bridges
from twin.terrain.water import Waters, find_waters, water_bodies


def read_layer(site: Site, inputs: Inputs, key: str, kind: Any) -> list[Any] | None:
    """The shapes of ``inputs.KEY`` in local space, None where it is not set."""
    place = getattr(site.settings.inputs, key)
    if place is None:
        return None
    try:
        return read_shapes(place, site.folder, inputs.frame, kind, site.settings.site.accepted_accuracy_m)
    except InputError as error:
        raise InputError(f"{site.folder / 'twin.toml'}: key 'inputs.{key}': {error}") from None


def water_of(site: Site, inputs: Inputs, ground: Ground) -> Waters | None:
    """The water of a site: of the layer that is named, else among the points."""
    if ground.tin is not None:
        return None
    known: list[shapely.Polygon] | None = read_layer(site, inputs, "water", "polygons")
    if known is None and ground.seen is None:
        return None
    return find_waters(
        ground.ground, ground.seen, outlines=known, min_area_m2=site.settings.terrain.water_min_area_m2
    )


def crossings(
    site: Site, ground: Ground, terrain: Terrain, waters: Waters | None
) -> tuple[tuple[CityObject, ...], tuple[Failure, ...]]:
    """Water bodies and bridges as objects of the model, and bridges that could not be made."""
    settings = site.settings.terrain
    water = water_bodies(waters, terrain.tin) if waters is not None else ()
    bridges, failures = make_bridges(
        ground.bridges,
        terrain.dtm,
        thickness_m=settings.bridge_thickness_m,
        min_area_m2=settings.bridge_min_area_m2,
    )
    if waters is not None:
        rivers = sum(1 for body in waters.bodies if body.kind == "river")
        area = float(np.sum([body.outline.area for body in waters.bodies]))
        ground.notes.append(
            f"water: {rivers} running, {len(waters.bodies) - rivers} still, {area:.0f} m2 laid on its level"
        )
    if bridges:
        ground.notes.append(
            f"bridges: {len(bridges)} from points of the bridge class, "
            f"{settings.bridge_thickness_m:g} m thick (assumed)"
        )
    return (*water, *bridges), failures
