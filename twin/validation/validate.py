"""The validator: every error of a geometry, with its code and place.

What rests on something broken is not judged: surfaces with broken rings not for flatness, shells with broken
surfaces not for closure, open shells not for self-intersection, solids with broken shells not against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.model.geometry import Geometry
from twin.validation.boundaries import Boundaries, boundaries_of
from twin.validation.codes import DEFAULT, NAMES, Finding, Tolerances
from twin.validation.crossing import KEPT, SIMPLE, contacts
from twin.validation.holes import triangulate_with_holes
from twin.validation.polygons import ring_faults
from twin.validation.rings import survey
from twin.validation.shells import CROWDED, OPEN, PIECES, PINCHED, TURNED, material_pieces, topology
from twin.validation.solids import Body, body, composite_faults, shell_faults
from twin.validation.triangles import deviations, relax, triangulate_rings
from twin.validation.weld import weld

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LONG_RING = 400
"""Rings with more corners are clipped by earcut, whose time does not grow with the square."""


def validate_geometry(
    geometry: Geometry | Boundaries, tolerances: Tolerances = DEFAULT
) -> tuple[Finding, ...]:
    """Errors of a geometry after ISO 19107, in the order of their place; empty where it is valid.

    Parameters
    ----------
    geometry
        Surfaces are checked each by itself; those of a CompositeSurface also as a two-manifold with a border;
        those of solids as closed shells that look outward; solids of a CompositeSolid against each other.
    tolerances
        What counts as one point and as flat.
    """
    return examine(geometry, tolerances)[0]


def examine(
    geometry: Geometry | Boundaries, tolerances: Tolerances = DEFAULT
) -> tuple[tuple[Finding, ...], tuple[Body, ...]]:
    """What ``validate_geometry`` finds, and the sound solids as closed triangles in its own space."""
    given = boundaries_of(geometry) if isinstance(geometry, Geometry) else geometry
    check = _Check(given, tolerances)
    check.run()
    bodies = tuple(Body(one.points + check.origin, one.triangles) for one in check.bodies)
    return tuple(sorted(dict.fromkeys(check.found))), bodies


def codes_of(found: tuple[Finding, ...]) -> str:
    """The codes of findings as text, each once."""
    return ", ".join(f"{code} {NAMES[code]}" for code in sorted({one.code for one in found}))


@dataclass(slots=True)
class _Check:
    """One geometry on its way through the checks."""

    given: Boundaries
    tolerances: Tolerances
    found: list[Finding] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    origin: Floats = field(default_factory=lambda: np.zeros(3))
    points: Floats = field(default_factory=lambda: np.empty((0, 3)))
    place: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    normals: Floats = field(default_factory=lambda: np.empty((0, 3)))
    triangles: Ints = field(default_factory=lambda: np.empty((0, 3), np.int64))
    owner: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def run(self) -> None:
        given = self.given
        self.found.extend(given.faults)
        if not len(given.shells):
            if not given.faults:
                self.add((-1, -1, -1, -1), 902, f"the {given.kind} has no surfaces")
            return
        used, local = np.unique(given.corners, return_inverse=True)
        if len(used):
            vertices = given.vertices[used]
            self.origin = np.round(vertices.mean(axis=0))
            self.points = vertices - self.origin
        self.place = weld(self.points, self.tolerances.snap_m)[local.reshape(-1)]
        flat, sound = self._rings()
        self._triangles(flat, sound)
        sound &= self._folds(sound)
        if given.kind == "CompositeSurface":
            self._composite_surface(sound)
        elif given.is_solid:
            self._solids(sound)

    def add(self, where: tuple[int, int, int, int], code: int, text: str) -> None:
        self.found.append(Finding(*where, code, text))

    def at(self, surface: int, ring: int = -1) -> tuple[int, int, int, int]:
        solid, shell = self.given.shells[surface].tolist() if self.given.is_solid else (-1, -1)
        return solid, shell, int(surface), int(ring)

    def corner(self, k: int) -> str:
        x, y, z = self.given.vertices[self.given.corners[k]]
        return f"({x:.3f}, {y:.3f}, {z:.3f})"

    def _rings(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Rings and planes: plane coordinates of the corners, and which surfaces have nothing wrong."""
        given, tolerances = self.given, self.tolerances
        codes, shown, self.normals, distances, flat = survey(
            self.points, self.place, given.rings, given.surfaces
        )
        sound = np.diff(given.surfaces) > 0
        named = {fault.surface for fault in given.faults}
        for s in sorted(set(np.flatnonzero(~sound).tolist()) - named):
            self.add(self.at(s), 902, "the surface has no ring")
        owner = np.repeat(np.arange(len(sound)), np.diff(given.surfaces))
        bent = distances > tolerances.planarity_m
        for r in np.flatnonzero(codes).tolist():
            if bent[owner[r]] and shown[r, 1] >= 0:
                # Edges that cross in the fitted plane say nothing of a ring that lies in no plane: 203 does.
                continue
            sound[owner[r]] = False
            text = self._ring_text(int(codes[r]), int(r), shown[r])
            self.add(self.at(owner[r], r - given.surfaces[owner[r]]), int(codes[r]), text)
        for s in np.flatnonzero(sound & ~bent & (np.diff(given.surfaces) > 1)).tolist():
            rings = range(given.surfaces[s], given.surfaces[s + 1])
            for code, ring, text in ring_faults([flat[given.rings[r] : given.rings[r + 1]] for r in rings]):
                sound[s] = False
                self.add(self.at(s, ring), code, text)
        for s in np.flatnonzero(sound & bent).tolist():
            sound[s] = False
            text = f"a corner lies {distances[s]:.4f} m from the fitted plane, {tolerances.planarity_m:g} m allowed"
            self.add(self.at(s), 203, text)
        return flat, sound

    def _ring_text(self, code: int, ring: int, shown: Ints) -> str:
        start, end = int(self.given.rings[ring]), int(self.given.rings[ring + 1])
        if code == 101:
            return f"the ring has {end - start} points, 3 are needed"
        point = self.corner(start + int(shown[0]))
        if code == 102:
            return f"two consecutive points lie within {self.tolerances.snap_m:g} m at {point}"
        if shown[1] < 0:
            return f"the ring runs through {point} twice"
        return f"edges {shown[0]} and {shown[1]} of the ring meet, the first begins at {point}"

    def _triangles(self, flat: Floats, sound: NDArray[np.bool_]) -> None:
        """Triangles of the sound surfaces, as welded vertices."""
        given = self.given
        first, last = given.rings[given.surfaces[:-1]], given.rings[given.surfaces[1:]]
        plain = (np.diff(given.surfaces) == 1) & (last - first <= LONG_RING)
        simple = np.flatnonzero(sound & plain)
        triangles, which = triangulate_rings(flat, first[simple], last[simple])
        parts, owners = [triangles], [simple[which]]
        for s in np.flatnonzero(sound & ~plain).tolist():
            mine = np.ascontiguousarray(flat[first[s] : last[s]])
            ends = given.rings[given.surfaces[s] + 1 : given.surfaces[s + 1] + 1] - first[s]
            cut = triangulate_with_holes(mine, ends)
            relax(mine, cut)
            parts.append(cut + first[s])
            owners.append(np.full(len(cut), s, dtype=np.int64))
        self.triangles = self.place[np.concatenate(parts)]
        self.owner = np.concatenate(owners)

    def _folds(self, sound: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which surfaces have no triangle that strays from their normal."""
        limit = self.tolerances.normals_deg
        angles = deviations(self.points, self.triangles, self.owner, self.normals, self.tolerances.snap_m)
        for s in np.flatnonzero(sound & (angles > limit)).tolist():
            text = f"a triangle of it is turned {angles[s]:.1f} deg from its plane, {limit:g} deg allowed"
            self.add(self.at(s), 204, text)
        return np.asarray(angles <= limit)

    def _corners(self, members: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints, Ints]:
        """Corners of some surfaces: welded vertex, next corner, surface, and number in the file."""
        rings, surfaces = self.given.rings, self.given.surfaces
        surface = np.repeat(np.arange(len(members)), np.diff(rings[surfaces]))
        after = np.arange(1, len(surface) + 1)
        # A ring without points has no last one.
        filled = np.diff(rings) > 0
        after[rings[1:][filled] - 1] = rings[:-1][filled]
        mine = np.flatnonzero(members[surface])
        local = np.cumsum(members[surface]) - 1
        return self.place[mine], local[after[mine]], surface[mine], mine

    def _manifold(self, members: NDArray[np.bool_], closed: bool) -> bool:
        """Whether surfaces hang together as they should."""
        place, after, surface, corner = self._corners(members)
        counts, shown = topology(place, after, surface)
        before = len(self.found)
        where = self.at(surface[0])

        def add(code: int, column: int, text: str) -> None:
            k = shown[column]
            at = (*where[:2], int(surface[k]) if k >= 0 else -1, -1)
            self.add(at, code, text.format(counts[column], self.corner(corner[k]) if k >= 0 else ""))

        if closed and counts[OPEN]:
            add(302, OPEN, "{} edges have a surface on one side only, one begins at {}")
        if counts[CROWDED]:
            add(303, CROWDED, "{} edges bound more than two surfaces, one begins at {}")
        if counts[PINCHED]:
            add(303, PINCHED, "at {} vertices the surfaces form several umbrellas, one is {}")
        if counts[PIECES] > 1:
            add(305, PIECES, "the surfaces form {} pieces, one has the corner {}")
        if counts[TURNED]:
            add(307, TURNED, "across {} edges the surfaces are turned against each other, one begins at {}")
        return len(self.found) == before

    def _simple(self, members: NDArray[np.bool_]) -> bool:
        """Whether surfaces meet in their common edges and vertices only."""
        mine = members[self.owner]
        owner = self.owner[mine]
        count, pairs = contacts(self.points, self.triangles[mine], owner, SIMPLE, self.tolerances.snap_m)
        named = np.unique(np.sort(owner[pairs[pairs[:, 0] >= 0]].reshape(-1, 2), axis=1), axis=0)
        rest = f" (and {count - KEPT} more pairs of triangles)" if count > KEPT else ""
        for one, other in named.tolist():
            self.add(self.at(one), 306, f"meets surface {other} away from a common edge{rest}")
        return count == 0

    def _composite_surface(self, sound: NDArray[np.bool_]) -> None:
        if sound.all() and self._manifold(sound, closed=False):
            self._simple(sound)

    def _solids(self, sound: NDArray[np.bool_]) -> None:
        """Shells, then solids, then solids against each other."""
        shells = self.given.shells
        broken = {(one.solid, one.shell) for one in self.found if one.solid >= 0}
        whole: list[tuple[int, Body]] = []
        numbers = np.unique(shells[:, 0]).tolist()
        for solid in numbers:
            before = len(self.found)
            inside = shells[:, 0] == solid
            bodies = []
            for shell in np.unique(shells[inside, 1]).tolist():
                members = inside & (shells[:, 1] == shell)
                one = None if (solid, shell) in broken else self._shell(solid, shell, members, sound)
                if one is not None:
                    bodies.append(one)
            complete = len(self.found) == before and not any(key[0] == solid for key in broken)
            if complete and len(bodies) > 1:
                self.found.extend(shell_faults(solid, bodies, self.tolerances))
                if len(self.found) == before:
                    self._material(solid, inside)
            if complete and len(self.found) == before:
                whole.append((solid, body(self.points, self.triangles[inside[self.owner]])))
        self.bodies = [one for _, one in whole]
        if self.given.kind == "CompositeSolid" and len(whole) == len(numbers) > 1:
            self.found.extend(composite_faults(whole, self.tolerances))

    def _shell(
        self, solid: int, shell: int, members: NDArray[np.bool_], sound: NDArray[np.bool_]
    ) -> Body | None:
        """One shell as closed triangles; None where it is broken."""
        if not sound[members].all():
            return None
        count = int(np.count_nonzero(members))
        if count < 4:
            self.add((solid, shell, -1, -1), 301, f"the shell has {count} surfaces, 4 are needed")
            return None
        if not self._manifold(members, closed=True) or not self._simple(members):
            return None
        triangles = self.triangles[members[self.owner]]
        volume = float(self._sixfold(triangles).sum()) / 6.0
        # The outer shell encloses; the inner ones (voids) look into what they leave out.
        if (volume if shell == 0 else -volume) <= 0:
            way = "inward" if shell == 0 else "out of its void"
            self.add((solid, shell, -1, -1), 405, f"the shell looks {way}, its volume is {volume:.3f} m3")
            return None
        return body(self.points, triangles)

    def _sixfold(self, triangles: Ints) -> Floats:
        """Six times the volume below each triangle (t,) [m3]."""
        a, b, c = (self.points[triangles[:, k]] for k in range(3))
        return np.asarray(np.einsum("ij,ij->i", a, np.cross(b, c)))

    def _material(self, solid: int, members: NDArray[np.bool_]) -> None:
        """Whether shells that touch along edges cut the solid in pieces."""
        place, after, surface, _ = self._corners(members)
        mine = members[self.owner]
        below = self._sixfold(self.triangles[mine])
        sixfold = np.asarray(np.bincount(self.owner[mine], below, len(members)), dtype=np.float64)
        pieces = material_pieces(self.points, place, after, surface, (self.normals, sixfold))
        if pieces > 1:
            self.add((solid, -1, -1, -1), 404, f"its shells cut the solid into {pieces} pieces")
