"""A photograph made by our own renderer at a hidden pose, as the backdrop of a view; outlines of the proposal."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.build import load
from pipelines.site import open_site
from tests.command import Ended
from twin.study.picture import Camera, render
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


def test_the_photograph_is_the_backdrop(site: Path, twin: Twin, hidden) -> None:
    camera, points = hidden
    folder = site / "out" / "pictures" / "p"
    (site / "views.toml").write_text(views(points), encoding="utf-8")
    assert twin("render", site).code == 0
    base = load(open_site(site)).scene
    solved = json.loads((folder / "camera.json").read_text("utf-8"))
    place = base.frame.to_local(np.array([[solved["east"], solved["north"]]]))[0]
    off = np.linalg.norm([*(place - np.array(camera.eye[:2])), solved["height_m"] - camera.eye[2]])
    turn = (solved["bearing_true_deg"] - camera.bearing_true_deg + 180.0) % 360.0 - 180.0
    print(f"hidden pose: {off:.3f} m, {abs(turn):.4f} deg; said {solved['standard_error']}")
    assert off <= 0.3 and abs(turn) <= 0.05
    wrong = [*points[:-1], (points[-1][0], np.clip(points[-1][1] + [-60.0, 40.0], 0, np.array(SIZE)))]
    (site / "views.toml").write_text(views(wrong), encoding="utf-8")
    done = twin("render", site)
    assert done.code == 0, done.text
    assert "'c7' was left out" in done.err
    with (folder / "control-points.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["used"] for row in rows] == ["True"] * 7 + ["False"]
    assert max(float(row["residual_px"]) for row in rows[:7]) < 6.0
    photo = np.asarray(Image.open(site / "data" / "photo.png"))
    still = np.asarray(Image.open(folder / "existing.png"))[: SIZE[1]]
    montage = np.asarray(Image.open(folder / "plan-2030-outlined.png"))[: SIZE[1]]
    proposed = np.asarray(Image.open(folder / "plan-2030.png"))[: SIZE[1]]
    # Drawn from the solved camera, the existing state lies on the photograph; the sun of the view is another.
    assert still.shape == photo.shape
    same = (montage == photo).all(axis=2)
    assert 0.2 < same.mean() < 1.0
    assert ((montage == proposed).all(axis=2) & ~same).any()


def test_outlines_without_a_photograph(site: Path, twin: Twin) -> None:
    text = (
        "[o]\neye = { east = 732400.0, north = 643850.0, above_ground_m = 20.0 }\nbearing_true_deg = 40.0\n"
        'pitch_deg = -8.0\nwidth = 480\nheight = 270\noutline = true\nscenarios = ["plan-2030"]\n'
    )
    (site / "views.toml").write_text(text, encoding="utf-8")
    done = twin("render", site)
    assert done.code == 0, done.text
    folder = site / "out" / "pictures" / "o"
    before = np.asarray(Image.open(folder / "existing.png"))[:270]
    outlined = np.asarray(Image.open(folder / "plan-2030-outlined.png"))[:270]
    changed = (before != outlined).any(axis=2)
    assert 0 < changed.mean() < 0.2 and (outlined[changed] == [178, 24, 43]).all()


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
