"""Exports of one scene: every format beside the others, at its place, named after its scenario."""

from __future__ import annotations

import json
from pathlib import Path

import ezdxf
import numpy as np
import pytest
import rasterio
import trimesh

from pipelines.export import FORMATS, export_scene
from tests.format_worlds import CORNER, NASTY, nearest, readable, road, scene
from tests.tolerances import FORMAT_PLACE_M
from twin.model.scene import Scene

ABOUT = {"name": "Test", "attribution": "nobody", "synthetic": True}


def files_of(folder: Path, whole: Scene, about: dict[str, object] = ABOUT) -> dict[str, list[Path]]:
    return {kind: export_scene(whole, kind, folder, about) for kind in FORMATS}


def corners_in(path: Path) -> np.ndarray:
    """World points (n, 3) of a file, as a stranger to the toolkit reads it."""
    if path.suffix == ".json":
        model = json.loads(path.read_text(encoding="utf-8"))
        transform = model["transform"]
        return np.array(model["vertices"]) * transform["scale"] + transform["translate"]
    if path.suffix == ".dxf":
        faces = ezdxf.readfile(path).modelspace().query("3DFACE")
        points = np.array([tuple(f.dxf.vtx0) for f in faces] + [tuple(f.dxf.vtx2) for f in faces])
    else:
        parts = trimesh.load_scene(path, process=False).dump()
        points = np.concatenate([np.asarray(p.vertices) for p in parts])
    if path.suffix == ".glb":
        points = points[:, [0, 2, 1]] * [1, -1, 1]
    beside = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
    return points + np.array([beside[f"offset_{axis}_m"] for axis in ("east", "north", "height")])


def test_one_corner_in_every_format(tmp_path: Path) -> None:
    files = files_of(tmp_path, scene(others=(road(),)))
    for kind in ("glb", "obj", "dxf", "cityjson"):
        assert nearest(corners_in(files[kind][0])) < FORMAT_PLACE_M, kind
    with rasterio.open(files["geotiff"][0]) as source:
        east, north, _ = CORNER
        assert next(source.sample([(east, north)]))[0] == pytest.approx(60 + 0.1 * 66.345, abs=0.1)
        assert source.tags()["TWIN_SCENE"] == "ab" * 32


@pytest.mark.parametrize("scenario", ["existing", "plan-2030", "plan.v1", "plan.v2.glb", "A_b.c"])
def test_files_are_named_after_their_scenario(tmp_path: Path, scenario: str) -> None:
    """Ids may hold dots: two scenarios never share a file."""
    files = files_of(tmp_path, scene(scenario=scenario))
    names = {kind: [f.name for f in made] for kind, made in files.items()}
    assert names["glb"] == [f"{scenario}.glb", f"{scenario}.glb.json", "LISEZMOI-glb.txt"]
    assert names["obj"][:3] == [f"{scenario}.obj", f"{scenario}.mtl", f"{scenario}.obj.json"]
    assert names["dxf"][:2] == [f"{scenario}.dxf", f"{scenario}.dxf.json"]
    assert names["cityjson"][0] == f"{scenario}.city.json"
    assert {f for made in files.values() for f in made} == {p for p in tmp_path.rglob("*") if p.is_file()}


def test_the_word_beside_says_how_to_place_the_files(tmp_path: Path) -> None:
    files = files_of(tmp_path, scene())
    for kind, made in files.items():
        text = made[-1].read_text(encoding="utf-8")
        assert "EPSG:3812" in text and "EPSG:5710" in text and "SYNTHETIC" in text and "ab" * 32 in text
        assert ("732446" in text) == (kind in ("glb", "obj", "dxf")), kind
        assert all(f.name in text for f in made[:-1])


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_odd_site_names_stay_text(tmp_path: Path, name: str) -> None:
    files = files_of(tmp_path / "in", scene(), {"name": name, "attribution": name, "synthetic": False})
    written = {p for p in tmp_path.rglob("*") if p.is_file()}
    assert {f for made in files.values() for f in made} == written
    assert all(p.parent == tmp_path / "in" for p in written)
    text = files["glb"][-1].read_text(encoding="utf-8")
    assert len(text.splitlines()) == 10 + bool(name)
    model = json.loads(files["cityjson"][0].read_text(encoding="utf-8"))
    assert model["metadata"].get("title", "").strip() == readable(name).strip()


def test_a_removed_object_is_in_no_file_and_the_dsm_only_with_the_existing_state(tmp_path: Path) -> None:
    whole = scene()
    assert len(whole.proposed) == 1
    gone = Scene("plan", "cd" * 32, whole.terrain, (), (), (), (), ("b-1",))
    for kind, made in files_of(tmp_path, gone).items():
        if kind != "geotiff":
            assert nearest(corners_in(made[0])) > 1.0, kind
        assert "b-1" not in "".join(p.read_text("utf-8", "replace") for p in made), kind
