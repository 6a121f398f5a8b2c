"""Lines and polygons of a vector file as they are: outlines of water, break lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely

from twin.errors import InputError
from twin.frame import Frame
from twin.io.crs import mover
from twin.io.vector import layer_crs, read_table, to_local, vector_info


def read_shapes(
    place: str,
    folder: Path,
    frame: Frame,
    kind: Literal["lines", "polygons"],
    accuracy_m: float | None = None,
) -> list[Any]:
    """All lines or polygons of a layer, in plan, local space [m].

    Parameters
    ----------
    place
        ``file`` or ``file#layer``, relative to ``folder``; the layer is needed where there are several.
    folder
        Where relative names start.
    frame
        Frame of the result.
    kind
        ``lines`` takes the outlines of polygons too.
    accuracy_m
        Accuracy that is good enough where a grid for a change of CRS is missing [m].

    Raises
    ------
    InputError
        No such file or layer, several layers, a geometry that cannot be read or moved, or of another kind.
    """
    path, layer = split_place(place, folder)
    layers = vector_info(path)
    listing = ", ".join(f"{one.name} ({one.geometry_type}, {one.count})" for one in layers) or "none"
    chosen = [one for one in layers if layer is None or one.name == layer]
    if len(chosen) != 1:
        raise InputError(f"{path}: name one layer as {path.name}#LAYER; the file has: {listing}")
    info = chosen[0]
    table = read_table(path, info, None)
    way = mover(layer_crs(path, info, None), frame, accepted_accuracy_m=accuracy_m)
    try:
        raw = [shapely.force_2d(shapely.from_wkb(wkb)) for wkb in table.wkb if wkb is not None]
    except shapely.errors.ShapelyError as error:
        raise InputError(f"{path}: layer {info.name}: a geometry cannot be read: {error}") from error
    wanted = 2 if kind == "polygons" else 1
    out: list[Any] = []
    for number, moved in enumerate(to_local(way, frame, raw)):
        if moved is None or not np.isfinite(shapely.get_coordinates(moved)).all():
            raise InputError(
                f"{path}: layer {info.name}: feature {number + 1} has no place in the site's CRS"
            )
        if not shapely.is_empty(moved) and shapely.get_dimensions(moved) < wanted:
            raise InputError(
                f"{path}: layer {info.name}: expected {kind}, feature {number + 1} is a {moved.geom_type}"
            )
        if shapely.is_empty(moved):
            continue
        # Sorted out of self-crossings; break lines need none.
        out += [moved] if kind == "lines" else _areas(moved)
    return out


def split_place(place: str, folder: Path) -> tuple[Path, str | None]:
    """File and layer of ``file#layer``; a file may have a # in its name."""
    whole = folder / Path(place).expanduser()
    name, _, layer = place.rpartition("#")
    if whole.exists() or not name:
        return whole, None
    return folder / Path(name).expanduser(), layer


def _areas(shape: Any) -> list[shapely.Polygon]:
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(shape)))
    return [part for part in parts if isinstance(part, shapely.Polygon) and part.area > 0]
