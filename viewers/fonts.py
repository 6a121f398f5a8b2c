"""matplotlib without a home folder, and the fonts that it brings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def prepare() -> None:
    """Give matplotlib a folder for its cache where home is read-only; call before importing it."""
    if "MPLCONFIGDIR" in os.environ:
        return
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser())
    parent = next((p for p in (home, *home.parents) if p.exists()), None)
    if parent is None or not os.access(parent, os.W_OK):
        folder = (
            Path(tempfile.gettempdir()) / f"valley-twin-mpl-{os.getuid() if hasattr(os, 'getuid') else 0}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["MPLCONFIGDIR"] = str(folder)


def font_file(bold: bool = False) -> Path:
    """DejaVu Sans, which comes with matplotlib: the same letters on every machine."""
    prepare()
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
