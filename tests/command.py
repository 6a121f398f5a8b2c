"""Runs the ``twin`` command in this process."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from pipelines import cli


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
    """``run_twin("build", site)`` runs ``twin build site`` and gives exit code and text."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["twin", *(str(a) for a in arguments)]
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            cli.main()
    except SystemExit as ending:
        code = int(ending.code or 0)
    finally:
        sys.argv = before
    return Ended(code, out.getvalue(), err.getvalue())
