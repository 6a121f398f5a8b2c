"""Outlines over a picture: of what is seen, and dashed of what is hidden; and what a proposal changes in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from viewers.palette import GONE_SHADE, PROPOSED_LINE

WIDTH = 1.0 / 700.0
"""Width of a line, as a share of the picture's width."""
DASHES = 6.0
"""Length of a dash, in widths of the line."""
FADED, TINT = 0.55, 0.45
"""How much of a picture's colour is left, and how much of the tint is laid on."""


def draw_outlines(
    rgb: NDArray[np.uint8], seen: NDArray[np.bool_], whole: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """A picture (h, w, 3) with the outline of the pixels seen (h, w), and dashed that of the whole where hidden."""
    out = np.array(rgb, dtype=np.uint8)
    size = max(2, round(WIDTH * rgb.shape[1]))
    y, x = np.indices(seen.shape)
    dash = ((x + y) // (DASHES * size)).astype(np.int64) % 2 == 0
    hidden = _edge(whole, size) & ~ndimage.binary_dilation(seen, iterations=size)
    out[hidden & dash] = PROPOSED_LINE
    out[_edge(seen, size)] = PROPOSED_LINE
    return out


def draw_change(
    rgb: NDArray[np.uint8], seen: NDArray[np.bool_], whole: NDArray[np.bool_], gone: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """The existing picture (h, w, 3), faded, with what comes in red, what goes in blue-green, and the outlines."""
    grey = rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    out = 255.0 - (255.0 - grey[..., None]) * FADED + np.zeros(3)
    for mask, colour in ((gone & ~seen, GONE_SHADE), (seen, PROPOSED_LINE)):
        out[mask] = (1.0 - TINT) * out[mask] + TINT * np.array(colour)
    drawn = draw_outlines(np.round(out).astype(np.uint8), seen, whole)
    size = max(2, round(WIDTH * rgb.shape[1]))
    drawn[_edge(gone & ~seen, size) & ~seen] = GONE_SHADE
    return drawn


def _edge(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """A band within a mask along its border; the border of the picture is none."""
    inner = ndimage.binary_erosion(mask, iterations=size, border_value=1)
    edge: NDArray[np.bool_] = mask & ~inner
    return edge
