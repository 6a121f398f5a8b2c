"""Roofs and closed solids of the sample: closed, outward, of the right volume, at any turn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import shapely

from pipelines.sample import shapes
from pipelines.sample.glb import tower_mesh, write_tower
from pipelines.sample.shapes import Shape
from pipelines.sample.solids import outline_rings, true_solid
from pipelines.sample.things import Axes, TrueBuilding
from tests.tolerances import SAMPLE_VOLUME_M3
from twin.frame import Frame
from twin.model.geometry import Geometry
from twin.model.triangulate import triangulate

SHAPES = [
    shapes.gable(5.4, 9.0, 6.0, 9.6),
    shapes.gable(5.4, 9.0, 6.0, 9.6, (3.1, 4.0, 3.2)),
    shapes.mansard(6.0, 11.0, 9.0, 11.3, 12.9),
    shapes.hip(12.0, 9.0, 3.1, 6.2),
    shapes.hip(9.0, 9.0, 3.1, 6.2),
    shapes.flat(20.0, 12.0, 9.0),
    shapes.shed(3.0, 2.5, 2.1, 2.6),
    shapes.saw_tooth(60.0, 80.0, 7, 8.0, 12.0),
    shapes.bays(60.0, 80.0, 3, 10.0, 14.0),
    shapes.courtyard(40.0, 36.0, 10.0, 10.0, 13.5),
    shapes.setback(24.0, 24.0, 5.0, 20.0, 60.0),
    shapes.octagon(8.5, 55.0),
    shapes.church(38.0, 13.0, 10.5, 16.5, 23.0),
    shapes.half_hip(12.0, 9.0, 3.1, 6.2, 1.5),
    shapes.dormered(6.5, 10.0, 6.0, 9.6, (1.2, 3.4)),
    shapes.corner(12.0, 11.0, 5.5, 3.1, 5.2),
    shapes.butterfly(12.0, 9.0, 4.6, 3.4),
]


def placed(shape: Shape, turn_deg: float = 23.0) -> TrueBuilding:
    angle = np.radians(turn_deg)
    axes = Axes(137.0, -52.0, float(np.cos(angle)), float(np.sin(angle)))
    return TrueBuilding("b", "test", Shape(shape.kind, axes.local(shape.points), shape.faces), -1.5)


def open_edges(geometry: Geometry) -> int:
    """Edges that are not used exactly once in each direction."""
    used = Counter(
        edge
        for rings in geometry.surfaces
        for ring in rings
        for edge in zip(ring, ring[1:] + ring[:1], strict=True)
    )
    return sum(1 for (p, q), n in used.items() if n != 1 or used.get((q, p), 0) != 1)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.kind)
@pytest.mark.parametrize("turn_deg", [0.0, 23.0, 200.0])
def test_solids_are_closed_and_have_the_volume_of_their_prisms(
    shape: Shape, turn_deg: float, frame: Frame
) -> None:
    building = placed(shape, turn_deg)
    geometry = true_solid(building)
    assert open_edges(geometry) == 0
    expected = 0.0
    for face, (a, b, c) in zip(building.shape.faces, building.planes(), strict=True):
        part = shapely.Polygon(building.shape.points[[k for k, _ in face]])
        assert part.exterior.is_ccw
        expected += part.area * (a * part.centroid.x + b * part.centroid.y + c - building.bottom)
    assert triangulate(geometry, frame).signed_volume() == pytest.approx(expected, rel=SAMPLE_VOLUME_M3)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.kind)
def test_faces_are_planes_and_convex(shape: Shape) -> None:
    building = placed(shape)
    for face, (a, b, c) in zip(building.shape.faces, building.planes(), strict=True):
        xy = building.shape.points[[k for k, _ in face]]
        assert xy @ [a, b] + c == pytest.approx([z for _, z in face], abs=1e-9)
        polygon = shapely.Polygon(xy)
        assert polygon.convex_hull.area == pytest.approx(polygon.area)


def test_a_court_is_a_hole() -> None:
    building = placed(shapes.courtyard(40.0, 36.0, 10.0, 10.0, 13.5))
    assert len(building.outline.interiors) == 1
    assert building.outline.area == pytest.approx(40 * 36 - 20 * 16)
    assert [len(ring) for ring in outline_rings(building.shape)] == [4, 4]


def test_the_tower_model_is_closed_and_reads_as_glb(tmp_path) -> None:
    vertices, faces = tower_mesh(23, 24.0)
    edges = Counter(tuple(face[[k, (k + 1) % 3]]) for face in faces for k in range(3))
    assert all(n == 1 and edges[(q, p)] == 1 for (p, q), n in edges.items())
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0
    write_tower(tmp_path / "tower.glb", vertices, faces)
    raw = (tmp_path / "tower.glb").read_bytes()
    assert raw[:4] == b"glTF"
    assert int.from_bytes(raw[8:12], "little") == len(raw)
    assert vertices[:, 2].max() == pytest.approx(4.8 + 22 * 3.2)
