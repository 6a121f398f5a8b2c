"""Stated errors of the sky and of probable sun fall with more directions and hold against a much finer sky."""

from __future__ import annotations

import numpy as np

from tests.study_worlds import box, flat, scene_of
from twin.study.facades import sample_faces
from twin.study.occluders import face_table
from twin.study.precision import sky_precision, some_of
from twin.study.sky import sky_of_faces
from twin.sun.sky import sky_of
from twin.visibility.caster import choose_device, make_caster

DEVICE = choose_device("cpu")


def test_some_are_spread_evenly() -> None:
    assert some_of(3).tolist() == [0, 1, 2]
    many = some_of(10_000)
    assert len(many) == 256 and many[0] == 0 and many[-1] == 9999 and (np.diff(many) > 30).all()


def test_the_stated_error_holds() -> None:
    things = (box("b", (0.0, 0.0), (12.0, 9.0, 9.0), 20.0), box("o", (4.0, -18.0), (30.0, 6.0, 14.0), 35.0))
    scene = scene_of(flat(100.0), things)
    samples = sample_faces(scene, ["b"], 1.0, (), ["wall"])
    stated = {count: sky_precision(scene, samples, count, False, DEVICE) for count in (300, 3000)}
    assert 0.0 < stated[3000] < 0.6 * stated[300]
    caster = make_caster(face_table(scene, False, False).triangles(), DEVICE)
    coarse, fine = (
        sky_of_faces(caster, samples.points, samples.normals, sky_of(count=count)).vsc
        for count in (300, 40_000)
    )
    caster.close()
    within = np.mean(np.abs(coarse - fine) <= 1.15 * stated[300])
    assert within >= 0.93, f"{within:.3f} of the samples lie within the stated error"
