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

from twin.visibility.exposed import FaceTargets
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


def test_beside_gdal_viewshed(benchmark, tmp_path: Path) -> None:
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
    theirs = []

    def peer() -> None:
        start = time.perf_counter()
        subprocess.run(call, check=True, capture_output=True)
        theirs.append(time.perf_counter() - start)

    seen = benchmark.pedantic(lambda: sweep.sees(eye) == 1, setup=peer, rounds=3)
    ours = benchmark.stats["median"]
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
        f"{ours:.2f} s, {jaccard(seen):.4f}: {np.median(theirs) / ours:.1f} times as fast"
    )
    assert jaccard(seen) > jaccard(other)


def tower(field: HeightField, east: float, north: float, count: int) -> FaceTargets:
    """Synthetic: cells of 4 m2 on the four walls of a tower of 20 x 20 x 60 m, a fifth of them on its edges."""
    rng = np.random.default_rng(7)
    row, col = round((field.y0 - north) / field.dy), round((east - field.x0) / field.dx)
    foot = float(field.heights[row, col])
    turn, aside, up = (
        rng.integers(0, 4, count) * np.pi / 2,
        rng.uniform(-9, 9, count),
        rng.uniform(1, 59, count),
    )
    out = np.column_stack([np.cos(turn), np.sin(turn), np.zeros(count)])
    along = np.column_stack([-np.sin(turn), np.cos(turn), np.zeros(count)])
    points = np.array([east, north, foot]) + 10.01 * out + aside[:, None] * along
    points[:, 2] += up
    edge = np.arange(count) % 5 == 0
    points[edge, 2] = foot + 60.01
    corners = [a * along + b * np.array([0.0, 0.0, 1.0]) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    outlines = points[:, None] + np.stack(corners, axis=1)
    normals = np.where(edge[:, None], 0.0, out)
    areas, sides = np.where(edge, 0.0, 4.0), np.where(edge, 0, 4)
    return FaceTargets(points, normals, points[:, 2] - foot, areas, outlines, sides)


def test_targets_of_a_zone_of_visibility(benchmark) -> None:
    """20 of 200 targets over 8 million cells, counted with their solid angles; beside it each target swept alone."""
    field = valley()
    part = HeightField(field.heights[::2, ::2], 1.0, 1.0, 0.0, 0.0)
    sweep = SightSweep(part, bend=6.8e-8, threads=2)
    targets = tower(part, 1400.0, -1400.0, 20)
    found = benchmark.pedantic(sweep.expose, args=(targets, 1.6), rounds=1, warmup_rounds=1)
    seconds = benchmark.stats.stats.median
    start = time.perf_counter()
    for point in targets.points:
        sweep.sees(tuple(map(float, point)), 1.6)
    alone = time.perf_counter() - start
    print(
        f"200 targets over {part.heights.size / 1e6:.0f} million cells: {10 * seconds:.0f} s; "
        f"sweeps alone, all round: {10 * alone:.0f} s"
    )
    assert 4 <= found.count.max() <= 20 and found.solid_angle.max() > 1e-3
    assert seconds <= 1.2 * alone
