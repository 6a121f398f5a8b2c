"""Named profiles fill in what a study leaves open, and say where they come from."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from pipelines.config import FacesStudySettings, SunlightStudySettings, parse_study, read_toml
from pipelines.profiles import about, profile_names
from twin.errors import InputError

NAMES = ["be-practice", "br209-2022", "nbn-en-17037", "tno-light", "tno-strict", "wallonia-moving-shadow"]


def study(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "studies" / "s.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_all_profiles_are_there_and_say_their_source(tmp_path: Path) -> None:
    assert profile_names() == NAMES
    for name in NAMES:
        said = about(name, tmp_path, read_toml)
        assert said is not None and said["edition"] and said["source"]
        assert "check" in said["status"] or "practice" in said["status"]


@pytest.mark.parametrize("name", NAMES)
def test_each_profile_makes_a_study(tmp_path: Path, name: str) -> None:
    text = f'kind = "faces"\nprofile = "{name}"\nyear = 2027\nmin_altitude_deg = 11.0\n'
    made = parse_study(study(tmp_path, text))
    assert isinstance(made, FacesStudySettings) and made.min_altitude_deg == 11.0
    dates = [day.date for day in made.all_days] + [p.first for p in made.periods]
    assert dates and all(date.year == 2027 for date in dates)


def test_values_of_the_study_win(tmp_path: Path) -> None:
    text = """
kind = "faces"
profile = "tno-light"
year = 2026
window_lines_m = [4.5]
[limit]
share = 1.0
"""
    made = parse_study(study(tmp_path, text))
    assert isinstance(made, FacesStudySettings) and made.limit is not None
    assert made.window_lines_m == [4.5] and made.limit.share == 1.0 and made.limit.at_least_h == 2.0
    assert made.periods[0].first == dt.date(2026, 2, 19) and made.periods[0].daily and not made.trees
    made = parse_study(study(tmp_path, 'kind = "sunlight"\nprofile = "be-practice"\ndates = [2026-02-01]\n'))
    assert isinstance(made, SunlightStudySettings)
    assert [day.date for day in made.all_days] == [dt.date(2026, 2, 1)]
    assert made.plates_legal == [dt.time(10), dt.time(16)]


def test_the_limit_of_areas_joins_the_file_of_the_user(tmp_path: Path) -> None:
    head = 'kind = "sunlight"\nprofile = "br209-2022"\nyear = 2026\n'
    made = parse_study(study(tmp_path, head + '[areas]\nfile = "gardens.gpkg"\n'))
    assert isinstance(made, SunlightStudySettings) and made.areas is not None
    assert (made.areas.at_least_h, made.areas.share, made.areas.kept) == (2.0, 0.5, 0.8)
    made = parse_study(study(tmp_path, head))
    assert isinstance(made, SunlightStudySettings) and made.areas is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "faces"\nprofile = "nbn-en-17037"\nyear = 2026\n', "min_altitude_deg"),
        ('kind = "faces"\nprofile = "tno-light"\n', "year = 2026"),
        ('kind = "faces"\nprofile = "tno"\n', "expected one of be-practice"),
        ('kind = "sunlight"\nprofile = "tno-light"\nyear = 2026\n', "kind = 'faces'"),
        ('kind = "faces"\nprofile = "mine.toml"\n', "no such file"),
        ('kind = "faces"\nprofile = "tno-light"\nyear = "2026"\n', "need a year"),
        (
            'kind = "faces"\ndates = [2026-03-21]\n[limit]\nat_least_h = 1.0\nmost_shadow_h = 3.0\n',
            "one of the two",
        ),
        (
            'kind = "sunlight"\n[[periods]]\nname = "x"\nfrom = 2026-05-01\nto = 2026-04-01\n',
            "before it begins",
        ),
    ],
)
def test_wrong_studies(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_study(study(tmp_path, text))


def test_a_profile_of_the_user(tmp_path: Path) -> None:
    own = """
title = "Ours"
edition = "2026"
source = "the town council"
status = "binding here"
[study]
days = [{ date = "02-29", step_min = 15.0 }]
min_altitude_deg = 6.0
"""
    (tmp_path / "ours.toml").write_text(own, encoding="utf-8")
    made = parse_study(study(tmp_path, 'kind = "sunlight"\nprofile = "ours.toml"\nyear = 2027\n'))
    assert isinstance(made, SunlightStudySettings) and made.min_altitude_deg == 6.0
    assert made.all_days[0].date == dt.date(2027, 2, 28)
    (tmp_path / "ours.toml").write_text(own.replace("title", "titel"), encoding="utf-8")
    with pytest.raises(InputError, match="titel"):
        parse_study(study(tmp_path, 'kind = "sunlight"\nprofile = "ours.toml"\nyear = 2027\n'))


def test_a_year_without_a_profile_and_leaves_without_trees_are_refused(tmp_path: Path) -> None:
    day = 'kind = "sunlight"\ndates = [2027-03-21]\n'
    with pytest.raises(InputError, match="key 'year': fills in the dates of a profile"):
        parse_study(study(tmp_path, day + "year = 2027\n"))
    with pytest.raises(InputError, match="foliage: trees = false"):
        parse_study(study(tmp_path, day + "trees = false\n[foliage]\nleaf_off = 0.4\n"))
