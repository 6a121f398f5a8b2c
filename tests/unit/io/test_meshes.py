"""GLB and OBJ: read back by another library, each corner stands where it stood in the world."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from tests.format_worlds import CORNER, FRAME, NASTY, VOLUME_M3, building, nearest, readable, road, scene
from tests.tolerances import FORMAT_PLACE_M, GLB_VOLUME_SHARE
from twin.errors import InputError
from twin.io.meshes import Placement, read_mesh, write_glb, write_obj
from twin.model.mesh import TriangleMesh
from twin.model.scene import SceneItem, walk
from twin.model.surface import Surface
from viewers.palette import SURFACES, surface_colours

PLACEMENT = Placement(FRAME, {"site": "Test & co", "scenario": "existing", "attribution": "synthetic"})


def glb_json(path: Path) -> dict[str, Any]:
    """The JSON chunk of a GLB, by the letter of the format."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<II", data, 12)
    assert kind == 0x4E4F534A and size % 4 == 0
    return json.loads(data[20 : 20 + size])


def offset(record: dict[str, Any]) -> np.ndarray:
    return np.array([record["offset_east_m"], record["offset_north_m"], record["offset_height_m"]])


def everything(path: Path) -> trimesh.Trimesh:
    return trimesh.util.concatenate(list(trimesh.load_scene(path, process=False).dump()))


def only(name: str = "b-1") -> list[SceneItem]:
    return [item for item in walk(scene()) if item.id == name]


def test_a_glb_lies_at_its_place_once_the_offset_is_added(tmp_path: Path) -> None:
    files = write_glb(tmp_path / "a.glb", walk(scene()), PLACEMENT, surface_colours())
    assert [f.name for f in files] == ["a.glb", "a.glb.json"]
    points = np.asarray(everything(files[0]).vertices)
    east_north_up = np.column_stack([points[:, 0], -points[:, 2], points[:, 1]])
    beside = json.loads(files[1].read_text(encoding="utf-8"))
    assert nearest(east_north_up + offset(beside)) < FORMAT_PLACE_M
    inside = glb_json(files[0])["asset"]["extras"]
    assert inside == beside
    assert (beside["crs"], beside["heights"], beside["unit"]) == ("EPSG:3812", "EPSG:5710", "metre")


def test_a_glb_is_recentred_y_up_and_carries_no_rotation(tmp_path: Path) -> None:
    path = write_glb(tmp_path / "a.glb", only(), PLACEMENT, surface_colours())[0]
    document = glb_json(path)
    assert not [n for n in document["nodes"] if {"matrix", "rotation", "translation", "scale"} & set(n)]
    low = np.min([a["min"] for a in document["accessors"] if "min" in a], axis=0)
    high = np.max([a["max"] for a in document["accessors"] if "max" in a], axis=0)
    assert np.allclose(high - low, [8.0, 11.0, 5.0], atol=FORMAT_PLACE_M)
    assert np.abs([low, high]).max() < 1000
    root = document["nodes"][document["scenes"][0]["nodes"][0]]
    assert root["extras"] == document["asset"]["extras"]


def test_faces_still_turn_outward(tmp_path: Path) -> None:
    glb = write_glb(tmp_path / "a.glb", only(), PLACEMENT, surface_colours())[0]
    obj = write_obj(tmp_path / "a.obj", only(), PLACEMENT, surface_colours())[0]
    for path in (glb, obj):
        mesh = everything(path)
        mesh.merge_vertices(merge_tex=True, merge_norm=True, digits_vertex=3)
        assert mesh.is_watertight
        assert mesh.volume == pytest.approx(VOLUME_M3, rel=GLB_VOLUME_SHARE)
    for path, up in ((glb, "y"), (obj, "z")):
        vertices, faces = read_mesh(path, up=up)
        assert nearest(FRAME.to_world(vertices)) < FORMAT_PLACE_M
        back = TriangleMesh(FRAME, vertices, faces, np.zeros(len(faces), np.uint8))
        assert back.signed_volume() == pytest.approx(VOLUME_M3, rel=GLB_VOLUME_SHARE)


@pytest.mark.parametrize("absolute", [False, True])
def test_an_obj_lies_at_its_place(tmp_path: Path, absolute: bool) -> None:
    files = write_obj(tmp_path / "a.obj", walk(scene()), PLACEMENT, surface_colours(), absolute=absolute)
    assert [f.name for f in files] == ["a.obj", "a.mtl", "a.obj.json"]
    record = json.loads(files[2].read_text(encoding="utf-8"))
    assert (record["offset_east_m"] == 0) is absolute
    points = np.asarray(everything(files[0]).vertices)
    assert nearest(points + offset(record)) < FORMAT_PLACE_M
    head = [line for line in files[0].read_text(encoding="utf-8").splitlines() if line.startswith("# offset")]
    assert head == [f"# {k}: {v}" for k, v in record.items() if k.startswith("offset")]


def test_one_node_an_object_and_colours_by_surface_and_status(tmp_path: Path) -> None:
    path = write_glb(tmp_path / "a.glb", walk(scene(others=(road(),))), PLACEMENT, surface_colours())[0]
    document = glb_json(path)
    extras = {n["name"]: n.get("extras") for n in document["nodes"]}
    assert set(extras) == {"terrain", "b-1", "p-1", "r-1", "t-1", "site"}
    assert extras["p-1"] == {"id": "p-1", "layer": "proposals", "type": "Building", "status": "proposed"}

    def colour(node: str, surface: str) -> tuple[int, ...]:
        mesh = document["meshes"][next(n["mesh"] for n in document["nodes"] if n["name"] == node)]
        for primitive in mesh["primitives"]:
            material = document["materials"][primitive["material"]]
            if material["name"].startswith(surface):
                linear = material["pbrMetallicRoughness"]["baseColorFactor"]
                return tuple(round(255 * c ** (1 / 2.2)) for c in linear[:3])
        raise AssertionError(f"no {surface} on {node}")

    assert colour("b-1", "RoofSurface") == SURFACES[Surface.ROOF]
    assert colour("b-1", "WallSurface") == SURFACES[Surface.WALL]
    assert colour("terrain", "Terrain") == SURFACES[Surface.TERRAIN]
    assert colour("t-1", "Vegetation") == SURFACES[Surface.VEGETATION]
    assert colour("p-1", "RoofSurface") == SURFACES["proposed_roof"]
    assert colour("p-1", "WallSurface") == SURFACES["proposed_wall"]


def test_materials_of_an_obj_are_those_of_its_library(tmp_path: Path) -> None:
    obj, mtl, _ = write_obj(tmp_path / "a b.obj", walk(scene()), PLACEMENT, surface_colours())
    text = obj.read_text(encoding="utf-8").splitlines()
    used = {line.split()[1] for line in text if line.startswith("usemtl ")}
    made = mtl.read_text(encoding="utf-8").splitlines()
    names = [line.split()[1] for line in made if line.startswith("newmtl ")]
    assert used == set(names) and len(names) == len(set(names))
    roof = made[made.index("newmtl RoofSurface_existing") + 1]
    expected = [c / 255 for c in SURFACES[Surface.ROOF]]
    assert [float(v) for v in roof.split()[1:]] == pytest.approx(expected, abs=1e-4)
    assert [line for line in text if line.startswith("mtllib")] == ["mtllib a b.mtl"]
    assert [line for line in text if line.startswith("g ")] == ["g terrain", "g b-1", "g p-1", "g t-1"]


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_odd_names_break_neither_file_nor_path(tmp_path: Path, name: str) -> None:
    odd = Placement(FRAME, {"site": name, "attribution": name, "scenario": "existing"})
    east, north, height = CORNER
    twice = (building(name), building("after", corner=(east, north + 30, height)))
    items = list(walk(scene(twice)))
    inner = tmp_path / "in"
    glb = write_glb(inner / "a.glb", items, odd, surface_colours())
    obj = write_obj(inner / "a.obj", items, odd, surface_colours())
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {f.name for f in [*glb, *obj]}
    count = sum(len(item.mesh.faces) for item in items)
    for path in (glb[0], obj[0]):
        mesh = everything(path)
        assert len(mesh.faces) == count, path.name
        vertices, faces = read_mesh(path, up="y" if path.suffix == ".glb" else "z")
        assert len(faces) == count
        assert nearest(FRAME.to_world(vertices)) < FORMAT_PLACE_M
    names = [n["name"] for n in glb_json(glb[0])["nodes"]]
    assert names == ["terrain", readable(name), "after", "p-1", "t-1", "site"]
    groups = [line for line in obj[0].read_text(encoding="utf-8").split("\n") if line.startswith("g ")]
    assert len(groups) == 5
    for sidecar in (glb[-1], obj[-1]):
        assert json.loads(sidecar.read_text(encoding="utf-8"))["site"] == readable(name)


def test_an_empty_scene_is_still_a_valid_file(tmp_path: Path) -> None:
    path = write_glb(tmp_path / "a.glb", [], PLACEMENT, surface_colours())[0]
    document = glb_json(path)
    assert document["nodes"] == [{"name": "site", "extras": document["asset"]["extras"]}]
    assert not {"meshes", "buffers", "accessors", "materials"} & set(document)


def test_same_scene_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_glb(tmp_path / name / "x.glb", walk(scene()), PLACEMENT, surface_colours())
        write_obj(tmp_path / name / "x.obj", walk(scene()), PLACEMENT, surface_colours())
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(("unit", "scale"), [("m", 1.0), ("mm", 1000.0), ("ft", 1 / 0.3048)])
@pytest.mark.parametrize("suffix", [".glb", ".obj", ".stl"])
def test_models_of_others_come_in_their_units_and_axes(
    tmp_path: Path, suffix: str, unit: str, scale: float
) -> None:
    """A tetrahedron that another library wrote, y up as its program draws."""
    corners = np.array([[1.0, 2.0, 3.0], [4.0, 2.0, 3.0], [1.0, 6.0, 3.0], [1.0, 2.0, 8.0]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    drawn = np.column_stack([corners[:, 0], corners[:, 2], -corners[:, 1]]) * scale
    trimesh.Trimesh(drawn, faces, process=False).export(tmp_path / f"a{suffix}")
    vertices, found = read_mesh(tmp_path / f"a{suffix}", units=unit, up="y")
    for corner in corners:
        assert nearest(vertices, tuple(corner)) < FORMAT_PLACE_M
    mesh = TriangleMesh(FRAME, vertices, found, np.zeros(len(found), np.uint8))
    assert mesh.signed_volume() == pytest.approx(3 * 4 * 5 / 6, rel=1e-5)


def test_placements_inside_a_scene_count(tmp_path: Path) -> None:
    """Two placements of one box: both stand where the scene puts them."""
    part, world = trimesh.creation.box((2, 2, 2)), trimesh.Scene()
    for x in (10.0, 30.0):
        world.add_geometry(part, transform=trimesh.transformations.translation_matrix((x, 0, 5)))
    world.export(tmp_path / "a.glb")
    vertices, faces = read_mesh(tmp_path / "a.glb")
    assert len(faces) == 24
    assert sorted({round(float(v), 6) for v in vertices[:, 0]}) == [9, 11, 29, 31]
    assert (vertices[:, 2].min(), vertices[:, 2].max()) == (4, 6)


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("gone.glb", None, "no such file"),
        ("a.fbx", b"x", r"\.fbx is not read; give a GLB, OBJ or STL"),
        ("plain", b"x", "no suffix is not read"),
        ("a.glb", b"", "cannot be read as a model"),
        ("a.glb", b"glTF\x02\0\0\0\xff\0\0\0", "cannot be read as a model"),
        ("a.obj", b"# nothing\n", "a.obj: (holds no triangles|cannot be read)"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 nan 0\nf 1 2 3\n", "a.obj: "),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nf 1 2 77\n", "a.obj: "),
        ("a.stl", b"solid x\nendsolid x\n", "a.stl: "),
    ],
)
def test_models_that_cannot_be_used_are_one_line_that_names_the_file(
    tmp_path: Path, name: str, content: bytes | None, word: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=word) as caught:
        read_mesh(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_up_and_units_are_checked(tmp_path: Path) -> None:
    trimesh.creation.box().export(tmp_path / "a.glb")
    with pytest.raises(InputError, match="up is y or z; got 'x'"):
        read_mesh(tmp_path / "a.glb", up="x")
    with pytest.raises(InputError, match="unit 'mile'"):
        read_mesh(tmp_path / "a.glb", units="mile")
