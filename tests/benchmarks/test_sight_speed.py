"""One observer over 32 million cells (800 ha at 0.5 m), and what it sees against lines that test every crossing."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import zoom

from twin.visibility.occluders import HeightField
from twin.visibility.reference import line_of_sight
from twin.visibility.sight_sweep import SightSweep

SIDE = 5657
SOME = 4_000


def valley() -> HeightField:
    """Synthetic: rolling ground with 3,000 blocks."""
    rng = np.random.default_rng(0)
    z = zoom(rng.normal(0, 8, (60, 60)), SIDE / 60, order=1)[:SIDE, :SIDE]
    for _ in range(3000):
        r, c = rng.integers(0, SIDE - 40, 2)
        z[r : r + rng.integers(10, 40), c : c + rng.integers(10, 40)] += rng.uniform(4, 25)
    return HeightField(z, 0.5, 0.5, 0.0, 0.0)


def test_an_observer_of_a_valley(benchmark) -> None:
    field = valley()
    sweep = SightSweep(field, threads=2)
    eye = (1400.0, -1400.0, float(field.heights[2800, 2800]) + 30.0)
    seen = benchmark.pedantic(sweep.sees, args=(eye,), rounds=5, warmup_rounds=1) == 1
    x, y = field.centres()
    # Half of the cells from those that are seen, so that few that are do not hide the error.
    rng = np.random.default_rng(1)
    some = np.concatenate(
        [rng.choice(np.flatnonzero(seen), SOME // 2), rng.choice(field.heights.size, SOME // 2)]
    )
    rows, cols = np.divmod(some, SIDE)
    truth = line_of_sight(
        field, np.column_stack([x[cols], y[rows], field.heights[rows, cols]]), np.array(eye)
    )
    ours = seen[rows, cols]
    jaccard = (ours & truth).sum() / (ours | truth).sum()
    rate = field.heights.size / benchmark.stats.stats.median / 1e6
    print(f"{rate:.0f} million cells/s, Jaccard {jaccard:.4f} against brute force")
    assert jaccard >= 0.99


def test_targets_of_a_zone_of_visibility(benchmark) -> None:
    """20 of 200 targets over 8 million cells at eye height, as a zone of theoretical visibility asks."""
    field = valley()
    part = HeightField(field.heights[::2, ::2], 1.0, 1.0, 0.0, 0.0)
    sweep = SightSweep(part, bend=6.8e-8, threads=2)
    ground = float(part.heights[1400, 1400])
    targets = [(1400.0 + 3.0 * k, -1400.0, ground + 5.0 + 2.0 * k) for k in range(20)]

    def zone() -> np.ndarray:
        return sum((sweep.sees(target, 1.6) == 1).astype(np.int32) for target in targets)

    count = benchmark.pedantic(zone, rounds=1, warmup_rounds=1)
    print(
        f"200 targets over {part.heights.size / 1e6:.0f} million cells: {10 * benchmark.stats.stats.median:.0f} s"
    )
    assert count.max() == 20
