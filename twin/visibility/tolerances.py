"""The one tolerance of sight and sun rays, and the extent that it holds for."""

from __future__ import annotations

EXTENT_LIMIT_M = 8192.0
"""Largest |x| and |y| of an occluder's local coordinates [m].

Within it neighbouring float32 values lie at most 2^-11 m = 0.49 mm apart, so that rounding a coordinate moves
a point by at most 0.24 mm along each axis.
"""

GRAZE_TOLERANCE_M = 0.001
"""Depth to which a ray may touch an occluder and still pass: grazing counts as visible and lit [m].

Every engine moves an occlusion ray up by this much (what touches the top of an edge, or runs in the plane of
the ground, passes), starts it this much after its origin and ends it this much before its far end. Engines differ
by the rounding of float32: up to 0.24 mm for each coordinate at 8 km from the origin (0.03 mm within 1 km) and
some 0.1 mm for each kilometre of ray, by its direction. One millimetre is more than their sum for rays of some
kilometres, and far less than what a survey or a building's plan knows. It moves the tip of a shadow by
1 mm / tan(altitude): 6 mm at 10 degrees.
"""
