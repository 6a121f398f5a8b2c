"""The one place that knows where the packaged data files lie (class tables, styles, schemas, sample plan)."""

from __future__ import annotations

from pathlib import Path

from twin.errors import InputError


def assets_folder() -> Path:
    """Folder of the assets: inside the installed package, or beside it in a checkout."""
    packed = Path(__file__).parent / "_assets"
    return packed if packed.is_dir() else Path(__file__).parent.parent / "assets"


def asset(*parts: str) -> Path:
    """Path of one asset.

    Parameters
    ----------
    *parts
        Path below the assets folder, for example ``"classes", "asprs.toml"``.

    Raises
    ------
    InputError
        No such asset; the message lists what the folder holds.
    """
    path = assets_folder().joinpath(*parts)
    if not path.exists():
        siblings = sorted(p.stem for p in path.parent.glob("*")) if path.parent.is_dir() else []
        raise InputError(f"no asset {'/'.join(parts)!r}; there are: {', '.join(siblings) or 'none'}")
    return path
