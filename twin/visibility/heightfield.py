"""A height field as triangles, for the engines that know only triangles."""

from __future__ import annotations

import numpy as np

from twin.visibility.occluders import HeightField, Triangles


def heightfield_to_triangles(field: HeightField) -> Triangles:
    """Two triangles for each quad of four neighbouring cell centres, parted from north-west to south-east.

    A quad with one NaN corner keeps the triangle of the other three; with two or more it is left out. Along rows
    and columns, where the reference reads the heights, the surface is the same. Inside a quad that is not flat a
    ray may meet the fold on the diagonal, where the reference reads nothing: it is off the hyperbolic patch of the
    four corners by at most a quarter of their twist (the sum of two opposite heights less that of the others).

    Raises
    ------
    InputError
        The field reaches beyond the extent of float32 rays.
    """
    rows, cols = field.shape
    x, y = field.centres()
    known = ~np.isnan(field.heights).ravel()
    number = np.arange(rows * cols, dtype=np.int64).reshape(rows, cols)
    nw, ne, sw, se = (
        corner.ravel() for corner in (number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:])
    )
    # Counter-clockwise from above; where the north-west or south-east corner is missing, the other diagonal.
    other = ~(known[nw] & known[se])
    north = np.column_stack([nw, np.where(other, sw, se), ne])
    south = np.column_stack([np.where(other, ne, nw), sw, se])
    faces = np.stack([north, south], axis=1).reshape(-1, 3)
    faces = faces[known[faces].all(axis=1)]
    place = np.cumsum(known) - 1
    gx, gy = np.meshgrid(x, y)
    vertices = np.column_stack([gx.ravel(), gy.ravel(), field.heights.ravel()])[known]
    return Triangles(vertices, place[faces].astype(np.int32))
