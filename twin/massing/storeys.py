"""Storeys as plans write them."""

from __future__ import annotations

import re

from twin.errors import InputError

MAX_STOREYS = 200

_PATTERN = re.compile(r"(?:(?P<ground>R|RDC|REZ)(?:\+(?P<above>\d+))?|(?P<count>\d+))", re.IGNORECASE)


def parse_levels(levels: int | str) -> int:
    """Number of full storeys, ground floor included.

    Parameters
    ----------
    levels
        A number of storeys (``5`` or ``"5"``), or the ground floor and the storeys above it as Belgian and
        French plans count them: ``"R+4"`` (five storeys), ``"R"``, ``"RDC+4"``; in any case, with any spaces.

    Raises
    ------
    InputError
        Anything else. The caller names the proposal and the volume.
    """
    expected = "expected a number of storeys such as 5, or ground floor plus storeys such as 'R+4'"
    if isinstance(levels, bool) or not isinstance(levels, int | str):
        raise InputError(f"{expected}; got {levels!r}")
    if isinstance(levels, int):
        storeys = levels
    else:
        match = _PATTERN.fullmatch(re.sub(r"\s+", "", levels))
        if match is None:
            raise InputError(f"{expected}; got {levels!r} (attics and basements are not read: give height_m)")
        storeys = int(match["count"]) if match["count"] else 1 + int(match["above"] or 0)
    if not 1 <= storeys <= MAX_STOREYS:
        raise InputError(f"{expected}; {levels!r} gives {storeys}, outside 1 to {MAX_STOREYS}")
    return storeys
