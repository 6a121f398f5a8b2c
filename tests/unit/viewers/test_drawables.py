"""Light on drawables: closed forms on a slab beside a plane."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from tests.study_worlds import box, flat, scene_of
from twin.frame import Frame
from twin.sun.dates import instant_at_solar_hour
from twin.visibility.caster import choose_device
from viewers.drawables import LitScene, near_region, split_faces


def test_split_faces_keeps_area_and_place() -> None:
    vertices = np.array([[0.0, 0, 0], [9, 0, 0], [9, 4, 0], [0, 4, 1]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    more, parts, source = split_faces(vertices, faces, 1.5, 10_000)
    assert np.array_equal(more[:4], vertices)

    def areas(v: np.ndarray, f: np.ndarray) -> np.ndarray:
        a, b, c = (v[f[:, k]] for k in range(3))
        return np.cross(b - a, c - a) / 2

    for face in (0, 1):
        whole, cut = areas(vertices, faces)[face], areas(more, parts[source == face])
        assert np.allclose(cut.sum(axis=0), whole)
        assert (cut @ whole > 0).all()
    corners = more[parts]
    assert np.linalg.norm(np.roll(corners, 1, axis=1) - corners, axis=2).max() <= 1.5
    limited = split_faces(vertices, faces, 0.01, 64)[1]
    assert 64 <= len(limited) <= 128


def test_a_block_shades_the_ground_behind_it(frame: Frame) -> None:
    scene = scene_of(flat(120.0), (box("tall", (0.0, 0.0), (10.0, 10.0, 30.0)),))
    lit = LitScene(scene, near_region([scene]), choose_device("cpu"))
    try:
        sun = instant_at_solar_hour(dt.date(2026, 3, 21), 12.0, "Europe/Brussels", frame)
        picture = lit.light(sun)
        cell = lit.grid.cell_size
        brightness = picture.ground.astype(float).mean(axis=2)

        def at(x: float, y: float) -> float:
            row, col = (int(v[0]) for v in lit.grid.rows_cols(np.array([x]), np.array([y])))
            return float(brightness[row, col])

        length = 30.0 / np.tan(np.radians(sun.altitude_deg))
        assert at(0.0, 5.0 + 0.5 * length) < 0.8 * at(0.0, -30.0)
        assert at(0.0, 5.0 + length + 3 * cell) == pytest.approx(at(0.0, -30.0), abs=2)
        walls = lit.pieces["buildings"]
        south = walls.normals[:, 1] < -0.9
        north = walls.normals[:, 1] > 0.9
        shade = picture.faces["buildings"].astype(float).mean(axis=1)
        assert shade[south].min() > shade[north].max()
        night = instant_at_solar_hour(dt.date(2026, 3, 21), 1.0, "Europe/Brussels", frame)
        assert lit.light(night).ground.mean() < picture.ground.mean()
    finally:
        lit.close()
