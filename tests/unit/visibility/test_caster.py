"""Choice of the device, and what every caster does alike: refusals, shapes, threads, closing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from twin.errors import InputError, MissingDependencyError
from twin.visibility.caster import Caster, Device, adapters, choose_device, make_caster
from twin.visibility.embree import CHUNK
from twin.visibility.occluders import HeightField, Triangles
from twin.visibility.tolerances import EXTENT_LIMIT_M

UP = np.array([0.0, 0.0, 1.0])
ROOF = Triangles(
    np.array([[-5.0, -5, 10], [5, -5, 10], [5, 5, 10], [-5, 5, 10]]), np.array([[0, 1, 2], [0, 2, 3]])
)
DEVICES = [choose_device("reference"), choose_device("cpu")]


@pytest.fixture(params=DEVICES, ids=lambda device: device.engine)
def roof(request: pytest.FixtureRequest) -> Iterator[Caster]:
    """A roof of 10 x 10 m, 10 m up."""
    caster = make_caster(ROOF, request.param)
    yield caster
    caster.close()


@pytest.fixture
def without_wgpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where wgpu is not installed."""
    monkeypatch.setitem(sys.modules, "wgpu", None)


@pytest.fixture
def without_embree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where embreex is not installed."""
    for name in [name for name in sys.modules if name.split(".")[0] == "embreex"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "embreex", None)


# The choice.


@pytest.mark.parametrize("choice", ["", "GPU", "cuda", None, 0])
def test_an_unknown_choice_is_refused(choice) -> None:
    with pytest.raises(InputError, match="auto, gpu, cpu, reference"):
        choose_device(choice)


def test_the_reference_is_always_there(without_wgpu: None, without_embree: None) -> None:
    device = choose_device("reference")
    assert (device.kind, device.engine) == ("cpu", "reference")
    assert device.label == f"cpu, reference (NumPy {np.__version__}, float64)"


def test_the_cpu_is_embree() -> None:
    device = choose_device("cpu")
    assert (device.kind, device.engine) == ("cpu", "embree")
    assert device.adapter.startswith("embreex ")


def test_a_missing_gpu_raises_when_asked_for(without_wgpu: None) -> None:
    with pytest.raises(MissingDependencyError, match="pip install wgpu"):
        choose_device("gpu")
    assert adapters() == []


def test_auto_falls_back_with_a_word(without_wgpu: None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "twin"):
        assert choose_device("auto") == choose_device("cpu")
    assert any("embree" in line and "wgpu is missing" in line for line in caplog.messages)


def test_without_embree_the_cpu_is_the_reference(
    without_embree: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "twin"):
        assert choose_device("cpu") == choose_device("reference")
    assert any("pip install embreex" in line for line in caplog.messages)


def test_an_embree_that_is_gone_raises(without_embree: None) -> None:
    with pytest.raises(MissingDependencyError, match="pip install embreex"):
        make_caster(ROOF, Device("cpu", "embree", "embreex of another machine"))


def test_auto_takes_hardware_only() -> None:
    """Where all adapters compute in software, the CPU is faster; where there is a real one, it is taken."""
    real = [name for name in adapters() if not name.endswith("(software)")]
    assert choose_device("auto").engine == ("wgsl" if real else "embree")


def test_a_gpu_that_is_gone_raises() -> None:
    with pytest.raises(MissingDependencyError):
        make_caster(ROOF, Device("gpu", "wgsl", "A GPU that was sold, Vulkan"))


@pytest.mark.parametrize("threads", [0, -1])
@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.engine)
def test_no_thread_is_too_few(threads: int, device: Device) -> None:
    with pytest.raises(InputError, match="at least 1 thread"):
        make_caster(ROOF, device, threads)


def test_a_height_field_beyond_the_extent_is_only_for_the_reference() -> None:
    far = HeightField(np.full((3, 3), 10.0), 5.0, 5.0, EXTENT_LIMIT_M, 0.0)
    with pytest.raises(InputError, match="local origin"):
        make_caster(far, choose_device("cpu"))
    eye = np.array([[EXTENT_LIMIT_M + 3.0, -3.0, 0.0]])
    assert make_caster(far, choose_device("reference")).occluded(eye, UP).tolist() == [True]


# What every caster does.


def test_what_is_no_ray_is_refused_by_every_engine(roof: Caster) -> None:
    for ask in (roof.occluded, roof.first_hit):
        with pytest.raises(InputError, match="unit vectors"):
            ask(np.zeros((1, 3)), 2 * UP)
        with pytest.raises(InputError, match="max_distance"):
            ask(np.zeros((1, 3)), UP, np.zeros(2))


def test_no_rays_have_no_answers(roof: Caster) -> None:
    assert roof.occluded(np.zeros((0, 3)), UP).shape == (0,)
    hits = roof.first_hit(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    assert hits.distance.shape == hits.face.shape == (0,)


def test_answers_by_hand(roof: Caster) -> None:
    eyes = np.array([[2.0, 1, 0], [1, 2, 0], [1, 2, 20], [6, 0, 0], [2, 1, 0]])
    towards = np.array([UP, UP, -UP, UP, -UP])
    assert roof.occluded(eyes, towards).tolist() == [True, True, True, False, False]
    assert roof.occluded(eyes, towards, [9.99, 10.01, 9.0, 99, 99]).tolist() == [False, True] + [False] * 3
    hits = roof.first_hit(eyes, towards, np.inf)
    assert hits.distance[:3] == pytest.approx([10, 10, 10], abs=1e-5) and np.isinf(hits.distance[3:]).all()
    assert hits.face.tolist() == [0, 1, 1, -1, -1]
    assert hits.distance.dtype == np.float64 and hits.face.dtype == np.int32
    assert roof.occluded(eyes, towards).dtype == bool


def test_an_empty_scene_blocks_nothing() -> None:
    for device in DEVICES:
        caster = make_caster(Triangles([], []), device)
        assert not caster.occluded(np.zeros((3, 3)), UP).any()
        hits = caster.first_hit(np.full((3, 3), 1e6), UP)
        assert np.isinf(hits.distance).all() and (hits.face == -1).all()
        caster.close()


def test_any_number_of_threads_gives_the_same_bytes() -> None:
    random = np.random.default_rng(2)
    count = 3 * CHUNK + 17
    eyes = np.column_stack([random.uniform(-9, 9, (count, 2)), random.uniform(0, 9, count)])
    answers = []
    for threads in (1, 2, 5):
        caster = make_caster(ROOF, choose_device("cpu"), threads)
        hits = caster.first_hit(eyes, UP)
        answers.append((caster.occluded(eyes, UP).tobytes(), hits.distance.tobytes(), hits.face.tobytes()))
        caster.close()
    assert answers[0] == answers[1] == answers[2]
    inside = (np.abs(eyes[:, :2]) < 5).all(axis=1)
    assert (np.frombuffer(answers[0][0], bool) == inside).mean() > 0.999


def test_a_face_keeps_its_number_beside_those_without_area() -> None:
    faces = np.vstack([np.zeros((5, 3), int), ROOF.faces, [[1, 1, 2]], ROOF.faces[:1]])
    for device in DEVICES:
        hits = make_caster(Triangles(ROOF.vertices, faces), device).first_hit(np.array([[1.0, 2, 0]]), UP)
        assert hits.face.tolist() == [6]
