"""A roof in plan: faces that share nodes and edges, each with one plane, without gaps or overlaps.

Made from labelled cells: equal neighbours become one face, slivers go to a neighbour, nodes without use go away; then
the edges are cut where two planes cross, and corners where a solid would touch itself along an upright line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.buildings.cells import GRID_M, Cells

SLIVER_M2 = 0.4
"""Smaller faces go to a neighbour [m2]."""
SLIVER_M = 0.15
"""Narrower faces too: twice the area over the perimeter [m]."""
STRAIGHT_M = 0.0015
"""A node nearer than this to the line between its neighbours is of no use [m]."""
SHORT_M = 0.06
"""Shorter edges inside the outline are drawn together [m]."""
TOUCH_M = 0.01
"""Edges that pass a node within this lead through it [m]."""
SAME_M = 0.002
"""Heights at one node that differ less are one [m]."""
CORNER_M = 0.02
"""Legs of a corner that is cut off [m]."""
ATTEMPTS = 6

Ring = list[int]


@dataclass(slots=True)
class RoofMap:
    """Faces over shared nodes.

    Parameters
    ----------
    xy
        Nodes [m].
    rings
        Rings of each face: outer counter-clockwise, holes clockwise.
    planes
        (k, 3) plane of each face.
    label
        The label that each face came from.
    """

    xy: list[tuple[float, float]]
    rings: list[list[Ring]]
    planes: NDArray[np.float64]
    label: list[int]
    levels: dict[tuple[int, int], float] = field(default_factory=dict)
    """Height of a face (second) at a node (first) [m]; filled in by ``settle``."""

    def owners(self) -> dict[tuple[int, int], int]:
        """Face on the left of each directed edge."""
        return {
            (a, b): f
            for f, rings in enumerate(self.rings)
            for ring in rings
            for a, b in zip(ring, ring[1:] + ring[:1], strict=True)
        }

    def height(self, face: int, node: int) -> float:
        """Height of a face's plane over a node [m]."""
        a, b, c = self.planes[face]
        x, y = self.xy[node]
        return float(a * x + b * y + c)

    def outline(self) -> list[Ring]:
        """Rings of the outline with the faces on the left, outer ring first."""
        owners = self.owners()
        after = {a: b for a, b in owners if (b, a) not in owners}
        rings: list[Ring] = []
        while after:
            start = min(after)
            ring, node = [], start
            while node in after:
                ring.append(node)
                node = after.pop(node)
            rings.append(ring)
        return sorted(rings, key=lambda r: -_area(self.xy, r))


def _area(xy: list[tuple[float, float]], ring: Ring) -> float:
    x0, y0 = xy[ring[0]]
    total = 0.0
    for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
        total += (xy[a][0] - x0) * (xy[b][1] - y0) - (xy[b][0] - x0) * (xy[a][1] - y0)
    return total / 2


def regions_of(cells: Cells, label: NDArray[np.int32]) -> NDArray[np.int64]:
    """Number of the connected region of equal labels that each cell is in (n,)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    inner = cells.twin >= 0
    a, b = cells.cell[inner], cells.cell[cells.twin[inner]]
    same = label[a] == label[b]
    n = len(cells)
    graph = coo_matrix((np.ones(int(same.sum())), (a[same], b[same])), shape=(n, n))
    region: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return region


def without_slivers(cells: Cells, label: NDArray[np.int32], least_m2: float = SLIVER_M2) -> NDArray[np.int32]:
    """Labels in which small and narrow regions have gone to the neighbour with the longest border."""
    label = label.copy()
    inner = np.flatnonzero(cells.twin >= 0)
    length, areas = cells.lengths, cells.areas
    for _ in range(len(cells)):
        region = regions_of(cells, label)
        count = int(region.max()) + 1
        if count == 1:
            break
        border = region[cells.cell[inner]] != region[cells.cell[cells.twin[inner]]]
        edge = np.concatenate([inner[border], np.flatnonzero(cells.twin < 0)])
        around = np.bincount(region[cells.cell[edge]], length[edge], count)
        area = np.bincount(region, areas, count)
        small = (area < least_m2) | (2 * area / np.maximum(around, 1e-9) < SLIVER_M)
        if not small.any():
            break
        worst = int(np.lexsort((np.arange(count), area, ~small))[0])
        own = inner[border & (region[cells.cell[inner]] == worst)]
        if not len(own):
            break
        other = region[cells.cell[cells.twin[own]]]
        shared = np.bincount(other, length[own], count)
        to = int(np.argmax(shared))
        label[region == worst] = label[region == to][0]
    return label


def roof_map(cells: Cells, label: NDArray[np.int32], planes: NDArray[np.float64]) -> RoofMap | None:
    """Faces of equal labels; None where they do not close.

    Parameters
    ----------
    cells
        The cut footprint.
    label
        (n,) plane of each cell.
    planes
        (k, 3) planes.
    """
    region = regions_of(cells, label)
    face = region[cells.cell]
    inner = cells.twin >= 0
    other = np.where(inner, region[cells.cell[cells.twin]], -1)
    kept = np.flatnonzero(face != other)
    owner = {(int(a), int(b)): int(f) for (a, b), f in zip(cells.edges[kept], face[kept], strict=True)}
    xy = [(float(x), float(y)) for x, y in cells.nodes]
    owner = _joined(xy, _short_drawn(xy, owner))
    owner = _straightened(xy, owner)
    first = np.unique(region, return_index=True)[1]
    names = label[first]
    rings: list[list[Ring]] = []
    made: list[int] = []
    for number in range(int(region.max()) + 1):
        found = _rings(xy, [edge for edge, f in owner.items() if f == number])
        if found is None:
            return None
        if found:
            rings.append(found)
            made.append(int(names[number]))
    return RoofMap(xy, rings, planes[made].reshape(-1, 3), made)


def _short_drawn(
    xy: list[tuple[float, float]], owner: dict[tuple[int, int], int]
) -> dict[tuple[int, int], int]:
    """Short edges drawn together to one of their nodes: a corner of the outline, else a node on it, stays."""
    while True:
        rank = _ranks(xy, owner)
        short = sorted(
            (math.dist(xy[a], xy[b]), a, b)
            for a, b in owner
            if (a < b or (b, a) not in owner) and math.dist(xy[a], xy[b]) < SHORT_M
            if min(rank.get(a, 0), rank.get(b, 0)) < (1 if (b, a) in owner else 2)
        )
        if not short:
            return owner
        _, a, b = short[0]
        keep, gone = (b, a) if rank.get(b, 0) > rank.get(a, 0) else (a, b)
        owner = _moved(owner, gone, keep)


def _ranks(xy: list[tuple[float, float]], owner: dict[tuple[int, int], int]) -> dict[int, int]:
    """2 for corners of the outline, 1 for other nodes on it."""
    after = {a: b for a, b in owner if (b, a) not in owner}
    before = {b: a for a, b in after.items()}
    return {
        node: 1 + (off_line(xy[before[node]], xy[after[node]], xy[node]) > STRAIGHT_M)
        for node in after
        if node in before
    }


def _joined(xy: list[tuple[float, float]], owner: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    """Edges that pass a node within ``TOUCH_M`` lead through it."""
    points = np.array(xy)
    for _ in range(len(owner)):
        edges = np.array(sorted(owner))
        used = np.unique(edges)
        a, b = points[edges[:, 0]], points[edges[:, 1]]
        run = b - a
        length = np.maximum(np.hypot(run[:, 0], run[:, 1]), 1e-9)
        to = points[used][None] - a[:, None]
        along = (to * run[:, None]).sum(axis=2) / length[:, None]
        off = np.abs(run[:, None, 0] * to[..., 1] - run[:, None, 1] * to[..., 0]) / length[:, None]
        near = (off < TOUCH_M) & (along > TOUCH_M) & (along < length[:, None] - TOUCH_M)
        near &= (used[None] != edges[:, :1]) & (used[None] != edges[:, 1:])
        found = np.argwhere(near)
        if not len(found):
            break
        p, q = (int(v) for v in edges[found[0, 0]])
        node = int(used[found[0, 1]])
        parts: list[tuple[tuple[int, int], int]] = []
        for one, two in ((p, q), (q, p)):
            face = owner.pop((one, two), None)
            if face is not None:
                parts += [((one, node), face), ((node, two), face)]
        owner = _cancelled([*owner.items(), *parts])
    return owner


def _cancelled(edges: list[tuple[tuple[int, int], int]]) -> dict[tuple[int, int], int]:
    """Edges without those that a face has in both directions: there it has become a line."""
    there = {(edge, f) for edge, f in edges}
    return {edge: f for edge, f in edges if ((edge[1], edge[0]), f) not in there}


def _moved(owner: dict[tuple[int, int], int], gone: int, keep: int) -> dict[tuple[int, int], int]:
    """Edges with one node in the place of another; a face that becomes a line goes away."""
    moved = [((keep if p == gone else p, keep if q == gone else q), f) for (p, q), f in owner.items()]
    return _cancelled([(edge, f) for edge, f in moved if edge[0] != edge[1]])


def _straightened(
    xy: list[tuple[float, float]], owner: dict[tuple[int, int], int]
) -> dict[tuple[int, int], int]:
    """Without nodes that lie on the line between their only two neighbours."""
    around: dict[int, set[int]] = {}
    for a, b in owner:
        around.setdefault(a, set()).add(b)
        around.setdefault(b, set()).add(a)
    for node in sorted(around):
        if len(around[node]) != 2:
            continue
        a, b = sorted(around[node])
        if b in around[a] or off_line(xy[a], xy[b], xy[node]) > STRAIGHT_M:
            continue
        for p, q in ((a, b), (b, a)):
            if (p, node) in owner:
                owner[p, q] = owner.pop((p, node))
                owner.pop((node, q))
        for p, q in ((a, b), (b, a)):
            around[p].discard(node)
            around[p].add(q)
        around[node] = set()
    return owner


def off_line(a: tuple[float, float], b: tuple[float, float], p: tuple[float, float]) -> float:
    """Distance of a point from the line through two others [m]."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    return abs(dx * (p[1] - a[1]) - dy * (p[0] - a[0])) / max(math.hypot(dx, dy), 1e-12)


def _rings(xy: list[tuple[float, float]], edges: list[tuple[int, int]]) -> list[Ring] | None:
    """Rings through directed edges of one face (it lies on the left), the outer one first; None where one is open."""
    out: dict[int, list[int]] = {}
    for a, b in sorted(edges):
        out.setdefault(a, []).append(b)
    rings: list[Ring] = []
    while out:
        start = min(out)
        ring, node = [start], out[start].pop(0)
        if not out[start]:
            del out[start]
        while node != start:
            if node not in out:
                return None
            nexts = out[node]
            # Where the face touches itself, the sharpest turn to the left keeps each ring simple.
            k = 0 if len(nexts) == 1 else _leftmost(xy, ring[-1], node, nexts)
            ring.append(node)
            after = nexts.pop(k)
            if not nexts:
                del out[node]
            node = after
        if len(ring) >= 3:
            rings.append(ring)
    return sorted(rings, key=lambda r: -_area(xy, r))


def _leftmost(xy: list[tuple[float, float]], before: int, node: int, nexts: list[int]) -> int:
    x, y = xy[node]
    back = math.atan2(xy[before][1] - y, xy[before][0] - x)
    # The face is left of the edge that comes in: its next border is the first clockwise from the way back.
    turns = [
        math.fmod(back - math.atan2(xy[n][1] - y, xy[n][0] - x) + 4 * math.pi, 2 * math.pi) for n in nexts
    ]
    return int(np.argmin([t if t > 1e-12 else 2 * math.pi for t in turns]))


def settle(roof: RoofMap) -> bool:
    """Make a roof ready to be sewn: nodes where planes cross, one height where several nearly meet, and no place
    where the solid would touch itself. False where the last cannot be had."""
    _cross(roof)
    for _ in range(ATTEMPTS):
        _level(roof)
        bad = _touching(roof)
        if not bad:
            return True
        if not all(_cut_corner(roof, node, face) for node, face in bad):
            return False
        _cross(roof)
    _level(roof)
    return not _touching(roof)


def _cross(roof: RoofMap) -> None:
    """Nodes on edges along which the higher face becomes the lower one."""
    owners = roof.owners()
    for (a, b), f in sorted(owners.items()):
        g = owners.get((b, a))
        if g is None or a > b:
            continue
        at_a, at_b = roof.height(f, a) - roof.height(g, a), roof.height(f, b) - roof.height(g, b)
        if at_a * at_b >= 0 or min(abs(at_a), abs(at_b)) <= SAME_M:
            continue
        share = at_a / (at_a - at_b)
        (xa, ya), (xb, yb) = roof.xy[a], roof.xy[b]
        x, y = xa + share * (xb - xa), ya + share * (yb - ya)
        node = len(roof.xy)
        roof.xy.append((round(x / GRID_M) * GRID_M, round(y / GRID_M) * GRID_M))
        for face in (f, g):
            for ring in roof.rings[face]:
                _insert(ring, a, b, node)


def _insert(ring: Ring, a: int, b: int, node: int) -> None:
    """A node between two that follow one another, in either direction."""
    for k in range(len(ring)):
        if {ring[k], ring[(k + 1) % len(ring)]} == {a, b}:
            ring.insert(k + 1, node)
            return


def _level(roof: RoofMap) -> None:
    """Heights of faces at nodes; those that nearly agree are one."""
    at: dict[int, list[tuple[float, int]]] = {}
    for f, rings in enumerate(roof.rings):
        for ring in rings:
            for node in ring:
                at.setdefault(node, []).append((roof.height(f, node), f))
    roof.levels = {}
    for node, heights in at.items():
        heights.sort()
        group: list[tuple[float, int]] = []
        for entry in [*heights, (math.inf, -1)]:
            if group and entry[0] - group[-1][0] > SAME_M:
                mean = round(sum(h for h, _ in group) / len(group) / GRID_M) * GRID_M
                for _, f in group:
                    roof.levels[node, f] = mean
                group = []
            group.append(entry)


def _sectors(roof: RoofMap) -> dict[int, list[tuple[float, int, int]]]:
    """At each node of four borders or more the faces around it, counter-clockwise: angle, next node, face.

    A face lies between its border and the next one; -1 is outside.
    """
    owners = roof.owners()
    around: dict[int, set[int]] = {}
    for a, b in owners:
        around.setdefault(a, set()).add(b)
        around.setdefault(b, set()).add(a)
    out = {}
    for node, others in around.items():
        if len(others) < 4:
            continue
        x, y = roof.xy[node]
        out[node] = sorted(
            (math.atan2(roof.xy[n][1] - y, roof.xy[n][0] - x), n, owners.get((node, n), -1)) for n in others
        )
    return out


def _touching(roof: RoofMap) -> list[tuple[int, int]]:
    """Nodes and faces whose corner there must go: at most one a node."""
    bad = []
    for node, around in sorted(_sectors(roof).items()):
        faces = [f for _, _, f in around]
        height = [roof.levels[node, f] if f >= 0 else -math.inf for f in faces]
        face = _one_too_many(faces, height)
        if face >= 0:
            bad.append((node, faces[face]))
    return bad


def _one_too_many(faces: list[int], height: list[float]) -> int:
    """Place of a sector that must lose its corner; -1 where all is well.

    Above each level the solid sectors must follow one another, and so must the sectors of one face.
    """
    n = len(faces)
    for level in sorted({h for h in height if h > -math.inf}):
        solid = [h >= level for h in height]
        starts = [k for k in range(n) if solid[k] and not solid[k - 1]]
        if len(starts) > 1:
            return min(starts, key=lambda k: (_run(solid, k), k))
    for k, f in enumerate(faces):
        if f >= 0 and faces.count(f) > 1 and faces[k - 1] != f:
            runs = sum(1 for j in range(n) if faces[j] == f and faces[j - 1] != f)
            if runs > 1:
                return k
    return -1


def _run(solid: list[bool], start: int) -> int:
    k = start
    while solid[k % len(solid)] and k - start < len(solid):
        k += 1
    return k - start


def _cut_corner(roof: RoofMap, node: int, face: int) -> bool:
    """Give the corner of a face at a node to a neighbour; False where it has none inside."""
    owners = roof.owners()
    for ring in roof.rings[face]:
        if node not in ring:
            continue
        k = ring.index(node)
        before, after = ring[k - 1], ring[(k + 1) % len(ring)]
        right, left = owners.get((node, before), -1), owners.get((after, node), -1)
        if right < 0 and left < 0:
            continue
        p = _toward(roof, node, before)
        q = _toward(roof, node, after)
        ring[k : k + 1] = [p, q]
        taker = right if left < 0 or (right >= 0 and _lower(roof, node, right, left)) else left
        if right >= 0:
            _give(roof, right, (node, before), [q, p] if taker == right else [p])
        if left >= 0:
            _give(roof, left, (after, node), [q, p] if taker == left and taker != right else [q])
        return right >= 0 and left >= 0
    return False


def _lower(roof: RoofMap, node: int, one: int, two: int) -> bool:
    return roof.levels[node, one] <= roof.levels[node, two]


def _toward(roof: RoofMap, node: int, other: int) -> int:
    """A new node a little away from one towards another."""
    (x, y), (u, v) = roof.xy[node], roof.xy[other]
    length = math.hypot(u - x, v - y)
    share = min(CORNER_M / length, 0.3)
    roof.xy.append(
        (round((x + share * (u - x)) / GRID_M) * GRID_M, round((y + share * (v - y)) / GRID_M) * GRID_M)
    )
    return len(roof.xy) - 1


def _give(roof: RoofMap, face: int, edge: tuple[int, int], between: list[int]) -> None:
    """Nodes between the two of an edge of a face."""
    for ring in roof.rings[face]:
        for k in range(len(ring)):
            if (ring[k], ring[(k + 1) % len(ring)]) == edge:
                ring[k + 1 : k + 1] = between
                return
