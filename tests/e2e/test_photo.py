"""A photograph made by our own renderer at a hidden pose, as the backdrop of a view; outlines of the proposal."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from PIL import Image

from pipelines.build import load
from pipelines.site import open_site
from tests.command import Ended
from twin.study.camera import Camera
from twin.study.picture import render
from twin.terrain.sampler import TinSampler
from twin.visibility.caster import choose_device
from viewers.palette import surface_colours

Twin = Callable[..., Ended]
SIZE = (1920, 1080)


@pytest.fixture(scope="module")
def site(small_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photo") / "site"
    shutil.copytree(small_site, folder)
    return folder


@pytest.fixture(scope="module")
def hidden(site: Path) -> tuple[Camera, list[tuple[np.ndarray, np.ndarray]]]:
    """The true camera, and eight corners of roofs that it sees: world place, pixel with a little noise."""
    base = load(open_site(site)).scene
    x, y = base.frame.to_local(np.array([[732418.0, 643862.0]]))[0]
    ground = float(TinSampler(base.terrain.tin).heights(np.array([[x, y]]))[0])
    camera = Camera((x, y, ground + 14.0), 38.0, -6.0, 58.0, *SIZE, 1.2)
    picture = render(base, camera, None, surface_colours(), choose_device("cpu"), 2)
    (site / "data" / "photo.png").parent.mkdir(exist_ok=True)
    Image.fromarray(np.asarray(picture.rgb)).save(site / "data" / "photo.png")
    corners = np.concatenate([b.geometries[-1].vertices for b in base.buildings])
    pixels = camera.project(base.frame, corners)
    fits = (
        np.isfinite(pixels).all(axis=1) & (pixels > 4).all(axis=1) & (pixels < np.array(SIZE) - 4).all(axis=1)
    )
    off = np.linalg.norm(corners[fits] - np.array(camera.eye), axis=1)
    # As a surveyor chooses them: near and far, and all over the picture.
    some = np.flatnonzero(fits)
    spread = np.column_stack([pixels[some] / SIZE, np.log(off) / 2.0])
    picked = [int(np.argmin(off))]
    while len(picked) < 8:
        gaps = np.linalg.norm(spread[:, None] - spread[picked][None], axis=2).min(axis=1)
        picked.append(int(np.argmax(gaps)))
    chosen = some[picked]
    rng = np.random.default_rng(3)
    world = np.column_stack([base.frame.to_world(corners[chosen, :2]), corners[chosen, 2]])
    return camera, list(zip(world, pixels[chosen] + rng.normal(0, 1.0, (8, 2)), strict=True))


def views(points: list[tuple[np.ndarray, np.ndarray]]) -> str:
    text = (
        "[p]\neye = { east = 732421.0, north = 643859.0, above_ground_m = 12.0 }\nbearing_true_deg = 33.0\n"
        'pitch_deg = 0.0\nhfov_deg = 58.0\nscenarios = ["plan-2030"]\n'
        '[p.photo]\nfile = "data/photo.png"\nknown_lens = true\n'
    )
    for k, (world, pixel) in enumerate(points):
        text += f'[[p.photo.points]]\nname = "c{k}"\neast = {world[0]}\nnorth = {world[1]}\n'
        text += f"height_m = {world[2]}\nx = {pixel[0]}\ny = {pixel[1]}\n"
    return text


def pictures(site: Path, twin: Twin, text: str) -> tuple[Path, Ended]:
    (site / "views.toml").write_text(text, encoding="utf-8")
    (site / "studies" / "pic.toml").write_text(
        'kind = "picture"\nscenarios = ["plan-2030"]\n', encoding="utf-8"
    )
    return site / "out" / "studies" / "pic" / "plan-2030", twin("study", site, "pic")


def test_the_photograph_is_the_backdrop(site: Path, twin: Twin, hidden) -> None:
    camera, points = hidden
    folder, done = pictures(site, twin, views(points))
    assert done.code == 0, done.text
    base = load(open_site(site)).scene
    solved = json.loads((folder / "cameras.json").read_text("utf-8"))["p"]
    place = base.frame.to_local(np.array([[solved["east"], solved["north"]]]))[0]
    off = np.linalg.norm([*(place - np.array(camera.eye[:2])), solved["height_m"] - camera.eye[2]])
    turn = (solved["bearing_true_deg"] - camera.bearing_true_deg + 180.0) % 360.0 - 180.0
    print(f"hidden pose: {off:.3f} m, {abs(turn):.4f} deg; said {solved['photo']['standard_error']}")
    assert off <= 0.3 and abs(turn) <= 0.05
    photo = np.asarray(Image.open(site / "data" / "photo.png"))
    before = np.asarray(Image.open(folder / "existing" / "p.png"))[: SIZE[1]]
    after = np.asarray(Image.open(folder / "proposed" / "p.png"))[: SIZE[1]]
    change = np.asarray(Image.open(folder / "difference" / "p.png"))[: SIZE[1]]
    ids = np.asarray(Image.open(folder / "proposed" / "p-object-ids.tif"))
    with (folder / "proposed" / "p-objects.csv").open(encoding="utf-8", newline="") as file:
        fresh = [int(row["number"]) for row in csv.DictReader(file) if row["status"] == "proposed"]
    mine = np.isin(ids, fresh)
    assert (before == photo).all() and 0.01 < mine.mean() < 0.9
    assert (after[~mine] == photo[~mine]).all() and (after[mine] != photo[mine]).any(axis=1).mean() > 0.9
    assert ((change == [178, 24, 43]).all(axis=2)).any()


def test_a_false_control_point_is_named(site: Path, twin: Twin, hidden) -> None:
    points = hidden[1]
    wrong = [*points[:-1], (points[-1][0], np.clip(points[-1][1] + [-60.0, 40.0], 0, np.array(SIZE)))]
    folder, done = pictures(site, twin, views(wrong))
    assert done.code == 0, done.text
    assert "'c7' was left out" in done.err
    with (folder / "p-control-points.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["used"] for row in rows] == ["True"] * 7 + ["False"]
    assert max(float(row["residual_px"]) for row in rows[:7]) < 6.0


VIEW = (
    "[o]\neye = { east = 732400.0, north = 643850.0, above_ground_m = 20.0 }\nbearing_true_deg = 40.0\n"
    "pitch_deg = -8.0\nwidth = 480\nheight = 270\nlens_mm = 24\n"
)
WALK = "[o.walk]\nline = [[732400.0, 643850.0], [732420.0, 643850.0]]\nspacing_m = 10\nwidth = 160\n"


def test_pictures_with_what_is_behind_them(site: Path, twin: Twin) -> None:
    folder, done = pictures(site, twin, VIEW + WALK)
    assert done.code == 0, done.text
    camera = json.loads((folder / "cameras.json").read_text("utf-8"))["o"]
    assert camera["hfov_deg"] == pytest.approx(2 * np.degrees(np.arctan(18 / 24)))
    assert camera["lens_on_36mm_mm"] == pytest.approx(24.0) and camera["above_ground_m"] == pytest.approx(
        20.0
    )
    place = pyogrio.read_dataframe(folder / "cameras.gpkg", layer="cameras")
    assert place.geometry[0].x == pytest.approx(732400.0) and place.geometry[0].y == pytest.approx(643850.0)
    assert place.bearing_true_deg[0] == 40.0 and place.height_m[0] == pytest.approx(camera["height_m"])
    (cone,) = pyogrio.read_dataframe(folder / "cameras.gpkg", layer="views").geometry
    ahead = np.radians(camera["bearing_grid_deg"])
    assert cone.contains(shapely.Point(732400.0 + 90 * np.sin(ahead), 643850.0 + 90 * np.cos(ahead)))
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    with (folder / "changes.csv").open(encoding="utf-8", newline="") as file:
        changes = list(csv.DictReader(file))
    for state in ("existing", "proposed"):
        ids = np.asarray(Image.open(folder / state / "o-object-ids.tif"))
        depth = np.asarray(Image.open(folder / state / "o-depth-m.tif"))
        assert ids.shape == depth.shape == (270, 480)
        assert (np.isnan(depth) == (ids < 0)).all() and np.nanmin(depth) > 5.0
        with Image.open(folder / state / "o-walk.webp") as film:
            assert film.n_frames == 3 and film.width == 160
    behind = [c for c in changes if c["change"] != "opened"]
    assert sum(int(c["pixels"]) for c in behind) == int(row["proposal_pixels"]) > 100
    total = sum(float(c["solid_angle_msr"]) for c in behind)
    assert total == pytest.approx(float(row["proposal_msr"]), abs=0.01)
    # What the scenario takes away is not said to be hidden.
    removed = [int(c["pixels"]) for c in behind if c["change"].startswith("removed")]
    assert sum(removed) == int(row["in_place_of_removed_pixels"])
    kinds = ("sky", "terrain", "water", "trees", "buildings", "proposals", "other")
    assert sum(float(row[f"{kind}_percent"]) for kind in kinds) == pytest.approx(100.0, abs=0.01)
    assert int(row["outline_pixels"]) >= int(row["proposal_pixels"])
    assert (folder / "plates" / "o.pdf").stat().st_size > 10_000
    # Nothing is drawn again, the same pictures are made again.
    first = {path: path.read_bytes() for path in folder.rglob("*.*") if path.suffix != ".json"}
    shutil.rmtree(folder)
    _, again = pictures(site, twin, VIEW + WALK)
    assert again.code == 0 and all(path.read_bytes() == data for path, data in first.items())
    _, idle = pictures(site, twin, VIEW + WALK)
    assert "up to date" in idle.text


def test_what_fails_leaves_the_results_as_they_were(site: Path, twin: Twin) -> None:
    folder, done = pictures(site, twin, VIEW)
    assert done.code == 0, done.text
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    off = VIEW.replace("bearing_true_deg = 40.0", "bearing_true_deg = 50.0") + WALK.replace(
        "732420.0", "732990.0"
    )
    _, failed = pictures(site, twin, off)
    assert failed.code == 3 and "outside the terrain" in failed.err
    assert {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()} == before
    assert sorted(path.name for path in folder.parent.iterdir()) == ["plan-2030"]


def test_an_eye_on_the_ground_sees_the_plain_to_the_horizon(site: Path, twin: Twin) -> None:
    text = VIEW.replace("above_ground_m = 20.0", "above_ground_m = 0.0").replace(
        "pitch_deg = -8.0", "pitch_deg = 0.0"
    )
    folder, done = pictures(site, twin, text)
    assert done.code == 0, done.text
    ids = np.asarray(Image.open(folder / "existing" / "o-object-ids.tif"))
    # Below the middle of a level picture there is no sky.
    assert (ids[140:] >= 0).mean() > 0.97


def test_an_eye_indoors_is_warned_of(site: Path, twin: Twin) -> None:
    base = load(open_site(site)).scene
    middle = base.frame.to_world(base.buildings[0].geometries[-1].vertices.mean(axis=0)[None, :2])[0]
    text = (
        VIEW.replace("732400.0", str(middle[0]))
        .replace("643850.0", str(middle[1]))
        .replace("= 20.0", "= 1.6")
    )
    _, done = pictures(site, twin, text)
    assert done.code == 0 and "stands in a building" in done.err


BAD_VIEWS = {
    "a walk without length": (VIEW + WALK.replace("732420.0", "732400.0"), "", "no length"),
    "too steep": (VIEW.replace("pitch_deg = -8.0", "pitch_deg = -89.95"), "", "pitch_deg"),
    "no such scenario": (VIEW + 'scenarios = ["nonesuch"]\n', "", "no scenario 'nonesuch'"),
    "two lenses": (VIEW + "hfov_deg = 50\n", "", "one of the two"),
    "a walk off the ground": (
        VIEW + WALK.replace("732420.0, 643850.0", "739000.0, 643850.0"),
        "",
        "more than 400",
    ),
    "a step off the ground": (
        VIEW + WALK.replace("732420.0, 643850.0", "739000.0, 643850.0").replace("= 10", "= 500"),
        "",
        "outside the terrain",
    ),
    "no such view": (VIEW, 'views = ["quai"]\n', "no view 'quai'; there are: o"),
    "no ffmpeg": (VIEW + WALK + 'animation = "mp4"\n', "", "ffmpeg"),
    "night": (VIEW + "solar_h = 1.0\n", "", "view 'o': key 'solar_h': the sun is down"),
}


@pytest.mark.parametrize("name", BAD_VIEWS)
def test_views_that_cannot_be_drawn(
    site: Path, twin: Twin, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    text, more, said = BAD_VIEWS[name]
    (site / "views.toml").write_text(text, encoding="utf-8")
    (site / "studies" / "bad.toml").write_text('kind = "picture"\n' + more, encoding="utf-8")
    ended = twin("study", site, "bad")
    assert ended.code != 0 and said in ended.err, ended.text
    assert not list((site / "out").rglob("bad/**/*.png"))


BAD = {
    "no such file": ("data/photo.png", "data/none.png", "photo.file"),
    "no picture": ("data/photo.png", "twin.toml", "cannot be read as a picture"),
    "a point beside it": ("x = ", "x = -", "beside the photograph"),
    "one name twice": ('name = "c1"', 'name = "c0"', "one name"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used(site: Path, twin: Twin, hidden, name: str) -> None:
    old, new, said = BAD[name]
    (site / "views.toml").write_text(views(hidden[1]).replace(old, new), encoding="utf-8")
    ended = twin("render", site)
    assert ended.code == 3 and said in ended.err, ended.text
