"""The model's nouns as a GeoDataFrame or an xarray DataArray, where the user has those packages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import MissingDependencyError

if TYPE_CHECKING:
    from twin.model.objects import Building
    from twin.model.raster import Raster
    from twin.model.scene import Scene


RESERVED = ("id", "status", "failure", "geometry")
"""Columns of our own; an attribute of such a name gets ``attribute_`` before it."""


def scene_to_geodataframe(scene: Scene) -> Any:
    """Existing and proposed buildings of a scene as one table; see ``to_geodataframe``."""
    statuses = ["existing"] * len(scene.buildings) + ["proposed"] * len(scene.proposed)
    return to_geodataframe([*scene.buildings, *scene.proposed], statuses)


def to_geodataframe(buildings: Sequence[Building], statuses: Sequence[str] = ()) -> Any:
    """Buildings as a ``geopandas.GeoDataFrame``: one row each, outlines in world space [m].

    Parameters
    ----------
    buildings
        Of one frame.
    statuses
        A word for each, such as ``existing``; the column is left out where empty.

    Returns
    -------
    Columns ``id``, ``status``, the attributes, ``failure`` (the reason where there is no solid) and ``geometry``;
    ``attrs["heights"]`` names the vertical datum of the heights among the attributes.

    Raises
    ------
    MissingDependencyError
        geopandas is not installed.
    FrameMismatchError
        Buildings of several frames.
    """
    try:
        import geopandas
    except ImportError:
        raise MissingDependencyError("to_geodataframe needs geopandas: pip install geopandas") from None
    import shapely

    from twin.buildings.outline import building_footprint

    columns = ["id", *(["status"] if statuses else []), "failure", "geometry"]
    rows: list[dict[str, Any]] = []
    for number, building in enumerate(buildings):
        buildings[0].frame.require_same(building.frame, f"building {building.id!r}")
        outline = building_footprint(building)
        row: dict[str, Any] = {"id": building.id}
        if statuses:
            row["status"] = statuses[number]
        row |= {f"attribute_{k}" if k in RESERVED else k: v for k, v in building.attributes.items()}
        row["failure"] = building.failure.reason if building.failure else None
        row["geometry"] = shapely.transform(outline, building.frame.to_world) if outline is not None else None
        rows.append(row)
    crs = buildings[0].frame.crs if buildings else None
    table = geopandas.GeoDataFrame(rows, columns=None if rows else columns, geometry="geometry", crs=crs)
    table.attrs["heights"] = buildings[0].frame.vertical if buildings else None
    return table


def to_xarray(raster: Raster) -> Any:
    """A raster as an ``xarray.DataArray`` with world coordinates of the cell centres [m].

    Raises
    ------
    MissingDependencyError
        xarray is not installed.
    """
    try:
        import xarray
    except ImportError:
        raise MissingDependencyError("to_xarray needs xarray: pip install xarray") from None
    grid = raster.grid
    east, north = grid.frame.origin
    return xarray.DataArray(
        np.array(raster.values),
        dims=("y", "x"),
        coords={"y": grid.y_centres() + north, "x": grid.x_centres() + east},
        attrs={"crs": grid.frame.crs.to_wkt(), "heights": grid.frame.vertical, "cell_size_m": grid.cell_size},
    )
