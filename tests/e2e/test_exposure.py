"""Zone of visibility and visual exposure of a plan, through the command."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.command import Ended

Twin = Callable[..., Ended]
STUDY = 'scenarios = ["plan-2030"]\ncell_size_m = 4.0\nspacing_m = 8.0\n'


@pytest.fixture(scope="module")
def site(small_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exposure") / "site"
    shutil.copytree(small_site, folder)
    square = [[732440, 643860], [732480, 643860], [732480, 643900], [732440, 643900], [732440, 643860]]
    feature = {
        "type": "Feature",
        "properties": {"name": "=Place <b>"},
        "geometry": {"type": "Polygon", "coordinates": [square]},
    }
    text = {"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "EPSG:3812"}}}
    (folder / "data" / "places.geojson").write_text(
        json.dumps({**text, "features": [feature]}), encoding="utf-8"
    )
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_exposure_with_named_and_found_viewpoints(site: Path, twin: Twin) -> None:
    public = '[public]\nfile = "data/places.geojson"\nlabel = "name"\n'
    point = '[[viewpoints]]\nname = "Quai"\neast = 732420.0\nnorth = 643950.0\n'
    text = f'kind = "exposure"\n{STUDY}worst = 3\nfrom_m = 5.0\napart_m = 15.0\n{public}{point}'
    (site / "studies" / "expo.toml").write_text(text, encoding="utf-8")
    done = twin("study", site, "expo")
    assert done.code == 0, done.text
    folder = site / "out" / "studies" / "expo" / "plan-2030"
    with rasterio.open(folder / "proposed" / "solid-angle.tif") as file:
        angle = file.read(1)
    assert 0 < np.nanmax(angle) <= 2 * np.pi + 1e-5
    rows = rows_of(folder / "viewpoints.csv")
    assert rows[0]["viewpoint"] == "Quai" and rows[0]["source"] == "named"
    found = rows[1:]
    assert found and all(row["source"] == "most exposed" for row in found)
    for row in found:
        assert 732440 <= float(row["east"]) <= 732480 and 643860 <= float(row["north"]) <= 643900
        assert float(row["solid_angle_proposed_msr"]) > 0 and float(row["hidden_up_to_m"]) >= 0
    hides = rows_of(folder / "hides.csv")
    for name in {row["viewpoint"] for row in hides}:
        assert 95 < sum(float(row["share_percent"]) for row in hides if row["viewpoint"] == name) < 100.1
    assert (folder / "viewpoints.gpkg").is_file()
    assert (folder / "plates" / "solid-angle-proposed.png").stat().st_size > 20_000
    again = twin("study", site, "expo")
    assert "up to date" in again.text


def test_the_bare_ground_hides_no_more_than_all_that_stands(site: Path, twin: Twin) -> None:
    (site / "studies" / "ztv.toml").write_text(f'kind = "ztv"\n{STUDY}worst = 0\n', encoding="utf-8")
    done = twin("study", site, "ztv")
    assert done.code == 0, done.text
    folder = site / "out" / "studies" / "ztv" / "plan-2030" / "proposed"
    with (
        rasterio.open(folder / "targets-seen.tif") as one,
        rasterio.open(folder / "targets-seen-bare-ground.tif") as two,
    ):
        screened, bare = one.read(1), two.read(1)
    known = np.isfinite(screened)
    assert (bare[known] >= screened[known]).all() and (bare[known] > screened[known]).any()
    record = json.loads((folder.parent / "manifest.json").read_text("utf-8"))
    assert record["method"]["proposed"]["bare_ground"]["what_hides"].startswith("the bare ground")


BAD = {
    "nothing is built": ('kind = "ztv"\n', "builds nothing"),
    "no such building": ('kind = "ztv"\nof = ["b-none"]\n', "b-none"),
    "no such file": (f'kind = "exposure"\n{STUDY}[public]\nfile = "none.gpkg"\n', "public.file"),
    "an eye elsewhere": (
        f'kind = "exposure"\n{STUDY}[[viewpoints]]\nname = "x"\neast = 1.0\nnorth = 2.0\n',
        "outside the terrain",
    ),
    "two of one name": (
        f'kind = "exposure"\n{STUDY}' + '[[viewpoints]]\nname = "x"\neast = 1.0\nnorth = 2.0\n' * 2,
        "one name",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_asked(site: Path, twin: Twin, name: str) -> None:
    text, said = BAD[name]
    (site / "studies" / "bad.toml").write_text(text, encoding="utf-8")
    ended = twin("study", site, "bad")
    (site / "studies" / "bad.toml").unlink()
    assert ended.code == 3 and said in ended.err and "bad.toml" in ended.err, ended.text
    assert not list((site / "out" / "studies").rglob("*.tmp*"))
