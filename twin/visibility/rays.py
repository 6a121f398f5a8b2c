"""What goes through the seam: devices, hits and the caster protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Engine = Literal["reference", "embree", "wgsl"]


@dataclass(frozen=True, slots=True)
class Device:
    """Where rays are cast: kind, engine, and the adapter's own name."""

    kind: Literal["cpu", "gpu"]
    engine: Engine
    adapter: str

    @property
    def label(self) -> str:
        """One phrase for provenance and sheets."""
        return f"{self.kind}:{self.engine} ({self.adapter})"


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """First hits of rays: distance (n,) [m], inf where none; face (n,) int32, -1 where none."""

    distance: NDArray[np.float64]
    face: NDArray[np.int32]


class Caster(Protocol):
    """Answers for rays against one set of occluders."""

    device: Device

    def occluded(
        self,
        origins: NDArray[Any],
        directions: NDArray[Any],
        max_distance: NDArray[Any] | float | None = None,
    ) -> NDArray[np.bool_]:
        """Whether anything blocks each ray.

        Parameters
        ----------
        origins
            (n, 3) local space [m].
        directions
            (n, 3) or (3,) unit vectors.
        max_distance
            (n,) or one length of the rays [m]; endless where None.

        Returns
        -------
        (n,) bool; a ray that only grazes is free.
        """

    def first_hit(
        self,
        origins: NDArray[Any],
        directions: NDArray[Any],
        max_distance: NDArray[Any] | float | None = None,
    ) -> Hits:
        """The nearest face along each ray; arguments as for ``occluded``."""

    def close(self) -> None:
        """Give the engine's memory back."""


def ray_arrays(
    origins: NDArray[Any], directions: NDArray[Any], max_distance: NDArray[Any] | float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Origins (n, 3), directions (n, 3) and lengths (n,), inf where endless, as float64."""
    start = np.atleast_2d(np.asarray(origins, dtype=np.float64))
    way = np.broadcast_to(np.asarray(directions, dtype=np.float64), start.shape)
    limit = np.inf if max_distance is None else max_distance
    return start, way, np.broadcast_to(np.asarray(limit, dtype=np.float64), (len(start),))
