"""Class tables: the packaged ones, a user's own, and their faults."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from twin.classify.tables import ClassTable, PointClass, load_class_table, parse_class
from twin.errors import InputError

PACKAGED = ("asprs", "spw-2013", "spw-2021", "ahn", "ign-lidar-hd")


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_table_has_ground_and_roofs(name: str) -> None:
    table = load_class_table(name)
    assert table.name == name and table.title and table.source
    assert PointClass.GROUND in table.codes.values()
    assert table.roof_classes <= set(table.codes.values())
    assert table.codes[2] == PointClass.GROUND, "every campaign keeps ASPRS's code of ground"
    assert pickle.loads(pickle.dumps(table)) == table


def test_who_has_a_building_class() -> None:
    has = {name: load_class_table(name).has_building_class for name in PACKAGED}
    assert has["asprs"] and has["ahn"] and has["ign-lidar-hd"]
    assert not has["spw-2021"], "the Walloon campaign of 2021 tells no buildings apart"


def test_codes_become_classes() -> None:
    table = load_class_table("spw-2021")
    codes = np.array([1, 2, 4, 9, 10, 15], np.uint8)
    assert table.map(codes, "x").tolist() == [
        PointClass.ABOVE_GROUND,
        PointClass.GROUND,
        PointClass.VEGETATION,
        PointClass.WATER,
        PointClass.BRIDGE,
        PointClass.WIRE,
    ]


def test_an_unknown_code_is_counted_and_settled() -> None:
    table = load_class_table("spw-2021")
    codes = np.array([2, 2, 77, 77, 77], np.uint8)
    with pytest.raises(InputError) as caught:
        table.map(codes, "tile.laz")
    text = str(caught.value)
    assert text.startswith("tile.laz: class 77 is not in table 'spw-2021'")
    assert "2: 2, 77: 3" in text and 'extra_classes = { 77 = "other" }' in text
    extra = {77: PointClass.OTHER}
    assert table.map(codes, "tile.laz", extra).tolist() == [2, 2, 66, 66, 66]


def own(folder: Path, text: str) -> ClassTable:
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    return load_class_table("mine.toml", folder)


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    table = own(tmp_path, 'roof_classes = ["building"]\n[codes]\n30 = "building"\n2 = "Ground"\n')
    assert table.name == "mine" and table.has_building_class
    assert table.map(np.array([30, 2], np.uint8), "x").tolist() == [6, 2]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("roof_classes = [", "not valid TOML"),
        ("[codes]\n2 = 'ground'\n", "roof_classes"),
        ("roof_classes = []\n", "codes"),
        ("roof_classes = []\ncolour = 3\n[codes]\n2 = 'ground'\n", "unknown: colour"),
        ("roof_classes = []\n[codes]\n300 = 'ground'\n", "codes.300"),
        ("roof_classes = []\n[codes]\nx = 'ground'\n", "codes.x"),
        ("roof_classes = []\n[codes]\n2 = 'grond'\n", "no class 'grond'"),
        ("roof_classes = ['roof']\n[codes]\n2 = 'ground'\n", "no class 'roof'"),
    ],
)
def test_faults_name_the_file_and_the_key(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(InputError, match=r"mine\.toml") as caught:
        own(tmp_path, text)
    assert word in str(caught.value)


def test_a_table_that_is_not_there() -> None:
    with pytest.raises(InputError, match="spw-2099"):
        load_class_table("spw-2099")


def test_names_of_classes() -> None:
    assert parse_class("High-Vegetation", "x") == PointClass.HIGH_VEGETATION
    with pytest.raises(InputError, match=r"x: no class 'trees'; there are: never_classified, "):
        parse_class("trees", "x")
