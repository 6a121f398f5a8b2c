"""What a step was made from: input hashes, settings, versions; and whether it must run again."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from twin import __version__
from twin.io.atomic import plain, remove, sha256_file, sha256_json, write_json

LIBRARIES = ("numpy", "scipy", "shapely", "pyproj", "pvlib", "rasterio", "laspy", "embreex", "wgpu", "numba")
"""Libraries whose version can change a number."""


def versions() -> dict[str, str]:
    """Version of this toolkit, of Python and of the libraries that make numbers."""
    found = {"valley-twin": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@dataclass(slots=True)
class HashCache:
    """SHA-256 of files, remembered by size and time of change so that large clouds are hashed once."""

    path: Path
    known: dict[str, list[Any]] = field(default_factory=dict)

    @staticmethod
    def load(path: Path) -> HashCache:
        """The cache of a file; an unreadable one counts as empty."""
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        return HashCache(path, known if isinstance(known, dict) else {})

    def sha256(self, file: Path) -> str:
        """Hash of a file's bytes."""
        stat = file.stat()
        key = str(file)
        entry = self.known.get(key)
        if entry and entry[:2] == [stat.st_size, stat.st_mtime_ns]:
            return str(entry[2])
        digest = sha256_file(file)
        self.known[key] = [stat.st_size, stat.st_mtime_ns, digest]
        write_json(self.path, self.known)
        return digest


@dataclass(frozen=True, slots=True)
class Step:
    """One resumable step: its name and everything its result depends on.

    Parameters
    ----------
    name
        Unique within the site, safe as a file name.
    record
        Inputs (name to hash), settings and versions; JSON values only.
    """

    name: str
    record: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Hash of the record."""
        return sha256_json(plain(self.record))


def step(name: str, inputs: Mapping[str, str], settings: Any, device: str = "") -> Step:
    """A step of hashed inputs and settings (a pydantic model or plain values)."""
    values = settings.model_dump(mode="json") if hasattr(settings, "model_dump") else plain(settings)
    record = {
        "step": name,
        "inputs": dict(sorted(inputs.items())),
        "settings": values,
        "versions": versions(),
    }
    if device:
        record["device"] = device
    return Step(name, record)


def _stamp(out: Path, name: str) -> Path:
    return out / ".steps" / f"{name}.json"


def is_done(out: Path, made: Step) -> bool:
    """Whether the step ran with exactly this record and its files are all still as it left them (by size)."""
    try:
        stamp = json.loads(_stamp(out, made.name).read_text(encoding="utf-8"))
        same: bool = stamp["key"] == made.key
        return same and all((out / rel).stat().st_size == size for rel, size in stamp["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def mark_done(out: Path, made: Step, files: Iterable[Path]) -> None:
    """Note that the step is complete, and with which files."""
    sizes = {f.relative_to(out).as_posix(): f.stat().st_size for f in sorted(files)}
    write_json(_stamp(out, made.name), {"key": made.key, "files": sizes, "record": plain(made.record)})


def forget(out: Path, name: str) -> None:
    """Drop a step's mark before it runs again, so that a kill leaves it undone."""
    remove(_stamp(out, name))


def files_of(out: Path, name: str) -> list[Path]:
    """Files of a completed step."""
    try:
        stamp = json.loads(_stamp(out, name).read_text(encoding="utf-8"))
        return [out / rel for rel in stamp["files"]]
    except (OSError, ValueError, KeyError):
        return []
