"""The scene of one tile as the scanner's kernel reads it: ground heights, prisms and crowns by plan cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.sample.things import Prism, TrueTree, roof_prisms
from pipelines.sample.town import Town
from twin.jit import njit
from twin.region import Region

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CELL_M = 0.5
"""Side of the cells that rays march through [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """All prisms and crowns of a town as flat arrays, packed once.

    Parameters
    ----------
    edges, edge_start
        (n, 3) half-planes nx x + ny y <= c and where each prism's edges start.
    tops
        (m, 6) a, b, c of the top, bottom [m], chance, owner.
    codes
        (m,) class codes.
    boxes
        (m, 5) west, south, east, north, highest [m].
    crowns
        (k, 7) x, y, z of the middle, horizontal and vertical radius [m], returns per metre, number.
    """

    edges: Floats
    edge_start: Ints
    tops: Floats
    codes: Ints
    boxes: Floats
    crowns: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One tile's cells.

    Parameters
    ----------
    west, south
        Local corner of the cell grid [m].
    ground
        (rows + 1, cols + 1) heights at the cells' corners, row 0 is south [m].
    top
        (rows, cols) nothing in the cell reaches higher [m].
    prism_start, prism_list, crown_start, crown_list
        Which prisms and crowns touch a cell.
    """

    west: float
    south: float
    ground: Floats
    top: NDArray[np.float32]
    prism_start: Ints
    prism_list: Ints
    crown_start: Ints
    crown_list: Ints


def pack(town: Town) -> Bodies:
    """Everything that stands in a town as flat arrays."""
    prisms = [prism for k, b in enumerate(town.buildings) for prism in roof_prisms(b, k)] + town.prisms
    edges = [_half_planes(p) for p in prisms]
    start = np.concatenate([[0], np.cumsum([len(e) for e in edges])]).astype(np.int64)
    tops = np.array([[*p.plane, p.bottom, p.chance, p.owner] for p in prisms]).reshape(-1, 6)
    boxes = np.array([_box(p) for p in prisms]).reshape(-1, 5)
    crowns = np.array([_crown(t, k) for k, t in enumerate(town.trees)]).reshape(-1, 7)
    codes = np.array([p.code for p in prisms], dtype=np.int64)
    joined = np.concatenate(edges) if edges else np.empty((0, 3))
    return Bodies(joined, start, tops, codes, boxes, crowns)


def _half_planes(prism: Prism) -> Floats:
    a = prism.corners
    along = np.roll(a, -1, axis=0) - a
    length = np.hypot(along[:, 0], along[:, 1])
    keep = length > 1e-9
    normal = np.column_stack([along[:, 1], -along[:, 0]])[keep] / length[keep, None]
    return np.column_stack([normal, np.einsum("ij,ij->i", normal, a[keep])])


def _box(prism: Prism) -> list[float]:
    top = prism.corners @ prism.plane[:2] + prism.plane[2]
    return [*prism.corners.min(axis=0), *prism.corners.max(axis=0), float(top.max())]


def _crown(tree: TrueTree, number: int) -> list[float]:
    half = (tree.height - tree.crown_base) / 2
    return [tree.x, tree.y, tree.ground + tree.height - half, tree.crown_radius, half, tree.density, number]


def tile_cells(town: Town, bodies: Bodies, region: Region) -> Cells:
    """Cells over a region (local space); it is grown to whole cells."""
    west, south = (float(np.floor(v / CELL_M) * CELL_M) for v in (region.west, region.south))
    cols, rows = (int(np.ceil(v / CELL_M)) for v in (region.east - west, region.north - south))
    xs = np.asarray(west + np.arange(cols + 1) * CELL_M, np.float64)
    ys = np.asarray(south + np.arange(rows + 1) * CELL_M, np.float64)
    ground = town.valley.grid(xs, ys)
    corners = [ground[:-1, :-1], ground[1:, :-1], ground[:-1, 1:], ground[1:, 1:]]
    top = np.maximum.reduce(corners).astype(np.float32) + np.float32(0.01)
    prisms = _overlapping(bodies.boxes[:, :4], region)
    crowns = bodies.crowns
    wide = np.column_stack([crowns[:, :2] - crowns[:, 3:4], crowns[:, :2] + crowns[:, 3:4]])
    trees = _overlapping(wide, region)
    shape = (west, south, rows, cols)
    args = (bodies.edges, bodies.edge_start, bodies.boxes)
    count = _list_prisms(prisms, args, shape, top, np.empty(0, np.int64), np.empty(0, np.int64))
    start = np.concatenate([[0], np.cumsum(count)])
    found = np.empty(int(start[-1]), np.int64)
    _list_prisms(prisms, args, shape, top, start, found)
    crown_count = _list_crowns(trees, crowns, shape, top, np.empty(0, np.int64), np.empty(0, np.int64))
    crown_start = np.concatenate([[0], np.cumsum(crown_count)])
    crown_list = np.empty(int(crown_start[-1]), np.int64)
    _list_crowns(trees, crowns, shape, top, crown_start, crown_list)
    return Cells(west, south, ground, top, start, found, crown_start, crown_list)


def _overlapping(boxes: Floats, region: Region) -> Ints:
    hit = (boxes[:, 0] < region.east) & (boxes[:, 2] > region.west)
    hit &= (boxes[:, 1] < region.north) & (boxes[:, 3] > region.south)
    return np.flatnonzero(hit)


@njit
def _list_prisms(
    chosen: Ints,
    bodies: tuple[Floats, Ints, Floats],
    shape: tuple[float, float, int, int],
    top: NDArray[np.float32],
    start: Ints,
    found: Ints,
) -> Ints:
    """Count the prisms of each cell; with ``start`` given also write them and raise ``top``."""
    edges, edge_start, boxes = bodies
    west, south, rows, cols = shape
    count = np.zeros(rows * cols, np.int64)
    reach = CELL_M * 0.7072
    for p in chosen:
        c0 = max(0, int(np.floor((boxes[p, 0] - west) / CELL_M)))
        c1 = min(cols - 1, int(np.floor((boxes[p, 2] - west) / CELL_M)))
        r0 = max(0, int(np.floor((boxes[p, 1] - south) / CELL_M)))
        r1 = min(rows - 1, int(np.floor((boxes[p, 3] - south) / CELL_M)))
        for r in range(r0, r1 + 1):
            y = south + (r + 0.5) * CELL_M
            for c in range(c0, c1 + 1):
                x = west + (c + 0.5) * CELL_M
                touches = True
                for e in range(edge_start[p], edge_start[p + 1]):
                    if edges[e, 0] * x + edges[e, 1] * y - edges[e, 2] > reach:
                        touches = False
                        break
                if touches:
                    cell = r * cols + c
                    if start.shape[0]:
                        found[start[cell] + count[cell]] = p
                        top[r, c] = max(top[r, c], np.float32(boxes[p, 4] + 0.01))
                    count[cell] += 1
    return count


@njit
def _list_crowns(
    chosen: Ints,
    crowns: Floats,
    shape: tuple[float, float, int, int],
    top: NDArray[np.float32],
    start: Ints,
    found: Ints,
) -> Ints:
    """The same for crowns."""
    west, south, rows, cols = shape
    count = np.zeros(rows * cols, np.int64)
    for p in chosen:
        reach = crowns[p, 3] + CELL_M * 0.7072
        c0 = max(0, int(np.floor((crowns[p, 0] - reach - west) / CELL_M)))
        c1 = min(cols - 1, int(np.floor((crowns[p, 0] + reach - west) / CELL_M)))
        r0 = max(0, int(np.floor((crowns[p, 1] - reach - south) / CELL_M)))
        r1 = min(rows - 1, int(np.floor((crowns[p, 1] + reach - south) / CELL_M)))
        for r in range(r0, r1 + 1):
            y = south + (r + 0.5) * CELL_M - crowns[p, 1]
            for c in range(c0, c1 + 1):
                x = west + (c + 0.5) * CELL_M - crowns[p, 0]
                if x * x + y * y < reach * reach:
                    cell = r * cols + c
                    if start.shape[0]:
                        found[start[cell] + count[cell]] = p
                        top[r, c] = max(top[r, c], np.float32(crowns[p, 2] + crowns[p, 4] + 0.01))
                    count[cell] += 1
    return count
