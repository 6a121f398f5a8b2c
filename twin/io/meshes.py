"""GLB, OBJ and STL: models of proposals in, models to hand over out. One of two files that import trimesh."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.frame import Frame
from twin.io.atomic import plain, utf8, write_json, write_text, writing
from twin.io.axes import metres_of, y_up_to_z_up, z_up_to_y_up
from twin.model.surface import CITYJSON_NAMES, Surface

if TYPE_CHECKING:
    from twin.model.mesh import TriangleMesh
    from twin.model.objects import Building
    from twin.model.scene import SceneItem

Colour = tuple[int, int, int]
"""sRGB, 0 to 255."""

FORMATS = (".glb", ".gltf", ".obj", ".stl")


def read_mesh(
    path: Path, *, units: str = "m", up: str = "z"
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Triangles of a model file, z up, in metres, still in the model's own place.

    Parameters
    ----------
    path
        GLB, glTF, OBJ or STL; the parts of a scene are put together with their placements.
    units
        Unit of the file: m, cm, mm, ft, in.
    up
        Which axis of the file points up, ``y`` or ``z``.

    Returns
    -------
    Vertices (n, 3) float64 [m] and faces (m, 3) int32.

    Raises
    ------
    InputError
        No such file, an unknown format, a file that cannot be read, or one without triangles.
    """
    import trimesh

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: {path.suffix or 'no suffix'} is not read; give a GLB, OBJ or STL")
    if up not in ("y", "z"):
        raise InputError(f"{path}: up is y or z; got {up!r}")
    try:
        scene = trimesh.load_scene(path, process=False)
        parts = [g for g in scene.dump() if isinstance(g, trimesh.Trimesh) and len(g.faces)]
    except Exception as error:
        text = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{path}: cannot be read as a model: {text}") from error
    if not parts:
        raise InputError(f"{path}: holds no triangles")
    starts = np.cumsum([0] + [len(p.vertices) for p in parts[:-1]])
    vertices = np.concatenate([np.asarray(p.vertices, dtype=np.float64) for p in parts])
    faces = np.concatenate([np.asarray(p.faces) + s for p, s in zip(parts, starts, strict=True)])
    if not np.isfinite(vertices).all():
        raise InputError(f"{path}: has vertices that are not finite numbers")
    if up == "y":
        vertices = y_up_to_z_up(vertices)
    return vertices * metres_of(units), faces.astype(np.int32)


def mesh_to_trimesh(mesh: TriangleMesh) -> Any:
    """A ``trimesh.Trimesh`` of local coordinates [m]; semantics as face attribute."""
    import trimesh

    made = trimesh.Trimesh(np.array(mesh.vertices), np.array(mesh.faces), process=False)
    made.face_attributes["semantics"] = np.array(mesh.semantics)
    return made


def building_to_trimesh(building: Building, lod: str | None = None) -> Any:
    """A ``trimesh.Trimesh`` of a building and its parts, local space [m].

    Raises
    ------
    InputError
        It has no geometry (of that LoD).
    """
    from twin.model.mesh import TriangleMesh
    from twin.model.scene import building_meshes

    meshes = building_meshes(building, lod)
    if not meshes:
        reason = f": {building.failure.reason}" if building.failure else ""
        has = ", ".join(g.lod for g in building.geometries) or "none"
        raise InputError(
            f"building {building.id!r} has no geometry of LoD {lod or 'any'} (has {has}){reason}"
        )
    return mesh_to_trimesh(TriangleMesh.joined(building.frame, meshes))


@dataclass(frozen=True, slots=True)
class Placement:
    """How a file's coordinates relate to the world; written inside and beside every file.

    Parameters
    ----------
    frame
        The site's frame.
    about
        Site name, scenario, scene hash, attribution, ...
    """

    frame: Frame
    about: Mapping[str, Any]

    def record(self, axes: str) -> dict[str, Any]:
        """JSON for people and programs: add the offset to come to the world."""
        frame = self.frame
        checked: dict[str, Any] = plain(
            {
                "crs": frame.crs_name,
                "heights": frame.vertical,
                "offset_east_m": frame.origin[0],
                "offset_north_m": frame.origin[1],
                "offset_height_m": 0,
                "unit": "metre",
                "axes": axes,
                "grid_convergence_deg": round(frame.convergence_deg, 6),
                **self.about,
            }
        )
        return checked


def colour_of(item: SceneItem, code: int, colours: Mapping[Any, Colour]) -> Colour:
    """Colour of a face type of an object; proposals have their own."""
    surface = Surface(code)
    if item.status == "proposed":
        key = "proposed_roof" if surface == Surface.ROOF else "proposed_wall"
        if key in colours:
            return colours[key]
    return colours.get(surface, (200, 200, 200))


def surface_name(code: int) -> str:
    """Name of a face type for materials and layers."""
    surface = Surface(code)
    return CITYJSON_NAMES.get(surface, surface.name.title())


def write_glb(
    path: Path, items: Iterable[SceneItem], placement: Placement, colours: Mapping[Any, Colour]
) -> list[Path]:
    """Write a binary glTF 2.0: y up, one node per object, a material per face type, flat shading.

    The site's offset stands in ``asset.extras``, on the root node, and beside the file.

    Returns
    -------
    The files written: the GLB and its sidecar.
    """
    build = _Glb()
    names: list[int] = []
    for item in items:
        primitives = []
        for code in np.unique(item.mesh.semantics).tolist():
            faces = item.mesh.faces[item.mesh.semantics == code]
            material = build.material(surface_name(code), item.status, colour_of(item, code, colours))
            primitives.append(build.primitive(z_up_to_y_up(item.mesh.vertices), faces, material))
        if primitives:
            extras = {"id": item.id, "layer": item.layer, "type": item.type, "status": item.status}
            names.append(build.node(item.id, primitives, extras))
    record = placement.record("glTF: x east, y up, z south")
    with writing(path) as temporary:
        temporary.write_bytes(build.bytes(names, record))
    sidecar = path.with_name(path.name + ".json")
    write_json(sidecar, record)
    return [path, sidecar]


def write_painted_glb(
    path: Path,
    vertices: NDArray[np.float64],
    faces: NDArray[np.int32],
    colours: NDArray[np.uint8],
    placement: Placement,
) -> list[Path]:
    """Write one mesh with a colour for each vertex as binary glTF 2.0, y up, offset beside the file.

    Parameters
    ----------
    vertices, faces
        (n, 3) local space [m] and (m, 3).
    colours
        (n, 4) RGBA.
    """
    import trimesh

    mesh = trimesh.Trimesh(z_up_to_y_up(vertices), faces, vertex_colors=colours, process=False)
    with writing(path) as temporary:
        content: Any = mesh.export(file_type="glb")
        temporary.write_bytes(content)
    sidecar = path.with_name(path.name + ".json")
    write_json(sidecar, placement.record("glTF: x east, y up, z south"))
    return [path, sidecar]


class _Glb:
    """Collects the parts of a GLB."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []
        self._meshes: list[dict[str, Any]] = []
        self._nodes: list[dict[str, Any]] = []
        self._materials: dict[tuple[str, str, Colour], int] = {}

    def material(self, name: str, status: str, colour: Colour) -> int:
        return self._materials.setdefault((name, status, colour), len(self._materials))

    def _view(self, data: bytes, target: int) -> int:
        self._chunks.append(data + b"\0" * (-len(data) % 4))
        self._views.append({"buffer": 0, "byteOffset": self._size, "byteLength": len(data), "target": target})
        self._size += len(self._chunks[-1])
        return len(self._views) - 1

    def primitive(
        self, vertices: NDArray[np.float64], faces: NDArray[np.int32], material: int
    ) -> dict[str, Any]:
        used, inverse = np.unique(faces, return_inverse=True)
        points = vertices[used].astype("<f4")
        place = len(self._accessors)
        self._accessors.append(
            {
                "bufferView": self._view(points.tobytes(), 34962),
                "componentType": 5126,
                "count": len(points),
                "type": "VEC3",
                "min": [float(v) for v in points.min(axis=0)],
                "max": [float(v) for v in points.max(axis=0)],
            }
        )
        self._accessors.append(
            {
                "bufferView": self._view(inverse.astype("<u4").tobytes(), 34963),
                "componentType": 5125,
                "count": int(inverse.size),
                "type": "SCALAR",
            }
        )
        return {"attributes": {"POSITION": place}, "indices": place + 1, "material": material, "mode": 4}

    def node(self, name: str, primitives: list[dict[str, Any]], extras: dict[str, Any]) -> int:
        # The node and its extras carry the id as it is; trimesh trips over braces in the name of a mesh.
        plain_name = name.replace("{", "(").replace("}", ")")
        self._meshes.append({"name": plain_name, "primitives": primitives})
        self._nodes.append({"name": name, "mesh": len(self._meshes) - 1, "extras": extras})
        return len(self._nodes) - 1

    def bytes(self, children: Sequence[int], record: dict[str, Any]) -> bytes:
        root = {"name": "site", "children": list(children), "extras": record}
        document = {
            "asset": {
                "version": "2.0",
                "generator": "valley-twin",
                "copyright": str(record.get("attribution", "")),
                "extras": record,
            },
            "scene": 0,
            "scenes": [{"nodes": [len(self._nodes)]}],
            "nodes": [*self._nodes, root if children else {"name": "site", "extras": record}],
            "meshes": self._meshes,
            "materials": [
                {
                    "name": f"{name} ({status})",
                    "doubleSided": True,
                    "pbrMetallicRoughness": {
                        "baseColorFactor": [*(round((c / 255.0) ** 2.2, 5) for c in colour), 1.0],
                        "metallicFactor": 0.0,
                        "roughnessFactor": 0.9,
                    },
                }
                for name, status, colour in self._materials
            ],
            "accessors": self._accessors,
            "bufferViews": self._views,
            "buffers": [{"byteLength": self._size}],
        }
        for empty in [k for k in ("meshes", "materials", "accessors", "bufferViews") if not document[k]]:
            del document[empty]
        if not self._size:
            del document["buffers"]
        text = utf8(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
        text += b" " * (-len(text) % 4)
        body = b"".join(self._chunks)
        parts = [struct.pack("<II", len(text), 0x4E4F534A), text]
        if body:
            parts += [struct.pack("<II", len(body), 0x004E4942), body]
        length = 12 + sum(len(p) for p in parts)
        return b"".join([struct.pack("<4sII", b"glTF", 2, length), *parts])


def write_obj(
    path: Path,
    items: Iterable[SceneItem],
    placement: Placement,
    colours: Mapping[Any, Colour],
    *,
    absolute: bool = False,
) -> list[Path]:
    """Write an OBJ with its MTL and a sidecar: z up, one group per object, a material per face type.

    Parameters
    ----------
    absolute
        Full world coordinates instead of local ones; many programs lose millimetres on them.
    """
    shift = np.array([*placement.frame.origin, 0.0]) if absolute else np.zeros(3)
    record = placement.record("OBJ: x east, y north, z up")
    if absolute:
        record.update(offset_east_m=0, offset_north_m=0)
    library = path.with_suffix(".mtl")
    materials: dict[str, Colour] = {}
    with writing(path) as temporary, temporary.open("wb") as stream:
        for key, value in record.items():
            stream.write(utf8(f"# {key}: {_line(value)}\n"))
        stream.write(utf8(f"mtllib {library.name}\n"))
        start = 1
        for item in items:
            points = item.mesh.vertices + shift
            stream.write(utf8(f"g {_line(item.id).replace(' ', '_')}\n"))
            stream.writelines(f"v {x:.4f} {y:.4f} {z:.4f}\n".encode() for x, y, z in points.tolist())
            for code in np.unique(item.mesh.semantics).tolist():
                name = f"{surface_name(code)}_{item.status}"
                materials[name] = colour_of(item, code, colours)
                stream.write(utf8(f"usemtl {name}\n"))
                faces = item.mesh.faces[item.mesh.semantics == code] + start
                stream.writelines(f"f {a} {b} {c}\n".encode() for a, b, c in faces.tolist())
            start += len(points)
    lines = []
    for name, colour in sorted(materials.items()):
        shades = " ".join(f"{c / 255.0:.4f}" for c in colour)
        lines.append(f"newmtl {name}\nKd {shades}\nKa 0 0 0\nKs 0 0 0\n")
    write_text(library, "".join(lines))
    sidecar = path.with_name(path.name + ".json")
    write_json(sidecar, record)
    return [path, library, sidecar]


def _line(value: Any) -> str:
    """Text of a file on one line: a line break would start a new command, a backslash join the next line."""
    return " ".join(str(value).replace("\\", "/").split())
