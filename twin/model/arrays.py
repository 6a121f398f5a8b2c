"""Read-only arrays for the frozen values of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def readonly(values: Any, dtype: Any = None) -> NDArray[Any]:
    """A C-contiguous, read-only array of ``values``; an already read-only one of the dtype is not copied."""
    array = np.ascontiguousarray(values, dtype=dtype)
    if array.flags.writeable:
        if array is values or array.base is not None:
            array = array.copy()
        array.flags.writeable = False
    return array
