"""Outlines over a picture: of what is seen, and dashed of what is hidden."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from viewers.palette import PROPOSED_LINE

WIDTH = 1.0 / 700.0
"""Width of a line, as a share of the picture's width."""
DASHES = 6.0
"""Length of a dash, in widths of the line."""


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


def _edge(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """A band within a mask along its border; the border of the picture is none."""
    inner = ndimage.binary_erosion(mask, iterations=size, border_value=1)
    edge: NDArray[np.bool_] = mask & ~inner
    return edge
