"""The nouns in the tables, arrays and meshes of other packages, at their place in the world."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely

from tests.format_worlds import CORNER, FRAME, SIZE, VOLUME_M3, box, building, nearest, plane, scene
from tests.tolerances import FORMAT_PLACE_M
from twin.errors import InputError, MissingDependencyError
from twin.frame import Frame
from twin.io.interop import to_geodataframe, to_xarray
from twin.model.objects import Building, Failure
from twin.model.raster import Grid, Raster
from twin.model.scene import walk
from twin.model.surface import Surface

EAST, NORTH, HEIGHT = CORNER


def test_a_table_of_buildings_has_outlines_in_the_world_and_attributes() -> None:
    empty = Building("e", FRAME, attributes={"h_m": 3.0}, failure=Failure("e", "no_points", "none"))
    table = to_geodataframe([building("b", {"h_m": 11.0, "use": "school"}), empty])
    assert list(table.columns) == ["id", "h_m", "use", "failure", "geometry"]
    assert table["id"].tolist() == ["b", "e"] and table["h_m"].tolist() == [11.0, 3.0]
    assert table["failure"].isna().tolist() == [True, False] and table["failure"].iloc[1] == "no_points"
    assert table.crs.to_epsg() == 3812 and table.attrs["heights"] == "EPSG:5710"
    expected = shapely.box(EAST, NORTH, EAST + SIZE[0], NORTH + SIZE[1])
    assert table.geometry.iloc[0].symmetric_difference(expected).area < 40 * FORMAT_PLACE_M
    assert table.geometry.iloc[1] is None


def test_attributes_do_not_cover_our_columns() -> None:
    attributes = {"id": "other", "geometry": "text", "failure": 1, "status": "x"}
    table = to_geodataframe([building("b", attributes)])
    row = table.iloc[0]
    assert row["id"] == "b" and table["failure"].isna().all() and row["geometry"].area == pytest.approx(40.0)
    assert {k: row[f"attribute_{k}"] for k in attributes} == attributes


def test_an_empty_table_has_its_columns() -> None:
    table = to_geodataframe([])
    assert list(table.columns) == ["id", "failure", "geometry"] and len(table) == 0


def test_buildings_of_two_frames_are_refused() -> None:
    moved = Frame(FRAME.crs, FRAME.vertical, (732_000, 643_000))
    with pytest.raises(InputError, match="building 'x' lies in"):
        to_geodataframe([building(), Building("x", moved, (box(frame=moved),))])


def test_a_scene_tells_existing_from_proposed() -> None:
    table = scene().to_geodataframe()
    assert dict(zip(table["id"], table["status"], strict=True)) == {"b-1": "existing", "p-1": "proposed"}
    assert table.geometry.area.tolist() == pytest.approx([40.0, 40.0], rel=1e-4)


def test_a_raster_has_world_coordinates_with_north_first() -> None:
    grid = Grid(FRAME, -20.0, 10.0, 0.5, 3, 4)
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    values[2, 1] = np.nan
    array = Raster(grid, values).to_xarray()
    assert array.dims == ("y", "x") and array.shape == (3, 4)
    east, north = FRAME.origin
    assert array.x.values.tolist() == [east - 19.75, east - 19.25, east - 18.75, east - 18.25]
    assert array.y.values.tolist() == [north + 9.75, north + 9.25, north + 8.75]
    assert float(array.sel(x=east - 19.25, y=north + 9.75)) == 1.0
    assert np.array_equal(array.values, values, equal_nan=True) and array.dtype == np.float32
    assert array.attrs["heights"] == "EPSG:5710" and array.attrs["cell_size_m"] == 0.5
    assert "3812" in array.attrs["crs"]
    array.values[0, 0] = 99.0
    assert values[0, 0] == 0.0


def test_a_height_read_from_the_array_is_that_of_the_plane() -> None:
    """The ground rises by 0.1 to the east: an independent interpolation finds it."""
    array = to_xarray(plane().dtm)
    found = float(array.interp(x=EAST, y=NORTH, method="linear"))
    assert found == pytest.approx(60 + 0.1 * (EAST - FRAME.origin[0]), abs=1e-4)


def test_a_building_as_a_mesh() -> None:
    made = building().to_trimesh()
    made.merge_vertices()
    assert made.is_watertight and made.volume == pytest.approx(VOLUME_M3)
    assert nearest(FRAME.to_world(made.vertices)) < FORMAT_PLACE_M
    codes = made.face_attributes["semantics"]
    assert np.bincount(codes).tolist()[1:4] == [2, 8, 2]
    two = Building("b", FRAME, (box(), box(lod="2.2", size=(1, 1, 1))))
    assert two.to_trimesh().volume == pytest.approx(1.0)
    assert two.to_trimesh("1.2").volume == pytest.approx(VOLUME_M3)


def test_a_building_without_that_geometry_says_what_it_has() -> None:
    with pytest.raises(InputError, match=r"'b-1' has no geometry of LoD 3 \(has 1\.2\)"):
        building().to_trimesh("3")
    failed = Building("f", FRAME, failure=Failure("f", "no_points", "none"))
    with pytest.raises(InputError, match=r"'f' has no geometry of LoD any \(has none\): no_points"):
        failed.to_trimesh()


def test_items_of_the_walk_as_meshes() -> None:
    made = {item.id: item.to_trimesh() for item in walk(scene())}
    assert made["p-1"].metadata["status"] == "proposed" and made["p-1"].metadata["layer"] == "proposals"
    assert made["terrain"].metadata["type"] == "TINRelief"
    assert set(made["terrain"].face_attributes["semantics"]) == {Surface.TERRAIN}
    assert made["b-1"].volume == pytest.approx(VOLUME_M3)
    vertices: Any = made["b-1"].vertices
    vertices[0] = 0.0
    assert made["b-1"].vertices[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("geopandas", lambda: to_geodataframe([building()])),
        ("geopandas", lambda: scene().to_geodataframe()),
        ("xarray", lambda: plane().dtm.to_xarray()),
    ],
)
def test_a_package_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, call: Callable[[], Any]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=f"needs {package}: pip install {package}"):
        call()
