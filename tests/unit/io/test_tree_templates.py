"""Trees as instances of shared templates: the same shape as the model's own, in a file others read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from twin.frame import Frame
from twin.io.cityjson import read_city
from twin.io.cityjson_geometry import parse_geometry, parse_templates
from twin.io.cityjson_write import write_city
from twin.model.objects import Tree
from twin.model.treemesh import tree_mesh

STEP_M = 0.0001


def trees(frame: Frame) -> list[Tree]:
    rng = np.random.default_rng(3)
    return [
        Tree(f"t{k}", frame, *rng.uniform(-200, 200, 2), 60.0 + k, 8.0 + k, 1.5 + 0.1 * k, share * (8.0 + k))
        for k, share in enumerate([0.3, 0.3, 0.3, 0.45, 0.0])
    ]


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_instances_are_the_models_own_shapes(tmp_path: Path, frame: Frame, suffix: str) -> None:
    planted = trees(frame)
    path = tmp_path / f"wood.city.{suffix}"
    write_city(path, frame=frame, buildings=(), trees=planted)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    header, features = rows[0], rows[1:] or rows
    assert len(header["geometry-templates"]["templates"]) == 3
    templates = parse_templates(header["geometry-templates"])
    scale, shift = (np.array(header["transform"][key]) for key in ("scale", "translate"))
    found = {}
    for feature in features:
        world = np.array(feature["vertices"]) * scale + shift
        for key, item in feature["CityObjects"].items():
            (instance,) = item["geometry"]
            assert instance["type"] == "GeometryInstance"
            found[key] = parse_geometry(instance, world - [*frame.origin, 0], templates)
    for tree in planted:
        geometry, mesh = found[tree.id], tree_mesh(tree)
        corners = geometry.vertices[np.array([rings[0] for rings in geometry.surfaces])]
        # Size to the millimetre, place to the file's step.
        assert np.abs(corners - mesh.vertices[mesh.faces]).max() < 1e-3 + STEP_M
    low, high = np.array(header["metadata"]["geographicalExtent"]).reshape(2, 3)
    points = np.concatenate([tree_mesh(t).vertices for t in planted]) + np.array([*frame.origin, 0])
    assert (low <= points.min(axis=0) + STEP_M).all() and (high >= points.max(axis=0) - STEP_M).all()
    back = read_city(path, frame).trees
    assert [(t.id, t.height, t.crown_radius) for t in back] == [
        (t.id, pytest.approx(t.height, abs=1e-3), pytest.approx(t.crown_radius, abs=1e-3)) for t in planted
    ]


def test_a_tree_is_closed_and_outward(frame: Frame) -> None:
    import trimesh

    for tree in trees(frame):
        mesh = tree_mesh(tree)
        body = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
        assert body.is_watertight and body.volume > 0
