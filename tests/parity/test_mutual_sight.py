"""A sees B exactly when B sees A: 10,000 pairs, on each engine, over the flat and over the round earth."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_worlds import box, flat, scene_of
from twin.model.objects import Tree
from twin.study.occluders import face_table
from twin.study.sight import bend_vertices, sees
from twin.visibility.caster import choose_device, make_caster
from twin.visibility.occluders import HeightField
from twin.visibility.reference import line_of_sight
from twin.visibility.sight_sweep import SightSweep

PAIRS, LEAST_SEEN = 10_000, 3_000


def town() -> tuple:
    """Synthetic: 150 blocks and 60 trees on 16 ha."""
    rng = np.random.default_rng(7)
    blocks = tuple(
        box(
            f"b{k}", tuple(rng.uniform(-190, 190, 2)), tuple(rng.uniform(6, 18, 3)), float(rng.uniform(0, 90))
        )
        for k in range(150)
    )
    ground = flat(200.0)
    places = rng.uniform(-190, 190, (60, 2))
    trees = tuple(
        Tree(f"t{k}", ground.frame, float(x), float(y), 0.0, 9.0, 3.0, 2.0) for k, (x, y) in enumerate(places)
    )
    return scene_of(ground, blocks, trees=trees), rng


@pytest.mark.parametrize("round_earth", [False, True])
@pytest.mark.parametrize("engine", ["cpu", "gpu"])
def test_sight_is_mutual(engine: str, round_earth: bool, request: pytest.FixtureRequest) -> None:
    device = request.getfixturevalue("gpu_device") if engine == "gpu" else choose_device("cpu")
    scene, rng = town()
    a, b = (
        np.column_stack([rng.uniform(-195, 195, (PAIRS, 2)), rng.uniform(0.01, 25.0, PAIRS)])
        for _ in range(2)
    )
    # Also level pairs, pairs upright over each other, and points on walls' corners.
    b[:500, 2], b[500:600, :2] = a[:500, 2], a[500:600, :2]
    corners = np.concatenate([block.geometries[-1].vertices for block in scene.buildings])
    b[600:1800] = corners[:1200]
    table = face_table(scene)
    if round_earth:
        place = (float(a[0, 0]), float(a[0, 1]))
        table = table.with_vertices(bend_vertices(table.vertices, place, 0.13))
        a, b = bend_vertices(a, place, 0.13), bend_vertices(b, place, 0.13)
    caster = make_caster(table.triangles(), device)
    there, back = sees(caster, a, b), sees(caster, b, a)
    # And one by one, as a study of single lines asks.
    few = [bool(sees(caster, a[k : k + 1], b[k])[0]) for k in range(0, PAIRS, 97)]
    caster.close()
    assert (there != back).sum() == 0 and few == there[::97].tolist()
    assert LEAST_SEEN <= there.sum() <= PAIRS - LEAST_SEEN


def test_sight_over_a_height_field_is_mutual_by_lines_and_nearly_so_by_sweeps() -> None:
    """Lines that test every crossing: no pair differs. Sweeps read between two rays: how many differ is told."""
    rng = np.random.default_rng(8)
    z = np.cumsum(np.cumsum(rng.normal(0, 0.02, (120, 140)), axis=0), axis=1)
    z[30:42, 50:75] += 6.0
    field = HeightField(z, 1.0, 1.0, 0.0, 0.0)
    x, y = field.centres()
    rows, cols = rng.integers(0, 120, (2, PAIRS)), rng.integers(0, 140, (2, PAIRS))
    height = 4.0
    a, b = (np.column_stack([x[c], y[r], z[r, c] + height]) for r, c in zip(rows, cols, strict=True))
    there = np.concatenate(
        [line_of_sight(field, a[k : k + 2000], b[k : k + 2000]) for k in range(0, PAIRS, 2000)]
    )
    back = np.concatenate(
        [line_of_sight(field, b[k : k + 2000], a[k : k + 2000]) for k in range(0, PAIRS, 2000)]
    )
    assert (there != back).sum() == 0
    assert LEAST_SEEN <= there.sum() <= PAIRS - 1000
    sweep, some = SightSweep(field), range(0, PAIRS, 25)
    ways = [
        [bool(sweep.sees(tuple(map(float, p[k])), height)[r[k], c[k]] == 1) for k in some]
        for p, r, c in ((a, rows[1], cols[1]), (b, rows[0], cols[0]))
    ]
    differ = np.mean(np.array(ways[0]) != np.array(ways[1]))
    print(f"sweeps: {100 * differ:.2f} % of pairs differ by the way they are looked along")
    assert differ <= 0.02
