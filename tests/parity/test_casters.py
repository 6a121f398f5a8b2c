"""One answer from every engine: Embree and the WGSL kernels against the float64 reference, on analytic worlds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from tests.ray_worlds import (
    MADE,
    PLACES,
    Asked,
    edge_rays,
    far_rays,
    named_world,
    off_face,
    reference_of,
    sun_rays,
    view_rays,
    wrongly_hit,
    wrongly_occluded,
)
from tests.tolerances import EMBREE_CORNER_SHARE, EXCUSED_SHARE, FACE_HIT_M
from twin.visibility import embree, gpu
from twin.visibility.caster import Caster, Device, choose_device, make_caster
from twin.visibility.occluders import HeightField, Triangles
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

RAYS = 1500
UP = np.array([0.0, 0.0, 1.0])
Kind = Callable[..., Asked]


@contextmanager
def casting(occluders: Triangles | HeightField, device: Device, threads: int = 1) -> Iterator[Caster]:
    caster = make_caster(occluders, device, threads)
    try:
        yield caster
    finally:
        caster.close()


@pytest.fixture(params=[(name, place) for name in MADE for place in PLACES], ids=lambda p: f"{p[0]}, {p[1]}")
def triangles(request: pytest.FixtureRequest) -> Triangles:
    return named_world(*request.param)


def check_same(triangles: Triangles, rays: Asked, device: Device) -> float:
    """No answer outside of the tolerance; the share of rays that are decided within it."""
    with casting(triangles, device) as caster:
        blocked, hits = rays.occluded(caster), rays.first_hit(caster)
    oracle = reference_of(triangles)
    assert wrongly_occluded(rays, blocked, oracle).tolist() == []
    assert wrongly_hit(rays, hits, triangles, oracle).tolist() == []
    return float((blocked != rays.occluded(oracle)).mean())


def test_sun_rays_have_no_exception(triangles: Triangles, device: Device) -> None:
    """From 5 mm off the surfaces nothing is decided by the tolerance: the answers are the same."""
    assert check_same(triangles, sun_rays(triangles, RAYS), device) == 0.0


def test_views_that_end_somewhere_and_that_do_not(triangles: Triangles, device: Device) -> None:
    rays = view_rays(triangles, RAYS)
    assert np.isfinite(rays.reach).all()
    assert check_same(triangles, rays, device) <= EXCUSED_SHARE
    assert check_same(triangles, rays.endless(), device) <= EXCUSED_SHARE


def test_nothing_slips_through_where_faces_meet(triangles: Triangles, device: Device) -> None:
    check_same(triangles, edge_rays(triangles, RAYS), device)


def test_from_far_away(triangles: Triangles, device: Device) -> None:
    """Eyes to 750 km off, of which float32 knows the place to 6 cm."""
    rays = far_rays(triangles, RAYS)
    assert np.abs(rays.origins).max() > 5e5
    assert check_same(triangles, rays, device) <= EXCUSED_SHARE
    with casting(triangles, device) as caster:
        hits = rays.endless().first_hit(caster)
    assert (hits.face >= 0).all()
    assert off_face(rays, hits, triangles).max() <= GRAZE_TOLERANCE_M


@pytest.mark.parametrize("name", ["ramp", "valley", "town"])
def test_exactly_at_corners(name: str, device: Device) -> None:
    triangles = named_world(name, "as made")
    rays = edge_rays(triangles, 4000, corners=True)
    with casting(triangles, device) as caster:
        hits = rays.first_hit(caster)
    wrong = wrongly_hit(rays, hits, triangles, reference_of(triangles))
    assert len(wrong) <= (EMBREE_CORNER_SHARE * len(rays) if device.engine == "embree" else 0)


@pytest.mark.parametrize("place", PLACES)
def test_the_face_that_is_hit(place: str, device: Device) -> None:
    """The middle of each face from 2 m off it: that face, at that distance."""
    triangles = named_world("ramp", place)
    corners = triangles.vertices[triangles.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    for side in (1.0, -1.0):
        with casting(triangles, device) as caster:
            hits = caster.first_hit(corners.mean(axis=1) + 2 * side * normal, -side * normal)
        assert (hits.face == np.arange(len(corners))).all()
        near = FACE_HIT_M if place == "as made" else GRAZE_TOLERANCE_M
        assert hits.distance == pytest.approx(np.full(len(corners), 2.0), abs=near)


# Grazing is free: known answers, of the reference too.


@pytest.fixture(params=["reference", "embree", "wgsl"])
def each(request: pytest.FixtureRequest) -> Device:
    if request.param == "wgsl":
        return request.getfixturevalue("gpu_device")
    return choose_device("cpu" if request.param == "embree" else "reference")


SHEET = Triangles(
    np.array([[0.0, -50, 0], [0, 50, 0], [0, 50, 10], [0, -50, 10]]), np.array([[0, 1, 2], [0, 2, 3]])
)
"""A wall without thickness, 10 m high, across the x axis."""


def asked(device: Device, occluders: Triangles, *lines: tuple[list[float], list[float]]) -> list[bool]:
    """Whether the line from each first point to its second is blocked."""
    a, b = (np.array(ends) for ends in zip(*lines, strict=True))
    length = np.linalg.norm(b - a, axis=1)
    with casting(occluders, device) as caster:
        return caster.occluded(a, (b - a) / length[:, None], length).tolist()


@pytest.mark.parametrize("aside", [0.0, 7.3, -31.0])
def test_what_touches_the_top_of_a_wall_passes(each: Device, aside: float) -> None:
    level, over = ([-30, 0, 10], [90, aside, 10]), ([-40, 0, 0], [40, aside, 20])
    assert asked(each, SHEET, level, over) == [False, False]
    lower = [([x, y, z - 0.003], [u, v, w - 0.003]) for (x, y, z), (u, v, w) in (level, over)]
    assert asked(each, SHEET, *lower) == [True, True]


def test_what_runs_along_the_ground_passes(each: Device) -> None:
    ground = named_world("plane", "as made")
    along = ([-70, 1, 0], [70, 3, 0])
    into = ([-70, 1, 0.01], [70, 3, -0.01])
    assert asked(each, ground, along, into) == [False, True]


def test_what_ends_or_starts_on_a_surface_passes(each: Device) -> None:
    onto, behind = ([-30, 2, 5], [0, 2, 5]), ([-30, 2, 5], [0.003, 2, 5])
    out, through = ([0, 2, 5], [-30, 2, 8]), ([-0.003, 2, 5], [30, 2, 8])
    assert asked(each, SHEET, onto, behind, out, through) == [False, True, False, True]
    assert asked(each, SHEET, ([-1e-4, 0, 5], [1e-4, 0, 5])) == [False]


def test_both_sides_block(each: Device) -> None:
    assert asked(each, SHEET, ([-9, 1, 2], [9, 1, 2]), ([9, 1, 2], [-9, 1, 2])) == [True, True]


def test_an_empty_scene_and_faces_without_area_block_nothing(each: Device) -> None:
    flat_faces = Triangles(SHEET.vertices, np.array([[0, 0, 0], [0, 1, 1], [2, 3, 2]]))
    for nothing in (Triangles([], []), Triangles(SHEET.vertices, []), flat_faces):
        assert asked(each, nothing, ([-9, 1, 2], [9, 1, 2]), ([9e5, 0, 2], [-9, 0, 2])) == [False, False]
        with casting(nothing, each) as caster:
            hits = caster.first_hit(np.array([[-9.0, 1, 2], [9e5, 0, 0]]), np.array([1.0, 0, 0]))
        assert np.isinf(hits.distance).all() and hits.face.tolist() == [-1, -1]


def test_the_field_of_heights_is_the_same_ground(each: Device) -> None:
    """Two slopes that meet in a ridge along a row: read linearly it has no folds within its quads."""
    row = np.arange(41.0)
    heights = np.repeat((20 - np.abs(row - 20))[:, None], 31, axis=1)
    field = HeightField(heights, 2.0, 1.0, -30.0, 20.0)
    random = np.random.default_rng(4)
    eyes = np.column_stack([random.uniform(-25, 25, 800), np.full(800, -19.0), random.uniform(2, 60, 800)])
    # Towards the point (25, y, 1) on the other slope, or into the air beyond.
    aim = np.column_stack([random.uniform(-25, 25, 800), np.full(800, 19.0), random.uniform(2, 60, 800)])
    with casting(field, each) as caster:
        found = caster.occluded(eyes, (line := aim - eyes) / np.linalg.norm(line, axis=1)[:, None])
    share = (0.0 - eyes[:, 1]) / line[:, 1]
    over_ridge = eyes[:, 2] + share * line[:, 2] - 20.0
    # Beyond their aim downward ones go into the ground, or leave the grid before.
    clear = (over_ridge > 0.01) & (line[:, 2] >= 0)
    assert clear.sum() > 100 and (over_ridge < -0.01).sum() > 100
    assert not found[clear].any()
    assert found[over_ridge < -0.01].all()


# Parts of a scene, chunks of rays, and other ways to ask the same.


@pytest.mark.parametrize("faces", [1, 100, 587, 588])
def test_a_scene_in_parts(faces: int, gpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    triangles = named_world("town", "as made")
    rays = view_rays(triangles, 400 if faces == 1 else RAYS)
    with casting(triangles, gpu_device) as caster:
        whole = rays.occluded(caster), rays.first_hit(caster)
    monkeypatch.setattr(gpu, "PART_FACES", faces)
    with casting(triangles, gpu_device) as caster:
        blocked, hits = rays.occluded(caster), rays.first_hit(caster)
    assert (blocked == whole[0]).all()
    assert hits.distance.tobytes() == whole[1].distance.tobytes()
    assert hits.face.tobytes() == whole[1].face.tobytes()


@pytest.mark.parametrize("chunk", [64, 1000, 1499, 1500, 1501])
def test_rays_in_chunks(chunk: int, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    triangles = named_world("town", "rotated and off-centre")
    answers = []
    for _ in range(2):
        with casting(triangles, device, threads=2) as caster:
            for rays in (view_rays(triangles, RAYS), sun_rays(triangles, 200), sun_rays(triangles, RAYS)):
                hits = rays.first_hit(caster)
                answers.append(
                    (rays.occluded(caster).tobytes(), hits.distance.tobytes(), hits.face.tobytes())
                )
        monkeypatch.setattr(gpu, "CHUNK", chunk)
        monkeypatch.setattr(embree, "CHUNK", chunk)
    assert answers[:3] == answers[3:]


def test_one_direction_for_all_is_that_direction_for_each(device: Device) -> None:
    triangles = named_world("courtyard", "rotated and off-centre")
    origins = sun_rays(triangles, RAYS).origins
    sun = np.array([0.6, -0.64, 0.48])
    with casting(triangles, device) as caster:
        shared, own = (caster.first_hit(origins, way) for way in (sun, np.tile(sun, (RAYS, 1))))
        assert (caster.occluded(origins, sun) == caster.occluded(origins, np.tile(sun, (RAYS, 1)))).all()
        assert (caster.occluded(origins, sun, 9.0) == caster.occluded(origins, sun, np.full(RAYS, 9.0))).all()
    assert shared.distance.tobytes() == own.distance.tobytes()
    assert shared.face.tobytes() == own.face.tobytes()


def test_the_same_question_twice_has_the_same_bytes(device: Device) -> None:
    triangles = named_world("town", "as made")
    rays = edge_rays(triangles, RAYS)
    answers = []
    for _ in range(2):
        with casting(triangles, device) as caster:
            for _ in range(2):
                hits = rays.first_hit(caster)
                answers.append(
                    (rays.occluded(caster).tobytes(), hits.distance.tobytes(), hits.face.tobytes())
                )
    assert len(set(answers)) == 1


def test_lengths_are_held_to(device: Device) -> None:
    """What the first hit is at, an ending before it does not meet, one after it does."""
    triangles = named_world("town", "as made")
    rays = sun_rays(triangles, RAYS)
    down = Asked(rays.origins + 60 * UP, np.tile(-UP, (RAYS, 1)), rays.reach)
    with casting(triangles, device) as caster:
        hits = down.first_hit(caster)
        assert (hits.face >= 0).mean() > 0.99
        met = hits.face >= 0
        for more, expected in ((-0.003, False), (0.003, True)):
            # An occlusion ray starts 1 mm higher and ends 1 mm before its end.
            blocked = caster.occluded(down.origins, -UP, np.where(met, hits.distance + more, 0.0))
            assert (blocked[met] == expected).all()
        short = caster.first_hit(down.origins, -UP, np.where(met, hits.distance - 0.003, 0.0))
    assert (short.face == -1).all() and np.isinf(short.distance).all()


def test_threads_that_ask_one_caster_have_their_own_answers(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endless rays and such as end, many and few, asked side by side; on the GPU its buffers grow meanwhile."""
    monkeypatch.setattr(embree, "CHUNK", 1000)
    triangles = named_world("courtyard", "as made")
    asked = [
        kind(triangles, count, seed=count) for count in (9000, 1, 70, 4097) for kind in (sun_rays, view_rays)
    ]

    with casting(triangles, device, threads=2) as caster:

        def answers(rays: Asked) -> list[np.ndarray]:
            endless = caster.occluded(rays.origins, rays.directions)
            one_way = caster.occluded(rays.origins, rays.directions[0])
            hits = rays.first_hit(caster)
            return [endless, one_way, rays.occluded(caster), hits.distance, hits.face]

        alone = [answers(rays) for rays in asked]
        with ThreadPoolExecutor(4) as pool:
            beside = list(pool.map(answers, asked))
    for one, other in zip(alone, beside, strict=True):
        for expected, found in zip(one, other, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_closed_caster_says_so(device: Device) -> None:
    """It opens no device again, and who closes it waits for the call under way."""
    triangles = named_world("courtyard", "as made")
    rays = sun_rays(triangles, 20_000)
    caster = make_caster(triangles, device)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(caster.occluded, rays.origins, rays.directions) for _ in range(6)]
        asked[0].result()
        caster.close()
        for job in asked:
            assert job.exception() is None or "closed" in str(job.exception())
    with pytest.raises(ValueError, match="closed"):
        caster.first_hit(rays.origins, rays.directions)
