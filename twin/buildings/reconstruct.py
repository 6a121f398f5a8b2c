"""One building from its points: LoD 1.2, 1.3 and 2.2, each a closed solid, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.buildings.cells import Cells, cut_outline
from twin.buildings.extrude import extrude
from twin.buildings.labelling import label_cells, points_in
from twin.buildings.lines import find_lines
from twin.buildings.lod12 import DECIMALS, ROOF_PERCENTILE, reconstruct_lod12
from twin.buildings.measures import solid_measures
from twin.buildings.planes import RoofPlanes, find_planes
from twin.buildings.quality import coverage, nmad, roof_distances, roof_triangles
from twin.buildings.rings import clean_polygon
from twin.buildings.roofmap import RoofMap, roof_map, settle, without_slivers
from twin.model.geometry import Geometry
from twin.model.objects import Building, Footprint
from twin.terrain.sampler import TinSampler
from twin.validation.validate import codes_of, validate_geometry
from twin.validation.volumes import solid_volume

STEP_M = 3.0
"""LoD 1.3 draws parts of a roof together whose heights differ less than this, as 3DBAG does [m]."""
MOST_PLANES = 900
"""Roofs of more planes stay blocks."""
ABOVE_M = 0.5
"""No roof rises farther than this above the 99.5th percentile of its points [m]."""
BEYOND_M = 2.0
"""Or, farther than this from the points of its plane, above the highest of these by ``ABOVE_M`` [m]."""


DENSEST = 25.0
"""Points of denser clouds are thinned before planes are sought [1/m2]."""


@dataclass(frozen=True, slots=True, eq=False)
class _Roof:
    """What is known of a roof, in a space whose origin is near it."""

    points: NDArray[np.float64]
    outline: shapely.Polygon
    found: RoofPlanes
    cells: Cells
    label: NDArray[np.int32]
    offset: NDArray[np.float64]


def reconstruct(footprint: Footprint, points: NDArray[np.float64], sampler: TinSampler) -> Building:
    """The solids of one footprint; bad data never raise.

    Parameters
    ----------
    footprint
        Outline in the terrain's frame.
    points
        (n, 3) roof points inside it, local space [m]; any order.
    sampler
        The terrain's triangles.

    Returns
    -------
    Building
        With solids of LoD 1.2, 1.3 and 2.2; what could not be made is left out, ``fallback`` says why. With a
        ``Failure`` and no solid where LoD 1.2 has none, see ``reconstruct_lod12``.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    points = points[np.isfinite(points).all(axis=1)]
    block = reconstruct_lod12(footprint, points[:, 2], sampler)
    polygon = clean_polygon(footprint.polygon)
    if block.failure is not None or polygon is None:
        return block
    geometries = list(block.geometries)
    notes: dict[str, Any] = {}
    roof = _read_roof(polygon, points)
    if isinstance(roof, str):
        notes["fallback"] = roof
    else:
        for lod, make in (("1.3", _flat_parts), ("2.2", _sloped)):
            made = make(roof, sampler)
            if isinstance(made, str):
                notes["fallback"] = f"{lod}: {made}"
                continue
            geometries.append(made)
        notes.update(_roof_notes(roof))
    notes.update(_fit_notes(geometries[-1], polygon, points))
    notes.update(solid_measures(geometries[-1], float(block.attributes["h_ground_mean"])))
    for solid in geometries:
        level = solid.lod.replace(".", "")
        notes[f"volume_lod{level}_m3"] = round(solid_volume(solid), DECIMALS)
        near = None if solid is geometries[-1] else roof_distances(roof_triangles(solid), points)[0]
        notes[f"rmse_lod{level}_m"] = notes["rmse_m"] if near is None else _rms(near)
    return Building(
        block.id, block.frame, tuple(geometries), {**block.attributes, **notes, "lod": geometries[-1].lod}
    )


def _read_roof(polygon: shapely.Polygon, points: NDArray[np.float64]) -> _Roof | str:
    """Planes, lines and labelled cells; or why there are none."""
    offset = np.floor(np.asarray(polygon.bounds[:2]))
    outline = shapely.transform(polygon, lambda xy: xy - offset)
    local = points - np.append(offset, 0.0)
    local = np.round(local, 3)
    local = local[np.lexsort(local.T[::-1])]
    density = coverage(outline, local[:, :2])[1]
    if density > DENSEST:
        local = thinned(local, DENSEST)
        density = coverage(outline, local[:, :2])[1]
    found = find_planes(local, density)
    if not len(found.planes):
        return "no_planes"
    if len(found.planes) > MOST_PLANES:
        return "too_many_planes"
    lines = find_lines(local, found, outline, density)
    cells = cut_outline(outline, lines.ends)
    if not len(cells):
        return "no_cells"
    label = without_slivers(cells, label_cells(cells, local, found, density))
    return _Roof(local, outline, found, cells, label, offset)


def thinned(points: NDArray[np.float64], density: float) -> NDArray[np.float64]:
    """The point nearest to the middle of each cell of a plan grid with so many cells a square metre; order is kept."""
    side = 1.0 / np.sqrt(density)
    cell = np.floor(points[:, :2] / side)
    off = np.hypot(*(points[:, :2] / side - cell - 0.5).T)
    order = np.lexsort((np.arange(len(points)), off, cell[:, 1], cell[:, 0]))
    first = np.append(True, (np.diff(cell[order], axis=0) != 0).any(axis=1))
    kept: NDArray[np.float64] = points[np.sort(order[first])]
    return kept


def _sloped(roof: _Roof, sampler: TinSampler) -> Geometry | str:
    """LoD 2.2: every face its plane."""
    made = roof_map(roof.cells, roof.label, roof.found.planes)
    if made is not None:
        _guard(made, roof)
    return _solid(made, roof, sampler, "2.2")


def _flat_parts(roof: _Roof, sampler: TinSampler) -> Geometry | str:
    """LoD 1.3: level parts, with steps of ``STEP_M`` or more between them."""
    part, heights = flat_parts(roof.cells, roof.label, roof.found, roof.points)
    planes = np.column_stack([np.zeros((len(heights), 2)), heights])
    made = roof_map(roof.cells, part, planes)
    return _solid(made, roof, sampler, "1.3")


def _solid(made: RoofMap | None, roof: _Roof, sampler: TinSampler, lod: str) -> Geometry | str:
    if made is None:
        return "not_closed"
    if not settle(made):
        return "touches_itself"
    built = extrude(made, sampler, roof.offset, lod)
    if built is None:
        return "roof_below_ground"
    faults = validate_geometry(built[0])
    return f"invalid_solid ({codes_of(faults)})" if faults else built[0]


def flat_parts(
    cells: Cells, label: NDArray[np.int32], found: RoofPlanes, points: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Parts of a roof whose heights differ by ``STEP_M`` or more from those beside them.

    Returns
    -------
    Part (len(cells),) of each cell; height (parts,) of each: the 70th percentile of its points [m].
    """
    cell = points_in(cells, points[:, :2])
    of = np.where(cell >= 0, label[cell], -1)
    inner = np.flatnonzero(cells.twin >= 0)
    a, b = label[cells.cell[inner]], label[cells.cell[cells.twin[inner]]]
    touch = {(int(min(p, q)), int(max(p, q))) for p, q in zip(a, b, strict=True) if p != q}
    members = {int(k): [points[of == k, 2]] for k in np.unique(label)}
    middle = shapely.get_coordinates(shapely.centroid(cells.polygons))
    for k, own in members.items():
        if not len(own[0]):
            here = middle[label == k]
            own[0] = here @ found.planes[k, :2] + found.planes[k, 2]
    height = {k: float(np.percentile(own[0], ROOF_PERCENTILE)) for k, own in members.items()}
    owner = {k: k for k in members}
    while touch:
        apart, p, q = min((abs(height[p] - height[q]), p, q) for p, q in touch)
        if apart >= STEP_M:
            break
        members[p] += members.pop(q)
        height[p] = float(np.percentile(np.concatenate(members[p]), ROOF_PERCENTILE))
        owner = {k: p if o == q else o for k, o in owner.items()}
        moved = {(p if x == q else x, p if y == q else y) for x, y in touch}
        touch = {(min(x, y), max(x, y)) for x, y in moved if x != y}
    numbers = {k: n for n, k in enumerate(sorted(members))}
    part = np.array([numbers[owner[int(k)]] for k in label], dtype=np.int32)
    return part, np.array([height[k] for k in sorted(members)])


def _guard(made: RoofMap, roof: _Roof) -> None:
    """Faces that shoot past the points become level, at the 70th percentile of their plane's points."""
    top = float(np.percentile(roof.points[:, 2], 99.5)) + ABOVE_M
    bottom = float(np.percentile(roof.points[:, 2], 0.5)) - 2.0
    planes = made.planes.copy()
    for f, rings in enumerate(made.rings):
        own = roof.points[roof.found.label == made.label[f]]
        corners = np.array([made.xy[node] for ring in rings for node in ring])
        z = corners @ planes[f, :2] + planes[f, 2]
        low, high = own[:, :2].min(axis=0) - BEYOND_M, own[:, :2].max(axis=0) + BEYOND_M
        beyond = ((corners < low) | (corners > high)).any(axis=1)
        limit = np.where(beyond, min(top, own[:, 2].max() + ABOVE_M), top)
        if (z > limit).any() or (z < bottom).any():
            planes[f] = (0.0, 0.0, float(np.percentile(own[:, 2], ROOF_PERCENTILE)))
    made.planes = planes


def _roof_notes(roof: _Roof) -> dict[str, Any]:
    """Type of the roof and number of its planes."""
    used = np.unique(roof.label)
    slope = np.degrees(np.arctan(np.hypot(*roof.found.planes[used, :2].T)))
    kind = "slanted" if (slope >= 5.7).any() else "horizontal" if len(used) == 1 else "multiple horizontal"
    return {"roof_type": kind, "roof_planes": len(used)}


def _rms(distances: NDArray[np.float64]) -> float:
    return round(float(np.sqrt(np.mean(distances**2))), DECIMALS)


def _fit_notes(best: Geometry, polygon: shapely.Polygon, points: NDArray[np.float64]) -> dict[str, Any]:
    """How the best solid fits its points."""
    near, above = roof_distances(roof_triangles(best), points)
    nodata, density = coverage(polygon, points[:, :2])
    return {
        "volume_m3": round(solid_volume(best), DECIMALS),
        "rmse_m": _rms(near),
        "nmad_m": round(nmad(above), DECIMALS),
        "nodata_share": round(nodata, DECIMALS),
        "point_density_m2": round(density, DECIMALS),
    }
