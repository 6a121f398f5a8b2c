"""Height rasters: windows, nodata, refusals, warping, and files written twice."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from pyproj import CRS, Transformer
from rasterio.transform import Affine

from tests.tolerances import WARPED_HEIGHT_M
from twin.errors import InputError
from twin.frame import Frame
from twin.io.geotiff import compound_crs, raster_info, raster_way, read_raster, write_cog
from twin.model.raster import Grid, Raster
from twin.region import Region

E0, N0 = 732446, 643915


def write_tif(path, values, *, crs="EPSG:3812", transform=None, **options):
    """A synthetic GeoTIFF."""
    unit, scale = options.pop("unit", None), options.pop("scale", None)
    transform = transform or Affine(1.0, 0, E0 - 20, 0, -1.0, N0 + 30)
    values = np.atleast_3d(values.T).T
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[1], width=values.shape[2], count=len(values),
        dtype=values.dtype.name, crs=crs, transform=transform, **options,
    ) as target:  # fmt: skip
        target.write(values)
        if unit:
            target.units = (unit,)
        if scale:
            target.scales, target.offsets = (scale[0],), (scale[1],)
    return path


def slope(rows=50, cols=60):
    row, col = np.mgrid[:rows, :cols]
    return (60 + 0.1 * col - 0.3 * row).astype(np.float32)


def test_a_file_in_the_frames_crs_keeps_its_cells(tmp_path, frame):
    raster = read_raster(write_tif(tmp_path / "a.tif", slope()), frame)
    assert raster.grid == Grid(frame, -20.0, 30.0, 1.0, 50, 60)
    assert (raster.values == slope()).all()
    assert raster.values.dtype == np.float32


def test_only_the_cells_that_touch_the_region_are_read(tmp_path, frame):
    path = write_tif(tmp_path / "a.tif", slope())
    raster = read_raster(path, frame, region=Region(-10.5, 10.0, 5.0, 20.25))
    assert raster.grid.region == Region(-11.0, 10.0, 5.0, 21.0)
    assert (raster.values == slope()[9:20, 9:25]).all()
    partly = read_raster(path, frame, region=Region(-500, 25, -15, 900))
    assert partly.grid.region == Region(-20, 25, -15, 30)
    with pytest.raises(InputError, match="do not meet"):
        read_raster(path, frame, region=Region(1000, 1000, 1100, 1100))


def test_a_wide_striped_file_is_read_by_window(tmp_path, frame):
    path = tmp_path / "province.tif"
    profile = {"driver": "GTiff", "height": 40000, "width": 65604, "count": 1, "dtype": "float32"}
    options = {"compress": "LZW", "blockysize": 16, "sparse_ok": True, "nodata": -9999, "bigtiff": "YES"}
    place = Affine(1.0, 0, E0 - 30000, 0, -1.0, N0 + 20000)
    window = rasterio.windows.Window(30000, 20000, 64, 32)
    with rasterio.open(path, "w", crs="EPSG:3812", transform=place, **profile, **options) as target:
        target.write(slope(32, 64), 1, window=window)
    raster = read_raster(path, frame, region=Region(-5, -32, 64, 5))
    assert raster.grid.shape == (37, 69)
    assert np.isnan(raster.values[:5]).all() and np.isnan(raster.values[:, :5]).all()
    assert (raster.values[5:, 5:] == slope(32, 64)).all()
    with pytest.raises(InputError, match="too many"):
        read_raster(path, frame)


@pytest.mark.parametrize("nodata", [-9999.0, -3.4028234663852886e38, float("nan"), 0.0])
def test_declared_nodata_is_nan(tmp_path, frame, nodata):
    values = slope()
    values[3:6, 4:9] = nodata
    raster = read_raster(write_tif(tmp_path / "a.tif", values, nodata=nodata), frame)
    assert np.isnan(raster.values).sum() == 15
    assert np.isnan(raster.values[3:6, 4:9]).all()


def test_undeclared_nodata_is_an_error_unless_it_is_beyond_all_measure(tmp_path, frame):
    values = slope()
    values[0, 0] = -3.4e38
    assert np.isnan(read_raster(write_tif(tmp_path / "a.tif", values), frame).values).sum() == 1
    values[0, 0] = -9999
    with pytest.raises(InputError, match=r"-9999.*a_nodata"):
        read_raster(write_tif(tmp_path / "b.tif", values), frame)


def test_whole_numbers_are_scaled(tmp_path, frame):
    values = np.round((slope() - 50) * 100).astype(np.int16)
    values[2, 2] = -32768
    path = write_tif(tmp_path / "a.tif", values, nodata=-32768, scale=(0.01, 50.0))
    raster = read_raster(path, frame)
    known = np.isfinite(raster.values)
    assert known.sum() == values.size - 1
    assert np.abs(raster.values - slope())[known].max() < 1e-4


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"transform": Affine(1.0, 0, E0, 0, -2.0, N0)}, "square"),
        ({"transform": Affine(0.8, 0.6, E0, 0.6, -0.8, N0)}, "do not run east"),
        ({"transform": Affine(1.0, 0, E0, 0, 1.0, N0)}, "do not run east"),
        ({"unit": "US survey foot"}, "foot"),
        ({"crs": "EPSG:2992"}, "foot"),
        ({"crs": "EPSG:4258", "transform": Affine(1e-5, 0, 5.5, 0, -1e-5, 50.6)}, "projected"),
        ({"crs": None}, "does not say"),
    ],
)
def test_what_would_be_wrong_in_space_is_refused(tmp_path, frame, change, word):
    with pytest.raises(InputError, match=word):
        read_raster(write_tif(tmp_path / "a.tif", slope(), **change), frame)


def test_pictures_missing_and_broken_files_are_refused(tmp_path, frame):
    picture = write_tif(tmp_path / "rgb.tif", np.zeros((3, 20, 20), np.uint8))
    with pytest.raises(InputError, match="3 bands"):
        read_raster(picture, frame)
    with pytest.raises(InputError, match="no such file"):
        read_raster(tmp_path / "none.tif", frame)
    (tmp_path / "text.tif").write_text("hello")
    with pytest.raises(InputError, match="expected a raster"):
        read_raster(tmp_path / "text.tif", frame)
    whole = write_tif(
        tmp_path / "a.tif", np.random.default_rng(0).normal(60, 1, (300, 300)).astype(np.float32)
    )
    (tmp_path / "cut.tif").write_bytes(whole.read_bytes()[:200_000])
    with pytest.raises(InputError, match="damaged"):
        read_raster(tmp_path / "cut.tif", frame)


def test_the_crs_may_be_stated_but_not_contradicted(tmp_path, frame):
    path = write_tif(tmp_path / "a.tif", slope(), crs=None)
    assert (read_raster(path, frame, crs_text="EPSG:8370").values == slope()).all()
    known = write_tif(tmp_path / "b.tif", slope())
    assert (read_raster(known, frame, crs_text="EPSG:3812").values == slope()).all()
    with pytest.raises(InputError, match="EPSG:31370"):
        read_raster(known, frame, crs_text="EPSG:31370")


def test_an_ascii_grid_reads_too(tmp_path, frame):
    head = f"ncols 3\nnrows 2\nxllcorner {E0}\nyllcorner {N0}\ncellsize 2\nNODATA_value -9999\n"
    (tmp_path / "a.asc").write_text(head + "1 2 3\n4 -9999 6\n")
    raster = read_raster(tmp_path / "a.asc", frame, crs_text="EPSG:3812")
    assert raster.grid == Grid(frame, 0.0, 4.0, 2.0, 2, 3)
    assert raster.values.tolist()[0] == [1, 2, 3]
    assert np.isnan(raster.values[1, 1])


def test_a_file_of_another_crs_is_sampled_where_the_cells_are(tmp_path):
    """UTM 31 into UTM 32: one datum, so only the projections differ; the surface is curved and known."""
    frame = Frame(CRS.from_epsg(25832), "unknown", (255000, 5612000))
    way = Transformer.from_crs(25832, 25831, always_xy=True)
    e, n = (round(v) for v in way.transform(255000.0, 5612000.0))

    def ground(x, y):
        return 80 + 0.2 * (x - e) - 0.1 * (y - n) + 5 * np.sin((x - e) / 90) * np.cos((y - n) / 70)

    row, col = np.mgrid[:700, :800]
    values = ground(e - 400 + col + 0.5, n + 350 - row - 0.5).astype(np.float32)
    path = write_tif(
        tmp_path / "a.tif", values, crs="EPSG:25831", transform=Affine(1, 0, e - 400, 0, -1, n + 350)
    )
    raster = read_raster(path, frame, region=Region(-150, -120, 160, 140))
    assert raster.grid.region == Region(-150, -120, 160, 140)
    world = frame.to_world(raster.grid.centres())
    expected = ground(*way.transform(world[:, 0], world[:, 1])).reshape(raster.grid.shape)
    assert np.abs(raster.values - expected).max() < WARPED_HEIGHT_M
    whole = read_raster(path, frame)
    assert 0.02 < np.isnan(whole.values).mean() < 0.3
    with pytest.raises(InputError, match="beside"):
        read_raster(path, frame, region=Region(9000, 9000, 9100, 9100))


def test_a_belgian_change_of_datum_is_made_or_refused_never_guessed(tmp_path, frame):
    """Lambert 72 into Lambert 2008: exact with the grid, without it on request only; not 111 m off."""
    x, y = 232445.0, 143905.0
    path = write_tif(
        tmp_path / "a.tif", slope(300, 300), crs="EPSG:6190", transform=Affine(1, 0, x - 150, 0, -1, y + 150)
    )
    way = raster_way(path, frame, accepted_accuracy_m=0.3)
    assert not way.identity and 0 < way.accuracy_m <= 0.3
    raster = read_raster(path, frame, region=Region(-60, -50, 60, 40), accepted_accuracy_m=0.3)
    corner = raster.values[0, 0]
    east, north, _ = way.apply(np.array([[x, y, 0.0]]))[0]
    assert (east - x, north - y) == pytest.approx((500_002, 500_010.4), abs=1.0)
    local = frame.to_local(np.array([[east, north]]))[0]
    row, col = (int(v[0]) for v in raster.grid.rows_cols(local[:1], local[1:]))
    assert raster.values[row, col] == pytest.approx(60 + 0.1 * 150 - 0.3 * 150, abs=0.35)
    assert np.isfinite(corner)


@pytest.mark.parametrize("kind", ["float32", "float64", "bool"])
def test_written_rasters_read_back_and_have_the_same_bytes_each_time(tmp_path, frame, kind):
    grid = Grid(frame, -30.5, 700.25, 0.5, 700, 1100)
    values = np.random.default_rng(3).normal(60, 4, grid.shape)
    values = values > 60 if kind == "bool" else values.astype(kind)
    if kind != "bool":
        values[5:9, 7] = np.nan
    raster = Raster(grid, values)
    tags = {"method": "test", "besides": "é"}
    for name in "ab":
        write_cog(tmp_path / f"{name}.tif", raster, tags=tags, description="dtm", unit="metre")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tif", "b.tif"]
    with rasterio.open(tmp_path / "a.tif") as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.overviews(1)
        assert source.crs.to_epsg() == 8370
        assert source.tags()["besides"] == "é"
        assert (source.descriptions, source.units) == (("dtm",), ("metre",))
        assert source.transform == Affine(0.5, 0, E0 - 30.5, 0, -0.5, N0 + 700.25)
        assert source.nodata == 255 if kind == "bool" else np.isnan(source.nodata)
        assert np.array_equal(source.read(1), values.astype("uint8") if kind == "bool" else values, True)
    if kind != "bool":
        back = read_raster(tmp_path / "a.tif", frame)
        assert back.grid == grid
        assert back.values.tobytes() == values.tobytes()


def test_the_crs_of_plan_and_heights_together():
    def name(epsg, vertical, place=(600000, 700000)):
        return compound_crs(Frame(CRS.from_epsg(epsg), vertical, place))

    assert name(3812, "EPSG:5710").to_epsg() == 8370
    assert name(31370, "EPSG:5710", (236000, 143000)).to_epsg() == 6190
    assert name(28992, "EPSG:5709", (85000, 447000)).to_epsg() == 7415
    assert name(3812, "unknown").to_epsg() == 3812
    other = name(2154, "EPSG:5720", (650000, 6860000))
    assert other.is_compound and [c.to_epsg() for c in other.sub_crs_list] == [2154, 5720]


def test_info_tells_without_reading(tmp_path):
    info = raster_info(write_tif(tmp_path / "a.tif", slope(), nodata=-1))
    assert (info.rows, info.cols, info.bands, info.nodata, info.dtype) == (50, 60, 1, -1.0, "float32")
    assert info.bounds == (E0 - 20, N0 - 20, E0 + 40, N0 + 30)
    assert info.crs == CRS.from_epsg(3812) and not info.rotated
