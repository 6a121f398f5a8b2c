"""Moving pictures of sheets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from twin.errors import InputError, MissingDependencyError
from viewers.animation import WIDTH, write_animation


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    found = []
    for k in range(4):
        image = np.full((120, 400, 3), 40 * k, dtype=np.uint8)
        image[:, : 100 * k] = (250, 60, 20)
        found.append(tmp_path / f"it's {k}.png")
        Image.fromarray(image).save(found[-1])
    return found


@pytest.mark.parametrize("form", ["webp", "gif"])
def test_all_frames_in_order(tmp_path: Path, frames: list[Path], form: str) -> None:
    path = write_animation(tmp_path / f"day.{form}", frames)
    with Image.open(path) as moving:
        assert moving.n_frames == 4 and moving.size == (WIDTH, 480)
        for k in range(4):
            moving.seek(k)
            red = np.asarray(moving.convert("RGB"))[240, :, 0] > 200
            assert red.mean() == pytest.approx(k / 4, abs=0.01)
    again = write_animation(tmp_path / f"again.{form}", frames)
    assert again.read_bytes() == path.read_bytes()


def test_mp4_is_made_with_the_users_program(
    tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\ncat > "$(dirname $0)/asked"\nfor last; do :; done\necho film > "$last"\n')
    tool.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(tool))
    path = write_animation(tmp_path / "day.mp4", frames)
    assert path.read_text() == "film\n"
    asked = (tmp_path / "asked").read_text()
    assert asked.count("duration") == 5 and "it'\\''s 0.png" in asked
    tool.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    with pytest.raises(Exception, match="broken"):
        write_animation(tmp_path / "other.mp4", frames)
    assert not (tmp_path / "other.mp4").exists()


def test_what_cannot_be(tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MissingDependencyError, match="ffmpeg"):
        write_animation(tmp_path / "day.mp4", frames)
    with pytest.raises(InputError, match="at least one"):
        write_animation(tmp_path / "day.gif", [])
    with pytest.raises(InputError, match=r"\.webp"):
        write_animation(tmp_path / "day.avi", frames)
