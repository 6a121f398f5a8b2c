"""Targets on buildings: where sight is asked for, and what each of them stands for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.arrays import readonly
from twin.model.scene import Scene
from twin.study.facades import outside, sample_faces
from twin.study.occluders import FaceTable, face_table
from twin.study.receptors import surface_lift
from twin.visibility.caster import Device, make_caster

Kind = Literal["wall", "roof", "edge", "tip"]
KINDS: tuple[Kind, ...] = ("wall", "roof", "edge", "tip")
SOME_TARGETS = 200.0
"""Cells on a proposal where no spacing is asked for."""
UPWARD = np.cos(np.radians(45.0))
"""Faces whose normal rises more than this are roofs, the other ones that do not look down are walls."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Points on some buildings.

    Parameters
    ----------
    ids
        The buildings.
    of
        (n,) int32 building of each target.
    kind
        (n,) uint8 place in ``KINDS``: the middles of cells on walls and roofs, points along the upper edges of walls,
        the highest point of each building.
    points, normals
        (n, 3) local space [m], lifted off their face; unit normals, 0 on edges and tips, which look all round.
    area
        (n,) what a cell stands for [m2]; 0 on edges and tips.
    cells
        Outline (k, 3) of each cell, local space [m]; None on edges and tips.
    foot
        Lowest height of all the buildings, local space [m].
    spacing_m
        Side of the cells [m].
    """

    ids: tuple[str, ...]
    of: NDArray[np.int32]
    kind: NDArray[np.uint8]
    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    area: NDArray[np.float64]
    cells: tuple[NDArray[np.float64] | None, ...]
    foot: float
    spacing_m: float

    def __post_init__(self) -> None:
        for name, dtype in (("of", np.int32), ("kind", np.uint8), ("area", np.float64)):
            object.__setattr__(self, name, readonly(getattr(self, name), dtype))
        for name in ("points", "normals"):
            object.__setattr__(self, name, readonly(np.reshape(getattr(self, name), (-1, 3)), np.float64))

    def __len__(self) -> int:
        return len(self.points)

    @property
    def middle(self) -> NDArray[np.float64]:
        """Middle of the box around the targets (3,), local space [m]."""
        middle: NDArray[np.float64] = 0.5 * (self.points.min(axis=0) + self.points.max(axis=0))
        return middle


def targets_of(
    scene: Scene, ids: Collection[str], spacing_m: float | None, device: Device, threads: int = 1
) -> Targets:
    """Targets over the whole of some buildings; those that lie inside another solid are left out.

    Parameters
    ----------
    scene
        The scene.
    ids
        Buildings or proposed volumes.
    spacing_m
        Side of the cells on walls and roofs, and distance of the points along edges [m]; where None, one that gives
        some ``SOME_TARGETS``.
    device, threads
        Where rays say what lies inside another solid.

    Raises
    ------
    InputError
        No such building, a spacing that is not positive.
    """
    wanted = tuple(dict.fromkeys(ids))
    table = face_table(scene, trees=False, coverings=False)
    strange = [name for name in wanted if name not in table.ids]
    if strange:
        raise InputError(f"no building {strange[0]!r} in scenario {scene.scenario!r}")
    if spacing_m is None:
        spacing_m = _even_spacing(table, wanted)
    place = {name: number for number, name in enumerate(wanted)}
    caster = make_caster(table.triangles(), device, threads)
    try:
        faces = outside(sample_faces(scene, wanted, spacing_m), table, caster)
    finally:
        caster.close()
    of = [place[faces.surfaces[k].building] for k in faces.of]
    kind = [KINDS.index("wall" if faces.surfaces[k].kind == "wall" else "roof") for k in faces.of]
    points, normals, area = [faces.points], [faces.normals], [faces.area]
    foot = np.inf
    for name in wanted:
        triangles = _triangles(table, name)
        foot = min(foot, float(triangles[..., 2].min()))
        edges = _upper_edges(triangles, spacing_m)
        corners = triangles.reshape(-1, 3)
        tip = corners[np.argmax(corners[:, 2])][None]
        some = np.concatenate([edges, tip]) + np.array([0.0, 0.0, 2.0 * surface_lift(table)])
        of += [place[name]] * len(some)
        kind += [KINDS.index("edge")] * len(edges) + [KINDS.index("tip")]
        points.append(some)
        normals.append(np.zeros_like(some))
        area.append(np.zeros(len(some)))
    count = sum(len(part) for part in points)
    return Targets(
        wanted,
        np.array(of, np.int32),
        np.array(kind, np.uint8),
        np.concatenate(points),
        np.concatenate(normals),
        np.concatenate(area),
        (*faces.cells, *[None] * (count - len(faces.points))),
        float(foot),
        spacing_m,
    )


def _even_spacing(table: FaceTable, ids: Collection[str]) -> float:
    """A spacing that gives some ``SOME_TARGETS``, in half metres."""
    area = 0.0
    for name in ids:
        corners = _triangles(table, name)
        twice = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        area += 0.5 * float(twice.sum())
    return max(1.0, 0.5 * round(2.0 * float(np.sqrt(area / SOME_TARGETS))))


def _triangles(table: FaceTable, name: str) -> NDArray[np.float64]:
    """Corners (m, 3, 3) of the faces of an object."""
    corners: NDArray[np.float64] = table.vertices[table.faces[table.objects == table.ids.index(name)]]
    return corners


def _upper_edges(triangles: NDArray[np.float64], spacing_m: float) -> NDArray[np.float64]:
    """Points (n, 3) along the edges where a wall ends under a roof: parapets, eaves, verges."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    size = np.linalg.norm(normals, axis=1)
    triangles, rise = triangles[size > 2e-4], (normals[:, 2] / np.maximum(size, 1e-12))[size > 2e-4]
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], set[bool]] = {}
    ends: dict[tuple[tuple[int, ...], tuple[int, ...]], NDArray[np.float64]] = {}
    keys = np.rint(triangles * 1000.0).astype(np.int64)
    for corners, key, up in zip(triangles, keys, rise, strict=True):
        if up < -0.1:
            continue
        for a, b in ((0, 1), (1, 2), (2, 0)):
            one, two = sorted((tuple(key[a].tolist()), tuple(key[b].tolist())))
            found.setdefault((one, two), set()).add(bool(up > UPWARD))
            ends[one, two] = corners[[a, b]]
    out = []
    for edge in sorted(edge for edge, sides in found.items() if len(sides) == 2):
        start, end = ends[edge]
        count = max(1, round(float(np.linalg.norm(end - start)) / spacing_m))
        out.append(start + (np.arange(count)[:, None] + 0.5) / count * (end - start))
    return np.concatenate(out) if out else np.empty((0, 3))
