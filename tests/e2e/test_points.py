"""Protected views, lines of sight and skylines of a plan, through the command."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio

from tests.command import Ended

Twin = Callable[..., Ended]
HEAD = 'scenarios = ["plan-2030"]\n'
VIEW = (
    f'kind = "protected_view"\n{HEAD}'
    "observer = { east = 732430.0, north = 643830.0, above_ground_m = 1.6 }\n"
    '[landmark]\nname = "=Spire <b>"\nleft = [732440.0, 643950.0]\nright = [732470.0, 643950.0]\nheight_m = 80.0\n'
)
LINES = (
    f'kind = "sightline"\n{HEAD}[[lines]]\nname = "../../up"\n'
    "eye = { east = 732430.0, north = 643830.0, above_ground_m = 1.6 }\n"
    "target = { east = 732450.0, north = 643940.0, height_m = 66.0 }\n"
)
SKY = (
    f'kind = "skyline"\n{HEAD}step_deg = 0.5\n'
    "observer = { east = 732430.0, north = 643830.0, above_ground_m = 1.6 }\n"
)


@pytest.fixture(scope="module")
def site(small_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("points") / "site"
    shutil.copytree(small_site, folder)
    return folder


def asked(site: Path, twin: Twin, text: str) -> Ended:
    (site / "studies" / "asked.toml").write_text(text, encoding="utf-8")
    return twin("study", site, "asked")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("text", [VIEW, LINES, SKY], ids=["protected view", "sightline", "skyline"])
def test_a_study_from_a_standpoint(site: Path, twin: Twin, text: str) -> None:
    done = asked(site, twin, text)
    assert done.code == 0, done.text
    folder = site / "out" / "studies" / "asked" / "plan-2030"
    record = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert record["method"]["curvature"]["refraction_k"] == 0.13 and record["table"]
    assert all((folder / name).is_file() for name in record["files"])
    plates = sorted((folder / "plates").glob("*.png"))
    assert len(plates) == 1 and plates[0].stat().st_size > 20_000
    assert "up to date" in twin("study", site, "asked").text
    # Nothing is written elsewhere, whatever a line is called.
    assert not list(site.parent.glob("up*")) and {p.name for p in (site / "out" / "studies").iterdir()} >= {
        "asked"
    }


def test_clearances_agree_with_the_raster(site: Path, twin: Twin) -> None:
    assert asked(site, twin, VIEW).code == 0
    folder = site / "out" / "studies" / "asked" / "plan-2030"
    rows = rows_of(folder / "table.csv")
    assert {row["state"] for row in rows} == {"existing", "proposed"}
    with rasterio.open(folder / "limit.tif") as file:
        limit, at = file.read(1), file.index
        for row in rows:
            assert float(row["limit_m"]) - float(row["height_m"]) == pytest.approx(
                float(row["clearance_m"]), abs=2e-3
            )
            assert (float(row["clearance_m"]) > 0.1) == (row["verdict"] == "met")
            r, c = at(float(row["east"]), float(row["north"]))
            if 0 <= r < limit.shape[0] and 0 <= c < limit.shape[1] and np.isfinite(limit[r, c]):
                assert limit[r, c] == pytest.approx(float(row["limit_m"]), abs=0.5)
    assert (folder / "view.gpkg").is_file()


BAD = {
    "ends the wrong way round": (
        VIEW.replace("left = [732440.0", "left = [732480.0"),
        "left end",
    ),
    "no line": (f'kind = "sightline"\n{HEAD}lines = []\n', "lines"),
    "a target at the eye": (
        LINES.replace("732450.0", "732430.0").replace(
            "643940.0, height_m = 66.0", "643830.0, above_ground_m = 1.6"
        ),
        "metre apart",
    ),
    "an eye elsewhere": (SKY.replace("732430.0", "1.0"), "outside the terrain"),
    "no step": (SKY.replace("0.5", "0.0"), "step_deg"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_asked(site: Path, twin: Twin, name: str) -> None:
    text, said = BAD[name]
    ended = asked(site, twin, text)
    assert ended.code == 3 and said in ended.err and "asked.toml" in ended.err, ended.text


SQUARE = (
    f'kind = "viewshed"\n{HEAD}cell_size_m = 4.0\nseason = "leaf_off"\n[within]\nspacing_m = 6.0\n'
    "ring = [[732380.0, 643950.0], [732420.0, 643950.0], [732420.0, 643980.0], [732380.0, 643980.0]]\n"
)


def test_a_viewshed_from_all_over_a_square(site: Path, twin: Twin) -> None:
    done = asked(site, twin, SQUARE)
    assert done.code == 0, done.text
    folder = site / "out" / "studies" / "asked" / "plan-2030"
    record = json.loads((folder / "manifest.json").read_text("utf-8"))
    eyes = record["method"]["existing"]["observers"]
    # Standpoints in buildings of either state are none; the others lie on a lattice.
    assert 10 < len(eyes) < 35 and eyes == record["method"]["proposed"]["observers"]
    visible, through, count = (
        rasterio.open(folder / "existing" / f"{name}.tif").read(1)
        for name in ("visible", "through-crowns", "seen-by")
    )
    assert (through[visible == 1] == 1).all() and (through[visible == 0] < 1).all()
    assert np.nanmax(count) <= len(eyes)
    places = pyogrio.read_dataframe(folder / "observers.gpkg")
    assert len(places) == len(eyes) and places.geometry[3].x == pytest.approx(eyes[3]["east"])
    (row,) = rows_of(folder / "table.csv")
    assert float(row["through_crowns_existing_m2"]) <= 16.0 * ((through > 0) & (visible == 0)).sum()
    assert {p.stem for p in (folder / "plates").glob("*.png")} == {"viewshed", "seen-by"}


BAD_SQUARES = {
    "eyes below the ground": ("spacing_m = 6.0", "above_ground_m = -1", "above_ground_m"),
    "all in buildings": (
        "[[732380.0, 643950.0], [732420.0, 643950.0], [732420.0, 643980.0], [732380.0, 643980.0]]",
        "[[732440.0, 643900.0], [732442.0, 643900.0], [732442.0, 643902.0]]",
        "stand in buildings",
    ),
    "a season for sweeps": ("[within]", 'engine = "heightfield"\n[within]', "season"),
    "a share without a season": ('season = "leaf_off"', "through_crown = 0.5", "season"),
    "no such area": ("ring = [[", 'ring = "none.geojson#a"\n# ', "none.geojson"),
}


@pytest.mark.parametrize("name", BAD_SQUARES)
def test_squares_that_cannot_be_used(site: Path, twin: Twin, name: str) -> None:
    old, new, said = BAD_SQUARES[name]
    assert old in SQUARE
    ended = asked(site, twin, SQUARE.replace(old, new))
    assert ended.code == 3 and said in ended.err, ended.text


@pytest.mark.parametrize("text", [VIEW, LINES, SKY], ids=["protected view", "sightline", "skyline"])
def test_a_standpoint_indoors_is_warned_of(site: Path, twin: Twin, text: str) -> None:
    indoors = text.replace("east = 732430.0, north = 643830.0", "east = 732441.0, north = 643901.0")
    assert indoors != text
    done = asked(site, twin, indoors)
    assert done.code == 0 and "stands in a building of the scene 'existing'" in done.err, done.text
