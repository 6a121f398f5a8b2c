"""One GPU through wgpu (Vulkan, Metal, D3D12): adapters, buffers, kernels, and what is done when it fails.

The only file that knows wgpu. Kernels stay within WebGPU's default limits and its core language. What fails comes out
as one of two errors: ``GpuMemoryError`` (ask for less) or ``GpuLostError`` (the device is gone: ``Gpu.surviving``
opens it again, once).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata, resources
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from twin.errors import MissingDependencyError
from twin.visibility.caster import Device

log = logging.getLogger(__name__)
T = TypeVar("T")

BACKENDS = ("Vulkan", "Metal", "D3D12")
"""Ways to a GPU that have compute shaders everywhere; OpenGL is left out."""

REAL = ("DiscreteGPU", "IntegratedGPU", "VirtualGPU")
"""Types of adapter that are hardware, the best first."""

SOFTWARE = ("llvmpipe", "lavapipe", "swiftshader", "basic render")
"""Names of adapters in software, some of which call themselves something else."""

GROUP = 64
"""Threads to a workgroup, as in the shaders."""

BINDING = 1 << 27
"""Bytes to a storage binding that WebGPU grants everywhere."""

GROUPS = 65_535
"""Workgroups to a dimension of a dispatch, likewise."""

NO_WGPU = "wgpu is missing: `pip install wgpu`"
NO_DRIVER = (
    "no GPU adapter found: install the GPU's driver with Vulkan, Metal or D3D12 "
    "(on Linux in software: `apt install mesa-vulkan-drivers`), or use --device cpu"
)


def _wgpu() -> Any:
    """The module, with its instance kept to ``BACKENDS``."""
    try:
        import wgpu
        from wgpu.backends.wgpu_native import extras
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependencyError(f"{NO_WGPU} ({error})") from error
    try:
        with _without_device_select():
            extras.set_instance_extras(backends=["Vulkan", "Metal", "DX12"])
    except (RuntimeError, AttributeError, TypeError):
        # There is an instance already, someone else's choice; or a version without this setting.
        log.debug("wgpu keeps the instance that it has")
    return wgpu


@contextmanager
def _without_device_select() -> Iterator[None]:
    """Outside of a desktop session, Mesa's layer that sorts the devices writes errors to the terminal. It is not
    needed here: the adapter is chosen by its type."""
    name = "NODEVICE_SELECT"
    if "XDG_RUNTIME_DIR" in os.environ or name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]


def _adapters() -> list[Any]:
    """Adapters with compute, real ones first, in the order of the drivers."""
    wgpu = _wgpu()
    try:
        found = list(wgpu.gpu.enumerate_adapters_sync())
    except (RuntimeError, OSError, wgpu.GPUError) as error:
        raise MissingDependencyError(f"{NO_DRIVER} ({error})") from error
    found = [adapter for adapter in found if adapter.info["backend_type"] in BACKENDS]
    return sorted(found, key=_rank)


def _rank(adapter: Any) -> int:
    kind = adapter.info["adapter_type"]
    return REAL.index(kind) if _is_real(adapter) else len(REAL)


def _is_real(adapter: Any) -> bool:
    named_soft = any(word in adapter.info["device"].lower() for word in SOFTWARE)
    return adapter.info["adapter_type"] in REAL and not named_soft


def _name(adapter: Any) -> str:
    info = adapter.info
    driver = f", {info['description']}" if info["description"] else ""
    return f"{info['device']}{driver}, {info['backend_type']}"


def adapter_names() -> list[str]:
    """All adapters as text; real ones first.

    Raises
    ------
    MissingDependencyError
        wgpu is missing or does not load.
    """
    return [f"{_name(a)}{'' if _is_real(a) else ' (software)'}" for a in _adapters()]


def find_device(software: bool = False) -> Device:
    """The best adapter that gives a device.

    Parameters
    ----------
    software
        Whether an adapter in software will do where there is no real one.

    Raises
    ------
    MissingDependencyError
        There is none, or wgpu or a driver is missing.
    """
    found = _adapters()
    real = [adapter for adapter in found if _is_real(adapter)]
    for adapter in real or (found if software else []):
        try:
            _open(adapter).destroy()
        except MissingDependencyError as error:
            log.warning("%s", error)
            continue
        name = _name(adapter)
        if not _is_real(adapter):
            log.warning("%s computes in software, slower than --device cpu", name)
        return Device("gpu", "wgsl", f"{name}, wgpu {metadata.version('wgpu')}")
    soft = ", ".join(_name(adapter) for adapter in found)
    raise MissingDependencyError(f"{NO_DRIVER}; in software only: {soft}" if soft else NO_DRIVER)


def _open(adapter: Any) -> Any:
    """A device of an adapter."""
    wgpu = _wgpu()
    try:
        return adapter.request_device_sync()
    except (RuntimeError, OSError, wgpu.GPUError) as error:
        raise MissingDependencyError(
            f"the GPU {_name(adapter)} gives no device ({error}): update its driver, or use --device cpu"
        ) from error


class GpuMemoryError(Exception):
    """The GPU has too little memory for what was asked."""


class GpuLostError(Exception):
    """The device is gone: reset by its driver, unplugged, or destroyed."""


class Gpu:
    """An open device: buffers, kernels, and calls of them.

    Every method raises ``GpuMemoryError`` where the memory does not suffice, and ``GpuLostError`` where the device is
    gone.

    Parameters
    ----------
    device
        From ``choose_device``; its adapter is looked up again.

    Raises
    ------
    MissingDependencyError
        The adapter is not there, or gives no device.
    """

    def __init__(self, device: Device) -> None:
        self._wgpu = _wgpu()
        self.device = device
        self._closed = False
        self._gpu = self._opened()

    def _opened(self) -> Any:
        named = [a for a in _adapters() if self.device.adapter.startswith(_name(a))]
        if not named:
            raise MissingDependencyError(f"the GPU {self.device.adapter} is not there; {NO_DRIVER}")
        return _open(named[0])

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """wgpu's errors as one of the two kinds."""
        try:
            yield
        except (self._wgpu.GPUOutOfMemoryError, MemoryError) as error:
            raise GpuMemoryError(_short(error)) from error
        except (self._wgpu.GPUError, RuntimeError) as error:
            raise GpuLostError(_short(error)) from error

    def surviving(self, work: Callable[[], T], forget: Callable[[], None]) -> T:
        """Do some work; where the device is lost, open it again and go on, once.

        Parameters
        ----------
        work
            Goes on where it was when it is called again, and makes the buffers that it finds forgotten.
        forget
            Drops buffers and kernels of the lost device.

        Raises
        ------
        MissingDependencyError
            The device was lost twice, or does not open again.
        ValueError
            It was closed: a mistake in the program.
        """
        if self._closed:
            raise ValueError("this engine is closed")
        try:
            return work()
        except GpuLostError as error:
            log.warning("the GPU %s was lost (%s): it is opened again", self.device.adapter, error)
        forget()
        self._gpu = self._opened()
        try:
            return work()
        except GpuLostError as error:
            forget()
            raise MissingDependencyError(
                f"the GPU {self.device.adapter} was lost twice in one call ({error}): update its driver, close what "
                f"else computes on it, or use --device cpu"
            ) from error

    def pipeline(self, *shaders: str) -> Any:
        """The kernel of the last of some shader files, which build on each other; it has that file's name."""
        folder = resources.files("twin.visibility").joinpath("shaders")
        code = "\n".join(folder.joinpath(f"{name}.wgsl").read_text(encoding="utf-8") for name in shaders)
        with self._guarded():
            module = self._gpu.create_shader_module(code=code, label=shaders[-1])
            return self._gpu.create_compute_pipeline(
                layout="auto", compute={"module": module, "entry_point": shaders[-1]}
            )

    def buffer(self, size: int, use: str = "STORAGE") -> Any:
        """A buffer of zeros [bytes]."""
        usage = self._wgpu.BufferUsage
        with self._guarded():
            return self._create(size, getattr(usage, use) | usage.COPY_DST | usage.COPY_SRC)

    def buffers(self, *sizes: int) -> list[Any]:
        """Storage buffers of some sizes, all or none."""
        made: list[Any] = []
        try:
            made.extend(self.buffer(size) for size in sizes)
        except GpuMemoryError:
            for buffer in made:
                buffer.destroy()
            raise
        return made

    def _create(self, size: int, flags: int) -> Any:
        return self._gpu.create_buffer(size=size, usage=flags)

    def filled(self, data: NDArray[Any]) -> Any:
        """A storage buffer that holds some data."""
        buffer = self.buffer(data.nbytes)
        self.write(buffer, data)
        return buffer

    def write(self, buffer: Any, data: NDArray[Any], start: int = 0) -> None:
        """Fill a part of a buffer, from some byte on."""
        with self._guarded():
            self._gpu.queue.write_buffer(buffer, start, np.ascontiguousarray(data).view(np.uint8))

    def run(self, pipeline: Any, buffers: Sequence[Any], groups: tuple[int, int, int]) -> None:
        """Start a kernel with buffers at the bindings from 0 on; does not wait for its end.

        Finishing the commands asks the device whether it is lost. Submitting does not: it ends the process.
        """
        with self._guarded():
            bound = self._gpu.create_bind_group(
                layout=pipeline.get_bind_group_layout(0),
                entries=[
                    {"binding": place, "resource": {"buffer": buffer, "offset": 0, "size": buffer.size}}
                    for place, buffer in enumerate(buffers)
                ],
            )
            encoder = self._gpu.create_command_encoder()
            computing = encoder.begin_compute_pass()
            computing.set_pipeline(pipeline)
            computing.set_bind_group(0, bound)
            computing.dispatch_workgroups(*groups)
            computing.end()
            self._gpu.queue.submit([encoder.finish()])

    def clear(self, buffer: Any) -> None:
        """Fill a buffer with zeros."""
        with self._guarded():
            encoder = self._gpu.create_command_encoder()
            encoder.clear_buffer(buffer)
            self._gpu.queue.submit([encoder.finish()])

    def read(self, buffer: Any, nbytes: int) -> Any:
        """The first bytes of a buffer, after all that was started before."""
        with self._guarded():
            return self._gpu.queue.read_buffer(buffer, 0, nbytes)

    def close(self) -> None:
        """Give the device back, for good."""
        self._closed = True
        self._gpu.destroy()


def _short(error: BaseException) -> str:
    """The last line of an error's text, which says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
