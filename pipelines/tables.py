"""Tables as CSV that a spreadsheet opens without running anything."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twin.io.atomic import write_text


def write_csv(path: Path, rows: list[Mapping[str, Any]]) -> None:
    """A table with a header of all columns that some row has; text that a spreadsheet would run as a formula is made
    plain."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = list(dict.fromkeys(name for row in rows for name in row))
    if names:
        writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    write_text(path, stream.getvalue())


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if value != value else f"{value:.3f}"
    if isinstance(value, str) and value and value[0] in "=+-@\t\r":
        return "'" + value
    return value
