"""Whole sample sites: same bytes for a seed, files that read back, nothing that claims to be real."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pipelines.sample.make import SampleSummary, make_sample
from pipelines.sample.sizes import sample_size
from pipelines.site import open_site
from twin.classify.tables import load_class_table
from twin.errors import UsageError
from twin.io.cityjson import read_citymodel
from twin.io.geotiff import read_raster
from twin.io.las import iter_clouds, read_las_info
from twin.io.vector import read_footprints


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return make_sample(tmp_path_factory.mktemp("sample") / "a b", "small", 1)


def test_same_seed_same_bytes_and_another_differs(made: SampleSummary, tmp_path: Path) -> None:
    first = digests(made.folder)
    make_sample(tmp_path / "again", "small", 1, workers=2)
    assert digests(tmp_path / "again") == first
    make_sample(tmp_path / "other", "small", 2)
    other = digests(tmp_path / "other")
    assert all(other[name] != first[name] for name in first if name.endswith((".laz", ".gpkg")))


def test_points_read_back(made: SampleSummary) -> None:
    frame = sample_size("small").frame()
    table = load_class_table("spw-2021", None)
    count = 0
    for path in sorted(made.folder.glob("data/*.laz")):
        info = read_las_info(path)
        assert not info.notes
        count += sum(len(c) for c in iter_clouds(info, table, frame, ref=None, extra={}))
    assert count == made.points == sum(n for _, n in made.classes)
    assert 6 not in dict(made.classes)


def test_footprints_and_ground_read_back(made: SampleSummary) -> None:
    frame = sample_size("small").frame()
    layer = read_footprints(
        made.folder / "data/footprints.gpkg", frame, layer="footprints", id_field="georef_id"
    )
    assert len(layer.footprints) == made.buildings
    assert not layer.failures
    ground = read_raster(made.folder / "truth/ground.tif", frame)
    assert np.isfinite(ground.values).all()


def test_everything_says_that_it_is_synthetic(made: SampleSummary) -> None:
    site = open_site(made.folder)
    assert site.settings.site.synthetic
    assert "Synthetic" in site.settings.site.name
    assert "Synthetic data" in (made.folder / "README.md").read_text(encoding="utf-8")


def test_a_wrong_size_or_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="small, demo, valley"):
        make_sample(tmp_path, "large")
    with pytest.raises(UsageError, match="seed"):
        make_sample(tmp_path, "small", -1)


def test_the_true_solids_read_back(made: SampleSummary) -> None:
    frame = sample_size("small").frame()
    model = read_citymodel(made.folder / "truth/solids.city.jsonl", frame)
    assert len(model.buildings) == made.buildings
    assert not model.failures
    assert all(b.geometries[0].is_solid and b.geometries[0].lod == "2.2" for b in model.buildings)
