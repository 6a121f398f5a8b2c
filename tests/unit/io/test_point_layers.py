"""Points with heights from vector files."""

from __future__ import annotations

from pathlib import Path

import pytest
import shapely

from tests.study_worlds import FRAME
from twin.errors import InputError
from twin.io.point_layers import read_points
from twin.io.vector import VectorFeature, write_gpkg


def layer(path: Path, **layers: list[object]) -> Path:
    features = {
        name: [VectorFeature(str(k), shape, {"room": "a"}) for k, shape in enumerate(shapes)]
        for name, shapes in layers.items()
    }
    write_gpkg(path, features, FRAME)
    return path


def test_points_come_in_local_space(tmp_path: Path) -> None:
    (found,) = read_points(layer(tmp_path / "w.gpkg", w=[shapely.Point(3.5, -2.0, 71.25)]), FRAME)
    assert (found.x, found.y, found.z) == pytest.approx((3.5, -2.0, 71.25))
    assert found.attributes["room"] == "a" and not found.problem
    (flat,) = read_points(layer(tmp_path / "v.gpkg", w=[shapely.Point(3.5, -2.0)]), FRAME)
    assert flat.z is None


def test_what_is_no_single_point_says_so(tmp_path: Path) -> None:
    shapes = [shapely.MultiPoint([(0, 0)]), shapely.MultiPoint([(0, 0), (1, 1)])]
    found = read_points(layer(tmp_path / "w.gpkg", w=shapes), FRAME)
    assert [bool(point.problem) for point in found] == [False, True]


def test_wrong_layers(tmp_path: Path) -> None:
    path = layer(tmp_path / "w.gpkg", w=[shapely.Point(0, 0)], v=[shapely.Point(0, 0)])
    with pytest.raises(InputError, match="one layer of points"):
        read_points(path, FRAME)
    with pytest.raises(InputError, match="no layer 'x'"):
        read_points(path, FRAME, layer="x")
    assert len(read_points(path, FRAME, layer="v")) == 1
