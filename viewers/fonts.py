"""matplotlib without a home folder, and the fonts that it brings."""

from __future__ import annotations

import logging
import os
import tempfile
from functools import cache
from pathlib import Path

SLIM = "Sheet Sans"
"""DejaVu Sans without its layout tables and far scripts: embedding it in a PDF is five times as fast."""
SCRIPTS = ((0x20, 0x250), (0x370, 0x530), (0x2000, 0x2070), (0x2070, 0x20D0), (0x2190, 0x2300))
"""Latin, Greek, Cyrillic, punctuation, currency, arrows and signs; all else falls back to DejaVu Sans."""
NAME_IDS = (1, 3, 4, 6, 16)


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


@cache
def sheet_families() -> tuple[str, ...]:
    """Font families of sheets, in order; the slim one is made once for each matplotlib and kept in its cache."""
    prepare()
    import matplotlib
    from matplotlib import font_manager

    folder = Path(matplotlib.get_cachedir())
    try:
        for bold in (False, True):
            path = folder / f"valley-twin-{matplotlib.__version__}-{'bold' if bold else 'regular'}.ttf"
            if not path.exists():
                _slim(font_file(bold), path)
            font_manager.fontManager.addfont(path)
    except (OSError, RuntimeError) as error:  # a font file that FreeType cannot read is a RuntimeError
        logging.getLogger(__name__).info("sheets are set in the full font: %s", error)
        return ("DejaVu Sans",)
    return (SLIM, "DejaVu Sans")


def _slim(source: Path, target: Path) -> None:
    from fontTools import subset  # type: ignore[import-untyped]

    from twin.io.atomic import writing

    options = subset.Options(layout_features=[], name_IDs=["*"], legacy_kern=True, notdef_outline=True)
    options.drop_tables = [*options.drop_tables, "GSUB", "GPOS", "GDEF", "MATH", "FFTM"]
    font = subset.load_font(str(source), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[c for first, end in SCRIPTS for c in range(first, end)])
    subsetter.subset(font)
    names = font["name"]
    for row in list(names.names):
        if row.nameID in NAME_IDS:
            text = row.toUnicode().replace("DejaVu Sans", SLIM).replace("DejaVuSans", "SheetSans")
            names.setName(text, row.nameID, row.platformID, row.platEncID, row.langID)
    with writing(target) as temporary:
        font.save(str(temporary))
