"""A4 sheets with curves: profiles and skylines, with axes in units, facts and method; as PNG and PDF."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viewers.fonts import prepare
from viewers.palette import Colour
from viewers.plate import INK, SheetInfo, record_lines, rules, save_figure
from viewers.words import number, word

A4_MM = (297.0, 210.0)
MARGIN_MM = 14.0
PLOT_MM = (24.0, 48.0, 259.0, 116.0)
"""Left, bottom, width and height of the plot."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A line over x; NaN breaks it."""

    label: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    colour: Colour
    width: float = 1.2
    dashed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Fill:
    """What lies between two lines, where the second is above the first."""

    label: str
    x: NDArray[np.floating]
    low: NDArray[np.floating]
    high: NDArray[np.floating]
    colour: Colour


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Curves and what lies between them, with marked points (x, y, text); ``round_deg`` counts x from 0 to 360."""

    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    fills: tuple[Fill, ...] = ()
    marks: tuple[tuple[float, float, str], ...] = ()
    round_deg: bool = False


def write_chart(stem: Path, chart: Chart, info: SheetInfo) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf``; the same chart gives the same bytes."""
    prepare()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(rules()):
        figure = Figure(figsize=(A4_MM[0] / 25.4, A4_MM[1] / 25.4), facecolor="white")
        FigureCanvasAgg(figure)
        stretch = _plot(figure, chart, info)
        _words(figure, info, stretch)
        return save_figure(figure, stem, info)


def _plot(figure: Any, chart: Chart, info: SheetInfo) -> float:
    """The axes; gives how much longer a unit is drawn upright than across."""
    left, bottom, width, height = PLOT_MM
    axes = figure.add_axes((left / A4_MM[0], bottom / A4_MM[1], width / A4_MM[0], height / A4_MM[1]))
    for fill in chart.fills:
        colour = tuple(c / 255 for c in fill.colour)
        axes.fill_between(
            fill.x,
            fill.low,
            fill.high,
            where=fill.high > fill.low,
            color=colour,
            linewidth=0,
            label=fill.label,
        )
    for curve in chart.curves:
        axes.plot(
            curve.x,
            curve.y,
            color=tuple(c / 255 for c in curve.colour),
            linewidth=curve.width,
            linestyle=(0, (4, 2)) if curve.dashed else "-",
            label=curve.label,
        )
    for x, y, text in chart.marks:
        axes.plot(x, y, marker="o", markersize=5, color=INK, zorder=5)
        axes.annotate(
            text, (x, y), (4, 6), textcoords="offset points", fontsize=7, fontweight="bold", color=INK
        )
    xs = np.concatenate([np.asarray(c.x, dtype=np.float64) for c in chart.curves])
    axes.set_xlim(float(np.nanmin(xs)), float(np.nanmax(xs)))
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.12 * (high - low))
    if chart.round_deg:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value % 360.0:g}")
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    axes.grid(color="#d8d8d8", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.legend(loc="upper right", ncols=4, fontsize=7, frameon=False)
    x, y = axes.get_xlim(), axes.get_ylim()
    return float((height / (y[1] - y[0])) / (width / (x[1] - x[0])))


def _words(figure: Any, info: SheetInfo, stretch: float) -> None:
    """Title and facts above the plot, the record below it."""

    def put(x: float, y: float, text: str, size: float, **style: Any) -> None:
        figure.text(x / A4_MM[0], y / A4_MM[1], text, fontsize=size, va="top", **style)

    top = A4_MM[1] - MARGIN_MM
    put(MARGIN_MM, top, info.title, 14, fontweight="bold")
    put(MARGIN_MM, top - 8, f"{info.site} - {info.subtitle}", 9)
    y = top - 13.0
    if info.synthetic:
        put(MARGIN_MM, y, word("synthetic", info.language), 8, fontweight="bold", color="#a50f15")
        y -= 4.5
    facts = (*info.lines, word("exaggerated", info.language).format(number(stretch, 1, info.language)))
    for line in _wrapped(["; ".join(facts)], 165)[:3]:
        put(MARGIN_MM, y, line, 8)
        y -= 4.0
    y = 33.0
    for line in _wrapped(record_lines(info), 190)[:7]:
        put(MARGIN_MM, y, line, 6.5)
        y -= 3.2


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, width) or [""]]
