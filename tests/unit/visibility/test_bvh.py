"""The hierarchy of boxes: every face once, boxes around what they hold, a depth that the shaders can walk."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np
import pytest

from twin.visibility.bvh import LEAF_FACES, NODE, PAD_M, SAH_DEPTH, STACK, Bvh, build_bvh


def scattered(count: int, seed: int = 0, size: float = 3.0) -> np.ndarray:
    """Random faces over a square kilometre."""
    random = np.random.default_rng(seed)
    centre = random.uniform([-500, -500, 0], [500, 500, 60], (count, 1, 3))
    return (centre + random.normal(0, size, (count, 3, 3))).astype(np.float32)


def ever_smaller(count: int) -> np.ndarray:
    """Faces at distances that halve: the surface area heuristic takes one after the other."""
    place = 8000.0 * 0.5 ** np.arange(count, dtype=np.float64)
    corners = np.zeros((count, 3, 3))
    corners[:, :, 0] = place[:, None]
    corners[:, 1, 1], corners[:, 2, 2] = place / 4, place / 4
    return corners.astype(np.float32)


WORLDS = {
    "one": scattered(1),
    "a leaf": scattered(LEAF_FACES),
    "a leaf and one": scattered(LEAF_FACES + 1),
    "town": scattered(20_000),
    "large among small": np.concatenate([scattered(2000), scattered(20, 1, 300.0)]),
    "all in one place": np.tile(scattered(1), (3000, 1, 1)),
    "one centre": scattered(1) * np.linspace(1, 2, 999, dtype=np.float32)[:, None, None],
    "points": np.repeat(scattered(700)[:, :1], 3, axis=1),
    "a line": scattered(5000) * np.float32([1, 0, 0]),
    "ever smaller": ever_smaller(140),
    "ever smaller, many": np.tile(ever_smaller(120), (40, 1, 1)),
    "a plane with a far speck": np.concatenate(
        [scattered(3000) * np.float32([1, 1, 0]), scattered(1) + 7000]
    ),
}


def children(nodes: np.ndarray, node: int) -> tuple[int, int]:
    return int(nodes["first"][node]), int(nodes["first"][node]) + 1


@pytest.fixture(params=list(WORLDS), scope="module")
def built(request: pytest.FixtureRequest) -> tuple[np.ndarray, Bvh]:
    corners = WORLDS[request.param]
    return corners, build_bvh(corners)


def test_every_face_is_in_one_leaf(built: tuple[np.ndarray, Bvh]) -> None:
    corners, bvh = built
    assert sorted(bvh.order) == list(range(len(corners)))
    leaves = bvh.nodes[bvh.nodes["count"] > 0]
    held = np.concatenate([np.arange(leaf["first"], leaf["first"] + leaf["count"]) for leaf in leaves])
    assert sorted(held) == list(range(len(corners)))
    assert leaves["count"].max() <= LEAF_FACES


def test_every_node_has_one_parent_and_the_depth_is_told(built: tuple[np.ndarray, Bvh]) -> None:
    _, bvh = built
    depth = {0: 0}
    waiting = [0]
    while waiting:
        node = waiting.pop()
        if bvh.nodes["count"][node] == 0:
            for child in children(bvh.nodes, node):
                assert child not in depth
                depth[child] = depth[node] + 1
                waiting.append(child)
    assert len(depth) == len(bvh.nodes)
    assert max(depth.values()) == bvh.depth < STACK


def test_boxes_hold_their_faces_and_children(built: tuple[np.ndarray, Bvh]) -> None:
    corners, bvh = built
    low, high = bvh.nodes["low"], bvh.nodes["high"]
    for node in range(len(bvh.nodes)):
        first, count = int(bvh.nodes["first"][node]), int(bvh.nodes["count"][node])
        if count:
            held = corners[bvh.order[first : first + count]].reshape(-1, 3)
            # float32 at 8 km keeps the padding to half a millimetre.
            assert (low[node] <= held.min(axis=0) - 0.7 * PAD_M).all()
            assert (high[node] >= held.max(axis=0) + 0.7 * PAD_M).all()
            assert (low[node] >= held.min(axis=0) - 1.3 * PAD_M).all()
            assert (high[node] <= held.max(axis=0) + 1.3 * PAD_M).all()
        else:
            both = list(children(bvh.nodes, node))
            assert (low[node] == low[both].min(axis=0)).all()
            assert (high[node] == high[both].max(axis=0)).all()


def test_the_same_bytes_twice(built: tuple[np.ndarray, Bvh]) -> None:
    corners, bvh = built
    again = build_bvh(corners.copy())
    assert again.nodes.tobytes() == bvh.nodes.tobytes()
    assert again.order.tobytes() == bvh.order.tobytes()


def test_the_worst_scene_really_reaches_the_depth_from_which_nodes_are_halved() -> None:
    assert build_bvh(ever_smaller(140)).depth > SAH_DEPTH


def test_a_town_is_parted_well() -> None:
    """A ray is expected in some 34 boxes, by their areas; without parting by place it would be in thousands."""
    corners = WORLDS["town"]
    nodes = build_bvh(corners).nodes
    size = (nodes["high"] - nodes["low"]).astype(np.float64)
    area = (size * np.roll(size, 1, axis=1)).sum(axis=1) / (size[0] * np.roll(size[0], 1)).sum()
    assert area.sum() < 40
    assert build_bvh(corners).depth <= 25


def test_the_shaders_walk_the_same_nodes() -> None:
    """Stack and layout stand in two languages: WGSL gives a vec3 16 bytes, so that first and count fill it up."""
    shaders = resources.files("twin.visibility").joinpath("shaders")
    source = shaders.joinpath("bvh.wgsl").read_text(encoding="utf-8")
    assert re.search(r"const STACK: u32 = (\d+)u", source)[1] == str(STACK)
    fields = re.search(r"struct Node \{(.*?)\}", source, re.DOTALL)[1]
    assert re.findall(r"(\w+): (\S+),", fields) == [
        ("low", "vec3<f32>"),
        ("first", "u32"),
        ("high", "vec3<f32>"),
        ("count", "u32"),
    ]
    assert [NODE.fields[name][1] for name in ("low", "first", "high", "count")] == [0, 12, 16, 28]
    assert NODE.itemsize == 32
