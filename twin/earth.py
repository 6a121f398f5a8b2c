"""The earth's size, in one place."""

from __future__ import annotations

EARTH_RADIUS_M = 6_371_000.0
"""Mean radius of the earth [m]."""
