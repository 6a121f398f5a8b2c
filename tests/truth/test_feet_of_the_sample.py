"""Buildings of the sample stand on its terrain: every foot, of every level of detail, walked against the triangles."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from pipelines.build import load
from pipelines.site import open_site
from twin.model.surface import Surface
from twin.terrain.sampler import TinSampler

GAP_M = 0.1
"""A gap counts from here [m]."""


def feet(geometry) -> np.ndarray:
    """(n, 3) points along the border of the ground face."""
    sides: Counter[tuple[int, int]] = Counter()
    for rings, code in zip(geometry.surfaces, geometry.semantics, strict=True):
        if code == Surface.GROUND:
            for ring in rings:
                for a, b in zip(ring, (*ring[1:], ring[0]), strict=True):
                    sides[min(a, b), max(a, b)] += 1
    border = np.array([side for side, count in sides.items() if count == 1])
    a, b = geometry.vertices[border[:, 0]], geometry.vertices[border[:, 1]]
    return np.concatenate([a + share * (b - a) for share in np.linspace(0, 1, 5)])


def test_no_gap_between_buildings_and_terrain(demo_site: Path) -> None:
    scene = load(open_site(demo_site)).scene
    sampler = TinSampler(scene.terrain.tin)
    worst, steepest, count = 0.0, 0.0, 0
    for building in scene.buildings:
        if building.failure is not None or building.attributes.get("buried_share", 0.0) > 0:
            continue
        for geometry in building.geometries:
            walked = feet(geometry)
            gap = np.abs(walked[:, 2] - sampler.heights(walked[:, :2]))
            assert np.isfinite(gap).all()
            worst, count = max(worst, float(gap.max())), count + int((gap > GAP_M).sum())
        span = np.ptp(walked[:, :2], axis=0).max()
        steepest = max(steepest, float(np.ptp(walked[:, 2]) / span))
    print(
        f"largest gap {worst:.3f} m, ground under buildings up to {100 * steepest:.0f} %, {count} gaps > 0.1 m"
    )
    assert count == 0 and steepest > 0.05


def test_the_whole_model_is_valid(demo_site: Path, twin) -> None:
    """Buildings, terrain, trees, woods, water and bridge, as they lie in the file."""
    ended = twin("validate", demo_site / "out" / "model" / "city.city.jsonl")
    assert ended.code == 0, ended.text
