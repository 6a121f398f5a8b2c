"""The model's nouns as a GeoDataFrame or an xarray DataArray, where the user has those packages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import MissingDependencyError

if TYPE_CHECKING:
    from twin.model.objects import Building
    from twin.model.raster import Raster


def to_geodataframe(buildings: Sequence[Building]) -> Any:
    """Buildings as a ``geopandas.GeoDataFrame``: outline in world space [m], id, attributes, failure reason.

    Raises
    ------
    MissingDependencyError
        geopandas is not installed.
    """
    try:
        import geopandas
    except ImportError:
        raise MissingDependencyError("to_geodataframe needs geopandas: pip install geopandas") from None
    import shapely

    from twin.buildings.outline import building_footprint

    rows = []
    for building in buildings:
        outline = building_footprint(building)
        if outline is not None:
            outline = shapely.transform(outline, building.frame.to_world)
        reason = building.failure.reason if building.failure else None
        rows.append({"id": building.id, **building.attributes, "failure": reason, "geometry": outline})
    crs = buildings[0].frame.crs if buildings else None
    return geopandas.GeoDataFrame(rows, geometry="geometry", crs=crs)


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
