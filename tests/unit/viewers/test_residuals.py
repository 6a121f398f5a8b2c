"""Roofs at one level of detail, in the colour of their distance to the points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.study_worlds import box, flat, scene_of
from viewers.residuals import RESIDUALS, UNKNOWN, at_lod, residual_legend, roof_cells


def test_roofs_have_the_colour_of_their_class_and_stand_off_their_faces() -> None:
    good, bad, unknown = (
        box(name, (x, 0), (8, 8, 6)) for name, x in (("good", -20), ("bad", 0), ("unknown", 20))
    )
    good = replace(good, attributes={"rmse_m": 0.04, "rmse_lod12_m": 1.2})
    bad = replace(bad, attributes={"rmse_m": 0.7, "rmse_lod12_m": 2.5})
    scene = scene_of(flat(60.0), (good, bad, unknown))
    for lod, classes in ((None, (0, 4)), ("1.2", (5, 6))):
        cells = roof_cells(scene, lod)
        assert set(cells.objects) == {"good", "bad", "unknown"}
        colour = {name: tuple(map(int, c)) for name, c in zip(cells.objects, cells.colours, strict=True)}
        assert (
            colour["good"] == RESIDUALS.colours[classes[0]] and colour["bad"] == RESIDUALS.colours[classes[1]]
        )
        assert colour["unknown"] == UNKNOWN
        assert np.allclose(cells.vertices[:, 2], 6.02)


def test_a_level_of_detail_that_is_not_there_leaves_the_best() -> None:
    house = box("house", (0, 0), (8, 8, 6))
    scene = scene_of(flat(60.0), (house,))
    assert at_lod(scene, None) is scene
    assert at_lod(scene, "2.2").buildings[0].geometries == house.geometries


def test_the_legend_names_every_class_in_both_languages() -> None:
    for language, last in (("fr", "inconnu"), ("en", "not known")):
        legend = residual_legend(language)
        assert len(legend.entries) == len(RESIDUALS.colours) + 1 and legend.entries[-1][1] == last
        assert "[m]" in legend.title
