"""A3 sheets at a stated scale: map, scale bar, north, legend with unit, date, method; as PNG and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import ImageFont

from twin.errors import InputError
from twin.frame import Frame
from twin.io.atomic import writing
from twin.model.raster import Grid, Raster
from twin.region import Region
from viewers.fonts import font_file, prepare, sheet_families
from viewers.palette import EXISTING_FILL, PROPOSED_LINE, Colour
from viewers.words import number, word

A3_MM = (420.0, 297.0)
MARGIN_MM = 12.0
COLUMN_MM = 92.0
"""Width of the column with title, legend and method."""
DPI = 200
SCALES = (100, 200, 250, 500, 750, 1000, 1250, 1500, 2000, 2500, 4000, 5000, 7500, 10_000, 15_000, 20_000)
PANEL_HEAD_MM = 9.0
MM_PER_POINT = 25.4 / 72
LINES = 6
"""Most lines of one text in the column."""
INK = "#28282c"
AREA_LINE: dict[str, Any] = {"edgecolor": "#1b6b3a", "linewidth": 1.0, "linestyle": (0, (4, 1.5))}
"""Outlines of the areas that a study names."""
RULES: dict[Any, Any] = {
    "font.size": 8,
    "text.color": INK,
    "text.parse_math": False,
    "svg.hashsalt": "valley-twin",
    "pdf.fonttype": 42,
    "path.simplify": False,
}


@dataclass(frozen=True, slots=True)
class Legend:
    """Title with its unit, and the classes: colour and label, in order."""

    title: str
    entries: tuple[tuple[Colour, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One map of a sheet: an RGBA image (rows, cols, 4) uint8 on a grid, and its title."""

    title: str
    image: NDArray[np.uint8]
    grid: Grid
    proposed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BaseMap:
    """What lies under and over the results: relief and outlines, local space [m]."""

    relief: Raster
    existing: tuple[Any, ...] = ()
    removed: tuple[Any, ...] = ()
    proposed: tuple[Any, ...] = ()
    observers: tuple[tuple[float, float], ...] = ()
    areas: tuple[tuple[str, Any], ...] = ()
    observer_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SheetInfo:
    """The words of a sheet.

    Parameters
    ----------
    title, subtitle
        What it shows, and of when.
    site, scenario, scene_hash
        Of what.
    lines
        Facts in the column below the legend (sun, statistics).
    method
        How it was made, one phrase each.
    """

    title: str
    subtitle: str
    site: str
    scenario: str
    scene_hash: str
    language: str
    frame: Frame
    lines: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    attribution: str = ""
    synthetic: bool = False
    software: str = "valley-twin"
    extra_legend: tuple[str, ...] = field(default=())


def rules() -> dict[Any, Any]:
    """matplotlib's settings for sheets."""
    return RULES | {"font.family": list(sheet_families())}


def font_line() -> str:
    """Which font sheets are set in."""
    prepare()
    import matplotlib
    from matplotlib import font_manager

    found = font_manager.findfont("DejaVu Sans", fallback_to_default=True)
    return f"{Path(found).name}, with matplotlib {matplotlib.__version__}"


def fitting_scale(region: Region, width_mm: float, height_mm: float) -> int:
    """The largest usual scale at which a region fits, as its denominator.

    Raises
    ------
    InputError
        The region is larger than any sheet at 1:20 000.
    """
    for scale in SCALES:
        if region.width * 1000 / scale <= width_mm and region.height * 1000 / scale <= height_mm:
            return scale
    raise InputError(
        f"an area of {region.width:.0f} x {region.height:.0f} m does not fit an A3 sheet at 1:{SCALES[-1]}; "
        "give the study an area"
    )


def write_sheet(
    stem: Path, panels: Sequence[Panel], base: BaseMap, legend: Legend, info: SheetInfo, *, pdf: bool = True
) -> list[Path]:
    """Write ``stem.png`` and, unless ``pdf`` is off, ``stem.pdf``; the same sheet gives the same bytes.

    Parameters
    ----------
    stem
        Path without suffix.
    panels
        One to three maps of one region, side by side at one scale.
    base
        Relief and outlines.
    legend, info
        Words.
    """
    prepare()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(rules()):
        figure = Figure(figsize=(A3_MM[0] / 25.4, A3_MM[1] / 25.4), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        scale = _maps(figure, panels, base, info)
        _column(figure, legend, info, scale, base)
        return save_figure(figure, stem, info, pdf=pdf)


def save_figure(figure: Any, stem: Path, info: SheetInfo, *, pdf: bool = True) -> list[Path]:
    """Write ``stem.png`` and, unless ``pdf`` is off, ``stem.pdf``, without dates; gives the files."""
    files = [stem.with_name(stem.name + ".png")]
    with writing(files[0]) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
    if pdf:
        files.append(stem.with_name(stem.name + ".pdf"))
        about = {"Creator": info.software, "Producer": None, "CreationDate": None, "Title": info.title}
        with writing(files[1]) as temporary:
            figure.savefig(temporary, format="pdf", dpi=DPI, metadata=about)
    return files


def _axes(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    """Axes placed in millimetres from the lower left corner of the sheet."""
    return figure.add_axes((left / A3_MM[0], bottom / A3_MM[1], width / A3_MM[0], height / A3_MM[1]))


def _maps(figure: Any, panels: Sequence[Panel], base: BaseMap, info: SheetInfo) -> int:
    """The maps, at the largest usual scale that fits; gives the scale."""
    region = Region.around(p.grid.region for p in panels)
    room = A3_MM[0] - 3 * MARGIN_MM - COLUMN_MM
    gap = 4.0
    width = (room - gap * (len(panels) - 1)) / len(panels)
    height = A3_MM[1] - 2 * MARGIN_MM - PANEL_HEAD_MM
    scale = fitting_scale(region, width - 2, height - 2)
    tall = height if len(panels) == 1 else min(height, region.height * 1000 / scale + 14)
    bottom = MARGIN_MM + (height - tall) / 2
    x, y = region.centre
    half = (width * scale / 2000, tall * scale / 2000)
    for number_, panel in enumerate(panels):
        left = MARGIN_MM + number_ * (width + gap)
        axes = _axes(figure, left, bottom, width, tall)
        axes.set_xlim(x - half[0], x + half[0])
        axes.set_ylim(y - half[1], y + half[1])
        axes.set_facecolor("#f4f3ef")
        _draw_map(axes, panel, base)
        _coordinates(axes, info.frame, scale)
        figure.text(
            left / A3_MM[0],
            (bottom + tall + 2.5) / A3_MM[1],
            panel.title,
            fontsize=11,
            fontweight="bold",
            va="bottom",
        )
    return scale


def _extent(grid: Grid) -> tuple[float, float, float, float]:
    region = grid.region
    return region.west, region.east, region.south, region.north


def _draw_map(axes: Any, panel: Panel, base: BaseMap) -> None:
    axes.imshow(
        hillshade(base.relief),
        extent=_extent(base.relief.grid),
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="bilinear",
        zorder=1,
    )
    image = panel.image.copy()
    image[..., 3] = np.where(image[..., 3] > 0, 214, 0)
    axes.imshow(image, extent=_extent(panel.grid), interpolation="nearest", zorder=2)
    grey = tuple(c / 255 for c in EXISTING_FILL)
    line = tuple(c / 255 for c in PROPOSED_LINE)
    kept = base.existing if panel.proposed else (*base.existing, *base.removed)
    _outlines(axes, kept, facecolor=(*grey, 0.9), edgecolor="#4a4a4e", linewidth=0.25, zorder=3)
    if panel.proposed:
        _outlines(
            axes,
            base.removed,
            facecolor="none",
            edgecolor=line,
            linewidth=0.7,
            linestyle=(0, (3, 2)),
            zorder=4,
        )
        _outlines(axes, base.proposed, facecolor=(1, 1, 1, 0.75), edgecolor=line, linewidth=1.2, zorder=5)
    _outlines(axes, [shape for _, shape in base.areas], **AREA_LINE, facecolor="none", zorder=6)
    for name, shape in base.areas:
        _area_name(axes, name, shape)
    size = 7 if len(base.observers) == 1 else 4
    for place in base.observers:
        axes.plot(*place, marker="o", markersize=size, markerfacecolor="white", markeredgecolor=INK, zorder=6)
        axes.plot(*place, marker=".", markersize=0.7 * size, color=INK, zorder=7)
    for (x, y), name in zip(base.observers, base.observer_names, strict=False):
        _place_name(axes, x, y, name)
    axes.set_autoscale_on(False)


def _place_name(axes: Any, x: float, y: float, name: str) -> None:
    """The name of a standpoint beside its mark."""
    from matplotlib import patheffects

    halo = [patheffects.withStroke(linewidth=1.8, foreground="white")]
    axes.annotate(
        name[:24], (x, y), (4, 4), textcoords="offset points", fontsize=6, fontweight="bold", color=INK,
        path_effects=halo, zorder=8, clip_on=True, annotation_clip=True,
    )  # fmt: skip


def _area_name(axes: Any, name: str, shape: Any) -> None:
    """The name of an area within it, on a light ground."""
    from matplotlib import patheffects

    place = shape.representative_point()
    halo = [patheffects.withStroke(linewidth=1.6, foreground="white")]
    axes.text(
        place.x, place.y, name[:40], fontsize=5.5, ha="center", va="center", color=AREA_LINE["edgecolor"],
        path_effects=halo, zorder=8, clip_on=True,
    )  # fmt: skip


def _outlines(axes: Any, shapes: Sequence[Any], **style: Any) -> None:
    """Polygons with their holes as one compound path."""
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path as Curve

    curves = []
    for shape in shapes:
        for polygon in shapely.get_parts(shape):
            rings = [polygon.exterior, *polygon.interiors]
            vertices = np.concatenate([np.asarray(r.coords)[:, :2] for r in rings])
            codes = np.concatenate(
                [[Curve.MOVETO] + [Curve.LINETO] * (len(r.coords) - 2) + [Curve.CLOSEPOLY] for r in rings]
            )
            curves.append(Curve(vertices, codes))
    if curves:
        limits = axes.get_xlim(), axes.get_ylim()
        axes.add_collection(PathCollection(curves, **style), autolim=False)
        axes.set_xlim(limits[0])
        axes.set_ylim(limits[1])


def hillshade(relief: Raster) -> NDArray[np.float64]:
    """Relief lit from the north-west at 45 degrees, light grey, 0 to 255; NaN where there is no ground."""
    z = relief.values.astype(np.float64)
    dy, dx = np.gradient(z, relief.grid.cell_size) if min(z.shape) > 1 else (np.zeros_like(z),) * 2
    # Row numbers grow to the south.
    normal = np.stack([-dx, dy, np.ones_like(z)])
    normal /= np.linalg.norm(normal, axis=0)
    light = np.tensordot(np.array([-0.5, 0.5, np.sqrt(0.5)]), normal, axes=1)
    shaded: NDArray[np.float64] = 120 + 130 * np.clip(light, 0, 1)
    return shaded


def _coordinates(axes: Any, frame: Frame, scale: int) -> None:
    """Ticks at round world coordinates."""
    step = next(s for s in (20, 50, 100, 200, 500, 1000, 2000, 5000) if s * 1000 / scale >= 35)
    for axis, origin, limits in (
        (axes.xaxis, frame.origin[0], axes.get_xlim()),
        (axes.yaxis, frame.origin[1], axes.get_ylim()),
    ):
        first = np.ceil((limits[0] + origin) / step) * step
        ticks = np.arange(first, limits[1] + origin, step)
        axis.set_ticks(ticks - origin, labels=[f"{t:.0f}" for t in ticks])
    axes.tick_params(labelsize=5.5, length=2, width=0.4, direction="in", colors="#55555a", pad=-9)
    axes.tick_params(axis="y", labelrotation=90, pad=-7)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_bbox({"facecolor": "white", "alpha": 0.6, "edgecolor": "none", "pad": 0.6})
        label.set_zorder(9)
    for label in axes.get_yticklabels():
        label.set_va("center")
    for side in axes.spines.values():
        side.set_linewidth(0.6)


def _column(figure: Any, legend: Legend, info: SheetInfo, scale: int, base: BaseMap) -> None:
    """Title, date, legend, facts, scale, north, method and record, from top to bottom."""
    axes = _axes(figure, A3_MM[0] - MARGIN_MM - COLUMN_MM, MARGIN_MM, COLUMN_MM, A3_MM[1] - 2 * MARGIN_MM)
    axes.set_xlim(0, COLUMN_MM)
    axes.set_ylim(A3_MM[1] - 2 * MARGIN_MM, 0)
    axes.axis("off")
    y = _text(axes, 0, info.title, 15, bold=True)
    y = _text(axes, y + 1, info.site, 9)
    if info.synthetic:
        y = _text(axes, y, word("synthetic", info.language), 8.5, bold=True, colour="#b2182b")
    y = _text(axes, y + 2, info.subtitle, 10, bold=True)
    for line in info.lines:
        y = _text(axes, y + 0.6, line, 8)
    y = _legend(axes, y + 5, legend, info, base)
    bottom = A3_MM[1] - 2 * MARGIN_MM
    record = record_lines(info)
    size = 3.0 * sum(len(_wrapped(line, 6.2, bold=False)) for line in record)
    top = bottom - size - 2
    _north(axes, 12, top - 22, info)
    _scale_bar(axes, 34, top - 14, scale, info)
    y = top
    axes.plot([0, COLUMN_MM], [y - 3, y - 3], color="#99999d", linewidth=0.5)
    for line in record:
        y = _text(axes, y, line, 6.2)


def _text(axes: Any, y: float, text: str, size: float, *, bold: bool = False, colour: str = INK) -> float:
    """Text wrapped to the column from ``y`` down; gives where it ends [mm]."""
    pitch = max(size * 0.47, 3.0)
    for line in _wrapped(text, size, bold=bold):
        axes.text(0, y, line, fontsize=size, fontweight="bold" if bold else "normal", va="top", color=colour)
        y += pitch
    return y


def _wrapped(text: str, size: float, *, bold: bool) -> list[str]:
    """Lines of at most the column's width, by the width of the letters; a longer word is cut."""
    face = ImageFont.truetype(str(font_file(bold)), 100)
    room = COLUMN_MM / MM_PER_POINT / size * 100
    lines = [""]
    for word_ in text.split():
        rest = word_
        longer = f"{lines[-1]} {rest}".strip()
        if face.getlength(longer) <= room:
            lines[-1] = longer
            continue
        while face.getlength(rest) > room:
            fits = next(k for k in range(len(rest), 0, -1) if face.getlength(rest[:k]) <= room)
            lines.append(rest[:fits])
            rest = rest[fits:]
        lines.append(rest)
    return [line for line in lines if line][:LINES]


def _legend(axes: Any, y: float, legend: Legend, info: SheetInfo, base: BaseMap) -> float:
    from matplotlib.patches import Rectangle

    y = _text(axes, y, legend.title, 9, bold=True) + 1
    for colour, label in legend.entries:
        shade = tuple(c / 255 for c in colour)
        axes.add_patch(Rectangle((0, y), 8, 4, facecolor=shade, edgecolor="#66666a", linewidth=0.3))
        axes.text(10, y + 2, label, fontsize=8, va="center")
        y += 5
    y += 2
    line = tuple(c / 255 for c in PROPOSED_LINE)
    grey = tuple(c / 255 for c in EXISTING_FILL)
    marks: list[tuple[Any, str, dict[str, Any]]] = [
        (base.existing or base.removed, "existing_building", {"facecolor": grey, "edgecolor": "#4a4a4e"})
    ]
    marks.append(
        (base.proposed, "proposed_building", {"facecolor": "white", "edgecolor": line, "linewidth": 1.2})
    )
    marks.append(
        (base.removed, "removed_building", {"facecolor": "none", "edgecolor": line, "linestyle": (0, (3, 2))})
    )
    marks.append((base.areas, "named_area", {"facecolor": "none", **AREA_LINE}))
    for shown, key, style in marks:
        if shown:
            axes.add_patch(Rectangle((0, y), 8, 4, **style))
            axes.text(10, y + 2, word(key, info.language), fontsize=8, va="center")
            y += 5
    if base.observers:
        axes.plot(4, y + 2, marker="o", markersize=7, markerfacecolor="white", markeredgecolor=INK)
        axes.plot(4, y + 2, marker=".", markersize=5, color=INK)
        axes.text(10, y + 2, word("observer", info.language), fontsize=8, va="center")
        y += 5
    return y


def _north(axes: Any, x: float, y: float, info: SheetInfo) -> None:
    """An arrow to grid north (up), and a thin one to true north."""
    convergence = info.frame.convergence_deg
    axes.annotate("", (x, y - 9), (x, y + 9), arrowprops={"width": 1.4, "headwidth": 7, "color": INK})
    axes.text(x, y - 11, "N", ha="center", va="bottom", fontsize=10, fontweight="bold")
    # True north lies at the azimuth -convergence of the grid: to the left where it is positive.
    lean = np.radians(-convergence)
    tip = (x + 18 * np.sin(lean), y + 9 - 18 * np.cos(lean))
    axes.plot([x, tip[0]], [y + 9, tip[1]], color="#b2182b", linewidth=0.6)
    text = f"{word('true_north', info.language)} {number(-convergence, 2, info.language)}°"
    axes.text(0, y + 12.5, text, fontsize=6, color="#b2182b", va="top")
    axes.text(0, y + 15.5, word("grid_north", info.language), fontsize=6, va="top")


def _scale_bar(axes: Any, x: float, y: float, scale: int, info: SheetInfo) -> None:
    """A bar of round length, and the scale in numbers."""
    from matplotlib.patches import Rectangle

    length = max(m for m in (5, 10, 20, 25, 50, 100, 200, 250, 500, 1000) if m * 1000 / scale <= 50)
    mm = length * 1000 / scale
    for k in range(4):
        fill = INK if k % 2 == 0 else "white"
        axes.add_patch(
            Rectangle((x + k * mm / 4, y), mm / 4, 2, facecolor=fill, edgecolor=INK, linewidth=0.5)
        )
    for share in (0, 0.5, 1):
        label = number(length * share, 0 if length * share % 1 == 0 else 1, info.language)
        axes.text(
            x + mm * share, y + 3, label + (" m" if share == 1 else ""), fontsize=7, ha="center", va="top"
        )
    text = f"{word('scale', info.language)} 1:{scale} {word('at_a3', info.language)}"
    axes.text(x, y - 2, text, fontsize=9, fontweight="bold", va="bottom")


def record_lines(info: SheetInfo) -> list[str]:
    """The small print: method, coordinates, scenario, sources, software."""
    language = info.language
    lines = [f"{word('method', language)}: " + "; ".join(info.method)] if info.method else []
    lines.append(
        f"{word('crs', language)}: {info.frame.crs_name}, "
        f"{word('heights', language)} {info.frame.vertical} [m]"
    )
    lines.append(f"{word('scenario', language)}: {info.scenario}, {info.scene_hash[:16]}")
    if info.attribution:
        lines.append(f"{word('source', language)}: {info.attribution}")
    lines.append(info.software)
    return lines
