"""Synthetic CityJSON files, written by hand and read by hand, for the tests of that format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.format_worlds import CORNER


def written(path: Path) -> tuple[dict[str, Any], dict[str, Any], np.ndarray]:
    """Header, all objects, and all vertices in the world, by the standard JSON library alone."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    header, parts = lines[0], lines if len(lines) == 1 else lines[1:]
    transform = header["transform"]
    blocks = [np.array(p["vertices"], dtype=float).reshape(-1, 3) for p in parts]
    vertices = np.concatenate(blocks) * transform["scale"] + transform["translate"]
    return header, {k: v for p in parts for k, v in p["CityObjects"].items()}, vertices


def document(**changes: Any) -> dict[str, Any]:
    """A box as CityJSON 2.0, written by hand."""
    shell = [[[0, 3, 2, 1]], [[4, 5, 6, 7]], [[0, 1, 5, 4]], [[1, 2, 6, 5]], [[2, 3, 7, 6]], [[3, 0, 4, 7]]]
    surfaces = [{"type": "GroundSurface"}, {"type": "RoofSurface"}, {"type": "WallSurface"}]
    solid = {
        "type": "Solid",
        "lod": "1.2",
        "boundaries": [shell],
        "semantics": {"surfaces": surfaces, "values": [[0, 1, 2, 2, 2, 2]]},
    }
    plan = [(0, 0), (8000, 0), (8000, 5000), (0, 5000)]
    value = {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [0.001] * 3, "translate": list(CORNER)},
        "metadata": {"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/8370"},
        "CityObjects": {"b-1": {"type": "Building", "geometry": [solid]}},
        "vertices": [[x, y, z] for z in (0, 11000) for x, y in plan],
    }
    return {**value, **changes}


def saved(folder: Path, value: Any, name: str = "a.city.json") -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path
