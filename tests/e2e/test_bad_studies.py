"""Studies that cannot be made: one line before anything is computed, with file, key and the way out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.command import Ended

Twin = Callable[..., Ended]
DAY = 'kind = "sunlight"\ncell_size_m = 4.0\ntrees = false\n'


@pytest.fixture(scope="module")
def site(small_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the small site with a proposal in its plan."""
    folder = tmp_path_factory.mktemp("bad studies") / "site"
    shutil.copytree(small_site, folder)
    return folder


def asked(site: Path, twin: Twin, text: str) -> Ended:
    (site / "studies" / "asked.toml").write_text(text, encoding="utf-8")
    return twin("study", site, "asked")


RING = "[[732400, 643850], [732500, 643850], [732500, 643950], [732400, 643950]]"
BAD = {
    "no step": (DAY + "dates = [2026-03-21]\nstep_min = 0\n", "step_min"),
    "a step backwards": (DAY + "dates = [2026-03-21]\nstep_min = -10\n", "step_min"),
    "a step of a day": (DAY + "dates = [2026-03-21]\nstep_min = 1440\n", "step_min"),
    "a step that does not fit": (DAY + "dates = [2026-03-21]\nstep_min = 7\n", "step"),
    "no such day": (DAY + 'dates = ["2026-02-30"]\n', "dates"),
    "an area elsewhere": (DAY + "dates = [2026-03-21]\narea = { ring = [[1, 1], [2, 1], [2, 2]] }\n", "area"),
    "an area of two points": (DAY + "dates = [2026-03-21]\narea = { ring = [[1, 1], [2, 1]] }\n", "ring"),
    "an area that crosses itself": (
        DAY + "dates = [2026-03-21]\narea = { ring = "
        "[[732400, 643850], [732500, 643950], [732500, 643850], [732400, 643950]] }\n",
        "area",
    ),
    "an area smaller than a cell": (
        DAY + "dates = [2026-03-21]\narea = { ring = "
        "[[732400, 643850], [732400.1, 643850], [732400.1, 643850.1]] }\n",
        "area",
    ),
    "an area of not a number": (
        DAY + "dates = [2026-03-21]\narea = { ring = [[nan, 1], [2, 1], [2, 2]] }\n",
        "ring",
    ),
    "weather that is not there": (
        'kind = "faces"\nspacing_m = 8.0\ndates = [2026-03-21]\nirradiation = "no.epw"\n',
        "no.epw",
    ),
    "weather that is none": (
        'kind = "faces"\nspacing_m = 8.0\ndates = [2026-03-21]\nirradiation = "studies/asked.toml"\n',
        "asked.toml",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_one_line_says_what_is_wrong(site: Path, twin: Twin, name: str) -> None:
    text, word = BAD[name]
    ended = asked(site, twin, text)
    assert ended.code == 3 and "Traceback" not in ended.text, ended.text
    said = [line for line in ended.err.splitlines() if line.startswith("twin:")]
    assert len(said) == 1 and word in said[0] and "asked" in said[0], ended.err
    assert not list((site / "out" / "studies").glob("asked/*/existing"))


def test_a_film_without_ffmpeg_ends_before_the_suns(
    site: Path, twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    ended = asked(site, twin, DAY + 'dates = [2026-03-21]\nanimation = "mp4"\n')
    assert ended.code == 4 and "ffmpeg" in ended.err and "Study asked" not in ended.text, ended.text


def test_another_profile_text_makes_the_study_again(site: Path, twin: Twin) -> None:
    profile = site / "mine.toml"
    text = 'title = "t"\nedition = "e"\nsource = "s"\nstatus = "mine"\n[study]\ndates = ["03-21"]\nstep_min = 60\n'
    profile.write_text(text, encoding="utf-8")
    study = DAY.replace("cell_size_m = 4.0", "cell_size_m = 8.0") + 'profile = "mine.toml"\nyear = 2026\n'
    assert asked(site, twin, study).code == 0
    assert "up to date" in asked(site, twin, study).text
    profile.write_text(text.replace('edition = "e"', 'edition = "second"'), encoding="utf-8")
    again = asked(site, twin, study)
    assert again.code == 0 and "up to date" not in again.text


def test_a_day_without_sun_is_a_result(site: Path, twin: Twin) -> None:
    """All suns stand lower than asked: no hours anywhere, and it is said."""
    ended = asked(site, twin, DAY + "dates = [2026-12-21]\nmin_altitude_deg = 30\nstep_min = 60\n")
    assert ended.code == 0 and "2026-12-21: the sun never stands above 30 degrees" in ended.err, ended.text
    folder = site / "out" / "studies" / "asked" / "existing"
    with rasterio.open(folder / "existing" / "hours-2026-12-21.tif") as file:
        hours = file.read(1)
    assert np.isfinite(hours).any() and np.nanmax(hours) == 0.0


def test_a_walk_has_a_cumulative_viewshed(site: Path, twin: Twin) -> None:
    text = (
        'kind = "viewshed"\nscenarios = ["plan-2030"]\ncell_size_m = 4.0\nengine = "heightfield"\n'
        "[along]\nline = [[732400, 643850], [732500, 643860]]\nspacing_m = 20\n"
    )
    done = asked(site, twin, text)
    assert done.code == 0, done.text
    folder = site / "out" / "studies" / "asked" / "plan-2030"
    with (
        rasterio.open(folder / "proposed" / "seen-by.tif") as count,
        rasterio.open(folder / "proposed" / "visible.tif") as any_of,
    ):
        by, seen = count.read(1), any_of.read(1)
    assert 2 <= np.nanmax(by) <= 7 and ((by > 0) == (seen == 1))[np.isfinite(by)].all()
    assert (folder / "plates" / "seen-by.png").stat().st_size > 20_000
    assert (
        len(json.loads((folder / "manifest.json").read_text("utf-8"))["method"]["existing"]["observers"]) == 7
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "nobody looks"),
        ("[observer]\neast = 1.0\nnorth = 1.0\nabove_ground_m = 1.6\n", "outside the terrain"),
        ("[along]\nline = [[732400, 643850]]\n", "line"),
        ("[along]\nline = [[732400, 643850], [732500, 643860]]\nspacing_m = 0\n", "spacing_m"),
    ],
)
def test_observers_that_cannot_look_are_named(site: Path, twin: Twin, text: str, word: str) -> None:
    ended = asked(site, twin, 'kind = "viewshed"\ncell_size_m = 4.0\n' + text)
    assert ended.code == 3 and word in ended.err and "asked" in ended.err, ended.text
