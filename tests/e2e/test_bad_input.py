"""Bad input: a clear line or a recorded failure, never a traceback, nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import Ended

Twin = Callable[..., Ended]


@pytest.fixture
def site(small_site: Path, tmp_path: Path) -> Path:
    """A copy of the small site, built, that a test may spoil."""
    copy = tmp_path / "site"
    shutil.copytree(small_site, copy)
    return copy


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} not in {path}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def refused(ended: Ended, *words: str, code: int = 3) -> None:
    assert ended.code == code, ended.text
    assert "Traceback" not in ended.text
    for word in words:
        assert word in ended.err, ended.err
    assert len([line for line in ended.err.splitlines() if line.startswith("twin:")]) == 1


def parts(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if ".part" in p.name]


def first_cloud(site: Path) -> Path:
    return sorted((site / "data").glob("*.la[sz]"))[0]


def test_truncated_cloud(site: Path, twin: Twin) -> None:
    cloud = first_cloud(site)
    cloud.write_bytes(cloud.read_bytes()[: cloud.stat().st_size // 2])
    refused(twin("build", site), cloud.name)
    assert not parts(site)


def test_empty_file_as_cloud(site: Path, twin: Twin) -> None:
    cloud = first_cloud(site)
    cloud.write_bytes(b"")
    refused(twin("build", site), cloud.name)


def test_unknown_class_says_how_to_settle_it(site: Path, twin: Twin) -> None:
    text = (site / "twin.toml").read_text(encoding="utf-8")
    (site / "twin.toml").write_text(text.replace("spw-2021", "ahn"), encoding="utf-8")
    ended = twin("build", site)
    refused(ended, "class 4", "extra_classes")


def test_without_footprints_the_outlines_are_derived_and_it_is_said(site: Path, twin: Twin) -> None:
    lines = (site / "twin.toml").read_text(encoding="utf-8").splitlines()
    kept, skip = [], False
    for line in lines:
        if line.strip().startswith("[inputs.footprints"):
            skip = True
        elif line.startswith("["):
            skip = False
        if not skip and not line.strip().startswith("footprints"):
            kept.append(line)
    (site / "twin.toml").write_text("\n".join(kept) + "\n", encoding="utf-8")
    built = twin("build", site)
    assert built.code == 0, built.text
    assert "no footprints" in built.text and "derived" in built.text


@pytest.mark.parametrize(
    ("levels", "word"), [('"R-3"', "levels"), ("-2", "levels"), ('"many"', "levels"), ("0", "levels")]
)
def test_impossible_storeys(site: Path, twin: Twin, levels: str, word: str) -> None:
    path = volume_file(site)
    import re

    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"levels = [^\n]+", f"levels = {levels}", text, count=1), encoding="utf-8")
    refused(twin("study", site), word, path.name)


def volume_file(site: Path) -> Path:
    return next(p for p in sorted(site.glob("proposals/*/proposal.toml")) if "[[volume]]" in p.read_text())


def test_a_proposal_outside_the_model(site: Path, twin: Twin) -> None:
    path = volume_file(site)
    import re

    text = path.read_text(encoding="utf-8")
    ring = "[[700000.0, 600000.0], [700020.0, 600000.0], [700020.0, 600020.0]]"
    path.write_text(re.sub(r"footprint = [^\n]+", f"footprint = {ring}", text, count=1), encoding="utf-8")
    refused(twin("study", site), "outside")


def test_unknown_keys_and_ids(site: Path, twin: Twin) -> None:
    scenario = next((site / "scenarios").glob("*.toml"))
    edit(scenario, "parent", "parnet")
    refused(twin("study", site), "parnet", scenario.name)


def test_a_model_file_may_not_lead_out_of_the_proposal(site: Path, twin: Twin) -> None:
    path = volume_file(site)
    text = path.read_text(encoding="utf-8")
    text += '\n[[model]]\nfile = "../../../../etc/passwd"\nanchor = { east = 1.0, north = 2.0 }\n'
    path.write_text(text, encoding="utf-8")
    refused(twin("study", site), "leads out")


def test_a_full_disk(site: Path, twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(site / "out")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    ended = twin("build", site)
    assert ended.code == 1 and "disk is full" in ended.err and "Traceback" not in ended.text
    assert not parts(site)
    monkeypatch.undo()
    assert twin("build", site).code == 0


@pytest.mark.parametrize("terminal", [True, False])
def test_an_interrupted_run_goes_on(site: Path, twin: Twin, terminal: bool) -> None:
    """Ctrl-C in a terminal reaches the idle workers too; a signal to the command alone does not."""
    shutil.rmtree(site / "out")
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += (
        f"sys.argv = ['twin', 'run', {str(site)!r}, '--workers', '2']; from pipelines.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (site / "out" / "model" / "report.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    if terminal:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    # An interrupt inside of exec() ends Python by the signal itself: a shell shows 130 for both.
    assert process.returncode in (130, -signal.SIGINT), err
    assert "Traceback" not in err and "interrupted" in err
    assert not parts(site)
    if terminal:
        again = twin("run", site)
        assert again.code == 0 and "model: up to date" in again.text


def test_bad_footprints_are_recorded(small_site: Path) -> None:
    report = json.loads((small_site / "out" / "model" / "report.json").read_text(encoding="utf-8"))
    assert sum(report["reasons"].values()) == report["counts"]["failures"] == len(report["failures"])


def test_text_from_files_does_not_become_markup_or_formulas(site: Path, twin: Twin) -> None:
    text = (site / "twin.toml").read_text(encoding="utf-8")
    import re

    wild = 'name = "=1+1 [red]$x_1$[/red] <b>é</b>"'
    (site / "twin.toml").write_text(re.sub(r"name = [^\n]+", wild, text, count=1), encoding="utf-8")
    shutil.rmtree(site / "out" / "studies")
    ended = twin("study", site)
    assert ended.code == 0, ended.text
    for table in (site / "out" / "studies").rglob("table.csv"):
        for line in table.read_text(encoding="utf-8").splitlines():
            assert not any(cell[:1] in "=+@" for cell in line.split(",") if cell)
