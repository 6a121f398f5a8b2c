"""Runs the ``twin`` command in this process."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

import dask

from pipelines import cli

SHEETS = ("viewers.plate.DPI", "viewers.face_plate.DPI")
COARSE_DPI = 72
"""Dots per inch of the sheets that commands draw in tests: a third of the true ones, in a third of the time."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def run_twin(*arguments: object) -> Ended:
    """``run_twin("build", site)`` runs ``twin build site``: exit code and text; its sheets are coarse."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["twin", *(str(a) for a in arguments)]
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err), coarse_sheets():
            cli.main()
    except SystemExit as ending:
        code = int(ending.code or 0)
    finally:
        sys.argv = before
    return Ended(code, out.getvalue(), err.getvalue())


@contextmanager
def coarse_sheets() -> Iterator[None]:
    """Sheets at ``COARSE_DPI``, in new processes too; the tests of plates draw them as they are."""
    here = [mock.patch(name, COARSE_DPI) for name in SHEETS]
    with here[0], here[1], dask.config.set({"multiprocessing.initializer": coarsen}):
        yield


def coarsen() -> None:
    """Coarse sheets in this process, for good."""
    for name in SHEETS:
        mock.patch(name, COARSE_DPI).start()
