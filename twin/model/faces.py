"""What a face of a geometry measures: area, slope, and where it looks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from twin.model.geometry import Geometry
from twin.model.triangulate import newell_normal

LEVEL_DEG = 0.5
"""Flatter faces look nowhere [degree]."""


def area_vector(geometry: Geometry, face: int) -> NDArray[np.float64]:
    """Normal (3,) of a face with its area [m2] as length, holes left out."""
    rings = geometry.surfaces[face]
    first = geometry.vertices[rings[0][0]]
    total = np.zeros(3)
    for ring in rings:
        total += newell_normal(geometry.vertices[list(ring)] - first)
    return total / 2.0


def slope_and_azimuth(vector: NDArray[np.float64]) -> tuple[float, float | None]:
    """Slope [degree] of a face, and where it looks, clockwise from grid north [degree]; None where it is level."""
    flat = math.hypot(float(vector[0]), float(vector[1]))
    slope = math.degrees(math.atan2(flat, float(vector[2])))
    if slope < LEVEL_DEG:
        return slope, None
    return slope, math.degrees(math.atan2(float(vector[0]), float(vector[1]))) % 360.0
