"""Files appear whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twin.errors import TwinError

PART = ".part"
"""Marks a file that is being written; leftovers of a killed run carry it and are overwritten."""


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it on success, remove it on any failure.

    The temporary name keeps the suffix, because many writers choose the format by it.

    Raises
    ------
    TwinError
        The disk is full or the folder cannot be written; the message names the file.
    """
    temporary = path.with_name(f".{path.stem}{PART}{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        remove(temporary)
        raise disk_error(path, error) from error
    except BaseException:
        remove(temporary)
        raise


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give a new folder beside ``folder`` that takes its place on success; on any failure it goes and nothing changes.

    It lies in the same parent. What a killed run has left of it is removed first.
    """
    fresh, old = (folder.with_name(f".{folder.name}{ending}") for ending in (".new", ".old"))
    try:
        remove(fresh)
        if folder.exists():
            remove(old)
        elif old.exists():
            # Killed between the two renames below.
            old.replace(folder)
        fresh.mkdir(parents=True)
        yield fresh
        if folder.exists():
            folder.replace(old)
        fresh.replace(folder)
        remove(old)
    except OSError as error:
        remove(fresh)
        raise disk_error(folder, error) from error
    except BaseException:
        remove(fresh)
        raise


def disk_error(path: Path, error: OSError) -> TwinError:
    """The clear form of a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TwinError(f"{path}: the disk is full; nothing half-written was left. Free space and run again")
    if isinstance(error, PermissionError):
        return TwinError(f"{path}: no permission to write there; choose another folder")
    return TwinError(f"{path}: could not be written: {error}")


def remove(path: Path) -> None:
    """Remove a file or folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def utf8(text: str) -> bytes:
    """UTF-8 of any text; half a surrogate pair, which JSON may hold and UTF-8 may not, becomes a '?'."""
    return text.encode("utf-8", "replace")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with LF line ends."""
    with writing(path) as temporary:
        temporary.write_bytes(utf8(text))


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people and for diffs: two spaces, keys in the order given, NaN refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of a value (sorted keys, no spaces), hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(utf8(text)).hexdigest()


def plain(value: Any) -> Any:
    """A value as JSON can hold it: mappings, lists, text, finite numbers; others as text, NaN as None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if hasattr(value, "item") and not isinstance(value, float):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)
