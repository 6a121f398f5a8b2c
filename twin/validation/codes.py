"""Error codes, tolerances and findings.

The numbers and names are those of val3dity (Ledoux 2018, Open Geospatial Data, Software and Standards 3:1), by
which the field speaks of ISO 19107 (Geographic information - Spatial schema).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from twin.errors import InputError

NAMES: dict[int, str] = {
    101: "TOO_FEW_POINTS",
    102: "CONSECUTIVE_POINTS_SAME",
    103: "RING_NOT_CLOSED",
    104: "RING_SELF_INTERSECTION",
    201: "INTERSECTION_RINGS",
    202: "DUPLICATED_RINGS",
    203: "NON_PLANAR_POLYGON_DISTANCE_PLANE",
    204: "NON_PLANAR_POLYGON_NORMALS_DEVIATION",
    205: "POLYGON_INTERIOR_DISCONNECTED",
    206: "INNER_RING_OUTSIDE",
    207: "INNER_RINGS_NESTED",
    208: "ORIENTATION_RINGS_SAME",
    301: "TOO_FEW_POLYGONS",
    302: "SHELL_NOT_CLOSED",
    303: "NON_MANIFOLD_CASE",
    305: "MULTIPLE_CONNECTED_COMPONENTS",
    306: "SHELL_SELF_INTERSECTION",
    307: "POLYGON_WRONG_ORIENTATION",
    401: "INTERSECTION_SHELLS",
    402: "DUPLICATED_SHELLS",
    403: "INNER_SHELL_OUTSIDE",
    404: "SOLID_INTERIOR_DISCONNECTED",
    405: "WRONG_ORIENTATION_SHELL",
    501: "INTERSECTION_SOLIDS",
    502: "DUPLICATED_SOLIDS",
    503: "DISCONNECTED_SOLIDS",
    601: "BUILDINGPARTS_OVERLAP",
    609: "CITYOBJECT_HAS_NO_GEOMETRY",
    901: "INVALID_INPUT_FILE",
    902: "EMPTY_PRIMITIVE",
    999: "UNKNOWN_ERROR",
}
"""Name of each code. 103 cannot occur here: rings of CityJSON close by themselves. 304 is a part of 303."""

TOUCH_M = 1e-6
"""Edges of a ring nearer than this meet [m]: above float64 noise of local coordinates, below any survey."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """What still counts as the same point and as flat; a verdict means nothing without them.

    Parameters
    ----------
    snap_m
        Vertices nearer than this are one [m].
    planarity_m
        Largest distance of a corner from the plane fitted through its surface [m]; also how deep two solids
        may reach into one another and still only touch.
    normals_deg
        Largest angle between the fitted plane's normal and that of a triangle of the surface [deg].
    """

    snap_m: float = 0.001
    planarity_m: float = 0.01
    normals_deg: float = 20.0

    def __post_init__(self) -> None:
        for name, highest in (("snap_m", 1.0), ("planarity_m", 10.0), ("normals_deg", 180.0)):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 < value <= highest):
                raise InputError(
                    f"tolerance {name}: expected a number above 0, up to {highest:g}; got {value}"
                )


DEFAULT = Tolerances()
"""The field's usual tolerances: 1 mm, 1 cm, 20 degrees."""


class Finding(NamedTuple):
    """One error and its place; numbers count from 0, -1 where the error is of something wider."""

    solid: int
    shell: int
    surface: int
    """Number of the surface in the geometry, in the file's order."""
    ring: int
    code: int
    text: str
    """One sentence with numbers."""

    @property
    def name(self) -> str:
        """Name of the code."""
        return NAMES[self.code]

    @property
    def where(self) -> str:
        """Place in words."""
        named = zip(("solid", "shell", "surface", "ring"), self[:4], strict=True)
        return ", ".join(f"{name} {number}" for name, number in named if number >= 0) or "geometry"
