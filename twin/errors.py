"""The error family. A message says what was expected, what came and what to do."""

from __future__ import annotations


class TwinError(Exception):
    """Base of every error a user may meet; ``exit_code`` is the command line's exit status."""

    exit_code = 1


class UsageError(TwinError):
    """A command was called in a way that cannot work."""

    exit_code = 2


class InputError(TwinError):
    """A file, key or object that the user gave cannot be used.

    The message names the file and the key or object, and the way out.
    """

    exit_code = 3


class FrameMismatchError(InputError):
    """Two things that lie in different frames (CRS, datum or origin) were put together."""


class MissingDependencyError(TwinError):
    """Something is missing from the machine: a package, a library, a driver, a grid, a display."""

    exit_code = 4
