"""GeoTIFF and what else GDAL reads as heights on a grid; written as Cloud-Optimized GeoTIFF.

The only file that imports rasterio. Only the part of a file that covers the site is read, however large
the file is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.crs import CompoundCRS
from pyproj.exceptions import CRSError

from twin.errors import InputError
from twin.frame import UNKNOWN_DATUM, Frame, crs_name
from twin.io.atomic import writing
from twin.io.crs import Mover, SpatialRef, check_extent, mover, parse_crs, same_crs
from twin.model.raster import Grid, Raster
from twin.region import Region
from twin.terrain.sampler import sample_bilinear

HUGE = 1e30
"""Values beyond this are nodata whatever the file says; -3.4e38 is often written with other digits."""

HEIGHT_RANGE_M = (-500.0, 9000.0)
"""Heights of ground, roofs and trees on Earth lie in here [m]."""

WHOLE_FILE_CELLS = 1 << 28
"""A file of more cells than this is only read with a region: 268 million."""

LATTICE_CELLS = 64
"""Positions in a file of another CRS are computed exactly every so many cells, and linearly between."""

PLACE_TOLERANCE_M = 0.01
"""Largest accepted error of that [m]."""

SQUARE_TOLERANCE = 1e-6
"""Relative difference of width and height up to which a cell counts as square."""

METRE_NAMES = ("", "m", "metre", "metres", "meter", "meters", "unknown")

COMPOUND: Mapping[tuple[str, str], int] = MappingProxyType(
    {
        ("EPSG:3812", "EPSG:5710"): 8370,
        ("EPSG:31370", "EPSG:5710"): 6190,
        ("EPSG:28992", "EPSG:5709"): 7415,
    }
)
"""EPSG codes of plan and heights together."""


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """What a raster file says of itself.

    Parameters
    ----------
    path
        The file.
    rows, cols, bands
        Its size.
    cell_width, cell_height
        In units of its CRS.
    rotated
        Whether rows do not run east.
    crs
        As claimed, or None.
    bounds
        West, south, east, north in its CRS.
    dtype, nodata, unit
        Of band 1.
    """

    path: Path
    rows: int
    cols: int
    bands: int
    cell_width: float
    cell_height: float
    rotated: bool
    crs: CRS | None
    bounds: tuple[float, float, float, float]
    dtype: str
    nodata: float | None
    unit: str


def raster_info(path: Path) -> RasterInfo:
    """Size, place and kind of a raster file, without reading its values.

    Raises
    ------
    InputError
        There is no such file, or GDAL does not read it.
    """
    with _opened(path) as source:
        t = source.transform
        corners = np.array([t @ (u, v) for u in (0, source.width) for v in (0, source.height)])
        crs = CRS.from_wkt(source.crs.to_wkt()) if source.crs else None
        return RasterInfo(
            path,
            int(source.height),
            int(source.width),
            int(source.count),
            float(abs(t.a)),
            float(abs(t.e)),
            bool(t.b or t.d or t.a <= 0 or t.e >= 0),
            crs,
            (*map(float, corners.min(axis=0)), *map(float, corners.max(axis=0))),  # type: ignore[arg-type]
            str(source.dtypes[0]),
            None if source.nodata is None else float(source.nodata),
            str(source.units[0] or ""),
        )


def _opened(path: Path) -> Any:
    import rasterio
    from rasterio.errors import RasterioIOError

    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    try:
        return rasterio.open(path)
    except RasterioIOError as error:
        raise InputError(f"{path}: expected a raster such as GeoTIFF; {error}") from error


def read_raster(
    path: Path,
    frame: Frame,
    *,
    region: Region | None = None,
    crs_text: str | None = None,
    what: str = "dtm",
    accepted_accuracy_m: float | None = None,
) -> Raster:
    """Heights of a raster file in a site's local space.

    A file in the frame's CRS keeps its own cells. Another one is sampled anew, linearly between its cell
    centres, on cells of the same size that are aligned in the frame's CRS; heights are moved between
    vertical datums where both are known.

    Parameters
    ----------
    path
        GeoTIFF, ASCII grid or what else GDAL reads, one band of heights.
    frame
        Frame of the result.
    region
        Only the cells that touch this rectangle, local space [m]; the whole file where None.
    crs_text
        CRS of the file where it has none, with heights if it is compound (``EPSG:6190``).
    what
        Name of the input for messages.
    accepted_accuracy_m
        Accuracy that is good enough where a grid for a change of CRS is missing [m].

    Returns
    -------
    Raster
        float32 (float64 where the file has it) [m], NaN for nodata.

    Raises
    ------
    InputError
        Missing file, no CRS, cells not square or rotated, several bands, heights not in metres, impossible
        heights, or a file beside the site.
    MissingDependencyError
        A grid is needed to change the CRS and is not there.
    """
    info = raster_info(path)
    _check_form(info, what)
    way = _way(info, frame, crs_text, accepted_accuracy_m)
    if way.identity:
        raster = _read_direct(info, frame, region, what)
    else:
        raster = _read_moved(info, (way, frame), region, what)
    _check_heights(raster, path, what)
    return raster


def raster_way(
    path: Path, frame: Frame, *, crs_text: str | None = None, accepted_accuracy_m: float | None = None
) -> Mover:
    """How ``read_raster`` moves a file into the frame: words and accuracy for the record.

    Parameters, errors
        As for ``read_raster``.
    """
    return _way(raster_info(path), frame, crs_text, accepted_accuracy_m)


def _way(info: RasterInfo, frame: Frame, crs_text: str | None, accepted_accuracy_m: float | None) -> Mover:
    ref = _reference(info, frame, crs_text)
    check_extent(Region(*info.bounds), ref.crs, str(info.path))
    return mover(ref, frame, accepted_accuracy_m=accepted_accuracy_m)


def _check_heights(raster: Raster, path: Path, what: str) -> None:
    lowest, highest = np.fmin.reduce(raster.values, axis=None), np.fmax.reduce(raster.values, axis=None)
    low, high = HEIGHT_RANGE_M
    if lowest < low or highest > high:
        raise InputError(
            f"{path}: {what} has values from {lowest:.6g} to {highest:.6g}; expected heights in metres "
            f"between {low:.0f} and {high:.0f}. If one of them means 'no data', declare it: "
            "gdal_edit.py -a_nodata VALUE FILE"
        )


def _check_form(info: RasterInfo, what: str) -> None:
    path = info.path
    if info.rotated:
        raise InputError(f"{path}: the {what}'s rows do not run east; turn it north-up with gdalwarp first")
    if abs(info.cell_width - info.cell_height) > SQUARE_TOLERANCE * info.cell_width:
        raise InputError(
            f"{path}: the {what}'s cells are {info.cell_width:g} x {info.cell_height:g}; expected square "
            f"ones. Make them so: gdalwarp -r bilinear -tr {info.cell_width:g} {info.cell_width:g} FILE NEW"
        )
    if info.bands > 2 or (info.bands == 2 and not _has_alpha(path)):
        raise InputError(f"{path}: the {what} has {info.bands} bands; expected one of heights, not a picture")
    if info.unit.strip().lower() not in METRE_NAMES:
        raise InputError(f"{path}: the {what} counts heights in {info.unit!r}; convert it to metres first")


def _has_alpha(path: Path) -> bool:
    from rasterio.enums import ColorInterp

    with _opened(path) as source:
        return bool(source.colorinterp[1] == ColorInterp.alpha)


def _reference(info: RasterInfo, frame: Frame, crs_text: str | None) -> SpatialRef:
    """What CRS and datum the file lies in; the site's datum where only the plan is known."""
    claimed = info.crs
    if claimed is None and crs_text is None:
        raise InputError(
            f"{info.path}: the file does not say in which CRS it lies (coordinates "
            f'{Region(*info.bounds).describe()}); state it, e.g. crs = "EPSG:31370"'
        )
    if claimed is not None:
        _check_metric(claimed, info.path)
    crs, vertical = parse_crs(crs_text if crs_text is not None else _text(claimed))
    if claimed is not None and crs_text is not None:
        plan, datum = parse_crs(_text(claimed))
        if not same_crs(plan, crs) or (UNKNOWN_DATUM not in (vertical, datum) and vertical != datum):
            raise InputError(
                f"{info.path}: the file says {crs_name(plan)} + {datum}, the site file says {crs_text} for "
                "it; take the key out, or correct the file"
            )
        vertical = datum if vertical == UNKNOWN_DATUM else vertical
    return SpatialRef(crs, frame.vertical if vertical == UNKNOWN_DATUM else vertical, 1.0, 1.0)


def _text(crs: CRS | None) -> str:
    return crs.to_wkt() if crs is not None else ""


def _check_metric(crs: CRS, path: Path) -> None:
    plan = crs.sub_crs_list[0] if crs.is_compound else crs
    units = sorted({axis.unit_name for axis in crs.axis_info})
    if not plan.is_projected or units != ["metre"]:
        raise InputError(
            f"{path}: a raster must lie in a projected CRS in metres; {crs_name(crs)} counts in "
            f"{', '.join(units)}. Move it first: gdalwarp -t_srs EPSG:3812 -r bilinear FILE NEW"
        )


def _read_direct(info: RasterInfo, frame: Frame, region: Region | None, what: str) -> Raster:
    west, _, _, north = info.bounds
    window = (0, 0, info.rows, info.cols)
    if region is not None:
        world = region.shifted(*map(float, frame.origin))
        window = _window(info, world, what)
    row, col, rows, cols = window
    values = _read_window(info, window)
    cell = info.cell_width
    grid = Grid(
        frame, west + col * cell - frame.origin[0], north - row * cell - frame.origin[1], cell, rows, cols
    )
    return Raster(grid, values)


def _window(info: RasterInfo, world: Region, what: str) -> tuple[int, int, int, int]:
    """First row and column, rows and columns of the cells that touch a rectangle in the file's CRS."""
    west, _, _, north = info.bounds
    cell = info.cell_width
    # A touch by less than a millionth of a cell is rounding.
    c0 = max(0, int(np.floor((world.west - west) / cell + 1e-6)))
    c1 = min(info.cols, int(np.ceil((world.east - west) / cell - 1e-6)))
    r0 = max(0, int(np.floor((north - world.north) / cell + 1e-6)))
    r1 = min(info.rows, int(np.ceil((north - world.south) / cell - 1e-6)))
    if c1 <= c0 or r1 <= r0:
        raise InputError(
            f"{info.path}: the {what} covers {Region(*info.bounds).describe()}, "
            f"the site needs {world.describe()}: they do not meet"
        )
    return r0, c0, r1 - r0, c1 - c0


def _read_window(info: RasterInfo, window: tuple[int, int, int, int]) -> NDArray[Any]:
    """Values of part of band 1 as float, scaled, NaN where there is no data."""
    from rasterio.errors import RasterioIOError
    from rasterio.windows import Window

    row, col, rows, cols = window
    if rows * cols > WHOLE_FILE_CELLS:
        raise InputError(
            f"{info.path}: {rows} x {cols} cells are too many to read at once; state a smaller area"
        )
    with _opened(info.path) as source:
        place = Window(col, row, cols, rows)
        try:
            raw = source.read(1, window=place)
            present = source.read_masks(1, window=place) != 0
        except RasterioIOError as error:
            raise InputError(f"{info.path}: the file is damaged or cut short: {error}") from error
        scale, offset = float(source.scales[0]), float(source.offsets[0])
    dtype = np.float64 if raw.dtype == np.float64 else np.float32
    with np.errstate(over="ignore", invalid="ignore"):
        present &= np.isfinite(raw) & (np.abs(raw.astype(np.float64, copy=False)) < HUGE)
        if (scale, offset) != (1.0, 0.0):
            raw = raw * scale + offset
        values: NDArray[Any] = raw.astype(dtype)
    values[~present] = np.nan
    values.flags.writeable = False
    return values


def _read_moved(info: RasterInfo, way: tuple[Mover, Frame], region: Region | None, what: str) -> Raster:
    """Sample a file of another CRS or datum on cells of the frame."""
    moving, frame = way
    corners = _outline(Region(*info.bounds))
    reach = frame.to_local(moving.apply(np.column_stack([corners, np.zeros(len(corners))])))
    covered = Region(*reach[:, :2].min(axis=0), *reach[:, :2].max(axis=0))
    wanted = covered if region is None else covered.intersection(region)
    if wanted is None:
        raise InputError(
            f"{info.path}: the {what} covers {covered.shifted(*map(float, frame.origin)).describe()} in "
            f"{frame.crs_name}; the site lies beside it"
        )
    grid = Grid.over(frame, wanted, info.cell_width)
    nodes = _Lattice.over(grid, moving, info)
    place = nodes.sources[..., :2].reshape(-1, 2)
    seen = Region(*place.min(axis=0), *place.max(axis=0)).buffered(2 * info.cell_width)
    window = _window(info, seen, what)
    # The file's window as a raster in its own coordinates; the frame is only carried along.
    cell = info.cell_width
    west, north = info.bounds[0] + window[1] * cell, info.bounds[3] - window[0] * cell
    source = Raster(Grid(frame, west, north, cell, window[2], window[3]), _read_window(info, window))
    values = np.empty(grid.shape, dtype=source.values.dtype)
    for row in range(grid.rows):
        at = nodes.row(row)
        values[row] = sample_bilinear(source, at[:, :2]) + at[:, 2]
    values.flags.writeable = False
    return Raster(grid, values)


def _outline(region: Region) -> NDArray[np.float64]:
    """Points along the sides of a rectangle (84, 2)."""
    t = np.linspace(0.0, 1.0, 21)
    x, y = region.west + t * region.width, region.south + t * region.height
    sides = [
        np.column_stack([x, np.full(21, region.south)]),
        np.column_stack([x, np.full(21, region.north)]),
        np.column_stack([np.full(21, region.west), y]),
        np.column_stack([np.full(21, region.east), y]),
    ]
    return np.vstack(sides)


@dataclass(frozen=True, slots=True, eq=False)
class _Lattice:
    """Where cells of a grid lie in a file: exact at every ``LATTICE_CELLS``, linear between.

    ``sources`` (rows, cols, 3): x, y in the file's CRS and what to add to a height [m].
    """

    grid: Grid
    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    sources: NDArray[np.float64]

    @staticmethod
    def over(grid: Grid, way: Mover, info: RasterInfo) -> _Lattice:
        rows, cols = (np.linspace(0, n - 1, max(2, -(-n // LATTICE_CELLS) + 1)) for n in grid.shape)
        start = np.array(Region(*info.bounds).centre)
        lattice = _Lattice(grid, rows, cols, _sources(grid, rows, cols, (way, start)))
        middle_r, middle_c = (rows[1:] + rows[:-1]) / 2, (cols[1:] + cols[:-1]) / 2
        exact = _sources(grid, middle_r, middle_c, (way, start))
        nodes = lattice.sources
        linear = (nodes[1:, 1:] + nodes[1:, :-1] + nodes[:-1, 1:] + nodes[:-1, :-1]) / 4
        worst = float(np.abs(exact - linear).max())
        if not worst <= PLACE_TOLERANCE_M:
            raise InputError(
                f"{info.path}: the way into {grid.frame.crs_name} is too crooked to follow ({worst:.3f} m "
                f"off every {LATTICE_CELLS} cells); warp the file with gdalwarp first"
            )
        return lattice

    def row(self, row: int) -> NDArray[np.float64]:
        """x, y and height shift of each cell centre of a row (cols, 3)."""
        k = int(np.clip(np.searchsorted(self.rows, row, side="right") - 1, 0, len(self.rows) - 2))
        share = (row - self.rows[k]) / (self.rows[k + 1] - self.rows[k]) if self.grid.rows > 1 else 0.0
        line = self.sources[k] * (1 - share) + self.sources[k + 1] * share
        cols = np.arange(self.grid.cols)
        return np.column_stack([np.interp(cols, self.cols, line[:, j]) for j in range(3)])


def _sources(
    grid: Grid, rows: NDArray[np.float64], cols: NDArray[np.float64], way: tuple[Mover, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Invert the move at lattice points by Newton's method (rows, cols, 3)."""
    moving, start = way
    east0, north0 = grid.frame.origin
    x = grid.west + (cols + 0.5) * grid.cell_size + east0
    y = grid.north - (rows + 0.5) * grid.cell_size + north0
    goal = np.column_stack([np.tile(x, len(rows)), np.repeat(y, len(cols))])
    at = np.tile(start, (len(goal), 1))
    step = 1.0
    for _ in range(12):
        zeros = np.zeros(len(at))
        here = moving.apply(np.column_stack([at, zeros]))
        off = goal - here[:, :2]
        if np.abs(off).max() < 1e-5:
            break
        along_x = (moving.apply(np.column_stack([at[:, 0] + step, at[:, 1], zeros])) - here)[:, :2] / step
        along_y = (moving.apply(np.column_stack([at[:, 0], at[:, 1] + step, zeros])) - here)[:, :2] / step
        turn = along_x[:, 0] * along_y[:, 1] - along_x[:, 1] * along_y[:, 0]
        du = (off[:, 0] * along_y[:, 1] - off[:, 1] * along_y[:, 0]) / turn
        dv = (off[:, 1] * along_x[:, 0] - off[:, 0] * along_x[:, 1]) / turn
        at = at + np.column_stack([du, dv])
    else:
        raise InputError(f"no way back from {grid.frame.crs_name} to the raster's CRS was found")
    return np.column_stack([at, here[:, 2]]).reshape(len(rows), len(cols), 3)


def compound_crs(frame: Frame) -> CRS:
    """Plan and heights of a frame as one CRS; the plan alone where the datum is unknown."""
    if frame.vertical == UNKNOWN_DATUM:
        return frame.crs
    code = COMPOUND.get((frame.crs_name, frame.vertical))
    if code is not None:
        return CRS.from_epsg(code)
    try:
        heights = CRS.from_user_input(frame.vertical)
    except CRSError:
        return frame.crs
    return CompoundCRS(f"{frame.crs.name} + {heights.name}", [frame.crs, heights])


def write_cog(
    path: Path,
    raster: Raster,
    *,
    nodata: float = float("nan"),
    tags: Mapping[str, str] | None = None,
    description: str = "",
    unit: str = "metre",
) -> None:
    """Write a raster as a Cloud-Optimized GeoTIFF; the same raster gives the same bytes.

    Parameters
    ----------
    path
        The file; appears whole or not at all.
    raster
        Heights or hours (float), or a mask (bool, written as 0 and 1 of uint8).
    nodata
        For floating point; masks and other uint8 have 255.
    tags
        Metadata of the file.
    description
        Name of the band.
    unit
        Unit of the band; empty for masks.
    """
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.transform import Affine

    values = raster.values.astype(np.uint8) if raster.values.dtype == np.bool_ else raster.values
    is_float = np.issubdtype(values.dtype, np.floating)
    profile = {
        "driver": "COG",
        "height": raster.grid.rows,
        "width": raster.grid.cols,
        "count": 1,
        "dtype": values.dtype.name,
        "crs": rasterio.crs.CRS.from_wkt(compound_crs(raster.grid.frame).to_wkt()),
        "transform": Affine(*raster.grid.world_transform()),
        "nodata": nodata if is_float else 255 if values.dtype == np.uint8 else None,
        "compress": "DEFLATE",
        "predictor": "YES",
        "blocksize": 512,
        "bigtiff": "IF_SAFER",
        "overview_resampling": "AVERAGE" if is_float else "NEAREST",
    }
    with writing(path) as temporary:
        try:
            with rasterio.open(temporary, "w", **profile) as target:
                target.write(values, 1)
                target.update_tags(**dict(sorted((tags or {}).items())))
                target.set_band_description(1, description)
                target.units = (unit,)
        except RasterioError as error:
            raise OSError(str(error)) from error
