"""DXF R2010: 3D faces by layer, for CAD; needs the extra ``[cad]``. The only file that imports ezdxf."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import MissingDependencyError
from twin.io.atomic import write_json, writing
from twin.io.meshes import Placement, surface_name

if TYPE_CHECKING:
    from twin.model.scene import SceneItem

ACI = {
    "TERRAIN": 33,
    "BUILDINGS_ROOF": 30,
    "BUILDINGS_WALL": 9,
    "BUILDINGS_GROUND": 8,
    "PROPOSALS": 10,
    "TREES": 92,
    "OTHER": 150,
}
"""AutoCAD colour index of each layer."""


def layer_of(item: SceneItem, code: int) -> str:
    """Layer of a face: by class, buildings also by face type."""
    if item.layer != "buildings":
        return item.layer.upper()
    kind = surface_name(code).removesuffix("Surface").upper()
    return f"BUILDINGS_{kind}" if f"BUILDINGS_{kind}" in ACI else "BUILDINGS_WALL"


def write_dxf(
    path: Path, items: Iterable[SceneItem], placement: Placement, *, absolute: bool = False
) -> list[Path]:
    """Write 3DFACE entities by layer, with a sidecar that holds the offset.

    Parameters
    ----------
    absolute
        Full world coordinates instead of local ones.

    Raises
    ------
    MissingDependencyError
        ezdxf is not installed.
    """
    try:
        import ezdxf
    except ImportError:
        raise MissingDependencyError(
            "DXF needs ezdxf, which is not installed: pip install 'valley-twin[cad]'"
        ) from None
    record = placement.record("DXF: x east, y north, z up")
    shift = np.array([*placement.frame.origin, 0.0]) if absolute else np.zeros(3)
    if absolute:
        record.update(offset_east_m=0, offset_north_m=0)
    cad: Any = ezdxf  # its stubs do not export what its manual documents
    before = cad.options.write_fixed_meta_data_for_testing
    cad.options.write_fixed_meta_data_for_testing = True
    try:
        document = cad.new("R2010", units=6)
        document.header["$INSUNITS"] = 6
        for name, colour in ACI.items():
            document.layers.add(name, color=colour)
        space = document.modelspace()
        for item in items:
            corners = (item.mesh.vertices + shift)[item.mesh.faces]
            codes = item.mesh.semantics.tolist()
            for triangle, code in zip(corners.tolist(), codes, strict=True):
                space.add_3dface([*triangle, triangle[2]], dxfattribs={"layer": layer_of(item, code)})
        for key, value in record.items():
            document.header.custom_vars.append(str(key), " ".join(str(value).split())[:200])
        with writing(path) as temporary:
            document.saveas(temporary)
    finally:
        cad.options.write_fixed_meta_data_for_testing = before
    sidecar = path.with_name(path.name + ".json")
    write_json(sidecar, record)
    return [path, sidecar]
