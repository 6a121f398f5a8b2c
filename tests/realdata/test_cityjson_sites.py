"""Real city models as sites of their own, through the commands: built, studied, pictured and exported."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import ezdxf
import numpy as np
import pytest
import rasterio
import trimesh

from pipelines.build import load
from pipelines.site import open_site
from tests.command import Ended
from tests.tolerances import CITY_FOOT_M, CITY_FOOT_SHARE, FORMAT_PLACE_M
from twin.buildings.outline import building_footprint
from twin.model.objects import Building
from twin.model.scene import Scene
from twin.terrain.sampler import TinSampler

Twin = Callable[..., Ended]

SITES: dict[str, list[str]] = {
    "denhaag": ["history/DenHaag_01_cjio.json"],
    "rotterdam": ["cjio_tests/rotterdam/rotterdam_subset.json", "--crs", "EPSG:28992"],
    "sequence": ["cjdb_tests/cjfiles/tile_901_trimmed.jsonl"],
    "delft": ["cjio_tests/delft.json", "--classes", "ahn"],
}
"""Version 1.0 with terrain; 2.0 without CRS; a sequence; 2.0 over the LiDAR terrain of another source."""

COUNTS = {"denhaag": (844, 0), "rotterdam": (16, 0), "sequence": (52, 0), "delft": (160, 410)}
"""Buildings and other objects of each."""

DAY = "2026-03-21"


@pytest.fixture(scope="module")
def sites(test_data: Path, tmp_path_factory: pytest.TempPathFactory, twin: Twin) -> dict[str, Path]:
    """Every site, run and exported; with coarse cells, one day and small pictures."""
    done: dict[str, Path] = {}
    for name, (model, *options) in SITES.items():
        site = tmp_path_factory.mktemp("city models") / name
        if name == "delft":
            options += ["--points", str(test_data / "lidar" / "3dfier_delft" / "ahn3" / "*.laz")]
        made = twin("init", site, "--citymodel", test_data / "cityjson" / model, *options, "--language", "en")
        assert made.code == 0, made.text
        coarsen(site)
        ran = twin("run", site, "--workers", "1")
        assert ran.code == 0, ran.text
        exported = twin("export", site, "--format", "all")
        assert exported.code == 0, exported.text
        done[name] = site
    return done


def coarsen(site: Path) -> None:
    """Cells of 4 m, one day, one plate, small pictures."""
    for path in (site / "studies").glob("*.toml"):
        text = re.sub(r"cell_size_m = .*", "cell_size_m = 4.0", path.read_text(encoding="utf-8"))
        text = re.sub(r"plates_solar_h = \[[^\]]*\]", "plates_solar_h = [12.0]", text)
        head, mark, _ = text.partition("[[days]]")
        path.write_text(head + (f"[[days]]\ndate = {DAY}\nstep_min = 30\n" if mark else ""), encoding="utf-8")
    views = site / "views.toml"
    text = re.sub(r"(hfov_deg = .*)", r"\1\nwidth = 320\nheight = 180", views.read_text(encoding="utf-8"))
    views.write_text(text, encoding="utf-8")


@pytest.fixture(params=list(SITES))
def site(request: pytest.FixtureRequest, sites: dict[str, Path]) -> Path:
    return sites[request.param]


@cache
def scene_of(site: Path) -> Scene:
    return load(open_site(site)).scene


def raster(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


def test_every_object_of_the_file_stands_in_the_model(site: Path) -> None:
    scene = scene_of(site)
    report = json.loads((site / "out" / "model" / "report.json").read_text(encoding="utf-8"))
    assert (len(scene.buildings), len(scene.others)) == COUNTS[site.name]
    assert report["counts"]["failures"] == 0 and report["failures"] == []
    assert all(b.failure is None for b in scene.buildings)
    assert scene.frame.epsg == 28992 and scene.frame.vertical == "EPSG:5709"


def lowest(building: Building) -> float:
    shapes = [g for b in (building, *building.parts) for g in b.geometries]
    solid = [g for g in shapes if g.lod >= "1"] or shapes
    return min(float(g.vertices[:, 2].min()) for g in solid)


def test_the_terrain_covers_the_buildings_and_meets_their_feet(site: Path) -> None:
    """Under the middle of every outline there is ground, and it lies where the walls end."""
    scene = scene_of(site)
    ground = TinSampler(scene.terrain.tin)
    outlines = [building_footprint(b) for b in scene.buildings]
    assert all(outline is not None for outline in outlines)
    spots = np.array([o.representative_point().coords[0][:2] for o in outlines if o is not None])
    under = ground.heights(spots)
    assert np.isfinite(under).all()
    apart = np.abs(under - [lowest(b) for b in scene.buildings])
    near = float((apart < CITY_FOOT_M).mean())
    print(f"{site.name}: ground {under.min():.2f} to {under.max():.2f} m, {100 * near:.0f} % of feet near it")
    assert near >= CITY_FOOT_SHARE


def test_hours_of_sun_lie_between_none_and_the_day_and_vary(site: Path) -> None:
    folder = site / "out" / "studies" / "sun" / "existing"
    with (folder / "table.csv").open(encoding="utf-8") as stream:
        (row,) = list(csv.DictReader(stream))
    longest = float(row["longest_h"])
    hours = raster(folder / "existing" / f"hours-{DAY}.tif")
    known = hours[np.isfinite(hours)]
    assert 11.5 <= longest <= 12.5
    assert known.min() >= 0 and known.max() <= longest
    assert known.max() >= 0.9 * longest and known.min() <= 2.0
    assert float(row["mean_existing_h"]) == pytest.approx(known.mean(), abs=0.01)
    shaded = float((known < 0.75 * longest).mean())
    print(
        f"{site.name}: {known.size} cells, mean {known.mean():.2f} h, {100 * shaded:.0f} % lose over a quarter"
    )
    assert 0.003 < shaded < 0.9
    plate = raster(next(iter((folder / "existing").glob("sun-*.tif"))))
    lit = plate[np.isfinite(plate)]
    assert set(np.unique(lit)) == {0, 1}
    assert (folder / "plates" / f"hours-{DAY}.png").stat().st_size > 10_000


def test_the_viewshed_sees_the_ground_around_the_observer(site: Path) -> None:
    folder = site / "out" / "studies" / "view" / "existing"
    visible = raster(folder / "existing" / "visible.tif")
    known = visible[np.isfinite(visible)]
    share = float(known.mean())
    print(f"{site.name}: {100 * share:.1f} % of the ground is seen")
    assert set(np.unique(known)) == {0, 1}
    assert 0.005 < share < 0.995
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    eye = manifest["method"]["existing"]["observer"]
    with rasterio.open(folder / "existing" / "visible.tif") as source:
        row, col = source.index(eye["east"], eye["north"])
    around = visible[row - 1 : row + 2, col - 1 : col + 2]
    assert np.nanmean(around) > 0.7


def test_pictures_show_something(site: Path) -> None:
    from matplotlib.image import imread

    pictures = sorted((site / "out" / "pictures").glob("*/*.png"))
    assert {p.parent.name for p in pictures} == {"air", "street"}
    for path in pictures:
        grey = imread(path)[..., :3].mean(axis=2)
        assert grey.std() > 0.03, path


def test_exports_hold_the_same_model(site: Path) -> None:
    """GLB, OBJ, DXF and CityJSON: one extent in the world, by readers of others."""
    folder = site / "out" / "exports" / "existing"
    extents: dict[str, np.ndarray] = {}
    for kind in ("glb", "obj"):
        path = folder / f"existing.{kind}"
        points = trimesh.load_scene(path, process=False).bounds
        if kind == "glb":
            points = np.sort(points[:, [0, 2, 1]] * [1, -1, 1], axis=0)
        extents[kind] = points + shift(path)
    drawing = folder / "existing.dxf"
    if drawing.stat().st_size < 10_000_000:  # reading back the larger ones takes long and shows no more
        faces = ezdxf.readfile(drawing).modelspace().query("3DFACE")
        points = np.array([tuple(corner) for f in faces for corner in (f.dxf.vtx0, f.dxf.vtx1, f.dxf.vtx2)])
        extents["dxf"] = np.array([points.min(axis=0), points.max(axis=0)]) + shift(drawing)
    model = json.loads((folder / "existing.city.json").read_text(encoding="utf-8"))
    counts = COUNTS[site.name]
    kinds = [item["type"] for item in model["CityObjects"].values()]
    assert kinds.count("Building") == counts[0] and kinds.count("TINRelief") == 1
    # Delft's cloud adds trees to the model's own objects.
    trees = len(scene_of(site).trees)
    assert (trees > 0) == (site.name == "delft")
    assert len(kinds) - kinds.count("BuildingPart") == sum(counts) + 1 + trees
    assert model["metadata"]["referenceSystem"].endswith("/7415")
    for kind, extent in extents.items():
        assert np.abs(extent - extents["obj"]).max() < FORMAT_PLACE_M, kind
    whole = np.reshape(model["metadata"]["geographicalExtent"], (2, 3))
    assert (whole[0] <= extents["obj"][0] + FORMAT_PLACE_M).all()
    assert (whole[1] >= extents["obj"][1] - FORMAT_PLACE_M).all()
    assert np.isfinite(raster(folder / "dtm.tif")).any()


def shift(path: Path) -> np.ndarray:
    beside: dict[str, Any] = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
    return np.array([beside[f"offset_{axis}_m"] for axis in ("east", "north", "height")], dtype=float)


def test_a_second_run_makes_nothing_anew(sites: dict[str, Path], twin: Twin) -> None:
    site = sites["rotterdam"]
    before = {
        p: p.stat().st_mtime_ns for p in (site / "out").rglob("*") if p.is_file() and ".steps" not in p.parts
    }
    again = twin("run", site)
    assert again.code == 0, again.text
    after = {
        p: p.stat().st_mtime_ns for p in (site / "out").rglob("*") if p.is_file() and ".steps" not in p.parts
    }
    assert before == after
