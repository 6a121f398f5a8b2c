"""Shadows and sight on real surface models against published masks and other programs' cases.

The reference engine reads a height field linearly at every crossing of a row or column, as these programs do. The
triangles of the other engines are folded so that they give the same answer.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy.ndimage import maximum_filter, minimum_filter

from tests.tolerances import REFERENCE_SHADOW_SHARE, REFERENCE_SHADOW_STRAY_SHARE
from twin.sun.position import direction_local
from twin.visibility.caster import choose_device, make_caster
from twin.visibility.occluders import HeightField
from twin.visibility.reference import line_of_sight
from twin.visibility.sight_sweep import SightSweep
from twin.visibility.sweep import SunSweep

ENGINES = ("reference", "cpu")


def sunlit(
    heights: np.ndarray, cell: float, azimuth_deg: float, altitude_deg: float, engine: str
) -> np.ndarray:
    """Which cell centres (rows, cols) the sun reaches over the field read linearly."""
    rows, cols = heights.shape
    field = HeightField(heights, cell, cell, -cell * cols / 2, cell * rows / 2)
    if engine == "sweep":
        return SunSweep(field, threads=2).lit(direction_local(azimuth_deg, altitude_deg))
    x, y = field.centres()
    gx, gy = np.meshgrid(x, y)
    points = np.column_stack([gx.ravel(), gy.ravel(), heights.ravel()])
    known = np.isfinite(points[:, 2])
    lit = np.ones(len(points), dtype=bool)
    caster = make_caster(field, choose_device(engine), threads=2)
    try:
        lit[known] = ~caster.occluded(points[known], direction_local(azimuth_deg, altitude_deg))
    finally:
        caster.close()
    return lit.reshape(heights.shape)


def compare(name: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Share of cells that agree, and of cells that differ farther than one cell from an edge of a shadow."""
    edge = maximum_filter(theirs.astype(np.uint8), 3) != minimum_filter(theirs.astype(np.uint8), 3)
    differ = ours != theirs
    agree, stray = 1.0 - differ.mean(), (differ & ~edge).mean()
    print(f"{name}: {100 * agree:.2f} % of cells agree, {100 * stray:.3f} % differ away from an edge")
    assert 0.05 < theirs.mean() < 0.95
    assert agree >= REFERENCE_SHADOW_SHARE, name
    assert stray <= REFERENCE_SHADOW_STRAY_SHARE, name


@pytest.fixture(scope="module")
def athens(test_data: Path) -> tuple[np.ndarray, np.ndarray]:
    folder = test_data / "raster" / "umep_golden" / "fixtures"
    surface = np.load(folder / "input_dsm.npy").astype(np.float64)
    return surface, np.load(folder / "shadow_noon_bldg_sh.npy") > 0.5


def test_athens_at_noon(athens: tuple[np.ndarray, np.ndarray]) -> None:
    surface, theirs = athens
    for engine in (*ENGINES, "sweep"):
        compare(f"Athens, {engine}", sunlit(surface, 1.0, 180.0, 60.0, engine), theirs)


def test_the_reference_engine_agrees_on_athens(athens: tuple[np.ndarray, np.ndarray]) -> None:
    part = athens[0][100:220, 120:240]
    exact, fast = (sunlit(part, 1.0, 200.0, 35.0, engine) for engine in ("reference", "cpu"))
    print(f"Athens, part: {int((exact != fast).sum())} of {exact.size} cells differ between the engines")
    # The reference reads rows and columns, Embree also the fold of each quad: shadows' edges move within a cell.
    compare("Athens, part, Embree against the reference", fast, exact)


@pytest.mark.parametrize("engine", [*ENGINES, "sweep"])
@pytest.mark.parametrize("case", [0, 1, 2])
def test_gothenburg(test_data: Path, case: int, engine: str) -> None:
    folder = test_data / "raster"
    parameters = json.loads((folder / "generated_refs" / "PARAMETERS.json").read_text(encoding="utf-8"))
    sun = parameters["sunmask"]["cases"][case]
    with rasterio.open(folder / "umep_solweig_demos" / "Goteborg_SWEREF99_1200" / "DSM_KRbig.tif") as source:
        surface, cell = source.read(1).astype(np.float64), source.res[0]
    with rasterio.open(folder / "generated_refs" / sun["file"]) as source:
        theirs = source.read(1) != 1
    compare(
        f"Gothenburg, {sun['file']}, {engine}",
        sunlit(surface, cell, sun["azimuth"], sun["altitude"], engine),
        theirs,
    )


def gdal_cases(test_data: Path) -> list[dict]:
    path = test_data / "raster" / "gdal_viewshed_refs" / "gdal_autotest_viewshed_cases.json"
    return [c for c in json.loads(path.read_text(encoding="utf-8"))["cases"] if "expected_visible" in c]


@pytest.mark.parametrize("engine", ENGINES)
def test_visible_and_hidden_cells_of_gdal(test_data: Path, engine: str) -> None:
    cases = gdal_cases(test_data)
    assert len(cases) >= 2
    for case in cases:
        heights = np.array(case["dem"], dtype=np.float64)
        rows, cols = heights.shape
        field = HeightField(heights, 1.0, 1.0, 0.0, 0.0)
        x, y = field.centres()
        gx, gy = np.meshgrid(x, y)
        # Triangles are met from outside only: a sight line that starts on the ground and dives at once is lifted.
        lift = 0.0 if engine == "reference" else 0.02
        targets = np.column_stack([gx.ravel(), gy.ravel(), heights.ravel() + lift])
        col, row = case["observer_cell_xy"]
        eye = targets[row * cols + col]
        reach = np.linalg.norm(targets - eye, axis=1)
        away = reach > 0
        seen = np.ones(rows * cols, dtype=bool)
        caster = make_caster(field, choose_device(engine))
        towards = (targets[away] - eye) / reach[away, None]
        seen[away] = ~caster.occluded(np.tile(eye, (int(away.sum()), 1)), towards, reach[away])
        caster.close()
        assert np.array_equal(seen.reshape(rows, cols), np.array(case["expected_visible"], dtype=bool)), case[
            "name"
        ]


def test_the_sweep_gives_gdals_visible_cells_and_least_heights(test_data: Path) -> None:
    """Every case. From outside the raster GDAL hands heights on from cell to cell, which only raises them off the
    observer's row: there the same cells are seen, none needs more than GDAL says, and brute force agrees with ours."""
    path = test_data / "raster" / "gdal_viewshed_refs" / "gdal_autotest_viewshed_cases.json"
    checked = 0
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        z = np.array(case["dem"], dtype=np.float64)
        col, row = case["observer_cell_xy"]
        checked += 1
        if not (0 <= row < z.shape[0] and 0 <= col < z.shape[1]):
            from_outside(z, (col, row), np.array(case["expected_min_height_dem_mode"]))
            continue
        least = SightSweep(HeightField(z, 1.0, 1.0, 0.0, 0.0)).lowest_seen((col, -row, z[row, col]))
        if "expected_visible" in case:
            assert ((least <= 0) == np.array(case["expected_visible"], dtype=bool)).all(), case["name"]
        if "expected_min_height_ground_mode" in case:
            # Grazing is seen: a millimetre less.
            off = np.abs(least - np.array(case["expected_min_height_ground_mode"]))
            assert off.max() < 2e-3, case["name"]
        if "expected_min_height_dem_mode" in case:
            off = np.abs(least + z - np.array(case["expected_min_height_dem_mode"]))
            assert off[least > 0].max(initial=0.0) < 2e-3, case["name"]
    assert checked == 11


def from_outside(z: np.ndarray, place: tuple[int, int], known: np.ndarray) -> None:
    """An observer beside the raster, at height 0: against GDAL, and against lines that test every crossing."""
    col, row = place
    field, eye = HeightField(z, 1.0, 1.0, 0.0, 0.0), (float(col), -float(row), 0.0)
    least = SightSweep(field).lowest_seen(eye)
    hidden = least > 0
    assert (hidden == (known > z + 1e-9)).all()
    assert (least + z <= known + 2e-3)[hidden].all()
    assert np.abs(least + z - known)[row][hidden[row]].max(initial=0.0) < 2e-3
    x, y = np.meshgrid(*field.centres())
    for more, wanted in ((0.2, True), (-0.2, False)):
        points = np.column_stack([x[hidden], y[hidden], (z + least)[hidden] + more])
        assert (line_of_sight(field, points, np.array(eye)) == wanted).all()


SIGHTS = ("goteborg_court", "goteborg_roof", "tm1_A", "tm1_B")
SOME = 20_000
"""Cells that are asked about by brute force."""


@pytest.mark.parametrize("name", SIGHTS)
def test_sight_over_real_surfaces(test_data: Path, name: str) -> None:
    """Against lines of sight that test every crossing, and beside r.viewshed no worse than gdal_viewshed."""
    folder = test_data / "raster"
    known = json.loads((folder / "generated_refs" / "PARAMETERS.json").read_text(encoding="utf-8"))
    case = known["viewshed"]["cases"][name]
    with rasterio.open(folder / case["dem"]) as source:
        z, transform = source.read(1).astype(np.float64), source.transform
    field = HeightField(
        z, transform.a, -transform.e, transform.c + transform.a / 2, transform.f + transform.e / 2
    )
    x, y = field.centres()
    # The programs look from the middle of the observer's cell.
    col, row = int((case["x"] - transform.c) // transform.a), int((transform.f - case["y"]) // -transform.e)
    eye = (float(x[col]), float(y[row]), float(z[row, col]) + case["oz"])
    seen = SightSweep(field, threads=2).sees(eye, reach_m=case["md"])
    away = np.hypot(x[None] - eye[0], y[:, None] - eye[1])
    inside = np.flatnonzero((away <= case["md"]) & np.isfinite(z))
    some = np.random.default_rng(1).choice(inside, min(SOME, len(inside)), replace=False)
    rows, cols = np.divmod(some, z.shape[1])
    truth = line_of_sight(field, np.column_stack([x[cols], y[rows], z[rows, cols]]), np.array(eye))
    ours = seen[rows, cols] == 1
    exact = (ours & truth).sum() / (ours | truth).sum()

    def beside(other: str) -> np.ndarray:
        with rasterio.open(folder / "generated_refs" / f"{name}_{other}.tif") as source:
            values = source.read(1, masked=True).filled(0)
        assert values.shape == z.shape
        return (values > 0) & (away <= case["md"])

    def jaccard(a: np.ndarray, b: np.ndarray) -> float:
        return float((a & b).sum() / (a | b).sum())

    grass, gdal, mine = beside("grass_rviewshed"), beside("gdal_viewshed"), seen == 1
    print(
        f"{name}: Jaccard {exact:.4f} against brute force; against r.viewshed {jaccard(mine, grass):.4f}, "
        f"gdal_viewshed has {jaccard(gdal, grass):.4f}"
    )
    assert exact >= 0.98
    assert jaccard(mine, grass) >= jaccard(gdal, grass)
