"""160 buildings of Delft (AHN3 points, BGT footprints) against the block model that 3dfier made of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.building_worlds import feet
from tests.delft_world import FOOTPRINTS, Delft, load
from tests.tolerances import DELFT_ROOF_M, DELFT_ROOF_SHARE, FOOT_M
from twin.buildings.lod12 import reconstruct_lod12
from twin.terrain.sampler import TinSampler
from twin.validation.validate import validate_geometry
from twin.validation.volumes import solid_volume


@pytest.fixture(scope="module")
def folder(test_data) -> Path:
    return test_data / "lidar" / "3dfier_delft"


@pytest.fixture(scope="module")
def delft(folder) -> Delft:
    return load(folder)


@pytest.fixture(scope="module")
def terrain(delft):
    return delft.terrain


@pytest.fixture(scope="module")
def buildings(delft):
    sampler = TinSampler(delft.terrain.tin)
    return [
        reconstruct_lod12(f, p[:, 2], sampler) for f, p in zip(delft.footprints, delft.points, strict=True)
    ]


def test_every_footprint_ends_as_a_valid_solid_or_with_a_reason(buildings):
    assert len(buildings) == FOOTPRINTS
    for building in buildings:
        assert (building.failure is None) == (len(building.geometries) == 1)
        for geometry in building.geometries:
            assert validate_geometry(geometry) == () and solid_volume(geometry) > 0
    assert sum(b.failure is None for b in buildings) >= 0.97 * FOOTPRINTS


def test_roofs_agree_with_the_block_model(buildings, folder):
    model = json.loads((folder / "output" / "testarea.json").read_text(encoding="utf-8"))
    heights = np.array(model["vertices"], dtype=np.float64)[:, 2]
    if "transform" in model:
        heights = heights * model["transform"]["scale"][2] + model["transform"]["translate"][2]

    def top(name: str) -> float:
        flat = [v for g in model["CityObjects"][name]["geometry"] for v in _leaves(g["boundaries"])]
        return float(heights[flat].max())

    near = [
        abs(b.attributes["h_roof_p90"] - top(b.id)) <= DELFT_ROOF_M
        for b in buildings
        if b.failure is None and b.id in model["CityObjects"]
    ]
    assert sum(near) >= DELFT_ROOF_SHARE * FOOTPRINTS


def test_walls_stand_on_the_terrain(buildings, terrain):
    sampler = TinSampler(terrain.tin)
    for building in buildings:
        for geometry in building.geometries:
            low = feet(geometry)
            buried = geometry.vertices[:, 2].max() - 0.1
            ground = np.minimum(sampler.heights(low[:, :2]), buried)
            assert np.abs(low[:, 2] - ground).max() < FOOT_M, building.id


def _leaves(tree) -> list[int]:
    return [tree] if isinstance(tree, int) else [leaf for part in tree for leaf in _leaves(part)]
