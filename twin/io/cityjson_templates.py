"""Trees in CityJSON as instances of shared templates: one crown and one stem for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin.model.objects import Tree
from twin.model.treemesh import Shape, crown_scale, crown_shape, stem_scale, stem_shape

TREE_LOD = "1"
DIGITS = 7
"""Decimals of the templates' vertices: 0.00001 m in a crown of 100 m."""


def tree_templates() -> dict[str, Any]:
    """The value of ``geometry-templates``: the crown is template 0, the stem template 1."""
    items: list[dict[str, Any]] = []
    rows: list[list[float]] = []
    for shape in (crown_shape(), stem_shape()):
        items.append(_template(shape, len(rows)))
        rows += np.round(shape.vertices, DIGITS).tolist()
    # Adding zero turns -0.0 into 0.0.
    return {"templates": items, "vertices-templates": [[v + 0.0 for v in row] for row in rows]}


def _template(shape: Shape, start: int) -> dict[str, Any]:
    return {
        "type": "MultiSurface",
        "lod": TREE_LOD,
        "boundaries": [[face] for face in (shape.faces + np.int32(start)).tolist()],
    }


def tree_instances(tree: Tree) -> list[dict[str, Any]]:
    """The geometries of a tree, without their anchor: the stem's foot."""
    return [
        {"type": "GeometryInstance", "template": number, "transformationMatrix": _matrix(*scale)}
        for number, scale in enumerate((crown_scale(tree), stem_scale(tree)))
    ]


def _matrix(wide: float, high: float, rise: float) -> list[float]:
    """The matrix (row by row) that scales a template and lifts it."""
    a, c, z = round(wide, 6), round(high, 6), round(rise, 6)
    return [a, 0, 0, 0, 0, a, 0, 0, 0, 0, c, z, 0, 0, 0, 1]
