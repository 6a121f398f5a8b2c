"""How far the values of a study lie from those of a finer one: measured on some of its own samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.model.scene import Scene
from twin.study.facades import FaceSamples
from twin.study.horizon import far_horizon
from twin.study.occluders import face_table
from twin.study.probable import STEP_MIN, Sunshine, probable_sun
from twin.study.sky import sky_of_faces
from twin.study.sunlight import ray_readers
from twin.study.suns import SunlightSettings
from twin.sun.sky import sky_of
from twin.visibility.caster import Device, make_caster

SOME = 256
"""Samples that are looked at, spread evenly over all."""
FINER_SKY = 4
"""How many times the directions the finer sky has."""
FINER_STEP_MIN = 10.0
"""Time step of the finer suns [min]."""
SKY_METHOD = (
    f"95th percentile of the difference to a sky of {FINER_SKY} times as many directions, on at most {SOME} samples of "
    "the existing state, spread evenly"
)
SUN_METHOD = (
    f"95th percentile of the difference between suns each {STEP_MIN:g} and each {FINER_STEP_MIN:g} minutes, on at most "
    f"{SOME} samples of the existing state, spread evenly"
)


def some_of(count: int) -> NDArray[np.int64]:
    """Indices of at most ``SOME`` samples, spread evenly."""
    places: NDArray[np.int64] = np.unique(np.linspace(0, count - 1, min(count, SOME)).astype(np.int64))
    return places


def sky_precision(
    scene: Scene, samples: FaceSamples, directions: int, trees: bool, device: Device, threads: int = 1
) -> float:
    """Error of the vertical sky component of samples [percentage points]; see ``SKY_METHOD``."""
    places = some_of(len(samples))
    points, normals = samples.points[places], samples.normals[places]
    far = far_horizon(scene.terrain)
    caster = make_caster(face_table(scene, trees, coverings=False).triangles(), device, threads)
    try:
        coarse, fine = (
            sky_of_faces(caster, points, normals, sky_of("solid_angle", count), far).vsc
            for count in (directions, min(1_000_000, FINER_SKY * directions))
        )
    finally:
        caster.close()
    return _p95(coarse, fine)


def sun_precision(
    scene: Scene,
    samples: FaceSamples,
    settings: SunlightSettings,
    suns: tuple[Sunshine, Sunshine],
    device: Device,
    threads: int = 1,
) -> tuple[float, float]:
    """Errors of the annual and winter probable hours of samples [percentage points]; see ``SUN_METHOD``.

    ``suns`` are those of the study and the finer ones.
    """
    places = some_of(len(samples))
    far = far_horizon(scene.terrain)
    table = face_table(scene, settings.trees, coverings=False)
    with ray_readers(scene, table, settings, device, threads) as make:
        reader = make(samples.points[places], samples.normals[places], far)
        coarse, fine = (probable_sun(reader, len(places), some) for some in suns)
    return _p95(coarse[0], fine[0]), _p95(coarse[1], fine[1])


def _p95(a: Any, b: Any) -> float:
    return float(np.percentile(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)), 95))
