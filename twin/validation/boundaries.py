"""Boundaries as they stand in a file, broken ones included: what the validator works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.model.geometry import Geometry, Kind
from twin.validation.codes import Finding


@dataclass(frozen=True, slots=True, eq=False)
class Boundaries:
    """Rings in a row, grouped into surfaces, shells and solids; nothing about them is promised.

    Parameters
    ----------
    kind
        CityJSON geometry type.
    lod
        Level of detail as text.
    vertices
        (n, 3) any space [m].
    corners
        (k,) int64 vertex of each corner, ring after ring.
    rings
        (r + 1,) int64 where each ring begins among the corners.
    surfaces
        (s + 1,) int64 where each surface begins among the rings; its first ring is the outer one.
    shells
        (s, 2) int64 number of the solid and of the shell in it.
    faults
        What could not be put into this form.
    """

    kind: Kind
    lod: str
    vertices: NDArray[np.float64]
    corners: NDArray[np.int64]
    rings: NDArray[np.int64]
    surfaces: NDArray[np.int64]
    shells: NDArray[np.int64]
    faults: tuple[Finding, ...] = ()

    @property
    def is_solid(self) -> bool:
        """Whether the surfaces claim to enclose a volume."""
        return self.kind in ("Solid", "MultiSolid", "CompositeSolid")


def boundaries_of(geometry: Geometry) -> Boundaries:
    """The boundaries of a geometry of the model."""
    flat = [ring for rings in geometry.surfaces for ring in rings]
    return Boundaries(
        geometry.kind,
        geometry.lod,
        geometry.vertices,
        np.array([corner for ring in flat for corner in ring], dtype=np.int64),
        starts([len(ring) for ring in flat]),
        starts([len(rings) for rings in geometry.surfaces]),
        geometry.shells.astype(np.int64),
    )


def starts(counts: list[int]) -> NDArray[np.int64]:
    """Where each of consecutive groups begins, and the end (len(counts) + 1,)."""
    found = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=found[1:])
    return found
