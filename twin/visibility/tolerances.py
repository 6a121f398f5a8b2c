"""The one tolerance of the ray engines."""

from __future__ import annotations

GRAZE_TOLERANCE_M = 0.002
"""Rays are shortened by this much at both ends, and lifted by it where visibility is asked [m].

Grazing counts as visible and lit. Coordinates are float32 inside the engines, from the middle of a scene at
most 8,192 m wide on either side: one step of float32 there is 0.5 mm, vertex and origin are each off by half
of it, and an intersection by about one more. Two millimetres lie above their sum, so that every engine sees a
ray which touches an edge pass over it, and below anything a model of a town knows.
"""

REACH_M = 8192.0
"""Largest distance of a coordinate from the local origin in plan [m]."""
