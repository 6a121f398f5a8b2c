"""Geometric validation of 3D city objects."""
