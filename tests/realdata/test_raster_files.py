"""Height rasters nobody here made, and terrain from them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from pyproj import CRS
from rasterio.warp import Resampling, reproject

from tests.tolerances import WARPED_HEIGHT_M
from twin.errors import InputError
from twin.frame import Frame
from twin.io.geotiff import read_raster
from twin.io.vector import read_footprints
from twin.model.raster import Raster
from twin.region import Region
from twin.terrain.make import terrain_from_rasters
from twin.terrain.sampler import rasterise

GOTEBORG = "raster/umep_solweig_demos/Goteborg_SWEREF99_1200"


def frame_of(code, origin):
    return Frame(CRS.from_epsg(code), "unknown", origin)


def test_athens_is_what_others_read_from_it(test_data):
    raster = read_raster(
        test_data / "raster/umep_solweig_demos/athens/DSM.tif", frame_of(2100, (475000, 4204000))
    )
    theirs = np.load(test_data / "raster/umep_golden/fixtures/input_dsm.npy")
    assert np.abs(raster.values - theirs).max() < 1e-5


def test_goteborg_buildings_stand_where_its_surface_is_high(test_data):
    frame = frame_of(3007, (147800, 6398600))
    dsm = read_raster(test_data / GOTEBORG / "DSM_KRbig.tif", frame, what="dsm")
    dem = read_raster(test_data / GOTEBORG / "DEM_KRbig.tif", frame)
    dsm.require_same_grid(dem)
    layer = read_footprints(test_data / GOTEBORG / "buildings.shp", frame)
    assert layer.features == layer.used + len(layer.failures) == 137
    height = dsm.values - dem.values
    roofs, seen = [], 0
    for footprint in layer.footprints:
        x, y = footprint.polygon.representative_point().coords[0]
        row, col = (int(v[0]) for v in dsm.grid.rows_cols(np.array([x]), np.array([y])))
        if 0 <= row < dsm.grid.rows and 0 <= col < dsm.grid.cols:
            seen += 1
            roofs.append(height[row, col])
    assert seen > 15
    # Some outlines are older or newer than the flight; 40 m off, most would be streets and courts.
    assert np.mean(np.array(roofs) > 2.5) > 0.85


def test_an_ascii_grid_without_crs_equals_the_tif(test_data):
    frame = frame_of(3007, (147800, 6398600))
    folder = test_data / GOTEBORG
    with pytest.raises(InputError, match="does not say"):
        read_raster(folder / "CDSM_KRbig.asc", frame, what="canopy")
    text = read_raster(folder / "CDSM_KRbig.asc", frame, crs_text="EPSG:3007", what="canopy")
    tif = read_raster(folder / "CDSM_KRbig.tif", frame, what="canopy")
    assert text.grid == tif.grid
    assert np.nanmax(np.abs(text.values - tif.values)) < 1e-5


def test_a_slovenian_hill_becomes_triangles_within_the_bound(test_data):
    frame = frame_of(3794, (564000, 146000))
    dtm = read_raster(test_data / "raster/rvt_py/TM1_564_146.tif", frame)
    holed = dtm.values.copy()
    holed[300:340, 200:290] = np.nan
    terrain = terrain_from_rasters(Raster(dtm.grid, holed), max_error_m=0.15)
    assert terrain.tin_max_error <= 0.15
    burnt = rasterise(terrain.tin, dtm.grid).values
    assert np.abs(burnt - terrain.dtm.values).max() <= 0.15 + 1e-9
    assert len(terrain.tin.faces) < 0.4 * dtm.values.size
    assert np.abs(terrain.dtm.values - dtm.values)[300:340, 200:290].max() < 5


def test_another_crs_is_sampled_as_gdal_warps_it(test_data):
    """Both keep one datum, SWEREF99; GDAL's warper is the independent computation."""
    frame = frame_of(3006, (319000, 6398900))
    path = test_data / GOTEBORG / "DEM_KRbig.tif"
    ours = read_raster(path, frame, region=Region(20, 1190, 180, 1340))
    expected = np.full(ours.grid.shape, np.nan, np.float32)
    with rasterio.open(path) as source:
        reproject(
            rasterio.band(source, 1), expected, dst_crs="EPSG:3006", dst_nodata=np.nan,
            dst_transform=rasterio.transform.Affine(*ours.grid.world_transform()),
            resampling=Resampling.bilinear, tolerance=0.0,
        )  # fmt: skip
    both = np.isfinite(ours.values) & np.isfinite(expected)
    assert both.mean() > 0.95
    assert np.percentile(np.abs(ours.values - expected)[both], 99) < WARPED_HEIGHT_M
