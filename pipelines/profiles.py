"""Named profiles of studies: dates, steps, limits with their source, as TOML files that a user may copy and edit."""

from __future__ import annotations

import calendar
import re
from pathlib import Path
from typing import Any

from twin.assets import assets_folder
from twin.errors import InputError

ABOUT = ("title", "edition", "source", "status")
SECTIONS = ("study", "sunlight", "faces")
MONTH_DAY = re.compile(r"\d\d-\d\d")


def profile_names() -> list[str]:
    """Names of the profiles that come with the toolkit."""
    return sorted(path.stem for path in (assets_folder() / "profiles").glob("*.toml"))


def profile_path(name: str, site: Path) -> Path:
    """File of a named profile, or of the user's own beside the site."""
    if name.endswith(".toml"):
        return site / name
    return assets_folder() / "profiles" / f"{name}.toml"


def fill_in(table: dict[str, Any], path: Path, site: Path, read: Any) -> dict[str, Any]:
    """A study's table with what its profile says where the study says nothing; the study itself where it has none.

    Dates of a profile have no year: ``year`` of the study fills it in. A table within (``limit``, ``areas``) is
    filled key by key.

    Raises
    ------
    InputError
        An unknown profile, one for another kind of study, a missing year, a setting that the profile asks for.
    """
    name = table.get("profile")
    if name is None:
        if "year" in table:
            raise InputError(
                f"{path}: key 'year': fills in the dates of a profile, and the study names none; "
                "give whole dates, or profile = ..."
            )
        return table
    where = f"{path}: key 'profile'"
    if not isinstance(name, str) or not (name.endswith(".toml") or name in profile_names()):
        raise InputError(
            f"{where}: expected one of {', '.join(profile_names())} or a TOML file, got {name!r}"
        )
    source = profile_path(name, site)
    profile = read(source)
    unknown = set(profile) - {*ABOUT, *SECTIONS, "kinds", "required"}
    if unknown:
        raise InputError(f"{source}: unknown key {sorted(unknown)[0]!r}")
    missing = [key for key in ABOUT if not isinstance(profile.get(key), str)]
    if missing:
        raise InputError(f"{source}: key {missing[0]!r}: a profile states its {', '.join(ABOUT)} as text")
    kind = table.get("kind")
    kinds = profile.get("kinds", ["sunlight", "faces"])
    if kind not in kinds:
        raise InputError(
            f"{where}: {name} is a profile for kind = {' or '.join(map(repr, kinds))}, not {kind!r}"
        )
    for key in profile.get("required", []):
        if key not in table:
            raise InputError(
                f"{where}: {name} leaves {key!r} to you: state it in the study ({profile['source']})"
            )
    values = {**profile.get("study", {}), **profile.get(str(kind), {})}
    if any(key in table for key in ("days", "dates", "periods")):
        values = {key: value for key, value in values.items() if key not in ("days", "dates", "periods")}
    mine = {key: value for key, value in table.items() if key != "year"}
    filled = {**_dated(values, table.get("year"), path), **mine}
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(mine.get(key), dict):
            filled[key] = {**value, **mine[key]}
    if kind == "sunlight" and "areas" in values and "areas" not in mine:
        del filled["areas"]  # The limit of areas needs the user's file of areas.
    return filled


def about(name: str | None, site: Path, read: Any) -> dict[str, str] | None:
    """Title, edition, source and status of a profile, for the record of a verdict."""
    if name is None:
        return None
    profile = read(profile_path(name, site))
    return {"profile": name, **{key: str(profile[key]) for key in ABOUT}}


def _dated(value: Any, year: Any, path: Path) -> Any:
    """Months and days with the study's year; 29 February becomes the 28th where there is none."""
    if isinstance(value, dict):
        return {key: _dated(inner, year, path) for key, inner in value.items()}
    if isinstance(value, list):
        return [_dated(inner, year, path) for inner in value]
    if isinstance(value, str) and MONTH_DAY.fullmatch(value):
        if not isinstance(year, int) or isinstance(year, bool):
            raise InputError(f"{path}: key 'year': the profile's dates need a year, e.g. year = 2026")
        if value == "02-29" and not calendar.isleap(year):
            value = "02-28"
        return f"{year:04d}-{value}"
    return value
