"""How fast solids are validated, self-intersection included."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.solid_worlds import boundaries, prism, turned
from twin.validation.validate import validate_geometry


def comb(teeth: int):
    """A building of many wings: an upright prism over a comb, four walls a tooth."""
    ring = [(0.0, 0.0), (4.0 * teeth, 0.0)]
    for k in range(teeth, 0, -1):
        x = 4.0 * k
        ring += [(x, 12.0), (x - 2.5, 12.0), (x - 2.5, 5.0), (x - 4.0, 5.0)]
    points, sides = prism(np.array([*ring[:-1], (0.0, 5.0)]), 0.0, 9.0)
    return boundaries(turned(points), sides)


@pytest.mark.parametrize(("teeth", "limit_ms"), [(7, 3.0), (24, 10.0), (125, 100.0)])
def test_a_building(benchmark: BenchmarkFixture, teeth: int, limit_ms: float) -> None:
    """30 faces in 3 ms at most, warm; a hundred in 10 ms; 500 faces (2,000 triangles) in 100 ms."""
    world = comb(teeth)
    assert validate_geometry(world) == ()
    benchmark.pedantic(validate_geometry, args=(world,), rounds=30, warmup_rounds=3)
    took = 1000 * benchmark.stats.stats.median
    print(f"{len(world.shells)} faces: {took:.2f} ms")
    assert took <= limit_ms


def test_a_terrain(benchmark: BenchmarkFixture) -> None:
    """A CompositeSurface of 80,000 triangles."""
    n = 201
    x, y = np.meshgrid(np.arange(n), np.arange(n))
    z = np.random.default_rng(0).normal(0, 0.2, (n, n))
    at = np.arange(n * n).reshape(n, n)
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, 1:].ravel(), at[1:, :-1].ravel()
    faces = np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    world = boundaries(
        np.column_stack([x.ravel(), y.ravel(), z.ravel()]).astype(float),
        [(tuple(face),) for face in faces.tolist()],
        "CompositeSurface",
    )
    assert benchmark.pedantic(validate_geometry, args=(world,), rounds=1, warmup_rounds=1) == ()
    print(f"{len(faces)} triangles: {benchmark.stats.stats.median:.2f} s")
