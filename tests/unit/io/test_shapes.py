"""Lines and polygons of a vector file: one layer, in the site's frame, refused with a word."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from twin.errors import InputError
from twin.io.shapes import read_shapes, split_place
from twin.io.vector import VectorFeature, write_gpkg


@pytest.fixture
def folder(tmp_path, frame):
    wall = shapely.LineString([(0.0, 1.0), (40.0, 7.5)])
    pond = shapely.Polygon([(5, 5), (25, 6), (20, 30)])
    layers = {
        "walls": [VectorFeature("w", wall)],
        "ponds": [VectorFeature("p", pond)],
    }
    write_gpkg(tmp_path / "site#1.gpkg", layers, frame)
    return tmp_path


def test_lines_and_polygons_come_in_local_space(folder, frame):
    (wall,) = read_shapes("site#1.gpkg#walls", folder, frame, "lines")
    assert shapely.get_coordinates(wall) == pytest.approx(np.array([[0.0, 1.0], [40.0, 7.5]]), abs=1e-3)
    (pond,) = read_shapes("site#1.gpkg#ponds", folder, frame, "polygons")
    assert pond.area == pytest.approx(242.5)
    assert read_shapes("site#1.gpkg#ponds", folder, frame, "lines")[0].geom_type.endswith("Polygon")


def test_a_name_may_hold_a_hash(folder):
    assert split_place("site#1.gpkg", folder) == (folder / "site#1.gpkg", None)
    assert split_place("site#1.gpkg#walls", folder) == (folder / "site#1.gpkg", "walls")


def test_faults_name_the_file_and_its_layers(folder, frame):
    with pytest.raises(InputError, match=r"name one layer as site#1\.gpkg#LAYER; the file has: .*walls"):
        read_shapes("site#1.gpkg", folder, frame, "lines")
    with pytest.raises(InputError, match="no such file"):
        read_shapes("none.gpkg#walls", folder, frame, "lines")
    with pytest.raises(InputError, match="expected polygons, feature 1 is a LineString"):
        read_shapes("site#1.gpkg#walls", folder, frame, "polygons")
