"""The seam: one question to one of several engines, and the one place where the device is chosen."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import InputError, MissingDependencyError
from twin.visibility.occluders import HeightField, Occluders

if TYPE_CHECKING:
    from twin.visibility.sight_sweep import SightSweep
    from twin.visibility.sweep import SunSweep

log = logging.getLogger(__name__)

DeviceChoice = Literal["auto", "gpu", "cpu", "reference"]
"""What a user may ask for."""

NO_EMBREE = (
    "embreex is missing: `pip install embreex` (wheels for Linux x86-64, Windows and macOS on Apple silicon, "
    "none for Linux on Arm)"
)


@dataclass(frozen=True, slots=True)
class Device:
    """Where rays are cast.

    Parameters
    ----------
    kind
        Kind of processor.
    engine
        ``embree`` (CPU), ``wgsl`` (GPU compute) or ``reference`` (NumPy, slow).
    adapter
        The engine's version or the GPU's name and driver.
    """

    kind: Literal["cpu", "gpu"]
    engine: Literal["reference", "embree", "wgsl"]
    adapter: str

    @property
    def label(self) -> str:
        """Text for the provenance of a result."""
        return f"{self.kind}, {self.engine} ({self.adapter})"


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """First hits of rays.

    Parameters
    ----------
    distance
        (n,) float64 from the origin of the ray [m]; infinite where there is none.
    face
        (n,) int32, number of the face; -1 where there is none.
    """

    distance: NDArray[np.float64]
    face: NDArray[np.int32]


class Caster(Protocol):
    """Answers what blocks rays, for one set of occluders. Grazing counts as free.

    Several threads may ask one caster.
    """

    @property
    def batch(self) -> int:
        """Rays to a call that suit the engine; any number is answered alike."""
        ...

    @property
    def device(self) -> Device:
        """Where it runs."""
        ...

    def occluded(
        self, origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None = None
    ) -> NDArray[np.bool_]:
        """Whether something blocks each ray.

        Parameters
        ----------
        origins
            (n, 3) local space [m].
        directions
            (n, 3), or (3,) for all, unit vectors.
        max_distance
            (n,), or one for all, [m]; None looks to infinity.

        Returns
        -------
        (n,) bool

        Raises
        ------
        InputError
            Shapes that do not fit, values that are not finite, directions that are not of length 1.
        """
        ...

    def first_hit(
        self, origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None = None
    ) -> Hits:
        """What each ray meets first; parameters and errors as ``occluded``.

        Where two faces lie at the same distance, any of them is named.
        """
        ...

    def close(self) -> None:
        """Give threads and memory back; the caster cannot be used afterwards."""
        ...


def choose_device(choice: DeviceChoice = "auto") -> Device:
    """The device for a choice: the only place where this is decided.

    Parameters
    ----------
    choice
        ``auto``: a GPU where there is a real one, else the CPU; ``gpu``: a GPU, or an adapter in software;
        ``cpu``: Embree, or the slow reference where its wheel is missing; ``reference``.

    Raises
    ------
    MissingDependencyError
        A GPU was asked for and there is none, or its driver or package is missing.
    InputError
        An unknown choice.
    """
    if choice not in get_args(DeviceChoice):
        raise InputError(f"a device is one of {', '.join(get_args(DeviceChoice))}; got {choice!r}")
    if choice == "reference":
        return Device("cpu", "reference", f"NumPy {np.__version__}, float64")
    if choice == "cpu":
        return _cpu()
    from twin.visibility import gpu_device

    try:
        device = gpu_device.find_device(software=choice == "gpu")
    except MissingDependencyError as error:
        if choice == "gpu":
            raise
        cpu = _cpu()
        log.info("rays are cast on the %s: %s", cpu.label, error)
        return cpu
    log.info("rays are cast on the %s", device.label)
    return device


def _cpu() -> Device:
    from twin.visibility import embree

    version = embree.version()
    if version is not None:
        return Device("cpu", "embree", f"embreex {version}")
    log.warning("%s; falling back to the reference engine, which is slow", NO_EMBREE)
    return choose_device("reference")


def adapters() -> list[str]:
    """The GPU adapters of this machine as lines of text; none where wgpu or a driver is missing."""
    from twin.visibility import gpu_device

    try:
        return gpu_device.adapter_names()
    except MissingDependencyError as error:
        log.info("no GPU adapter: %s", error)
        return []


def make_caster(occluders: Occluders, device: Device, threads: int = 1) -> Caster:
    """A caster for some occluders on a device.

    Parameters
    ----------
    occluders
        Triangles, or a height field. The reference reads a height field at every crossing of a row or column;
        Embree and WGSL meet two triangles to the quad of four cell centres, with a fold that gives the same
        answer (``twin.visibility.heightfield``). Triangles are met from outside: a ray that starts on the ground
        and dives at once is blocked for the reference only.
    device
        From ``choose_device``.
    threads
        Threads of the CPU engine; the result does not depend on it.

    Raises
    ------
    MissingDependencyError
        The device is not there (any more), or has too little memory.
    InputError
        A number of threads below 1, a height field beyond the extent of float32 rays.
    """
    if threads < 1:
        raise InputError(f"a caster needs at least 1 thread; got {threads}")
    if device.engine == "reference":
        from twin.visibility.reference import ReferenceCaster

        return ReferenceCaster(occluders, device)
    if isinstance(occluders, HeightField):
        from twin.visibility.heightfield import heightfield_to_triangles

        occluders = heightfield_to_triangles(occluders)
    if device.engine == "embree":
        from twin.visibility.embree import EmbreeCaster

        return EmbreeCaster(occluders, device, threads)
    from twin.visibility.gpu import GpuCaster

    return GpuCaster(occluders, device)


def make_sight(
    field: HeightField,
    ground: NDArray[np.floating] | None,
    device: Device,
    *,
    bend: float = 0.0,
    threads: int = 1,
) -> SightSweep:
    """Sight over a height field on a device; the fast engine for wide ground and many eyes.

    Parameters
    ----------
    field, ground, bend, threads
        See ``twin.visibility.sight_sweep.SightSweep``.
    device
        From ``choose_device``: in WGSL on a GPU, else in numba.

    Raises
    ------
    MissingDependencyError
        The device is not there (any more), or has too little memory.
    InputError
        An impossible number, a ground of another shape.
    """
    if device.engine == "wgsl":
        from twin.visibility.gpu_sight import GpuSight

        return GpuSight(field, ground, device, bend=bend, threads=threads)
    from twin.visibility.sight_sweep import SightSweep

    return SightSweep(field, ground, bend=bend, threads=threads)


def make_sweep(
    field: HeightField, targets: NDArray[np.floating] | None, device: Device, threads: int = 1
) -> SunSweep:
    """The suns over a height field on a device; the fast engine for wide ground.

    Parameters
    ----------
    field, targets
        See ``twin.visibility.sweep.SunSweep``.
    device
        From ``choose_device``: in WGSL on a GPU, else in numba.
    threads
        Threads of the CPU; the result does not depend on them.

    Raises
    ------
    MissingDependencyError
        The device is not there (any more), or has too little memory.
    InputError
        A number of threads below 1, targets of another shape.
    """
    if device.engine == "wgsl":
        from twin.visibility.gpu_sweep import GpuSweep

        return GpuSweep(field, targets, device, threads=threads)
    from twin.visibility.sweep import SunSweep

    return SunSweep(field, targets, threads=threads)
