"""DXF: read back by ezdxf, faces lie on their layers and at their place."""

from __future__ import annotations

import json
from pathlib import Path

import ezdxf
import numpy as np
import pytest
import trimesh

from tests.format_worlds import FRAME, NASTY, VOLUME_M3, building, nearest, readable, road, scene
from tests.tolerances import FORMAT_PLACE_M
from twin.io.dxf import ACI, write_dxf
from twin.io.meshes import Placement
from twin.model.scene import walk

PLACEMENT = Placement(FRAME, {"site": "Test", "scenario": "existing"})


def triangles(path: Path, layer: str | None = None) -> np.ndarray:
    """Corners (n, 3, 3) of the 3D faces of a layer, or of all."""
    space = ezdxf.readfile(path).modelspace()
    faces = [f for f in space.query("3DFACE") if layer in (None, f.dxf.layer)]
    return np.array([[tuple(f.dxf.vtx0), tuple(f.dxf.vtx1), tuple(f.dxf.vtx2)] for f in faces])


@pytest.mark.parametrize("absolute", [False, True])
def test_a_drawing_lies_at_its_place(tmp_path: Path, absolute: bool) -> None:
    path, sidecar = write_dxf(tmp_path / "a.dxf", walk(scene()), PLACEMENT, absolute=absolute)
    record = json.loads(sidecar.read_text(encoding="utf-8"))
    shift = np.array([record["offset_east_m"], record["offset_north_m"], record["offset_height_m"]])
    assert (shift[:2] == 0).all() == absolute
    assert nearest(triangles(path).reshape(-1, 3) + shift) < FORMAT_PLACE_M
    inside = dict(ezdxf.readfile(path).header.custom_vars.properties)
    assert inside["offset_east_m"] == str(record["offset_east_m"])
    assert inside["crs"] == "EPSG:3812"


def test_layers_by_class_with_their_colours(tmp_path: Path) -> None:
    whole = scene(others=(road(),))
    path, _ = write_dxf(tmp_path / "a.dxf", walk(whole), PLACEMENT)
    drawing = ezdxf.readfile(path)
    assert drawing.dxfversion == "AC1024" and drawing.header["$INSUNITS"] == 6
    assert {name: drawing.layers.get(name).color for name in ACI} == ACI
    counts = {name: len(triangles(path, name)) for name in ACI}
    assert {name: counts[name] for name in list(ACI)[:5]} == {
        "TERRAIN": 2, "BUILDINGS_ROOF": 2, "BUILDINGS_WALL": 8, "BUILDINGS_GROUND": 2, "PROPOSALS": 12,
    }  # fmt: skip
    assert counts["TREES"] > 0 and counts["OTHER"] == 8
    assert sum(counts.values()) == len(triangles(path))
    assert not drawing.audit().errors


def test_faces_still_turn_outward(tmp_path: Path) -> None:
    path, _ = write_dxf(tmp_path / "a.dxf", [i for i in walk(scene()) if i.id == "b-1"], PLACEMENT)
    corners = triangles(path)
    mesh = trimesh.Trimesh(corners.reshape(-1, 3), np.arange(corners.size // 3).reshape(-1, 3))
    assert mesh.is_watertight and mesh.volume == pytest.approx(VOLUME_M3, rel=1e-9)


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_odd_names_break_neither_file_nor_path(tmp_path: Path, name: str) -> None:
    odd = Placement(FRAME, {"site": name, "attribution": name * 50})
    files = write_dxf(tmp_path / "in" / "a.dxf", walk(scene((building(name),))), odd)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.dxf", "a.dxf.json"]
    drawing = ezdxf.readfile(files[0])
    assert not drawing.audit().errors
    assert nearest(FRAME.to_world(triangles(files[0]).reshape(-1, 3))) < FORMAT_PLACE_M
    assert set(drawing.layers.entries) == {"0", "defpoints", *(n.lower() for n in ACI)}
    assert json.loads(files[1].read_text(encoding="utf-8"))["site"] == readable(name)


def test_same_scene_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_dxf(tmp_path / f"{name}.dxf", walk(scene()), PLACEMENT)
    assert (tmp_path / "a.dxf").read_bytes() == (tmp_path / "b.dxf").read_bytes()
