"""Sheets of façades: scales, the same bytes twice, words of the compass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.study_worlds import FRAME
from twin.errors import InputError
from viewers.face_plate import (
    MAP_MM,
    Elevation,
    KeyPlan,
    drawing_of,
    elevation_scale,
    write_elevation,
)
from viewers.plate import Legend, SheetInfo
from viewers.words import compass_word


def test_scales() -> None:
    one, two = drawing_of(140.0, 90.0, 1), drawing_of(140.0, 90.0, 2)
    assert (one.scale, two.scale) == (500, 750)
    assert 140.0 * 1000 / one.scale <= MAP_MM[0] and one.pixel_m == pytest.approx(0.5 / 6.0)
    assert elevation_scale(6.0, 14.0, 3) == (100, 3)
    assert elevation_scale(60.0, 12.0, 3)[1] == 1, "wide façades stand one above the other"
    with pytest.raises(InputError, match="A3"):
        drawing_of(9000.0, 10.0, 1)


@pytest.mark.parametrize(
    ("azimuth", "fr", "en"), [(0, "nord", "north"), (243, "sud-ouest", "south-west"), (359, "nord", "north")]
)
def test_compass(azimuth: float, fr: str, en: str) -> None:
    assert compass_word(azimuth, "fr") == fr and compass_word(azimuth, "en") == en


def elevation() -> Elevation:
    cells = tuple(
        np.array([[x, z], [x + 1, z], [x + 1, z + 1], [x, z + 1]], dtype=float)
        for z in range(60, 66)
        for x in range(8)
    )
    red = np.array([[200, 30, 30]] * len(cells), dtype=np.uint8)
    key = KeyPlan(np.array([[0.0, 0.0], [8.0, 0.0]]), (0.0, -1.0), (), ())
    ground = np.array([[0.0, 59.5], [8.0, 60.2]])
    return Elevation(cells, (("A", red), ("B", red)), ground, np.array([[1.5, 61.6]]), key)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_elevation_is_drawn_to_scale_with_the_same_bytes(tmp_path: Path, language: str) -> None:
    info = SheetInfo("T", "S", "Site", "plan", "0" * 64, language, FRAME, method=("m",))
    legend = Legend("L [h]", (((200, 30, 30), "x"),))
    files = [write_elevation(tmp_path / name, elevation(), (legend,), info) for name in ("a", "b")]
    for one, other in zip(*files, strict=True):
        assert one.read_bytes() == other.read_bytes() and one.stat().st_size > 10_000
    pixels = np.asarray(Image.open(files[0][0]).convert("RGB")).astype(int)
    # The column with the legend is left out.
    red = (np.abs(pixels - [200, 30, 30]).sum(axis=2) < 12)[:, : int(pixels.shape[1] * 0.72)]
    scale, _ = elevation_scale(8.64, 8.7, 2)
    area = red.sum() * (25.4 / 200 / 1000 * scale) ** 2
    assert area == pytest.approx(2 * (48.0 - 0.5 * 0.2 * 8.0 * 0.2 / 0.7), rel=0.03), (
        "two façades of 48 m2, less the ground over their feet"
    )
