"""Keys of the site file for water and break lines."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from pipelines.build import build
from pipelines.console import Reporter
from pipelines.site import open_site
from twin.errors import InputError
from twin.io.geotiff import write_cog
from twin.io.vector import VectorFeature, write_gpkg
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface


def site_with(tmp_path, frame, more):
    grid = Grid(frame, 0.0, 40.0, 0.5, 80, 120)
    x = grid.x_centres()[None, :] + 0 * grid.y_centres()[:, None]
    write_cog(tmp_path / "ground.tif", Raster(grid, np.where(x < 20, 60.0, 63.0).astype(np.float32)))
    write_cog(tmp_path / "surface.tif", Raster(grid, np.where(x < 20, 60.0, 63.0).astype(np.float32)))
    house = shapely.box(40, 10, 50, 20)
    write_gpkg(tmp_path / "houses.gpkg", {"houses": [VectorFeature("h", house)]}, frame)
    layers = {
        "river": [VectorFeature("r", shapely.box(-5, -5, 19.75, 45))],
        "walls": [VectorFeature("w", shapely.LineString([(30.25, 2.25), (52.25, 31.25)]))],
    }
    write_gpkg(tmp_path / "lines.gpkg", layers, frame)
    (tmp_path / "twin.toml").write_text(
        '[site]\nname = "t"\ncrs = "EPSG:3812"\nheights = "EPSG:5710"\n'
        f'[inputs]\ndtm = "ground.tif"\ndsm = "surface.tif"\n{more}\n'
        '[inputs.footprints]\nfile = "houses.gpkg"\n',
        encoding="utf-8",
    )
    return open_site(tmp_path)


def test_layers_of_water_and_break_lines_shape_the_ground(tmp_path, frame):
    more = 'water = "lines.gpkg#river"\nbreaklines = "lines.gpkg#walls"'
    built = build(site_with(tmp_path, frame, more), Reporter())
    assert built.counts["water_bodies"] == 1 and any(n.startswith("water: 1 running") for n in built.notes)
    (body,) = [o for o in built.scene.others if o.type == "WaterBody"]
    assert (body.geometries[0].semantics == Surface.WATER).all() and body.geometries[0].lod == "1"
    tin = built.scene.terrain.tin
    assert (tin.semantics == Surface.WATER).any() and (tin.semantics == Surface.TERRAIN).any()
    # The wall is made of edges: no triangle reaches over it.
    wall = shapely.LineString([(30.25, 2.25), (52.25, 31.25)])
    shift = np.array(frame.origin) - np.array(built.scene.frame.origin)
    wall = shapely.transform(wall, lambda xy: xy + shift)
    triangles = shapely.polygons(tin.vertices[tin.faces][:, :, :2])
    inner = shapely.buffer(triangles, -0.02)
    assert not shapely.intersects(inner, wall).any()


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ('water = "none.gpkg"', "key 'inputs.water': no such file"),
        ('water = "lines.gpkg#walls"', "key 'inputs.water'.*expected polygons"),
        ('breaklines = "lines.gpkg"', "key 'inputs.breaklines'.*name one layer"),
    ],
)
def test_faults_name_the_key(tmp_path, frame, more, word):
    with pytest.raises(InputError, match=word):
        build(site_with(tmp_path, frame, more), Reporter())
