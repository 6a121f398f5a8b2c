"""Where a picture needs more samples than one a pixel, and where it has a line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPREAD = 1.7
"""Side of the square around a pixel's centre that its samples are spread over [pixel]: more than one, so that
a line keeps its strength while it wanders from one pixel to the next."""

SUBPIXELS = 0.5 + SPREAD * (
    np.array([[1, 3], [3, 9], [5, 15], [7, 5], [9, 11], [11, 1], [13, 7], [15, 13]], dtype=np.float64) / 16.0
    - 0.5
)
"""Eight points (8, 2) around a pixel's centre, no two in a row or column (eight rooks) [pixel]."""

WEIGHTS = np.exp(-((np.hypot(*(SUBPIXELS - 0.5).T) / 0.62) ** 2))
"""Weights (8,) of their colours: the centre counts most."""

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


def _either_side(rows: NDArray[np.bool_], cols: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Both neighbours of each differing pair: (h - 1, w) and (h, w - 1) to (h, w)."""
    out = np.zeros((cols.shape[0], rows.shape[1]), dtype=bool)
    out[:-1] |= rows
    out[1:] |= rows
    out[:, :-1] |= cols
    out[:, 1:] |= cols
    return out


def outline_pixels(
    objects: NDArray[np.int32], normals: NDArray[np.float32], depth: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Pixels (h * w,) beside another object, across a crease or at a step in depth."""

    def differ(axis: int) -> NDArray[np.bool_]:
        front, back = [slice(None)] * 2, [slice(None)] * 2
        front[axis], back[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(front), tuple(back)
        near = np.minimum(depth[a], depth[b])
        gap = np.abs(depth[a] - depth[b]) > GAP_SHARE * near + GAP_M
        crease = np.einsum("ijk,ijk->ij", normals[a], normals[b]) < CREASE_COS
        hit = (objects[a] >= 0) & (objects[b] >= 0)
        found: NDArray[np.bool_] = (objects[a] != objects[b]) | (hit & (crease | gap))
        return found

    return _either_side(differ(0), differ(1)).ravel()


def contrast_pixels(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels (h * w,) whose colour differs visibly from a neighbour's: shadows, colours, the horizon."""
    wide = rgb.astype(np.int16)
    rows = (np.abs(wide[1:] - wide[:-1]) > CONTRAST).any(axis=2)
    cols = (np.abs(wide[:, 1:] - wide[:, :-1]) > CONTRAST).any(axis=2)
    return _either_side(rows, cols).ravel()


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
