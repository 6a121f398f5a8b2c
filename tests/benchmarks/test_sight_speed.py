"""One observer over 32 million cells (800 ha at 0.5 m), and what it sees against lines that test every crossing."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
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


def test_beside_gdal_viewshed(tmp_path: Path) -> None:
    """The same observer by GDAL's program, reading and writing in: times in turn, and what each sees of the truth."""
    program = shutil.which("gdal_viewshed")
    if program is None:
        pytest.skip("a peer: `apt install gdal-bin`")
    field = valley()
    row = col = 2800
    eye = (1400.0, -1400.0, float(field.heights[row, col]) + 30.0)
    with rasterio.open(
        tmp_path / "z.tif", "w", driver="GTiff", width=SIDE, height=SIDE, count=1, dtype="float32",
        crs="EPSG:3812", transform=rasterio.transform.from_origin(-0.25, 0.25, 0.5, 0.5),
    ) as target:  # fmt: skip
        target.write(field.heights.astype(np.float32), 1)
    call = [program, "-q", "-ox", "1400", "-oy", "-1400", "-oz", "30", "-tz", "0", "-cc", "0"]
    call += ["-md", "0", str(tmp_path / "z.tif"), str(tmp_path / "seen.tif")]
    sweep = SightSweep(field, threads=2)
    sweep.sees(eye)
    theirs, ours = [], []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(call, check=True, capture_output=True)
        theirs.append(time.perf_counter() - start)
        start = time.perf_counter()
        seen = sweep.sees(eye) == 1
        ours.append(time.perf_counter() - start)
    with rasterio.open(tmp_path / "seen.tif") as source:
        other = source.read(1) > 0
    assert other.shape == seen.shape
    x, y = field.centres()
    rng = np.random.default_rng(1)
    either = np.flatnonzero(seen | other)
    some = np.concatenate([rng.choice(either, SOME // 2), rng.choice(field.heights.size, SOME // 2)])
    rows, cols = np.divmod(some, SIDE)
    points = np.column_stack([x[cols], y[rows], field.heights[rows, cols]])
    truth = line_of_sight(field, points, np.array(eye))

    def jaccard(found: np.ndarray) -> float:
        return float((found[rows, cols] & truth).sum() / (found[rows, cols] | truth).sum())

    print(
        f"gdal_viewshed {np.median(theirs):.2f} s with its files, Jaccard {jaccard(other):.3f}; ours "
        f"{np.median(ours):.2f} s, {jaccard(seen):.4f}: {np.median(theirs) / np.median(ours):.1f} times as fast"
    )
    assert jaccard(seen) > jaccard(other)


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
