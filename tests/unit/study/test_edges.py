"""Which pixels of a picture get more samples: held to a plain reading of the rule."""

from __future__ import annotations

import numpy as np
import pytest

from twin.study.edges import CONTRAST, CREASE_COS, GAP_M, GAP_SHARE, WEIGHTS, find_edges

SHAPE = (7, 9)


def plain() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One object, one plane, one distance, one colour."""
    normals = np.zeros((*SHAPE, 3), dtype=np.float32)
    normals[..., 2] = 1.0
    colour = np.full((*SHAPE, 3), 120, dtype=np.uint8)
    return np.zeros(SHAPE, dtype=np.int32), normals, np.full(SHAPE, 50.0, dtype=np.float32), colour


def found(shown: tuple[np.ndarray, ...]) -> np.ndarray:
    out = np.zeros(SHAPE, dtype=bool)
    for first in range(0, SHAPE[0], 3):
        find_edges(shown, first, min(SHAPE[0], first + 3), out)
    return out


CROSS = np.zeros(SHAPE, dtype=bool)
CROSS[3, 3:6] = CROSS[2:5, 4] = True


def test_what_is_alike_has_no_edge() -> None:
    assert not found(plain()).any()


@pytest.mark.parametrize("step", [CONTRAST + 1, -CONTRAST - 1])
def test_a_pixel_that_differs_and_its_four_neighbours(step: int) -> None:
    """Brighter or darker, in one channel; of another object; tilted; nearer or farther."""
    changes = {0: 3, 2: np.float32(50.0 + np.sign(step) * (GAP_SHARE * 50.0 + GAP_M + 0.2))}
    for which, value in changes.items():
        shown = plain()
        shown[which][3, 4] = value
        assert (found(shown) == CROSS).all(), which
    shown = plain()
    shown[3][3, 4, 1] = 120 + step
    assert (found(shown) == CROSS).all()
    shown = plain()
    shown[1][3, 4] = [0.0, np.sin(np.arccos(CREASE_COS) + 0.05), np.cos(np.arccos(CREASE_COS) + 0.05)]
    assert (found(shown) == CROSS).all()


def test_a_little_difference_is_none() -> None:
    objects, normals, depth, colour = plain()
    colour[3, 4] -= CONTRAST
    colour[0, 0] += CONTRAST
    depth[3, 4] += 1.0
    assert not found((objects, normals, depth, colour)).any()


def test_sky_has_no_depth() -> None:
    objects, normals, depth, colour = plain()
    objects[:2], depth[:2], normals[:2] = -1, np.nan, 0.0
    expected = np.zeros(SHAPE, dtype=bool)
    expected[1:3] = True
    assert (found((objects, normals, depth, colour)) == expected).all()


def test_weights_are_shares() -> None:
    assert WEIGHTS.sum() == pytest.approx(1.0)
