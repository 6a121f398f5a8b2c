"""The seam: devices, the caster protocol, and the one place that chooses an engine."""

from __future__ import annotations

import logging
from typing import Literal

from twin.errors import MissingDependencyError
from twin.visibility.occluders import Occluders
from twin.visibility.rays import Caster, Device, Hits
from twin.visibility.reference import ReferenceCaster

log = logging.getLogger("twin.visibility")

DeviceChoice = Literal["auto", "gpu", "cpu", "reference"]


def adapters() -> list[str]:
    """GPU adapters of this machine, for people; empty where there is none or no driver."""
    try:
        from twin.visibility.gpu import list_adapters
    except ImportError:
        return []
    return [f"{a.name} ({a.kind})" for a in list_adapters()]


def choose_device(choice: DeviceChoice = "auto") -> Device:
    """The device of a run; the only function that decides.

    ``auto`` takes a hardware GPU where there is one, else Embree on the CPU, else the reference with a word.
    Software adapters are taken only for an explicit ``gpu``.

    Raises
    ------
    MissingDependencyError
        An explicit choice that this machine lacks.
    """
    if choice == "reference":
        return Device("cpu", "reference", "NumPy float64")
    if choice in ("auto", "gpu"):
        found = _gpu(choice == "gpu")
        if found is not None:
            return found
        if choice == "gpu":
            raise MissingDependencyError(
                "no GPU adapter was found: install a Vulkan, Metal or D3D12 driver "
                "(Debian without a GPU: apt-get install mesa-vulkan-drivers), or use --device cpu"
            )
    try:
        from twin.visibility.embree import version
    except ImportError:
        if choice == "cpu":
            raise MissingDependencyError(
                "embreex is not installed (it has no wheel for Linux on Arm): pip install embreex, "
                "or use --device gpu, or --device reference, which is slow"
            ) from None
        log.warning("embreex is missing: rays are cast by the reference engine, which is slow")
        return Device("cpu", "reference", "NumPy float64")
    return Device("cpu", "embree", f"embreex {version()}")


def _gpu(software: bool) -> Device | None:
    try:
        from twin.visibility.gpu import list_adapters
    except ImportError:
        return None
    found = list_adapters()
    hardware = [a for a in found if a.kind != "CPU"]
    if hardware:
        return Device("gpu", "wgsl", hardware[0].name)
    if software and found:
        log.warning("no hardware GPU: the shaders run on the software adapter %s", found[0].name)
        return Device("gpu", "wgsl", found[0].name)
    return None


def make_caster(occluders: Occluders, device: Device, threads: int = 1) -> Caster:
    """A caster for some occluders on a device; height fields are triangulated except for the reference."""
    if device.engine == "reference":
        return ReferenceCaster(occluders, device)
    if device.engine == "embree":
        from twin.visibility.embree import EmbreeCaster

        return EmbreeCaster(occluders, device, threads)
    from twin.visibility.gpu import GpuCaster

    return GpuCaster(occluders, device, threads)


__all__ = ["Caster", "Device", "DeviceChoice", "Hits", "adapters", "choose_device", "make_caster"]
