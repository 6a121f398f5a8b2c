"""A3 sheets of façades: axonometric pictures, and unfolded elevations at a stated scale; as PNG and PDF."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.errors import InputError
from twin.frame import Frame
from twin.study.camera import ParallelCamera
from viewers.fonts import prepare
from viewers.palette import PROPOSED_LINE, Colour
from viewers.plate import (
    A3_MM,
    COLUMN_MM,
    DPI,
    INK,
    MARGIN_MM,
    SCALES,
    Legend,
    SheetInfo,
    _axes,
    _scale_bar,
    _text,
    _wrapped,
    record_lines,
    rules,
    save_figure,
)
from viewers.words import number, word

MAP_MM = (A3_MM[0] - 3 * MARGIN_MM - COLUMN_MM, A3_MM[1] - 2 * MARGIN_MM)
"""Room beside the column [mm]."""
HEAD_MM = 8.0
GAP_MM = 5.0
PIXELS_PER_MM = 6.0
"""Of the rendered pictures: some 150 to the inch."""
AXIS_MM = (15.0, 15.0, 10.0, 4.0)
"""Room for the axes of an elevation: left, right, bottom, top [mm]."""
STOREY_M = 3.0
"""Distance of the lines of height in an elevation [m]."""
GROUND: Colour = (196, 184, 164)
_RED = tuple(c / 255 for c in PROPOSED_LINE)
LINES: dict[str, dict[str, Any]] = {
    "proposed": {"color": _RED, "linewidth": 0.9, "zorder": 4},
    "hidden": {"color": _RED, "linewidth": 0.3, "alpha": 0.55, "zorder": 3},
    "removed": {"color": _RED, "linewidth": 0.7, "linestyle": (0, (3, 2)), "zorder": 3},
}
"""Edges of proposed volumes that are seen, those on their far side, and edges of what goes."""
LINE_WORDS = {"proposed": "proposed_building", "removed": "removed_building"}
FACADE_SCALES = (50, 75, 100, 125, 150, *(scale for scale in SCALES if scale > 150))
KEY_MM = 62.0
"""Side of the small plan that shows where a façade lies [mm]."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How an axonometric sheet is laid out: panels one above the other, one scale.

    Parameters
    ----------
    scale
        Denominator, in the plane of the picture.
    panel_mm
        Width and height of each picture [mm].
    """

    scale: int
    panel_mm: tuple[float, float]

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height of each picture [pixel]."""
        return round(self.panel_mm[0] * PIXELS_PER_MM), round(self.panel_mm[1] * PIXELS_PER_MM)

    @property
    def pixel_m(self) -> float:
        """Side of a pixel [m]."""
        return self.scale / 1000.0 / PIXELS_PER_MM


@dataclass(frozen=True, slots=True, eq=False)
class Axonometry:
    """One picture of an axonometric sheet.

    Parameters
    ----------
    title
        Above it.
    rgb
        (h, w, 3) uint8.
    labels
        Picture points [pixel] and what stands there.
    outlines
        Kind (a key of ``LINES``) and line (k, 2) of picture points [pixel].
    """

    title: str
    rgb: NDArray[np.uint8]
    labels: tuple[tuple[float, float, str], ...] = ()
    outlines: tuple[tuple[str, NDArray[np.float64]], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class KeyPlan:
    """Where a façade lies.

    Parameters
    ----------
    facade
        Its two ends (2, 2), local space [m].
    outwards
        Unit vector (2,) it faces.
    existing, proposed
        Outlines of buildings.
    """

    facade: NDArray[np.float64]
    outwards: tuple[float, float]
    existing: tuple[Any, ...]
    proposed: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Elevation:
    """A façade seen at right angles from outside, with one colour for each cell and state.

    Parameters
    ----------
    cells
        Outlines (k, 2): metres along the façade, to the right as seen from outside; height above the datum [m].
    states
        Title and colours (n, 3) of the cells, for each panel.
    ground
        (g, 2) foot of the façade: along it, height of the ground [m].
    lines
        (l, 2) samples on window lines [m].
    key
        Where it lies.
    """

    cells: tuple[NDArray[np.float64], ...]
    states: tuple[tuple[str, NDArray[np.integer]], ...]
    ground: NDArray[np.float64]
    lines: NDArray[np.float64]
    key: KeyPlan

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, low, right, high of cells and ground [m]."""
        points = np.concatenate([*self.cells, self.ground])
        (left, low), (right, high) = points.min(axis=0), points.max(axis=0)
        return float(left), float(low), float(right), float(high)


def drawing_of(width_m: float, height_m: float, panels: int) -> Drawing:
    """The largest usual scale at which pictures of that extent fit one above the other.

    Raises
    ------
    InputError
        They are larger than any sheet at the smallest scale.
    """
    tall = (MAP_MM[1] - panels * HEAD_MM - (panels - 1) * GAP_MM) / panels
    for scale in SCALES:
        if width_m * 1000 / scale <= MAP_MM[0] and height_m * 1000 / scale <= tall:
            return Drawing(scale, (MAP_MM[0], tall))
    raise InputError(
        f"façades over {width_m:.0f} x {height_m:.0f} m do not fit an A3 sheet at 1:{SCALES[-1]}; "
        "give the study an area"
    )


def write_axonometry(
    stem: Path,
    pictures: Sequence[Axonometry],
    drawing: Drawing,
    camera: ParallelCamera,
    legend: Legend,
    info: SheetInfo,
) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf`` with pictures of one camera, one above the other."""
    figure = _figure()
    import matplotlib

    with matplotlib.rc_context(rules()):
        wide, tall = drawing.panel_mm
        for row, picture in enumerate(pictures):
            bottom = A3_MM[1] - MARGIN_MM - (row + 1) * (HEAD_MM + tall) - row * GAP_MM
            _title(figure, MARGIN_MM, bottom + tall, picture.title)
            axes = _axes(figure, MARGIN_MM, bottom, wide, tall)
            _picture(axes, picture)

        def foot(axes: Any, top: float) -> None:
            _turned_north(axes, 14.0, top - 13.0, camera, info)
            _axonometric_scale(axes, 36.0, top - 14.0, drawing.scale, camera, info)

        kinds = {kind for picture in pictures for kind, _ in picture.outlines}

        def marks(axes: Any, y: float) -> None:
            _line_legend(axes, y, kinds, info)

        _column(figure, (legend,), info, foot, marks)
        return save_figure(figure, stem, info)


def _picture(axes: Any, picture: Axonometry) -> None:
    height, width = picture.rgb.shape[:2]
    axes.imshow(picture.rgb, extent=(0, width, height, 0), interpolation="bilinear", aspect="auto")
    for kind, line in picture.outlines:
        axes.plot(line[:, 0], line[:, 1], solid_capstyle="round", **LINES[kind])
    for x, y, text in picture.labels:
        axes.text(
            x,
            y,
            text,
            fontsize=6.5,
            ha="center",
            va="center",
            zorder=6,
            bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "#66666a", "linewidth": 0.3, "pad": 1.2},
        )
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_linewidth(0.6)


def write_elevation(
    stem: Path, elevation: Elevation, legends: Sequence[Legend], info: SheetInfo
) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf`` with a façade in each state at the largest usual scale that fits."""
    figure = _figure()
    import matplotlib

    with matplotlib.rc_context(rules()):
        left, low, right, high = elevation.bounds
        margin = 0.04 * max(right - left, 5.0)
        box = (left - margin, low - 1.2, right + margin, high + 1.0)
        scale, columns = elevation_scale(box[2] - box[0], box[3] - box[1], len(elevation.states))
        rows = -(-len(elevation.states) // columns)
        wide, tall = (box[2] - box[0]) * 1000 / scale, (box[3] - box[1]) * 1000 / scale
        slot = (
            (MAP_MM[0] - (columns - 1) * GAP_MM) / columns,
            (MAP_MM[1] - (rows - 1) * GAP_MM) / rows,
        )
        for k, (title, colours) in enumerate(elevation.states):
            row, column = divmod(k, columns)
            x = MARGIN_MM + column * (slot[0] + GAP_MM)
            top = A3_MM[1] - MARGIN_MM - row * (slot[1] + GAP_MM)
            _title(figure, x, top - HEAD_MM, title)
            spare = slot[0] - wide - AXIS_MM[0] - AXIS_MM[1]
            axes = _axes(figure, x + AXIS_MM[0] + spare / 2, top - HEAD_MM - AXIS_MM[3] - tall, wide, tall)
            axes.set_xlim(box[0], box[2])
            axes.set_ylim(box[1], box[3])
            _facade(axes, elevation, colours)
            _heights(axes, elevation, info, scale)

        def foot(axes: Any, top: float) -> None:
            _scale_bar(axes, 2.0, top - 14.0, scale, info)

        def plan(axes: Any, y: float) -> None:
            room = 3.0 * sum(len(_wrapped(line, 6.2, bold=False)) for line in record_lines(info)) + 34.0
            _key_plan(axes, y + 3.0, MAP_MM[1] - room, elevation.key, info)

        _column(figure, legends, info, foot, plan)
        return save_figure(figure, stem, info)


def elevation_scale(width_m: float, height_m: float, panels: int) -> tuple[int, int]:
    """The largest usual scale for some elevations side by side or one above the other, and how many in a row."""
    best: tuple[int, int] | None = None
    for columns in range(1, panels + 1):
        rows = -(-panels // columns)
        wide = (MAP_MM[0] - (columns - 1) * GAP_MM) / columns - AXIS_MM[0] - AXIS_MM[1]
        tall = (MAP_MM[1] - (rows - 1) * GAP_MM) / rows - HEAD_MM - AXIS_MM[2] - AXIS_MM[3]
        for scale in FACADE_SCALES:
            if width_m * 1000 / scale <= wide and height_m * 1000 / scale <= tall:
                if best is None or scale < best[0]:
                    best = (scale, columns)
                break
    if best is None:
        raise InputError(
            f"a façade of {width_m:.0f} x {height_m:.0f} m does not fit an A3 sheet at 1:{SCALES[-1]}"
        )
    return best


def _facade(axes: Any, elevation: Elevation, colours: NDArray[np.integer]) -> None:
    from matplotlib.collections import PolyCollection

    shades = [tuple(c / 255 for c in colour[:3]) for colour in colours]
    axes.add_collection(
        PolyCollection(
            list(elevation.cells), facecolors=shades, edgecolors=shades, linewidths=0.15, zorder=2
        ),
        autolim=False,
    )
    shape = shapely.union_all(shapely.buffer([shapely.Polygon(c) for c in elevation.cells], 0.005))
    for part in shapely.get_parts(shape):
        for ring in (part.exterior, *part.interiors):
            axes.plot(*np.asarray(ring.coords).T, color=INK, linewidth=0.7, zorder=4)
    low = axes.get_ylim()[0]
    ends = axes.get_xlim()
    along = np.concatenate([[ends[0]], elevation.ground[:, 0], [ends[1]]])
    foot = np.concatenate([elevation.ground[:1, 1], elevation.ground[:, 1], elevation.ground[-1:, 1]])
    earth = tuple(c / 255 for c in GROUND)
    axes.fill_between(along, np.full(len(along), low), foot, color=earth, linewidth=0, zorder=3)
    axes.plot(along, foot, color="#5f5340", linewidth=1.2, zorder=5)
    if len(elevation.lines):
        axes.plot(
            *elevation.lines.T,
            linestyle="none",
            marker="o",
            markersize=1.8,
            markerfacecolor="white",
            markeredgecolor=INK,
            markeredgewidth=0.3,
            zorder=6,
        )
    axes.set_autoscale_on(False)


def _heights(axes: Any, elevation: Elevation, info: SheetInfo, scale: int) -> None:
    """Axes: metres along the façade, heights above the lowest ground at its foot, and above the datum."""
    left, _, right, high = elevation.bounds
    foot = float(elevation.ground[:, 1].min())
    step = next(s for s in (1, 2, 5, 10, 20, 50) if s * 1000 / scale >= 9)
    along = np.arange(0.0, right - left + 1e-6, step)
    axes.set_xticks(left + along, labels=[f"{x:.0f}" for x in along])
    rise = next(k * STOREY_M for k in (1, 2, 4, 8) if k * STOREY_M * 1000 / scale >= 4)
    marks = np.arange(0.0, high - foot + 1e-6, rise)
    axes.set_yticks(foot + marks, labels=[f"{'+' if m else '±'}{m:.0f}" for m in marks])
    axes.grid(axis="y", color="#55555a", linewidth=0.25, linestyle=(0, (1, 2)), zorder=3.5)
    other = axes.secondary_yaxis("right")
    other.set_yticks(foot + marks, labels=[number(foot + m, 2, info.language) for m in marks])
    for axis in (axes, other):
        axis.tick_params(labelsize=6, length=2, width=0.4, colors="#33333a", pad=1.5)
    language = info.language
    axes.set_xlabel(word("along_facade", language), fontsize=6.5, labelpad=1.5)
    axes.set_ylabel(word("above_foot", language), fontsize=6.5, labelpad=1.5)
    other.set_ylabel(f"{word('heights', language)} {info.frame.vertical} [m]", fontsize=6.5, labelpad=2)
    for side in (*axes.spines.values(), *other.spines.values()):
        side.set_linewidth(0.4)
        side.set_color("#99999d")


def _figure() -> Any:
    prepare()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(rules()):
        figure = Figure(figsize=(A3_MM[0] / 25.4, A3_MM[1] / 25.4), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
    return figure


def _title(figure: Any, left: float, bottom: float, text: str) -> None:
    place = (left / A3_MM[0], (bottom + 2.0) / A3_MM[1])
    figure.text(*place, text, fontsize=11, fontweight="bold", va="bottom")


def _column(
    figure: Any,
    legends: Sequence[Legend],
    info: SheetInfo,
    foot: Any,
    more: Any,
) -> None:
    """Title, facts, legends, then from the bottom up: record, and what ``foot`` draws above it."""
    axes = _axes(figure, A3_MM[0] - MARGIN_MM - COLUMN_MM, MARGIN_MM, COLUMN_MM, MAP_MM[1])
    axes.set_xlim(0, COLUMN_MM)
    axes.set_ylim(MAP_MM[1], 0)
    axes.axis("off")
    y = _text(axes, 0, info.title, 15, bold=True)
    y = _text(axes, y + 1, info.site, 9)
    if info.synthetic:
        y = _text(axes, y, word("synthetic", info.language), 8.5, bold=True, colour="#b2182b")
    y = _text(axes, y + 2, info.subtitle, 10, bold=True)
    for line in info.lines:
        y = _text(axes, y + 0.6, line, 8)
    for legend in legends:
        y = _entries(axes, y + 4, legend)
    more(axes, y + 1)
    record = record_lines(info)
    top = MAP_MM[1] - 3.0 * sum(len(_wrapped(line, 6.2, bold=False)) for line in record) - 2
    foot(axes, top - 4)
    axes.plot([0, COLUMN_MM], [top - 3, top - 3], color="#99999d", linewidth=0.5)
    y = top
    for line in record:
        y = _text(axes, y, line, 6.2)


def _entries(axes: Any, y: float, legend: Legend) -> float:
    """Classes in two columns where there are many."""
    from matplotlib.patches import Rectangle

    y = _text(axes, y, legend.title, 9, bold=True) + 1
    count = len(legend.entries)
    rows = count if count <= 9 else -(-count // 2)
    for k, (colour, label) in enumerate(legend.entries):
        column, row = divmod(k, rows)
        left, top = column * COLUMN_MM / 2, y + row * 4.6
        shade = tuple(c / 255 for c in colour)
        axes.add_patch(Rectangle((left, top), 7, 3.8, facecolor=shade, edgecolor="#66666a", linewidth=0.3))
        axes.text(left + 9, top + 1.9, label, fontsize=7.5, va="center")
    return y + rows * 4.6


def _line_legend(axes: Any, y: float, kinds: Collection[str], info: SheetInfo) -> None:
    for kind, key in LINE_WORDS.items():
        if kind in kinds:
            axes.plot([0, 7], [y + 2, y + 2], **LINES[kind])
            axes.text(9, y + 2, word(key, info.language), fontsize=7.5, va="center")
            y += 4.6


def _key_plan(axes: Any, y: float, bottom: float, key: KeyPlan, info: SheetInfo) -> None:
    """Where the façade lies and from where it is seen; grid north is up."""
    from matplotlib.patches import Polygon, Rectangle

    side = min(KEY_MM, bottom - y - 8.0)
    if side < 25.0:
        return
    y = _text(axes, y, word("where", info.language), 9, bold=True) + 1
    ends = np.asarray(key.facade)
    middle = ends.mean(axis=0)
    half = max(35.0, 1.2 * float(np.linalg.norm(ends[1] - ends[0])))

    def placed(points: Any) -> NDArray[np.float64]:
        flat = (np.asarray(points, dtype=np.float64)[:, :2] - middle) / (2 * half) * side
        return np.column_stack([side / 2 + flat[:, 0], y + side / 2 - flat[:, 1]])

    frame = Rectangle((0, y), side, side, facecolor="#f4f3ef", edgecolor=INK, linewidth=0.5, zorder=1)
    axes.add_patch(frame)
    for shapes, style in (
        (key.existing, {"facecolor": "#c9c6c2", "edgecolor": "#4a4a4e", "linewidth": 0.25, "zorder": 2}),
        (key.proposed, {"facecolor": "white", "edgecolor": _RED, "linewidth": 1.0, "zorder": 3}),
    ):
        for shape in shapes:
            for part in shapely.get_parts(shape):
                patch = Polygon(placed(part.exterior.coords), closed=True, **style)
                axes.add_patch(patch)
                patch.set_clip_path(frame)
    line = placed(ends)
    axes.plot(line[:, 0], line[:, 1], color=INK, linewidth=2.6, zorder=5, solid_capstyle="butt")
    at = placed(middle[None] + np.array([[0.0, 0.0]]))[0]
    out = np.array([key.outwards[0], -key.outwards[1]])
    axes.annotate(
        "",
        at + 1.0 * out,
        at + 10.0 * out,
        arrowprops={"width": 0.9, "headwidth": 5, "headlength": 5, "color": INK},
        zorder=6,
    )
    axes.annotate(
        "",
        (side - 5, y + 3.5),
        (side - 5, y + 11.5),
        arrowprops={"width": 0.8, "headwidth": 4.5, "headlength": 5, "color": INK},
        zorder=6,
    )
    axes.text(side - 5, y + 14.5, "N", fontsize=7, fontweight="bold", ha="center", va="center", zorder=6)
    scale = 2 * half * 1000 / side
    _text(axes, y + side + 1.5, word("key_note", info.language).format(round(scale / 50) * 50), 6)


def _turned_north(axes: Any, x: float, y: float, camera: ParallelCamera, info: SheetInfo) -> None:
    """A rose that lies on the ground of the picture; its needle points to true north."""
    from matplotlib.patches import Polygon

    ring = _ground_ring(info.frame, camera)
    radius = 10.0
    circle = np.column_stack([x + radius * ring[:, 0], y - radius * ring[:, 1]])
    axes.add_patch(Polygon(circle, closed=True, fill=False, edgecolor=INK, linewidth=0.6))
    north = ring[0]
    east = ring[len(ring) // 4]
    tip = np.array([x, y]) + radius * np.array([north[0], -north[1]]) * 0.95
    tail = np.array([x, y]) - radius * np.array([north[0], -north[1]]) * 0.65
    for sign, fill in ((1.0, INK), (-1.0, "white")):
        side = tail + sign * 0.3 * radius * np.array([east[0], -east[1]])
        axes.add_patch(
            Polygon(np.array([tip, side, [x, y]]), closed=True, facecolor=fill, edgecolor=INK, linewidth=0.5)
        )
    label = np.array([x, y]) + (radius + 4.0) * np.array([north[0], -north[1]]) / np.hypot(*north)
    if np.hypot(*north) < 1.0:
        label = np.array([x, y]) + radius * 1.45 * np.array([north[0], -north[1]])
    axes.text(*label, "N", fontsize=9, fontweight="bold", ha="center", va="center")
    axes.text(0, y + 8.6, word("true_north", info.language), fontsize=6, va="top")


def _ground_ring(frame: Frame, camera: ParallelCamera) -> NDArray[np.float64]:
    """A circle on the ground in picture axes (k, 2), clockwise from true north."""
    right, up, _ = camera.axes(frame)
    turn = np.linspace(0.0, 2 * np.pi, 73)[:-1] + np.radians(frame.azimuth_grid(0.0))
    level = np.column_stack([np.sin(turn), np.cos(turn), np.zeros_like(turn)])
    ring: NDArray[np.float64] = np.column_stack([level @ right, level @ up])
    return ring


def _axonometric_scale(
    axes: Any, x: float, y: float, scale: int, camera: ParallelCamera, info: SheetInfo
) -> None:
    """The scale bar of the picture's plane, and what it is for."""
    _scale_bar(axes, x, y, scale, info)
    pitch = abs(camera.pitch_deg)
    text = word("axonometric", info.language).format(
        number(camera.bearing_true_deg % 360.0, 0, info.language),
        number(pitch, 0, info.language),
        number(float(np.cos(np.radians(pitch))), 2, info.language),
    )
    for k, line in enumerate(text.split("\n")):
        axes.text(x - 2, y + 7.5 + 2.7 * k, line, fontsize=6, va="top")
