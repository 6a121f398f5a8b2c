"""The ground of a site."""

from __future__ import annotations

from dataclasses import dataclass

from twin.errors import InputError
from twin.frame import Frame
from twin.model.mesh import TriangleMesh
from twin.model.raster import Raster


@dataclass(frozen=True, slots=True, eq=False)
class Terrain:
    """Ground as a raster and as triangles.

    Parameters
    ----------
    dtm
        Height of the bare ground at cell centres, above the datum [m]; NaN where nothing is known.
    tin
        The triangles that studies and viewers use; it runs through heights of the DTM.
    tin_max_error
        Largest vertical distance from a DTM cell centre to the triangles [m], as measured.
    dsm
        Height of the surface with buildings and trees [m], where a cloud or a file gave it.
    filled
        Bool mask on the DTM's grid: cells that were interpolated.
    far
        Heights of the surroundings on a coarse grid [m], for the horizon beyond the site.
    """

    dtm: Raster
    tin: TriangleMesh
    tin_max_error: float
    dsm: Raster | None = None
    filled: Raster | None = None
    far: Raster | None = None

    def __post_init__(self) -> None:
        self.frame.require_same(self.tin.frame, "the terrain's triangles")
        for other in (self.dsm, self.filled):
            if other is not None:
                self.dtm.require_same_grid(other)
        if self.far is not None:
            self.frame.require_same(self.far.grid.frame, "the terrain's surroundings")
        if not len(self.tin.faces):
            raise InputError("the terrain has no triangles: no ground height is known inside the site")

    @property
    def frame(self) -> Frame:
        """Frame of the local coordinates."""
        return self.dtm.grid.frame
