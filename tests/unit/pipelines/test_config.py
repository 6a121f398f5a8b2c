"""Settings: every fault is named with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.config import ProposalSettings, TwinSettings, parse, parse_study, parse_views, read_toml
from pipelines.init import commented_toml
from twin.errors import InputError

SITE = {"site": {"name": "Synthetic", "crs": "EPSG:3812"}}


def write(folder: Path, text: str) -> Path:
    path = folder / "file.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({**SITE, "terain": {}}, ["terain", "terrain"]),
        ({"site": {**SITE["site"], "hights": "EPSG:5710"}}, ["site.hights", "heights"]),
        ({**SITE, "terrain": {"cell_size_m": float("nan")}}, ["terrain.cell_size_m"]),
        ({**SITE, "terrain": {"cell_size_m": -1}}, ["terrain.cell_size_m", "-1"]),
        ({"site": {"name": "x"}}, ["site.crs"]),
        ({"site": {**SITE["site"], "timezone": "Mars/Base"}}, ["site.timezone", "Mars/Base"]),
        ({"site": {**SITE["site"], "language": "nl"}}, ["site.language"]),
    ],
)
def test_faults_name_file_and_key(table: dict[str, object], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse(TwinSettings, table, Path("twin.toml"))
    for word in ["twin.toml", *words]:
        assert word in str(caught.value)


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2"):
        read_toml(write(tmp_path, 'a = 1\nb = "unclosed\n'))
    with pytest.raises(InputError, match="no such file"):
        read_toml(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('kind = "moonlight"', "kind"),
        ('kind = "sunlight"', "days"),
        ('kind = "sunlight"\ndates = [2026-03-21, 2026-03-21]', "twice"),
        ('kind = "sunlight"\ndates = [2026-03-21]\nstep_min = 0', "step_min"),
        ('kind = "sunlight"\ndates = ["2026-02-30"]', "dates"),
        ('kind = "viewshed"\n[observer]\neast = 1.0\nnorth = 2.0', "above_ground_m"),
        ('kind = "viewshed"\n[observer]\neast = inf\nnorth = 2.0\nabove_ground_m=1.6', "observer.east"),
    ],
)
def test_study_faults(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(InputError, match=word):
        parse_study(write(tmp_path, text))


def test_view_ids_are_safe_as_file_names(tmp_path: Path) -> None:
    text = '["../up"]\neye = { east = 1.0, north = 2.0, above_ground_m = 1.6 }\nbearing_true_deg = 0.0\n'
    with pytest.raises(InputError, match="id has only"):
        parse_views(write(tmp_path, text))


def test_proposals_refuse_nonsense() -> None:
    with pytest.raises(InputError, match="remove"):
        parse(ProposalSettings, {"id": "a", "remove": [{}]}, Path("proposal.toml"))
    with pytest.raises(InputError, match="id"):
        parse(ProposalSettings, {"id": "a/b"}, Path("proposal.toml"))


def test_a_new_site_file_reads_back_and_shows_every_key(tmp_path: Path) -> None:
    table = {
        "site": {"name": 'Quote " and # sign', "crs": "EPSG:31370", "heights": "EPSG:5710"},
        "inputs": {"points": ["data/*.laz"], "footprints": {"file": "a b.gpkg", "id": "georef_id"}},
    }
    text = commented_toml(TwinSettings, table)
    back = parse(TwinSettings, read_toml(write(tmp_path, text)), Path("twin.toml"))
    assert back == parse(TwinSettings, table, Path("twin.toml"))
    for key in ("cell_size_m", "min_height_m", "grids", "accepted_accuracy_m", "detect"):
        assert key in text
