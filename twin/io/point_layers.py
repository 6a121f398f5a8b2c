"""Points of vector files with their heights: middles of windows and the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from twin.errors import InputError
from twin.frame import Frame
from twin.io.crs import mover
from twin.io.vector import LayerInfo, layer_crs, read_table, to_local, vector_info


@dataclass(frozen=True, slots=True)
class PointFeature:
    """One point.

    Parameters
    ----------
    fid
        Number in the file.
    x, y
        Local space [m].
    z
        As the file has it [m]; None where it has none.
    attributes
        Fields.
    problem
        Why it cannot be used; empty where it can.
    """

    fid: int
    x: float
    y: float
    z: float | None
    attributes: Mapping[str, Any]
    problem: str = ""


def read_points(
    path: Path,
    frame: Frame,
    *,
    layer: str | None = None,
    crs_text: str | None = None,
    accepted_accuracy_m: float | None = None,
) -> list[PointFeature]:
    """The points of a layer, in the file's order; what is no single point comes with its problem.

    Heights are taken as the file has them: in the vertical datum of the frame.

    Raises
    ------
    InputError
        Missing or unreadable file, several layers and none named, unknown CRS.
    """
    info = _layer(path, layer)
    way = mover(layer_crs(path, info, crs_text), frame, accepted_accuracy_m=accepted_accuracy_m)
    table = read_table(path, info, None)
    shapes = [None if wkb is None else shapely.from_wkb(wkb, on_invalid="ignore") for wkb in table.wkb]
    good = [k for k, shape in enumerate(shapes) if _single(shape)]
    moved = dict(zip(good, to_local(way, frame, [shapely.force_2d(shapes[k]) for k in good]), strict=True))
    out = []
    for k, fid in enumerate(table.fids):
        values = {name: column[k] for name, column in table.columns.items()}
        place = moved.get(k)
        if place is None:
            why = "lies where the change of CRS has no answer" if k in moved else "is no single point"
            out.append(PointFeature(fid, 0.0, 0.0, None, values, why))
            continue
        x, y = (float(v) for v in shapely.get_coordinates(place)[0])
        z = float(shapely.get_coordinates(shapes[k], include_z=True)[0, 2])
        out.append(PointFeature(fid, x, y, None if z != z else z, values))
    return out


def _single(shape: Any) -> bool:
    kind = None if shape is None else shape.geom_type
    return kind in ("Point", "MultiPoint") and len(shapely.get_coordinates(shape)) == 1


def _layer(path: Path, layer: str | None) -> LayerInfo:
    layers = vector_info(path)
    listing = ", ".join(f"{info.name} ({info.geometry_type})" for info in layers) or "nothing"
    if layer is not None:
        named = [info for info in layers if info.name == layer]
        if not named:
            raise InputError(f"{path}: there is no layer {layer!r}; the file has: {listing}")
        return named[0]
    usable = [info for info in layers if "point" in info.geometry_type.lower()] or list(layers)
    if len(usable) != 1:
        raise InputError(f"{path}: expected one layer of points, or its name; the file has: {listing}")
    return usable[0]
