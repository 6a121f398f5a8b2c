"""A height field as triangles, for the engines that know only triangles."""

from __future__ import annotations

import numpy as np

from twin.visibility.occluders import HeightField, Triangles


def heightfield_to_triangles(field: HeightField) -> Triangles:
    """Two triangles for each quad of four neighbouring cell centres, with the fold that is a valley.

    Of the two diagonals the one with the lower middle is taken; where both are alike, that from north-west to
    south-east. A quad is then a convex surface: a ray that is above it on the two sides where it comes in and goes
    out is above it all the way, and one that starts and ends at crossings is blocked exactly where the reference
    says so, which reads the heights at the crossings of rows and columns only. Within a quad the surface is below
    the hyperbolic patch of the four corners by at most a quarter of their twist (the sum of two opposite heights
    less that of the others). A quad with one NaN corner keeps the triangle of the other three; with two or more it
    is left out.

    Raises
    ------
    InputError
        The field reaches beyond the extent of float32 rays.
    """
    rows, cols = field.shape
    x, y = field.centres()
    heights = field.heights.ravel()
    known = ~np.isnan(heights)
    number = np.arange(rows * cols, dtype=np.int64).reshape(rows, cols)
    nw, ne, sw, se = (
        corner.ravel() for corner in (number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:])
    )
    # Counter-clockwise from above; where the north-west or south-east corner is missing, the other diagonal too.
    other = ~(known[nw] & known[se]) | (heights[nw] + heights[se] > heights[ne] + heights[sw])
    north = np.column_stack([nw, np.where(other, sw, se), ne])
    south = np.column_stack([np.where(other, ne, nw), sw, se])
    faces = np.stack([north, south], axis=1).reshape(-1, 3)
    faces = faces[known[faces].all(axis=1)]
    place = np.cumsum(known) - 1
    gx, gy = np.meshgrid(x, y)
    vertices = np.column_stack([gx.ravel(), gy.ravel(), heights])[known]
    return Triangles(vertices, place[faces].astype(np.int32))
