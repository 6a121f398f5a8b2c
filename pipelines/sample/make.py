"""Write a whole sample site: points, footprints, truth, plan and settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.sample.cells import pack
from pipelines.sample.footprints import Drawn, drawn_footprints
from pipelines.sample.layout import make_town
from pipelines.sample.plan import write_plan
from pipelines.sample.scanner import Returns, Scanner, calibrated, tiles_of
from pipelines.sample.sizes import CRS_CODE, HEIGHTS_CODE, SITE_NAME, SampleSize, sample_size
from pipelines.sample.town import Town
from pipelines.sample.truth import write_truth
from twin.errors import UsageError
from twin.io.atomic import write_text
from twin.io.las import write_las
from twin.io.vector import VectorFeature, write_gpkg
from twin.region import Region

Progress = Callable[[float, float, str], None]

PILOT_TILES, PILOT_INSET_M = 6, 140.0
"""So many tiles at most are scanned sparsely as a whole to settle the spacing; of more, the middle 220 m."""


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """What was written.

    Parameters
    ----------
    folder, size, seed
        Where and which.
    points, buildings, trees
        Counts; buildings are the true ones.
    area_m2
        Area of the window [m2].
    classes
        (class code, number of points), by code.
    """

    folder: Path
    size: str
    seed: int
    points: int
    buildings: int
    trees: int
    area_m2: float
    classes: tuple[tuple[int, int], ...]

    @property
    def density(self) -> float:
        """Points per square metre."""
        return self.points / self.area_m2


def make_sample(
    folder: Path, size: str, seed: int = 1, progress: Progress | None = None, workers: int = 1
) -> SampleSummary:
    """Write a synthetic site; the same size and seed give the same bytes for any number of workers.

    Parameters
    ----------
    folder
        Where the site goes; made where missing.
    size
        ``small`` (4 ha), ``demo`` (36 ha) or ``valley`` (800 ha).
    seed
        Changes houses, trees, noise; not the valley's shape.
    progress
        Called with (done, total, what).
    workers
        Number of threads that scan.

    Raises
    ------
    UsageError
        Unknown size or negative seed.
    """
    chosen = sample_size(size)
    if seed < 0:
        raise UsageError(f"a seed is a whole number from 0 upwards; got {seed}")
    note = progress or (lambda done, total, what: None)
    tiles = tiles_of(chosen.window)
    total = len(tiles) + 2
    note(0, total, "layout")
    town = make_town(chosen, seed)
    rows = drawn_footprints(town, with_bad=size != "small")
    _write_footprints(folder / "data" / "footprints.gpkg", rows, chosen)
    write_plan(folder, town)
    write_text(folder / "twin.toml", site_file(chosen))
    note(1, total, "truth")
    write_truth(folder / "truth", town, rows)
    scanner = _scanner(town, tiles, workers)
    counts = np.zeros(256, dtype=np.int64)
    for k, (name, world) in enumerate(tiles):
        note(2 + k, total, name)
        counts += _write_tile(folder / "data" / f"{name}.laz", scanner.tile(_local(world, chosen)), chosen)
    note(total, total, "done")
    classes = tuple((int(c), int(counts[c])) for c in np.flatnonzero(counts))
    summary = SampleSummary(
        folder,
        size,
        seed,
        int(counts.sum()),
        len(town.buildings),
        len(town.trees),
        chosen.window.width * chosen.window.height,
        classes,
    )
    write_text(folder / "README.md", readme(summary))
    return summary


def _local(world: Region, size: SampleSize) -> Region:
    east, north = size.frame().origin
    return world.shifted(-east, -north)


def _scanner(town: Town, tiles: list[tuple[str, Region]], workers: int) -> Scanner:
    """The scanner, its spacing settled on whole tiles where they are few, else on the middle of each."""
    pilot = [_local(world, town.size) for _, world in tiles]
    if len(tiles) > PILOT_TILES:
        pilot = [region.buffered(-PILOT_INSET_M) for region in pilot]
    return calibrated(town, pack(town), workers, pilot)


def _write_footprints(path: Path, rows: list[Drawn], size: SampleSize) -> None:
    features = [
        VectorFeature(str(k + 1), r.outline, {"georef_id": r.georef_id, "nature": r.nature})
        for k, r in enumerate(rows)
    ]
    write_gpkg(path, {"footprints": features}, size.frame())


def _write_tile(path: Path, points: Returns, size: SampleSize) -> NDArray[np.int64]:
    """Write one tile; the number of points of each class code (256,)."""
    frame = size.frame()
    counts = np.bincount(points.code, minlength=256)
    if not len(points.xyz):
        return counts
    # Brightness by surface, dimmed a little by the return's rank: enough to look at, no physics.
    bright = np.array([2200, 1400, 1800, 900])[points.source] // points.return_number
    write_las(
        path,
        frame.to_world(points.xyz),
        points.code,
        crs=frame.crs,
        vertical=frame.vertical,
        return_number=points.return_number,
        number_of_returns=points.number_of_returns,
        gps_time=points.gps_time,
        intensity=bright.astype(np.uint16),
    )
    return counts


def site_file(size: SampleSize) -> str:
    """The text of ``twin.toml``."""
    cell = 1.0 if size.valley_wide else 0.5
    return f"""# Synthetic sample: an invented valley. Nothing here is a real place.
[site]
name = "{SITE_NAME}"
crs = "{CRS_CODE}"
heights = "{HEIGHTS_CODE}"
timezone = "Europe/Brussels"
language = "fr"
attribution = "Synthetic data, invented"
synthetic = true

[inputs]
points = ["data/*.laz"]
classes = "spw-2021"
footprints = {{ file = "data/footprints.gpkg", layer = "footprints", id = "georef_id" }}

[terrain]
cell_size_m = {cell}
"""


def readme(summary: SampleSummary) -> str:
    """The text of the README in the site's folder."""
    classes = "\n".join(f"| {code} | {count} |" for code, count in summary.classes)
    return f"""# {SITE_NAME}

**Synthetic data.** An invented valley, invented buildings, invented plan, written by `twin sample`
(size `{summary.size}`, seed {summary.seed}). The coordinates (EPSG:3812, heights EPSG:5710) lie in a
plausible place so that sun and maps behave; nothing here shows that place.

| | |
|---|---|
| Area | {summary.area_m2 / 1e4:.1f} ha |
| Points | {summary.points} ({summary.density:.2f} per m2) |
| Buildings | {summary.buildings} |
| Trees and shrubs | {summary.trees} |

- `data/*.laz`: a simulated airborne scan in winter: strips of 40 degrees that overlap, several returns in
  bare twigs, ground hidden behind walls, few returns from water, noise of 3 cm along the ray, 6 cm in plan.
- `data/footprints.gpkg`: walls as a map knows them, up to 0.35 m off; roofs of villas stand out over them by
  0.3 to 0.5 m. In the larger sizes five rows are bad on purpose: `truth/bad_footprints.csv` lists them.
- `truth/`: what is true: `solids.city.jsonl` (closed LoD 2.2 solids by roof outline, flat base at the lowest
  ground of the outline), `roofs.jsonl` (plane pieces), `buildings.csv`, `ground.tif`, `stems.csv`. Chimneys,
  cars, the crane and the skip bridge are in the points but not in the truth.
- `proposals/`, `scenarios/`, `plan.toml`, `studies/`, `views.toml`: a made-up plan.

Class codes are those of the Walloon campaign of 2021-2022: 0 unclassified, 1 above ground (roofs, walls,
cars; there is no class for buildings), 2 ground, 4 vegetation, 9 water, 10 bridges, 15 high-voltage lines.

| Class | Points |
|---|---|
{classes}
"""
