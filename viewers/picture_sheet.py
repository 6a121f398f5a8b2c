"""A3 sheets with pictures of one view: existing, proposed, what changes, and the record of how they were made."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from viewers.fonts import prepare
from viewers.palette import EXISTING_FILL, GONE_SHADE, PROPOSED_LINE
from viewers.plate import A3_MM, INK, MARGIN_MM, SCALES, SheetInfo, record_lines, rules, save_figure
from viewers.words import number, word

GAP_MM = 6.0
HEAD_MM = 17.0
"""Title and subtitle."""
LABEL_MM = 5.0
"""Line above each picture."""
TEXT_POINT = 8.0
CHAR_MM = 1.50
"""Mean width of a letter of that size."""

WIDE_MM = 0.235
"""Mean width of a bold letter, for each point of its size."""
SMALL_POINT, SMALL_CHAR_MM = 6.5, 1.24
ALARM_MM = 78.0
"""Room for the words that the data are synthetic."""
PLAN_MM = 62.0
"""Side of the plan of where the eye stands."""

Labelled = tuple[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where the eye stands: outlines of what stays, goes and comes, the eye and its view; local space [m]."""

    existing: tuple[Any, ...]
    removed: tuple[Any, ...]
    proposed: tuple[Any, ...]
    eye: tuple[float, float]
    bearing_grid_deg: float
    hfov_deg: float


def picture_width_mm(count: int, shape: tuple[int, ...]) -> float:
    """How wide each of some pictures of a shape (h, w, 3) stands on the sheet: one alone, or two beside each other."""
    room_x, room_y = _room(count)
    return min(room_x, room_y * shape[1] / shape[0])


def _room(count: int) -> tuple[float, float]:
    """Width and height that a picture has [mm]."""
    wide, high = A3_MM[0] - 2 * MARGIN_MM, A3_MM[1] - 2 * MARGIN_MM - HEAD_MM
    if count == 1:
        return wide - 92.0, high - LABEL_MM
    return (wide - GAP_MM) / 2, (high - GAP_MM) / 2 - LABEL_MM


def write_picture_sheet(stem: Path, pictures: Sequence[Labelled], info: SheetInfo, plan: Plan) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf``; the same pictures give the same bytes.

    Parameters
    ----------
    stem
        Path without suffix.
    pictures
        One picture (h, w, 3), or up to three of one size, each with its label.
    info
        The words; facts and method make the record beside the pictures.
    plan
        Where the eye stands.
    """
    prepare()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(rules()):
        figure = Figure(figsize=(A3_MM[0] / 25.4, A3_MM[1] / 25.4), facecolor="white")
        FigureCanvasAgg(figure)
        top = A3_MM[1] - MARGIN_MM
        wide = A3_MM[0] - 2 * MARGIN_MM
        # The alarm keeps its place whatever the title says.
        _fitted(figure, (MARGIN_MM, top), info.title, (14, 8), wide - ALARM_MM, fontweight="bold")
        _fitted(figure, (MARGIN_MM, top - 8), f"{info.site} - {info.subtitle}", (9, 7), wide)
        if info.synthetic:
            alarm = {"fontweight": "bold", "color": "#a50f15", "ha": "right"}
            _put(figure, A3_MM[0] - MARGIN_MM, top, word("synthetic", info.language), 9, **alarm)
        room_x, room_y = _room(len(pictures))
        width = picture_width_mm(len(pictures), pictures[0][1].shape)
        height = width * pictures[0][1].shape[0] / pictures[0][1].shape[1]
        corner = (MARGIN_MM, top - HEAD_MM)
        for k, (label, rgb) in enumerate(pictures):
            left = corner[0] + (k % 2) * (room_x + GAP_MM)
            upper = corner[1] - (k // 2) * (room_y + LABEL_MM + GAP_MM)
            _fitted(figure, (left, upper), label, (9, 6), width, fontweight="bold")
            box = (left, upper - LABEL_MM - height, width, height)
            axes = figure.add_axes(
                (box[0] / A3_MM[0], box[1] / A3_MM[1], box[2] / A3_MM[0], box[3] / A3_MM[1])
            )
            axes.imshow(rgb, aspect="auto", interpolation="lanczos")
            axes.set_xticks([])
            axes.set_yticks([])
            for side in axes.spines.values():
                side.set_linewidth(0.5)
                side.set_color(INK)
        if len(pictures) == 1:
            at, wide = (corner[0] + room_x + GAP_MM, corner[1] - LABEL_MM), 92.0 - GAP_MM
        else:
            lower = corner[1] - (room_y + LABEL_MM + GAP_MM) - LABEL_MM
            at, wide = (corner[0] + room_x + GAP_MM, lower), room_x
        below = _facts(figure, at, wide, info)
        foot = MARGIN_MM + 5.0
        _plan(figure, (at[0], foot), plan, info)
        if wide > 2 * PLAN_MM:
            _small_print(figure, (at[0] + PLAN_MM + 5.0, foot + PLAN_MM), wide - PLAN_MM - 5.0, info)
        else:
            _small_print(figure, (at[0], below), wide, info)
        return save_figure(figure, stem, info)


def _facts(figure: Any, at: tuple[float, float], width: float, info: SheetInfo) -> float:
    """The facts, line by line; gives the height below them."""
    x, y = at
    for line in info.lines:
        for k, part in enumerate(textwrap.wrap(line, max(20, int(width / CHAR_MM))) or [""]):
            _put(figure, x, y, ("" if k == 0 else "   ") + part, TEXT_POINT)
            y -= 3.9
        y -= 0.8
    return y - 2.0


def _small_print(figure: Any, at: tuple[float, float], width: float, info: SheetInfo) -> None:
    """Method, coordinates, scenario, sources, software."""
    x, y = at
    for line in record_lines(info):
        for part in textwrap.wrap(line, max(20, int(width / SMALL_CHAR_MM))):
            _put(figure, x, y, part, SMALL_POINT)
            y -= 3.1


def _plan(figure: Any, at: tuple[float, float], plan: Plan, info: SheetInfo) -> None:
    """A plan at a usual scale, grid north up, with the eye and what it looks at."""
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Wedge

    eye = np.array(plan.eye)
    turn = np.radians(plan.bearing_grid_deg)
    ahead = eye + (60.0 if plan.proposed else 300.0) * np.array([np.sin(turn), np.cos(turn)])
    corners = [eye[None], ahead[None], *(shapely.get_coordinates(shape) for shape in plan.proposed)]
    points = np.concatenate(corners)
    # A proposal far away would make the plan unreadable: then it shows the surroundings of the eye.
    points = points[np.abs(points - eye).max(axis=1) <= 1500.0]
    low, high = points.min(axis=0), points.max(axis=0)
    need = 1.15 * float((high - low).max()) * 1000.0 / PLAN_MM
    scale = next((s for s in SCALES if s >= need), SCALES[-1])
    half = PLAN_MM * scale / 2000.0
    middle = (low + high) / 2
    axes = figure.add_axes((at[0] / A3_MM[0], at[1] / A3_MM[1], PLAN_MM / A3_MM[0], PLAN_MM / A3_MM[1]))
    axes.set_xlim(middle[0] - half, middle[0] + half)
    axes.set_ylim(middle[1] - half, middle[1] + half)
    axes.set_facecolor("#f4f3ef")
    window = shapely.box(*(middle - half), *(middle + half))
    axes.set_xticks([])
    axes.set_yticks([])
    red, gone = (tuple(c / 255 for c in colour) for colour in (PROPOSED_LINE, GONE_SHADE))
    grey = tuple(c / 255 for c in EXISTING_FILL)
    styles: tuple[tuple[Any, dict[str, Any]], ...] = (
        (plan.existing, {"facecolor": grey, "edgecolor": "#4a4a4e", "linewidth": 0.25, "zorder": 2}),
        (plan.removed, {"facecolor": (*gone, 0.45), "edgecolor": gone, "linewidth": 0.6, "zorder": 3}),
        (plan.proposed, {"facecolor": (*red, 0.35), "edgecolor": red, "linewidth": 1.0, "zorder": 4}),
    )
    for shapes, style in styles:
        near = shapely.intersection(np.array(shapes, dtype=object), window)
        parts = shapely.get_parts(near)
        rings = [
            np.asarray(part.exterior.coords)[:, :2]
            for part in parts
            if part.geom_type == "Polygon" and not part.is_empty
        ]
        axes.add_collection(PolyCollection(rings, **style))
    middle_deg = 90.0 - plan.bearing_grid_deg
    ends = (middle_deg - plan.hfov_deg / 2, middle_deg + plan.hfov_deg / 2)
    cone = Wedge(tuple(eye), 8 * half, *ends, facecolor=INK, alpha=0.12, edgecolor="none", zorder=5)
    axes.add_patch(cone)
    axes.plot(*eye, marker="o", markersize=4, color=INK, zorder=6)
    language = info.language
    text = f"{word('where', language)} - {word('scale', language)} 1:{scale} {word('at_a3', language)}"
    _put(figure, at[0], at[1] + PLAN_MM + 4.5, text, 7.5, fontweight="bold")
    text = f"{word('grid_north', language)}; {word('true_north', language)} "
    text += f"{number(-info.frame.convergence_deg, 2, language)}°"
    _put(figure, at[0], at[1] - 1.5, text, 6.0)
    # The arrow stands in the corner of the plan.
    x, y = (at[0] + PLAN_MM - 4.5) / A3_MM[0], at[1] + PLAN_MM - 13.0
    arrow = {"width": 1.2, "headwidth": 6, "headlength": 6, "color": INK}
    figure.add_artist(_arrow((x, y / A3_MM[1]), (x, (y + 11.0) / A3_MM[1]), arrow))
    _put(figure, at[0] + PLAN_MM - 4.5, y - 0.5, "N", 9, fontweight="bold", ha="center")


def _arrow(start: tuple[float, float], end: tuple[float, float], style: dict[str, Any]) -> Any:
    from matplotlib.text import Annotation

    return Annotation("", end, xytext=start, xycoords="figure fraction", arrowprops=style)


def _fitted(
    figure: Any, at: tuple[float, float], text: str, sizes: tuple[float, float], room: float, **style: Any
) -> None:
    """A line no wider than the room: in smaller letters, between two sizes, then cut short."""
    most, least = sizes
    size = min(most, max(least, room / (max(1, len(text)) * WIDE_MM)))
    letters = int(room / (size * WIDE_MM))
    if len(text) > letters:
        text = text[: max(1, letters - 1)].rstrip() + "…"
    _put(figure, *at, text, size, **style)


def _put(figure: Any, x: float, y: float, text: str, size: float, **style: Any) -> None:
    figure.text(x / A3_MM[0], y / A3_MM[1], text, fontsize=size, va="top", **style)
