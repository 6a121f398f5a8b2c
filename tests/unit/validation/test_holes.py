"""Triangles of surfaces with holes use every corner, also those in the line of others."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from twin.validation.holes import triangulate_with_holes


@pytest.mark.parametrize("turn_deg", [0.0, 30.0, 90.0])
def test_holes_in_one_line_leave_no_corner_out(turn_deg: float) -> None:
    outer = [(10, 96), (20, 96), (20, 106), (10, 106)]
    holes = [
        [(13.02, 99.98), (14.98, 99.98), (14.98, 98.02), (13.02, 98.02)],
        [(13.02, 101.98), (14.952, 101.98), (13.02, 100.048)],
    ]
    turn = np.radians(turn_deg)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    flat = np.array([p for ring in (outer, *holes) for p in ring]) @ rotation
    ends = np.cumsum([4, 4, 3])
    cut = triangulate_with_holes(flat, ends)
    sides = {frozenset(pair) for t in cut.tolist() for pair in zip(t, (*t[1:], t[0]), strict=True)}
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        for p in range(start, end):
            assert frozenset((p, p + 1 if p + 1 < end else start)) in sides
    whole = shapely.Polygon(flat[:4], [flat[4:8], flat[8:]])
    parts = shapely.polygons(flat[cut])
    assert np.sum(shapely.area(parts)) == pytest.approx(whole.area, abs=1e-9)
    assert (shapely.area(shapely.difference(parts, whole.buffer(1e-7))) < 1e-9).all()
