"""A tower as a minimal binary glTF 2.0 file, so that the sample plan holds an imported model.

Format: Khronos Group, glTF 2.0 Specification, section 4.4 (binary glTF). y is up, metres.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.io.atomic import writing

STOREY_M, GROUND_FLOOR_M = 3.2, 4.8


def tower_mesh(storeys: int, side: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A closed slender tower with cut corners and two setbacks; z up, the middle of its foot is the origin.

    Parameters
    ----------
    storeys
        Number of storeys, ground floor included.
    side
        Width of the lowest part [m].
    """
    top = GROUND_FLOOR_M + (storeys - 1) * STOREY_M
    heights = [0.0, 0.55 * top, 0.55 * top, 0.85 * top, 0.85 * top, top]
    halves = [side / 2, side / 2, side / 2 - 1.6, side / 2 - 1.6, side / 2 - 3.6, side / 2 - 3.6]
    rings = []
    for z, half in zip(heights, halves, strict=True):
        cut = half * 0.72
        plan = [
            (half, -cut),
            (half, cut),
            (cut, half),
            (-cut, half),
            (-half, cut),
            (-half, -cut),
            (-cut, -half),
            (cut, -half),
        ]
        rings.append([(x, y, z) for x, y in plan])
    vertices = np.array(rings).reshape(-1, 3)
    faces = []
    for level in range(len(heights) - 1):
        for k in range(8):
            a, b = level * 8 + k, level * 8 + (k + 1) % 8
            faces += [(a, b, b + 8), (a, b + 8, a + 8)]
    last = (len(heights) - 1) * 8
    faces += [(last, last + k, last + k + 1) for k in range(1, 7)]
    faces += [(0, k + 1, k) for k in range(1, 7)]
    return vertices, np.array(faces, dtype=np.int64)


def write_tower(path: Path, vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> None:
    """Write a z-up mesh as GLB with one node, one mesh, one material; the same mesh gives the same bytes."""
    y_up = np.column_stack([vertices[:, 0], vertices[:, 2], -vertices[:, 1]]).astype("<f4")
    indices = faces.astype("<u4").ravel()
    binary = y_up.tobytes() + indices.tobytes()
    document = {
        "asset": {"version": "2.0", "generator": "valley-twin sample"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "tower"}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
        "materials": [
            {"pbrMetallicRoughness": {"baseColorFactor": [0.86, 0.85, 0.82, 1.0], "metallicFactor": 0.0}}
        ],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": 5126,
                "count": len(y_up),
                "type": "VEC3",
                "min": [float(v) for v in y_up.min(axis=0)],
                "max": [float(v) for v in y_up.max(axis=0)],
            },
            {"bufferView": 1, "componentType": 5125, "count": len(indices), "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": y_up.nbytes, "target": 34962},
            {"buffer": 0, "byteOffset": y_up.nbytes, "byteLength": indices.nbytes, "target": 34963},
        ],
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + len(binary)
    with writing(path) as temporary:
        temporary.write_bytes(
            struct.pack("<4sII", b"glTF", 2, total)
            + struct.pack("<I4s", len(text), b"JSON")
            + text
            + struct.pack("<I4s", len(binary), b"BIN\0")
            + binary
        )
