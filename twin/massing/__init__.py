"""Proposals: storeys to volumes, placing, removing, resolving scenarios."""
