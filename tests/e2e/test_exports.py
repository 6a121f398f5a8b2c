"""``twin export`` on a site made of one small synthetic city model: formats, scenarios, offsets, repetition."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import ezdxf
import numpy as np
import pytest
import trimesh

from tests.cityjson_worlds import document, saved
from tests.command import Ended
from tests.format_worlds import CORNER, nearest
from tests.tolerances import FORMAT_PLACE_M

Twin = Callable[..., Ended]

FAR = (CORNER[0] + 20.0, CORNER[1], CORNER[2] + 11.0)
"""Eaves of the second house, which one scenario removes; its outline stays in the ground."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, twin: Twin) -> Path:
    """Two houses, and two scenarios whose ids differ after a dot only."""
    folder = tmp_path_factory.mktemp("exports")
    value = document()
    east = json.loads(json.dumps(value["CityObjects"]["b-1"]["geometry"][0]))
    east["boundaries"] = [[[[i + 8 for i in ring] for ring in face] for face in east["boundaries"][0]]]
    value["CityObjects"]["b-2"] = {"type": "Building", "geometry": [east]}
    value["vertices"] += [[x + 20000, y, z] for x, y, z in value["vertices"]]
    made = twin("init", folder / "site", "--citymodel", saved(folder, value), "--language", "en")
    assert made.code == 0, made.text
    files = {
        "proposals/clear/proposal.toml": 'id = "clear"\n[[remove]]\nids = ["b-2"]\n',
        "scenarios/plan.v1.toml": 'id = "plan.v1"\nparent = "existing"\napply = []\n',
        "scenarios/plan.v2.toml": 'id = "plan.v2"\nparent = "existing"\napply = [{ proposal = "clear" }]\n',
    }
    for name, text in files.items():
        path = folder / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    built = twin("build", folder / "site")
    assert built.code == 0, built.text
    return folder / "site"


def world(path: Path) -> np.ndarray:
    """Points of an OBJ in the world, with the offset of its sidecar."""
    beside = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
    points = np.concatenate([p.vertices for p in trimesh.load_scene(path, process=False).dump()])
    return points + np.array([beside["offset_east_m"], beside["offset_north_m"], beside["offset_height_m"]])


def test_every_scenario_gets_files_of_its_own(site: Path, twin: Twin) -> None:
    done = twin("export", site, "--format", "obj", "--format", "cityjson")
    assert done.code == 0, done.text
    folder = site / "out" / "exports"
    assert sorted(p.name for p in folder.iterdir()) == ["existing", "plan.v1", "plan.v2"]
    for name, count in (("existing", 2), ("plan.v1", 2), ("plan.v2", 1)):
        points = world(folder / name / f"{name}.obj")
        assert nearest(points) < FORMAT_PLACE_M
        assert (nearest(points, FAR) < FORMAT_PLACE_M) == (count == 2), name
        model = json.loads((folder / name / f"{name}.city.json").read_text(encoding="utf-8"))
        assert [o["type"] for o in model["CityObjects"].values()].count("Building") == count
    hashes = {json.loads(p.read_text(encoding="utf-8"))["scene_hash"] for p in folder.rglob("*.obj.json")}
    assert len(hashes) == 3


def test_one_scenario_and_full_coordinates(site: Path, twin: Twin) -> None:
    done = twin("export", site, "--format", "dxf", "--scenario", "plan.v2", "--absolute")
    assert done.code == 0, done.text
    path = site / "out" / "exports" / "plan.v2" / "plan.v2.dxf"
    assert not (site / "out" / "exports" / "existing" / "existing.dxf").exists()
    faces = ezdxf.readfile(path).modelspace().query("3DFACE")
    assert (
        nearest(np.array([tuple(f.dxf.vtx0) for f in faces] + [tuple(f.dxf.vtx1) for f in faces]))
        < FORMAT_PLACE_M
    )
    beside = json.loads(path.with_name("plan.v2.dxf.json").read_text(encoding="utf-8"))
    assert (beside["offset_east_m"], beside["offset_north_m"]) == (0, 0)


def test_unchanged_exports_are_kept_and_other_options_make_them_anew(site: Path, twin: Twin) -> None:
    path = site / "out" / "exports" / "existing" / "existing.glb"
    assert twin("export", site, "--format", "glb").code == 0
    first = path.stat().st_mtime_ns
    assert twin("export", site, "--format", "glb").code == 0
    assert path.stat().st_mtime_ns == first
    path.unlink()
    assert twin("export", site, "--format", "glb").code == 0
    assert path.is_file()


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (["--format", "fbx"], 2, "--format is one of glb, obj, dxf, cityjson, geotiff or all; got fbx"),
        (["--format", "glb", "--scenario", "nowhere"], 3, "nowhere"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(
    site: Path, twin: Twin, options: list[str], code: int, word: str
) -> None:
    done = twin("export", site, *options)
    assert done.code == code and word in done.err, done.text
    assert len(done.err.strip().splitlines()) == 1
