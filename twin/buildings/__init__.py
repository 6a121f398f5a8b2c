"""Footprints and points to solids, and their validation."""
