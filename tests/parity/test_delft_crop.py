"""The 160 blocks of Delft on level ground: 20,000 sun rays and 20,000 sight rays, one answer from every engine."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ray_worlds import Asked, between, reference_of, sun_rays, wrongly_hit, wrongly_occluded
from tests.study_worlds import flat, scene_of
from tests.tolerances import DELFT_EXCUSED_SHARE
from twin.io.cityjson import read_citymodel
from twin.study.occluders import face_table
from twin.visibility.caster import Device, Hits, choose_device, make_caster
from twin.visibility.occluders import Triangles

RAYS = 20_000
FOR_REFERENCE = 2_000


@pytest.fixture(scope="module")
def delft(test_data) -> Triangles:
    """All faces of all buildings, as they are in the file, and level ground below."""
    model = read_citymodel(test_data / "cityjson" / "cjio_tests" / "delft.json")
    feet = [building.geometries[0].vertices[:, 2].min() for building in model.buildings]
    scene = scene_of(flat(400.0, float(np.median(feet)), model.frame), model.buildings)
    triangles = face_table(scene).triangles()
    assert len(model.buildings) == 160 and len(triangles.faces) > 5_000
    return triangles


@pytest.fixture(scope="module", params=["sun", "sight"])
def rays(request: pytest.FixtureRequest, delft: Triangles) -> Asked:
    """From façades and roofs to suns; between eyes 1.6 m above such places."""
    level = np.ptp(delft.vertices[:, 2][delft.faces], axis=1) == 0
    wide = np.ptp(delft.vertices[:, 0][delft.faces], axis=1) > 200
    built = Triangles(delft.vertices, delft.faces[~(level & wide)])
    assert len(delft.faces) - len(built.faces) == 8, "only the ground is left out"
    if request.param == "sun":
        return sun_rays(built, RAYS, seed=20)
    places = sun_rays(built, 2 * RAYS, seed=21).origins + np.array([0, 0, 1.6])
    return between(places[:RAYS], places[RAYS:])


Answers = tuple[np.ndarray, Hits]


def answers(delft: Triangles, rays: Asked, device: Device) -> Answers:
    caster = make_caster(delft, device, threads=2)
    try:
        return rays.occluded(caster), rays.first_hit(caster)
    finally:
        caster.close()


@pytest.fixture(scope="module")
def on_cpu(delft: Triangles, rays: Asked) -> Answers:
    return answers(delft, rays, choose_device("cpu"))


@pytest.fixture(scope="module")
def on_gpu(delft: Triangles, rays: Asked, gpu_device: Device) -> Answers:
    return answers(delft, rays, gpu_device)


def test_embree_and_wgsl_say_the_same(
    delft: Triangles, rays: Asked, on_cpu: Answers, on_gpu: Answers
) -> None:
    """Where they differ, both are answers for the ray or for one moved by the tolerance; elsewhere they do not."""
    blocked, hits = zip(on_cpu, on_gpu, strict=True)
    assert 0.2 < blocked[0].mean() < 0.8
    differ = np.flatnonzero(blocked[0] != blocked[1])
    print(f"{len(differ)} of {len(rays):,} rays are blocked for one engine only")
    assert len(differ) <= DELFT_EXCUSED_SHARE * len(rays)
    oracle = reference_of(delft)
    some = rays.take(differ)
    for found in blocked:
        assert wrongly_occluded(some, found[differ], oracle).tolist() == []
    with np.errstate(invalid="ignore"):
        apart = np.abs(hits[0].distance - hits[1].distance)
    missed = np.isinf(hits[0].distance) & np.isinf(hits[1].distance)
    differ = np.flatnonzero(~((apart <= 1e-3) | missed))
    print(f"{len(differ)} of {len(rays):,} first hits are more than 1 mm apart")
    assert len(differ) <= DELFT_EXCUSED_SHARE * len(rays)
    some = rays.take(differ)
    for found in hits:
        part = Hits(found.distance[differ], found.face[differ])
        assert wrongly_hit(some, part, delft, oracle).tolist() == []


@pytest.mark.parametrize("engine", ["on_cpu", "on_gpu"])
def test_two_thousand_of_them_are_the_references(
    delft: Triangles, rays: Asked, engine: str, request: pytest.FixtureRequest
) -> None:
    blocked, hits = request.getfixturevalue(engine)
    rows = np.random.default_rng(22).choice(len(rays), FOR_REFERENCE, replace=False)
    some, oracle = rays.take(rows), reference_of(delft)
    expected = some.occluded(oracle)
    print(f"{(blocked[rows] != expected).sum()} of {FOR_REFERENCE:,} differ from the reference")
    assert (blocked[rows] != expected).mean() <= DELFT_EXCUSED_SHARE
    assert wrongly_occluded(some, blocked[rows], oracle).tolist() == []
    assert wrongly_hit(some, Hits(hits.distance[rows], hits.face[rows]), delft, oracle).tolist() == []
