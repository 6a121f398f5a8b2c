"""Polyhedral geometry as CityJSON knows it: surfaces with rings, grouped into shells and solids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.arrays import readonly

Kind = Literal["Solid", "MultiSolid", "CompositeSolid", "MultiSurface", "CompositeSurface"]
Rings = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """One geometry of one object at one level of detail.

    Parameters
    ----------
    kind
        CityJSON geometry type.
    lod
        Level of detail as text, ``"1.2"``.
    vertices
        (n, 3) float64 local space [m].
    surfaces
        Per surface its rings of vertex indices, outer ring first, without a repeated last vertex;
        outer rings counter-clockwise seen from outside.
    semantics
        (len(surfaces),) uint8 codes of ``twin.model.surface.Surface``.
    shells
        (len(surfaces), 2) int32: number of the solid and of the shell in it (shell 0 is the outer one);
        zeros for surfaces that form no solid.
    """

    kind: Kind
    lod: str
    vertices: NDArray[np.float64]
    surfaces: tuple[Rings, ...]
    semantics: NDArray[np.uint8]
    shells: NDArray[np.int32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", readonly(np.reshape(self.vertices, (-1, 3)), np.float64))
        object.__setattr__(self, "semantics", readonly(self.semantics, np.uint8))
        object.__setattr__(self, "shells", readonly(np.reshape(self.shells, (-1, 2)), np.int32))
        if not len(self.surfaces) == len(self.semantics) == len(self.shells):
            raise InputError("a geometry needs one semantic code and one shell for each surface")
        if not np.isfinite(self.vertices).all():
            raise InputError("a geometry has vertices that are not finite numbers")
        sizes = [len(ring) for rings in self.surfaces for ring in rings]
        corners = np.fromiter(
            chain.from_iterable(ring for rings in self.surfaces for ring in rings), np.int64, sum(sizes)
        )
        within = not len(corners) or (corners.min() >= 0 and corners.max() < len(self.vertices))
        if min(sizes, default=3) < 3 or not within:
            raise InputError("a ring needs at least three vertices, all of them in the vertex list")

    @property
    def is_solid(self) -> bool:
        """Whether the surfaces claim to enclose a volume."""
        return self.kind in ("Solid", "MultiSolid", "CompositeSolid")


def solid(
    lod: str, vertices: NDArray[np.float64], surfaces: Sequence[Rings], semantics: Sequence[int]
) -> Geometry:
    """A ``Solid`` of one outer shell; arguments as for ``Geometry``."""
    return Geometry(
        "Solid",
        lod,
        vertices,
        tuple(surfaces),
        np.asarray(semantics, dtype=np.uint8),
        np.zeros((len(surfaces), 2), dtype=np.int32),
    )
