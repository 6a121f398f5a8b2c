"""Probable sunlight hours of open faces, by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from tests.study_worlds import FRAME, box, flat, scene_of
from twin.errors import InputError
from twin.study.occluders import face_table
from twin.study.probable import Sunshine, is_winter, probable_sun, sunshine_of
from twin.study.readers import RayReader
from twin.sun.position import sun_direction_local
from twin.visibility.caster import choose_device, make_caster

MONTHS = (0.2, 0.25, 0.3, 0.4, 0.4, 0.4, 0.4, 0.45, 0.4, 0.35, 0.2, 0.15)
"""Made up."""


@pytest.fixture(scope="module")
def sunshine() -> Sunshine:
    return sunshine_of(2026, MONTHS, FRAME, "Europe/Brussels")


def of(normal: np.ndarray, sunshine: Sunshine, things: tuple = ()) -> tuple[float, float]:
    caster = make_caster(face_table(scene_of(flat(500.0), things)).triangles(), choose_device("cpu"))
    reader = RayReader(caster, np.array([[0.0, 0.0, 4.0]]), normal[None])
    year, winter = probable_sun(reader, 1, sunshine)
    caster.close()
    return float(year[0]), float(winter[0])


def test_a_level_face_has_all_of_it(sunshine: Sunshine) -> None:
    year, winter = of(np.array([0.0, 0.0, 1.0]), sunshine)
    assert year == pytest.approx(100.0, abs=1e-3)
    weights = np.array(sunshine.weights)
    cold = np.array([is_winter(sun.legal.date()) for sun in sunshine.suns])
    assert winter == pytest.approx(100.0 * weights[cold].sum() / weights.sum(), abs=1e-3)
    assert (
        is_winter(dt.date(2026, 3, 21))
        and is_winter(dt.date(2026, 9, 21))
        and not is_winter(dt.date(2026, 3, 22))
    )


@pytest.mark.parametrize("turn", [0.0, 40.0, 180.0])
def test_an_open_wall_has_the_suns_before_it(sunshine: Sunshine, turn: float) -> None:
    normal = np.array([np.sin(np.radians(turn)), -np.cos(np.radians(turn)), 0.0])
    before = np.array([sun_direction_local(sun) @ normal > 1e-9 for sun in sunshine.suns])
    weights = np.array(sunshine.weights)
    expected = 100.0 * weights[before].sum() / weights.sum()
    year, winter = of(normal, sunshine)
    assert year == pytest.approx(expected, abs=1e-3) and winter <= year
    dark = of(normal, sunshine, (box("b", (0.0, 0.0), (0.2, 0.2, 3.0)),))
    assert dark[0] == pytest.approx(year, abs=0.01), "what lies below the sample takes nothing"


def test_wrong_probabilities() -> None:
    for months in ((0.3,) * 11, (0.0,) * 12, (1.2,) * 12):
        with pytest.raises(InputError, match="twelve values"):
            sunshine_of(2026, months, FRAME, "Europe/Brussels")
