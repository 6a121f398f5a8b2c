"""How long the sample takes: the small site under 3 s, the scan of the demo under 15 s on two cores."""

from __future__ import annotations

from pathlib import Path

from pipelines.sample.cells import pack
from pipelines.sample.layout import make_town
from pipelines.sample.make import make_sample
from pipelines.sample.scanner import calibrated
from pipelines.sample.sizes import sample_size


def test_small_site(benchmark, tmp_path: Path) -> None:
    make_sample(tmp_path / "warm", "small", 1)
    benchmark.pedantic(lambda: make_sample(tmp_path / "site", "small", 1), rounds=3)


def test_scan_of_the_demo(benchmark) -> None:
    town = make_town(sample_size("demo"), 1)
    scanner = calibrated(town, pack(town), 2, [town.window])
    points = benchmark.pedantic(lambda: scanner.tile(town.window), rounds=3)
    benchmark.extra_info["points"] = len(points.xyz)
