"""Footprints and areas: every feature becomes a footprint or a failure, in any order."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from pyproj import CRS

from twin.errors import InputError
from twin.frame import Frame
from twin.io.outlines import SNAP_M, clean_parts
from twin.io.vector import (
    VectorFeature,
    polygon_of_area,
    read_footprints,
    read_polygon,
    vector_info,
    write_geojson,
    write_gpkg,
)

E0, N0 = 732446, 643915


def square(x, y, side=10.0):
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [[[E0 + x, N0 + y] for x, y in ring] for ring in rings]}


def write_features(path, features, epsg=3812):
    """A synthetic GeoJSON of (properties, geometry)."""
    rows = [{"type": "Feature", "properties": p, "geometry": g} for p, g in features]
    head = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{epsg}"}}
    crs = {"crs": head} if epsg else {}
    path.write_text(json.dumps({"type": "FeatureCollection", **crs, "features": rows}))
    return path


def messy():
    bow_tie = [[100, 0], [120, 20], [120, 0], [100, 20], [100, 0]]
    spike = [[200, 0], [210, 0], [210, 5], [230, 5], [210, 5], [210, 10], [200, 10], [200, 0]]
    doubled = [[300, 0], [300, 0], [310, 0], [310.0002, 0], [310, 10], [300, 10], [300, 0]]
    hole = [[42, 2], [42, 8], [48, 8], [48, 2], [42, 2]]
    return [
        ({"id": "plain", "h": 7}, polygon(square(0, 0))),
        ({"id": "court", "h": None}, polygon(square(40, 0), hole)),
        ({"id": "bow", "h": 1}, polygon(bow_tie)),
        ({"id": "spike", "h": 1}, polygon(spike)),
        ({"id": "doubled", "h": 1}, polygon(doubled)),
        ({"id": "zz-twin", "h": 1}, polygon(square(0, 0)[::-1])),
        ({"id": "line", "h": 1}, {"type": "LineString", "coordinates": [[E0, N0], [E0 + 5, N0 + 5]]}),
        ({"id": "flat", "h": 1}, polygon([[0, 50], [10, 50], [20, 50], [0, 50]])),
        ({"id": "none", "h": 1}, None),
    ]


def test_every_feature_is_a_footprint_or_a_failure_with_its_reason(tmp_path, frame):
    layer = read_footprints(write_features(tmp_path / "f.geojson", messy()), frame, id_field="id")
    got = {f.id: f for f in layer.footprints}
    assert list(got) == ["bow-1", "bow-2", "court", "doubled", "plain", "spike"]
    assert {f.object_id: f.reason for f in layer.failures} == {
        "flat": "zero_area",
        "line": "not_polygon",
        "none": "null_geometry",
        "zz-twin": "duplicate_geometry",
    }
    assert (layer.features, layer.used, layer.outside) == (9, 5, 0)
    assert layer.features == layer.used + len(layer.failures) + layer.outside
    assert got["court"].polygon.area == pytest.approx(64)
    assert got["bow-1"].polygon.area == got["bow-2"].polygon.area == pytest.approx(100)
    assert got["spike"].polygon.area == pytest.approx(100)
    assert len(got["doubled"].polygon.exterior.coords) == 5
    assert got["plain"].polygon.bounds == (0, 0, 10, 10)
    assert got["plain"].attributes == {"h": 7}
    assert got["court"].attributes == {"h": None}
    assert any("repaired" in note and "bow" in note for note in layer.notes)
    for footprint in layer.footprints:
        assert footprint.polygon.exterior.is_ccw
        corners = shapely.get_coordinates(footprint.polygon)
        assert np.abs(corners / SNAP_M - np.round(corners / SNAP_M)).max() < 1e-6


def described(layer):
    return [(f.id, f.polygon.wkb, dict(f.attributes)) for f in layer.footprints], layer.failures


def test_the_order_of_features_and_corners_does_not_matter(tmp_path, frame):
    features = messy()
    first = read_footprints(write_features(tmp_path / "a.geojson", features), frame, id_field="id")
    turned = [(p, _turned(g)) for p, g in features[::-1]]
    second = read_footprints(write_features(tmp_path / "b.geojson", turned), frame, id_field="id")
    assert described(first) == described(second)


def _turned(geometry):
    """The same polygon from another corner, the other way round."""
    if geometry is None or geometry["type"] != "Polygon":
        return geometry
    return {**geometry, "coordinates": [[*r[2:-1], *r[:3]][::-1] for r in geometry["coordinates"]]}


def test_not_a_number_and_unclosed_rings(tmp_path, frame):
    text = "id,WKT\n"
    for name, ring in (
        ("nan", f"{E0} {N0},{E0 + 9} {N0},nan {N0 + 5},{E0} {N0}"),
        ("open", f"{E0} {N0},{E0 + 9} {N0},{E0 + 9} {N0 + 9}"),
    ):
        text += f'{name},"POLYGON(({ring}))"\n'
    text += f'arc,"CURVEPOLYGON(CIRCULARSTRING({E0} {N0},{E0 + 5} {N0 + 5},{E0 + 10} {N0},'
    text += f'{E0 + 5} {N0 - 5},{E0} {N0}))"\n'
    text += f'outline,"LINESTRING({E0} {N0},{E0 + 4} {N0},{E0 + 4} {N0 + 3},{E0} {N0})"\n'
    (tmp_path / "w.csv").write_text(text)
    layer = read_footprints(tmp_path / "w.csv", frame, id_field="id", crs_text="EPSG:3812")
    areas = {f.id: f.polygon.area for f in layer.footprints}
    assert areas == pytest.approx({"arc": np.pi * 25, "open": 40.5, "outline": 6.0}, rel=0.01)
    assert [(f.object_id, f.reason) for f in layer.failures] == [("nan", "nan_coordinates")]


def test_ids_guessed_missing_repeated(tmp_path, frame):
    path = tmp_path / "f.geojson"
    shapes = [polygon(square(30 * k, 0)) for k in range(4)]
    columns = {"gml_id": ["a", None, "c", "d"], "OSM_ID": [5.0, 6.0, 7.0, 9.0], "h": [1, 2, 3, 4]}
    rows = [{key: values[k] for key, values in columns.items()} for k in range(4)]
    layer = read_footprints(write_features(path, list(zip(rows, shapes, strict=True))), frame)
    assert layer.id_field == "OSM_ID"
    assert [f.id for f in layer.footprints] == ["5", "6", "7", "9"]
    assert any("gml_id" in note or "OSM_ID" in note for note in layer.notes)

    asked = read_footprints(path, frame, id_field="GML_ID")
    assert [f.id for f in asked.footprints] == ["a", "c", "d"]
    assert [f.reason for f in asked.failures] == ["missing_id"]

    with pytest.raises(InputError, match=r"no field 'georef'.*gml_id, OSM_ID, h"):
        read_footprints(path, frame, id_field="georef")


def test_without_a_field_ids_come_from_the_outline_not_from_the_order(tmp_path, frame):
    features = [({"h": k}, polygon(square(30 * k, 3.0))) for k in range(4)]
    a = read_footprints(write_features(tmp_path / "a.geojson", features), frame)
    b = read_footprints(write_features(tmp_path / "b.geojson", features[::-1]), frame)
    assert a.id_field is None
    assert [f.id for f in a.footprints] == [f.id for f in b.footprints]
    assert all(f.id.startswith("f-") for f in a.footprints)
    assert any("made from the outlines" in note for note in a.notes)


def test_one_id_for_several_outlines_means_parts_unless_they_overlap(tmp_path, frame):
    features = [
        ({"id": "a"}, polygon(square(0, 0))),
        ({"id": "a"}, polygon(square(10, 0, 12))),
        ({"id": "a"}, polygon(square(5, 5))),
        ({"id": "b"}, polygon(square(50, 50))),
    ]
    layer = read_footprints(write_features(tmp_path / "f.geojson", features), frame, id_field="id")
    assert [(f.id, round(f.polygon.area)) for f in layer.footprints] == [
        ("a-1", 144),
        ("a-2", 100),
        ("b", 100),
    ]
    assert [(f.object_id, f.reason) for f in layer.failures] == [("a", "duplicate_id")]
    assert layer.features == layer.used + len(layer.failures)


def test_an_area_keeps_what_touches_it(tmp_path, frame):
    features = [({"id": str(k)}, polygon(square(30 * k, 0))) for k in range(5)]
    path = write_features(tmp_path / "f.geojson", features)
    layer = read_footprints(path, frame, id_field="id", area=shapely.box(5, 5, 65, 70))
    assert [f.id for f in layer.footprints] == ["0", "1", "2"]
    assert layer.outside == 2
    assert layer.features == layer.used + len(layer.failures) + layer.outside


def test_layers_are_listed_where_the_choice_is_open(tmp_path, frame):
    path = tmp_path / "two.gpkg"
    one = [VectorFeature("x", shapely.box(0, 0, 5, 5))]
    road = [VectorFeature("r", shapely.LineString([(0, 0), (9, 4)]))]
    write_gpkg(path, {"houses": one, "sheds": one, "roads": road}, frame)
    with pytest.raises(InputError, match=r"several layers.*houses.*sheds"):
        read_footprints(path, frame)
    with pytest.raises(InputError, match=r"no layer 'nope'.*houses.*roads"):
        read_footprints(path, frame, layer="nope")
    assert read_footprints(path, frame, layer="sheds").footprints[0].polygon.area == 25
    write_gpkg(path, {"houses": one, "roads": road}, frame)
    layer = read_footprints(path, frame)
    assert layer.layer == "houses"
    assert any("only one of polygons" in note for note in layer.notes)
    write_gpkg(path, {"roads": road}, frame)
    with pytest.raises(InputError, match="expected a layer of polygons"):
        read_footprints(path, frame)


def test_missing_files_broken_files_and_unknown_crs_say_what_to_do(tmp_path, frame):
    with pytest.raises(InputError, match="no such file"):
        read_footprints(tmp_path / "nothing.gpkg", frame)
    (tmp_path / "text.gpkg").write_text("hello")
    with pytest.raises(InputError, match="expected a vector file"):
        read_footprints(tmp_path / "text.gpkg", frame)
    features = [({"id": "a"}, polygon(square(0, 0)))]
    nowhere = write_features(tmp_path / "nowhere.geojson", features, epsg=None)
    with pytest.raises(InputError, match=r"does not say in which CRS"):
        read_footprints(nowhere, frame)
    stated = read_footprints(nowhere, frame, crs_text="EPSG:3812")
    assert stated.footprints[0].polygon.bounds == (0, 0, 10, 10)
    known = write_features(tmp_path / "known.geojson", features)
    assert len(read_footprints(known, frame, crs_text="EPSG:8370").footprints) == 1
    with pytest.raises(InputError, match=r"EPSG:3812.*EPSG:31370"):
        read_footprints(known, frame, crs_text="EPSG:31370")
    with pytest.raises(InputError, match="not a CRS"):
        read_footprints(nowhere, frame, crs_text="EPSG:nonsense")


def test_degrees_are_moved_into_the_frame(tmp_path):
    frame = Frame(CRS.from_epsg(32631), "unknown", (680000, 5608000))
    from pyproj import Transformer

    way = Transformer.from_crs(32631, 4326, always_xy=True)
    ring = [list(way.transform(680000 + x, 5608000 + y)) for x, y in square(100, 200, 50)]
    path = write_features(
        tmp_path / "deg.geojson", [({"id": "a"}, {"type": "Polygon", "coordinates": [ring]})], epsg=None
    )
    layer = read_footprints(path, frame)
    assert np.allclose(layer.footprints[0].polygon.bounds, (100, 200, 150, 250), atol=0.0011)
    assert any("moved from" in note for note in layer.notes)


def test_an_outline_that_cannot_be_moved_fails_alone(tmp_path):
    """A quarter of the globe away a transverse Mercator has no answer."""
    frame = Frame(CRS.from_epsg(32631), "unknown", (680000, 5608000))
    here = [[5.5, 50.6], [5.501, 50.6], [5.501, 50.601], [5.5, 50.6]]
    there = [[5.5, 50.6], [95.0, 0.0], [5.501, 50.601], [5.5, 50.6]]
    features = [
        ({"id": name}, {"type": "Polygon", "coordinates": [ring]})
        for name, ring in (("a", here), ("b", there))
    ]
    layer = read_footprints(write_features(tmp_path / "f.geojson", features, epsg=None), frame)
    assert [f.id for f in layer.footprints] == ["a"]
    assert [(f.object_id, f.reason) for f in layer.failures] == [("b", "not_transformable")]


def test_a_polygon_by_its_name(tmp_path, frame):
    path = tmp_path / "site.geojson"
    shapes = [
        VectorFeature("base", shapely.box(1, 2, 11, 22)),
        VectorFeature("tower", shapely.box(3, 4, 8, 9)),
    ]
    write_geojson(path, shapes, frame)
    assert read_polygon(f"{path}#tower", frame).equals(shapes[1].geometry)
    with pytest.raises(InputError, match=r"2 features.*base, tower"):
        read_polygon(path, frame)
    with pytest.raises(InputError, match=r"no feature 'roof'.*base, tower"):
        read_polygon(f"{path}#roof", frame)
    write_geojson(path, shapes[:1], frame)
    assert read_polygon(path, frame).equals(shapes[0].geometry)
    assert polygon_of_area(path, frame).equals(shapes[0].geometry)
    with pytest.raises(InputError, match="no such file"):
        read_polygon(f"{tmp_path / 'gone.geojson'}#base", frame)


def test_an_area_as_a_ring(frame):
    ring = [[E0 + x, N0 + y] for x, y in square(5, 6)]
    for corners in (ring, ring[:-1], ring[::-1]):
        assert polygon_of_area(corners, frame).equals(shapely.box(5, 6, 15, 16))
    for bad in (ring[:2], [[1, 2, 3]] * 4, [[E0, N0], [float("nan"), N0], [E0, N0 + 1]]):
        with pytest.raises(InputError, match="ring of three"):
            polygon_of_area(bad, frame)
    with pytest.raises(InputError, match="crosses itself"):
        polygon_of_area([[E0, N0], [E0 + 9, N0 + 9], [E0 + 9, N0], [E0, N0 + 9]], frame)


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg"])
def test_what_is_written_reads_back_and_has_the_same_bytes_each_time(tmp_path, frame, suffix):
    shapes = [
        VectorFeature("é-1", shapely.box(0.123, 0, 5, 5), {"h": 3.5, "n": 4, "name": "Écluse", "gap": None}),
        VectorFeature("b", shapely.box(10, 0, 15, 5), {"h": 4.5, "n": 5, "name": "b", "gap": "x"}),
    ]
    paths = [tmp_path / f"{k}{suffix}" for k in "ab"]
    for path in paths:
        write_geojson(path, shapes, frame) if suffix == ".geojson" else write_gpkg(path, {"f": shapes}, frame)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    layer = read_footprints(paths[0], frame)
    assert layer.crs_name == "EPSG:3812"
    back = {f.id: f for f in layer.footprints}
    assert back["é-1"].polygon.equals(shapes[0].geometry)
    assert back["é-1"].attributes == shapes[0].attributes


def test_a_field_called_fid_survives_a_geopackage(tmp_path, frame):
    shapes = [VectorFeature("x", shapely.box(0, 0, 5, 5), {"fid": "F7", "id": "ignored"})]
    write_gpkg(tmp_path / "a.gpkg", {"f": shapes}, frame)
    (footprint,) = read_footprints(tmp_path / "a.gpkg", frame, id_field="fid").footprints
    assert (footprint.id, footprint.attributes) == ("F7", {"id": "x"})


def test_info_lists_layers_fields_crs_bounds_and_count(tmp_path, frame):
    write_gpkg(tmp_path / "a.gpkg", {"f": [VectorFeature("x", shapely.box(0, 0, 5, 5), {"h": 1})]}, frame)
    (info,) = vector_info(tmp_path / "a.gpkg")
    assert (info.name, info.geometry_type, info.fields, info.count) == ("f", "Polygon", ("id", "h"), 1)
    assert info.crs == CRS.from_epsg(3812)
    assert info.bounds == (E0, N0, E0 + 5, N0 + 5)


def test_cleaning_twice_changes_nothing():
    star = shapely.Polygon([(0, 0), (7.1234567, 9), (-3, 4), (8, 3.3333333), (1, 9)])
    parts, broken = clean_parts(star)
    assert broken
    again = [p for part in parts for p in clean_parts(part)[0]]
    assert [p.wkb for p in again] == [p.wkb for p in parts]
