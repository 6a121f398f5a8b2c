"""Where a picture needs more samples than one a pixel, and where it has a line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit

SPREAD = 1.7
"""Side of the square around a pixel's centre that its samples are spread over [pixel]: more than one, so that
a line keeps its strength while it wanders from one pixel to the next."""

SUBPIXELS = 0.5 + SPREAD * (
    np.array([[1, 3], [3, 9], [5, 15], [7, 5], [9, 11], [11, 1], [13, 7], [15, 13]], dtype=np.float64) / 16.0
    - 0.5
)
"""Eight points (8, 2) around a pixel's centre, no two in a row or column (eight rooks) [pixel]."""

_NEARNESS = np.exp(-((np.hypot(*(SUBPIXELS - 0.5).T) / 0.62) ** 2))
WEIGHTS = _NEARNESS / _NEARNESS.sum()
"""Weights (8,) of their colours, 1 in all: the centre counts most."""

CREASE_COS = 0.94
"""Faces that meet at a larger angle than this cosine's (20 degrees) make a crease."""

GAP_SHARE, GAP_M = 0.03, 0.4
"""Neighbours whose distances differ by more than this share and this length belong to different things."""

CONTRAST = 10
"""Neighbours that differ by more than this in a channel of 0 to 255 get more samples."""

LINE_DARK = 0.42
"""How much light a full line takes away."""

LINE_FADE_M = 450.0
"""Distance at which lines have half their strength [m]."""


@njit
def find_edges(
    shown: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]],
    first: int,
    end: int,
    out: NDArray[np.bool_],
) -> None:
    """Mark the pixels of some rows that need more samples.

    That are pixels beside another object, across a crease, at a step in depth, or of a colour that differs visibly from
    a neighbour's: shadows, colours, the horizon.

    Parameters
    ----------
    shown
        (h, w) object or -1, (h, w, 3) normal, (h, w) distance [m], (h, w, 3) sRGB of the middles of the pixels.
    first, end
        The rows.
    out
        (h, w), whose rows are written.
    """
    rows, cols = shown[0].shape
    for r in range(first, end):
        for c in range(cols):
            out[r, c] = (
                (c > 0 and _differ(shown, r, c, r, c - 1))
                or (c + 1 < cols and _differ(shown, r, c, r, c + 1))
                or (r > 0 and _differ(shown, r, c, r - 1, c))
                or (r + 1 < rows and _differ(shown, r, c, r + 1, c))
            )


@njit
def _differ(
    shown: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]],
    r: int,
    c: int,
    other_r: int,
    other_c: int,
) -> bool:
    """Whether there is an edge between two pixels."""
    objects, normals, depth, rgb = shown
    if objects[r, c] != objects[other_r, other_c]:
        return True
    for k in range(3):
        if abs(np.int32(rgb[r, c, k]) - np.int32(rgb[other_r, other_c, k])) > CONTRAST:
            return True
    if objects[r, c] < 0:
        return False
    here, there = depth[r, c], depth[other_r, other_c]
    if abs(here - there) > GAP_SHARE * min(here, there) + GAP_M:
        return True
    cosine = 0.0
    for k in range(3):
        cosine += normals[r, c, k] * normals[other_r, other_c, k]
    return cosine < CREASE_COS


def line_strength(
    objects: NDArray[np.int32],
    drawn: NDArray[np.bool_],
    normals: NDArray[np.float32],
    distance: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Light that the lines of buildings take from pixels (n,), 0 to ``LINE_DARK``.

    A pixel has a line where its samples lie on different faces, most of all where they share it evenly.

    Parameters
    ----------
    objects, drawn, normals, distance
        (n, k), (n, k), (n, k, 3), (n, k) of the samples: object, whether it is drawn with lines, normal of
        the face, distance [m] (infinite for sky).
    """
    count = objects.shape[1]
    order = np.arange(len(objects))
    first = np.argmin(distance, axis=1)
    near = distance[order, first]
    one = normals[order, first]
    same = objects == objects[order, first][:, None]
    same &= np.einsum("nk,nik->ni", one, normals) > CREASE_COS
    with np.errstate(invalid="ignore"):
        same &= ~(distance - near[:, None] > 2 * GAP_SHARE * near[:, None] + GAP_M)
    share = same.sum(axis=1) / count
    even = 4.0 * share * (1.0 - share)
    with np.errstate(divide="ignore"):
        fade = 1.0 / (1.0 + (near / LINE_FADE_M) ** 2)
    # What stands in front decides: a building before anything has an outline, a tree before it has none.
    line = drawn[order, first]
    strength: NDArray[np.float32] = np.where(line, LINE_DARK * even * fade, 0.0).astype(np.float32)
    return strength
