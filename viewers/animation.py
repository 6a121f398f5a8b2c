"""Sheets of one day after another as a moving picture: WebP, GIF, or MP4 with the user's own ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from twin.errors import InputError, MissingDependencyError, TwinError
from twin.io.atomic import writing

Form = Literal["webp", "gif", "mp4"]
WIDTH = 1600
"""Width of the frames [pixel]: half of an A3 sheet, its text still readable."""
FRAME_S = 0.8
"""How long a sheet stands [s]."""


def write_animation(
    path: Path, frames: Sequence[Path], *, frame_s: float = FRAME_S, width: int = WIDTH
) -> Path:
    """Write pictures of one size one after another; the suffix of ``path`` says the form.

    Parameters
    ----------
    path
        ``.webp``, ``.gif`` or ``.mp4``.
    frames
        PNG files in order.
    frame_s
        How long a frame stands; the last one twice as long [s].
    width
        Width of the moving picture [pixel].

    Raises
    ------
    InputError
        No frame, or another suffix.
    MissingDependencyError
        MP4 is asked for and there is no ffmpeg on the path.
    """
    if not frames:
        raise InputError(f"{path.name}: an animation needs at least one frame")
    form = path.suffix.lstrip(".")
    if form == "mp4":
        return _mp4(path, frames, frame_s, width)
    if form not in ("webp", "gif"):
        raise InputError(f"{path.name}: an animation is .webp, .gif or .mp4")
    from PIL import Image

    pictures = []
    for frame in frames:
        with Image.open(frame) as opened:
            height = round(opened.height * width / opened.width)
            picture = opened.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        # GIF has 256 colours: one fixed palette for each frame, without noise, keeps areas flat.
        pictures.append(picture.quantize(256, dither=Image.Dither.NONE) if form == "gif" else picture)
    times = [round(1000 * frame_s)] * (len(pictures) - 1) + [round(2000 * frame_s)]
    extra = {"quality": 85, "method": 4} if form == "webp" else {"optimize": False}
    with writing(path) as temporary:
        pictures[0].save(
            temporary, save_all=True, append_images=pictures[1:], duration=times, loop=0, **extra
        )
    return path


def find_ffmpeg() -> str:
    """The user's own ffmpeg; MissingDependencyError where there is none."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise MissingDependencyError(
            "MP4 needs ffmpeg, which is not on the path: install it, or take animation = 'webp' or 'gif'"
        )
    return program


def _mp4(path: Path, frames: Sequence[Path], frame_s: float, width: int) -> Path:
    program = find_ffmpeg()
    lines = [
        f"file '{str(frame.resolve()).replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'" for frame in frames
    ]
    listing = "\n".join(f"{line}\nduration {frame_s}" for line in [*lines, lines[-1]]) + "\n"
    with writing(path) as temporary:
        done = subprocess.run(
            [
                program, "-v", "error", "-y", "-protocol_whitelist", "file,pipe", "-f", "concat", "-safe", "0",
                "-i", "-", "-vf", f"scale={width}:-2,format=yuv420p", "-movflags", "+faststart", str(temporary),
            ],
            input=listing.encode("utf-8"),
            capture_output=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise TwinError(f"{path}: ffmpeg failed: {done.stderr.decode('utf-8', 'replace').strip()[-300:]}")
    return path
