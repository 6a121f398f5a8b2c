"""Footprints nobody here drew."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from pyproj import CRS, Geod

from twin.errors import InputError
from twin.frame import Frame
from twin.io.vector import read_footprints

DELFT = ("EPSG:28992", "EPSG:5709", (85000, 447400))


def frame_of(crs, vertical, origin):
    return Frame(CRS.from_user_input(crs), vertical, origin)


def test_delft_buildings_are_those_of_an_independent_model(test_data):
    folder = test_data / "lidar/3dfier_delft"
    layer = read_footprints(folder / "bgt/bgt_pand.sqlite", frame_of(*DELFT))
    assert (layer.layer, layer.id_field, layer.crs_name) == ("buildingpart", "gml_id", "EPSG:28992")
    assert (layer.features, layer.used, layer.failures) == (160, 160, ())
    model = json.loads((folder / "output/testarea.json").read_text())
    buildings = {k for k, v in model["CityObjects"].items() if v["type"] == "Building"}
    assert {f.id for f in layer.footprints} == buildings
    assert all(f.polygon.is_valid and f.polygon.area > 1 for f in layer.footprints)


def test_a_building_stored_part_by_part_keeps_its_id(test_data):
    frame = frame_of("EPSG:28992", "EPSG:5709", (85000, 446000))
    layer = read_footprints(test_data / "vector/city4cfd_tudcampus/tudcampus.geojson", frame)
    assert layer.id_field == "identificatie"
    parts = [f for f in layer.footprints if f.id.startswith("NL.IMBAG.Pand.0503100000030264")]
    assert [f.id[-2:] for f in parts] == ["-1", "-2", "-3", "-4"]
    assert parts[0].polygon.area == pytest.approx(11233.79, abs=0.1)
    # One outline of 16 cm2 is all that fails.
    assert [f.reason for f in layer.failures] == ["zero_area"]
    assert layer.features == 1529 == layer.used + len(layer.failures)


def test_a_file_of_several_layers_asks_which(test_data):
    path = test_data / "vector/momepy/bubenec.gpkg"
    frame = frame_of("EPSG:32633", "unknown", (457000, 5550000))
    with pytest.raises(InputError, match=r"tessellation.*buildings.*streets.*plots"):
        read_footprints(path, frame)
    layer = read_footprints(path, frame, layer="buildings")
    assert (layer.used, layer.crs_name) == (144, "EPSG:3857")
    # The map scale of EPSG:3857 at 50 degrees is gone: areas shrink by its square.
    mercator = shapely.area(shapely.from_wkb(_wkb(path, "buildings"))).sum()
    ground = sum(f.polygon.area for f in layer.footprints)
    assert mercator / ground == pytest.approx(1 / np.cos(np.radians(50.105)) ** 2, rel=0.01)


def _wkb(path, layer):
    import pyogrio

    return pyogrio.raw.read(path, layer=layer)[2]


def test_degrees_become_metres(test_data):
    frame = frame_of("EPSG:32654", "unknown", (384000, 3934000))
    layer = read_footprints(test_data / "vector/pybdshadow/bd_demo.json", frame)
    assert (layer.features, layer.used, layer.id_field) == (1374, 1374, "id")
    degrees = shapely.from_wkb(_wkb(test_data / "vector/pybdshadow/bd_demo.json", None))
    on_ellipsoid = sum(abs(Geod(ellps="WGS84").geometry_area_perimeter(shape)[0]) for shape in degrees)
    mapped = sum(f.polygon.area for f in layer.footprints)
    assert mapped / on_ellipsoid == pytest.approx(frame.scale**2, rel=1e-3)
    assert all(isinstance(f.attributes["height"], int) for f in layer.footprints)


def test_only_the_area_is_read_of_a_large_file(test_data):
    frame = frame_of("EPSG:28992", "EPSG:5709", (123000, 483000))
    path = test_data / "vector/optim3d_amsterdam/footprints.shp"
    layer = read_footprints(path, frame, area=shapely.box(0, 0, 300, 300))
    whole = read_footprints(path, frame)
    assert (whole.features, whole.id_field) == (4040, "osmid")
    inside = {f.id for f in whole.footprints if f.polygon.intersects(shapely.box(0, 0, 300, 300))}
    assert {f.id for f in layer.footprints} == inside
    assert 0 < layer.features < 1000
