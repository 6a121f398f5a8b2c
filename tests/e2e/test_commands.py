"""The commands of the README on a small synthetic site: what they leave, say, and return."""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.command import Ended

Twin = Callable[..., Ended]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every result, by its path."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".steps" not in p.parts
    }


def test_run_leaves_everything_where_the_design_says(small_site: Path) -> None:
    out = small_site / "out"
    for name in (
        "model/city.city.jsonl",
        "model/terrain/dtm.tif",
        "model/terrain/dsm.tif",
        "model/report.json",
    ):
        assert (out / name).stat().st_size > 0
    studies = sorted((small_site / "studies").glob("*.toml"))
    assert len(studies) == 2
    for study in studies:
        for scenario in tomllib.loads(study.read_text(encoding="utf-8"))["scenarios"]:
            folder = out / "studies" / study.stem / scenario
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            assert manifest["scene_hash"]["existing"] != manifest["scene_hash"]["proposed"]
            assert {"existing", "proposed", "difference", "plates"} <= {p.name for p in folder.iterdir()}
            assert list((folder / "plates").glob("*.png")) and list((folder / "plates").glob("*.pdf"))
            assert (folder / "table.csv").read_text(encoding="utf-8").count("\n") >= 2
            for name, digest in manifest["files"].items():
                assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert list((out / "pictures").glob("*/existing.png"))
    assert list((out / "exports" / "existing").glob("*.glb"))


def test_existing_plus_difference_is_proposed(small_site: Path) -> None:
    folder = next((small_site / "out" / "studies").glob("*/*/existing/hours-*.tif")).parent.parent
    for path in sorted((folder / "existing").glob("hours-*.tif")):
        values, scenes = [], []
        for state in ("existing", "proposed", "difference"):
            with rasterio.open(folder / state / path.name) as source:
                values.append(source.read(1))
                scenes.append(source.tags()["TWIN_SCENE"])
                assert source.crs is not None
        assert scenes[2] == f"{scenes[1]} - {scenes[0]}" and scenes[0] != scenes[1], (
            "each raster names its scene"
        )
        before, after, change = values
        assert np.nanmax(before) > 1.0
        assert np.allclose(after - before, change, atol=1e-5, equal_nan=True)


def test_a_second_run_does_nothing_again(small_site: Path, twin: Twin) -> None:
    before = {p: p.stat().st_mtime_ns for p in (small_site / "out").rglob("*.png")}
    again = twin("run", small_site)
    assert again.code == 0 and "up to date" in again.text
    assert before == {p: p.stat().st_mtime_ns for p in (small_site / "out").rglob("*.png")}


def test_same_bytes_for_one_and_two_workers(small_site: Path, twin: Twin, tmp_path: Path) -> None:
    copy = tmp_path / "small"
    shutil.copytree(small_site, copy, ignore=shutil.ignore_patterns("out"))
    assert twin("run", copy, "--workers", "2").code == 0
    one, two = digests(small_site / "out"), digests(copy / "out")
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_results_are_json_on_request(small_site: Path, twin: Twin) -> None:
    value = json.loads(twin("build", small_site, "--json").out)
    assert value["counts"]["buildings"] > 0
    assert json.loads(twin("doctor", small_site, "--json").out)["missing_required"] == []


def test_exports_in_every_format(small_site: Path, twin: Twin) -> None:
    done = twin("export", small_site, "--format", "all")
    assert done.code == 0, done.text
    names = {p.suffix for p in (small_site / "out" / "exports").rglob("*") if p.is_file()}
    assert {".glb", ".obj", ".dxf", ".json", ".tif"} <= names


@pytest.mark.parametrize(
    "command",
    ["demo", "sample", "init", "doctor", "build", "study", "render", "view", "export", "run"],
)
def test_help_says_what_a_command_does(twin: Twin, command: str) -> None:
    shown = twin(command, "--help")
    assert shown.code == 0 and len(shown.out.splitlines()) > 5


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("build", "no-such-folder"), 3, "no such folder"),
        (("study", "{site}", "no-such-study"), 3, "no-such-study"),
        (("render", "{site}", "--view", "nowhere"), 3, "nowhere"),
        (("export", "{site}", "--format", "skp"), 2, "skp"),
        (("export", "{site}", "--format", "glb", "--scenario", "utopia"), 3, "utopia"),
        (("sample", "{site}", "--size", "huge"), 2, "huge"),
        (("sample", "{site}", "--size", "small"), 3, "already"),
        (("init", "{tmp}/x"), 2, "--points"),
        (("init", "{tmp}/x", "--points", "none/*.laz", "--crs", "EPSG:3812"), 3, "none/*.laz"),
        (("init", "{site}", "--citymodel", "{site}/out/model/city.city.jsonl"), 3, "exists already"),
        (("study", "{site}", "--device", "quantum"), 2, "quantum"),
        (("build", "{site}", "--workers", "0"), 2, "greater than or equal to 1"),
        (("build", "{site}", "--wrokers", "2"), 2, "wrokers"),
        (("frobnicate",), 2, "frobnicate"),
    ],
)
def test_wrong_calls_end_in_one_line(
    twin: Twin, small_site: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended = twin(*(a.format(site=small_site, tmp=tmp_path) for a in arguments))
    assert ended.code == code, ended.text
    assert words in ended.err and "Traceback" not in ended.text
    assert not (tmp_path / "x").exists() or not list((tmp_path / "x").rglob("*.toml"))
