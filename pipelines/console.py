"""What a person reads while a command runs: steps, bars, notes; plain lines where there is no terminal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_EVERY_S = 10.0
"""Without a terminal, a running step says where it is this often [s]."""


def _unicode(stream: Any) -> bool:
    return "utf" in (getattr(stream, "encoding", None) or "").lower()


class Reporter:
    """Says what happens on standard error; the result of a command goes to standard output.

    Parameters
    ----------
    quiet
        Only warnings and errors.
    as_json
        The command's result is printed as one JSON value; everything else stays on standard error.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet = quiet
        self.as_json = as_json
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None and not _unicode(stream):
                reconfigure(errors="replace")
        self.console = Console(stderr=True, highlight=False, soft_wrap=True, legacy_windows=False)
        self.bars = self.console.is_terminal and _unicode(sys.stderr) and not quiet
        self.warnings: list[str] = []

    def say(self, text: str) -> None:
        """One line for people."""
        if not self.quiet:
            self.console.print(escape(text))

    def warn(self, text: str) -> None:
        """A line that is also kept and counted."""
        self.warnings.append(text)
        self.console.print(f"[yellow]warning:[/yellow] {escape(text)}")

    @contextmanager
    def step(self, title: str) -> Iterator[Ticker]:
        """A step with a bar; says its title and its time."""
        started = time.monotonic()
        if self.quiet:
            yield Ticker()
            return
        if not self.bars:
            self.console.print(escape(f"- {title}"))
            yield PlainTicker(self.console, title)
            self.console.print(escape(f"  {title}: done in {time.monotonic() - started:.1f} s"))
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(escape(title), total=None)
            yield BarTicker(progress, task)
            progress.update(task, total=1, completed=1)

    def result(self, value: dict[str, Any], lines: list[str]) -> None:
        """The result of a command: one JSON value, or lines for people."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        elif not self.quiet:
            for line in lines:
                sys.stdout.write(line + "\n")


class Ticker:
    """Takes (done, total) and shows nothing."""

    def __call__(self, done: float, total: float, text: str = "") -> None:
        """Note how far the step is."""


class PlainTicker(Ticker):
    """A line every few seconds, in plain ASCII."""

    def __init__(self, console: Console, title: str) -> None:
        self.console = console
        self.title = title
        self.last = time.monotonic()
        self.started = self.last

    def __call__(self, done: float, total: float, text: str = "") -> None:
        now = time.monotonic()
        if now - self.last < PLAIN_EVERY_S or not total:
            return
        self.last = now
        share = min(1.0, done / total)
        left = (now - self.started) * (1 - share) / share if share > 0 else float("nan")
        tail = f", about {left:.0f} s left" if left == left else ""
        self.console.print(escape(f"  {self.title}: {100 * share:.0f} %{tail}"))


class BarTicker(Ticker):
    """Moves a bar."""

    def __init__(self, progress: Progress, task: Any) -> None:
        self.progress = progress
        self.task = task

    def __call__(self, done: float, total: float, text: str = "") -> None:
        self.progress.update(self.task, completed=done, total=total or None)
