"""Embree and the WGSL kernels against the reference, on worlds with known answers and on a part of Delft."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests import ray_worlds as rw
from twin.visibility.caster import Device, make_caster
from twin.visibility.occluders import Triangles


@pytest.mark.parametrize("place", list(rw.PLACES))
@pytest.mark.parametrize("name", list(rw.MADE))
def test_sun_and_sight_agree_with_the_reference(name: str, place: str, device: Device) -> None:
    triangles = rw.named_world(name, place)
    oracle, caster = rw.reference_of(triangles), make_caster(triangles, device, 2)
    try:
        for rays in (rw.sun_rays(triangles, 1500), rw.view_rays(triangles, 1500)):
            found = rays.occluded(caster)
            assert found.sum() > 0 or name in ("plane", "ramp")
            assert not len(rw.wrongly_occluded(rays, found, oracle))
        views = rw.view_rays(triangles, 1500)
        assert not len(rw.wrongly_hit(views, views.first_hit(caster), triangles, oracle))
    finally:
        caster.close()


@pytest.fixture(scope="module")
def delft(test_data: Path) -> Triangles:
    """Walls and roofs of real buildings within 150 m of the middle of the published Delft model, fans of its rings."""
    path = test_data / "lidar" / "3dfier_delft" / "output" / "testarea.json"
    city = json.loads(path.read_text(encoding="utf-8"))
    vertices = np.array(city["vertices"], dtype=np.float64)
    if "transform" in city:
        vertices = vertices * city["transform"]["scale"] + city["transform"]["translate"]
    vertices -= np.round(np.median(vertices, axis=0))
    faces = []
    for thing in city["CityObjects"].values():
        for geometry in thing["geometry"] if thing["type"] == "Building" else ():
            shells = geometry["boundaries"] if geometry["type"] == "Solid" else [geometry["boundaries"]]
            for ring in (surface[0] for shell in shells for surface in shell):
                faces += [[ring[0], ring[k], ring[k + 1]] for k in range(1, len(ring) - 1)]
    rows = np.array(faces, dtype=np.int32)
    near = (np.abs(vertices[rows][:, :, :2]) < 150.0).all(axis=(1, 2))
    corners = vertices[rows]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return Triangles(vertices, rows[near & (area > 1e-4)])


def test_a_part_of_delft(delft: Triangles, device: Device) -> None:
    assert len(delft.faces) > 2000
    oracle, caster = rw.reference_of(delft), make_caster(delft, device, 2)
    try:
        for rays in (rw.sun_rays(delft, 1500), rw.view_rays(delft, 1500)):
            found = rays.occluded(caster)
            assert 0.05 < found.mean() < 0.95
            differ = int((found != rays.occluded(oracle)).sum())
            print(f"Delft, {device.engine}: {differ} of {len(rays)} rays differ from the reference")
            assert not len(rw.wrongly_occluded(rays, found, oracle))
    finally:
        caster.close()
