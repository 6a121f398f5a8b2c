"""Engines to compare; a machine without a GPU adapter, not even one in software, skips with a word."""

from __future__ import annotations

import pytest

from twin.errors import MissingDependencyError
from twin.visibility.caster import Device, choose_device


@pytest.fixture(scope="session")
def gpu_device() -> Device:
    """The GPU, or Mesa's Vulkan in software: the shaders are really executed there."""
    try:
        return choose_device("gpu")
    except MissingDependencyError as error:
        pytest.skip(f"parity with the GPU needs an adapter: {error}")


@pytest.fixture(params=["embree", "wgsl"])
def device(request: pytest.FixtureRequest) -> Device:
    """Each engine that is held against the reference."""
    if request.param == "wgsl":
        gpu: Device = request.getfixturevalue("gpu_device")
        return gpu
    return choose_device("cpu")
