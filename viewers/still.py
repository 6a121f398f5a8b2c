"""A rendered picture as a sheet: the picture, and under it what it shows, when, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from twin.frame import Frame
from twin.io.atomic import writing
from twin.model.results import SunInstant
from twin.study.camera import Camera
from twin.study.picture import Picture
from viewers.fonts import font_file
from viewers.plate import Legend
from viewers.words import instant_text, number, sun_text, word

STRIP = 0.095
"""Height of the caption, as a share of the picture's width."""
INK = (40, 40, 44)
PAPER = (250, 249, 246)
ALARM = (178, 24, 43)


@dataclass(frozen=True, slots=True)
class StillInfo:
    """What the caption says besides camera and sun."""

    view: str
    site: str
    scenario: str
    scene_hash: str
    language: str
    attribution: str
    synthetic: bool
    engine: str
    eye_above_ground_m: float | None = None
    lod: str | None = None
    legend: Legend | None = None
    accuracy: str = ""
    change: bool = False
    lens: float | None = None
    """Focal length in the sensor of the view [mm]."""


def write_still(
    path: Path, picture: Picture, camera: Camera, sun: SunInstant, frame: Frame, info: StillInfo
) -> None:
    """Write the picture with its caption as PNG; the same picture gives the same bytes."""
    height, width = picture.rgb.shape[:2]
    strip = max(60, round(STRIP * width))
    sheet = Image.new("RGB", (width, height + strip), PAPER)
    sheet.paste(Image.fromarray(np.asarray(picture.rgb)), (0, 0))
    draw = ImageDraw.Draw(sheet)
    title, text = strip * 0.18, strip * 0.12
    compass = strip * 0.40
    lines = caption_lines(camera, sun, frame, info)
    room = width - 3.2 * compass
    y = height + strip * 0.08
    _fitted(draw, (strip * 0.18, y), lines[0], title, room, bold=True)
    y += title * 1.45
    for line in lines[1:]:
        alarm = line == word("synthetic", info.language)
        _fitted(draw, (strip * 0.18, y), line, text, room, bold=alarm, ink=ALARM if alarm else INK)
        y += text * 1.32
    if info.legend is not None:
        _legend(draw, info.legend, (width, height), text)
    middle = (width - 1.5 * compass, height + strip / 2)
    _compass(draw, middle, compass * 0.8, camera.bearing_true_deg, text)
    with writing(path) as temporary:
        sheet.save(temporary, format="PNG", compress_level=6)


def caption_lines(camera: Camera, sun: SunInstant, frame: Frame, info: StillInfo) -> list[str]:
    """The lines of the caption, title first."""
    language = info.language
    state = word("existing" if info.scenario == "existing" else "proposed", language)
    if info.change:
        state = word("picture_change", language).lower()
    scenario = "" if info.scenario == "existing" else f" ({info.scenario})"
    east, north = frame.to_world(np.array([camera.eye[:2]]))[0]
    eye = f"E {east:.1f} N {north:.1f}, {number(camera.eye[2], 2, language)} m ({frame.vertical})"
    if info.eye_above_ground_m is not None:
        eye += f", {number(info.eye_above_ground_m, 2, language)} m {word('above_ground', language)}"
    lines = [
        f"{info.view} - {state}{scenario}" + (f" - LoD {info.lod}" if info.lod else ""),
        f"{instant_text(sun, language)}. {sun_text(sun, language)}",
        f"{word('eye', language)}: {eye}; {frame.crs_name}; {word('bearing', language)} "
        f"{number(camera.bearing_true_deg % 360, 1, language)}°; {word('field_of_view', language)} "
        f"{number(camera.hfov_deg, 1, language)}°"
        + (f" ({number(info.lens, 0, language)} mm)" if info.lens is not None else ""),
        f"{info.site}; {word('scenario', language)} {info.scenario} {info.scene_hash[:12]}; "
        f"{word('engine', language)} {info.engine}"
        + (f"; {word('source', language)}: {info.attribution}" if info.attribution else ""),
    ]
    more = [word("change_key", language)] if info.change else []
    lines[1] += "".join(f"; {text}" for text in [*more, info.accuracy] if text)
    if camera.roll_deg:
        lines[2] += f"; {word('roll', language)} {number(camera.roll_deg, 2, language)}°"
    if info.synthetic:
        lines.append(word("synthetic", language))
    return [" ".join(line.split()) for line in lines]


def _legend(draw: ImageDraw.ImageDraw, legend: Legend, size: tuple[int, int], text: float) -> None:
    """The classes in the lower left corner of the picture."""
    face = ImageFont.truetype(str(font_file(False)), max(8, round(text)))
    pitch, edge = text * 1.5, text * 0.8
    rows = [legend.title, *(label for _, label in legend.entries)]
    wide = max(draw.textlength(row, font=face) for row in rows) + 4 * edge
    top = size[1] - pitch * len(rows) - 2 * edge
    draw.rectangle([edge, top - edge, edge + wide, size[1] - edge], fill=PAPER, outline=INK)
    draw.text((2 * edge, top - edge / 2), legend.title, fill=INK, font=face)
    for k, (colour, label) in enumerate(legend.entries, start=1):
        y = top + k * pitch
        draw.rectangle([2 * edge, y, 2 * edge + 1.6 * text, y + text], fill=colour, outline=INK)
        draw.text((2 * edge + 2.2 * text, y - edge / 4), label, fill=INK, font=face)


def _fitted(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    line: str,
    size: float,
    room: float,
    *,
    bold: bool = False,
    ink: tuple[int, int, int] = INK,
) -> None:
    """A line no wider than the room: smaller letters first, then cut short."""
    face = ImageFont.truetype(str(font_file(bold)), max(8, round(size)))
    shrunk = size
    while draw.textlength(line, font=face) > room and shrunk > 0.75 * size:
        shrunk *= 0.95
        face = ImageFont.truetype(str(font_file(bold)), max(8, round(shrunk)))
    while draw.textlength(line, font=face) > room and len(line) > 8:
        line = line[:-5].rstrip() + "…"
    draw.text(at, line, fill=ink, font=face)


def _compass(
    draw: ImageDraw.ImageDraw, middle: tuple[float, float], radius: float, bearing: float, text: float
) -> None:
    """A rose turned so that up is where the camera looks; the needle points to true north."""
    x, y = middle
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=INK, width=2)
    angle = np.radians(-bearing)
    way = np.array([np.sin(angle), -np.cos(angle)])
    side = np.array([-way[1], way[0]])
    tip, tail = np.array(middle) + radius * 0.85 * way, np.array(middle) - radius * 0.55 * way
    left, right = tail + side * radius * 0.28, tail - side * radius * 0.28
    draw.polygon([tuple(tip), tuple(left), middle, tuple(right)], fill=INK)
    face = ImageFont.truetype(str(font_file(True)), max(8, round(text)))
    at = np.array(middle) + radius * 1.28 * way
    draw.text((float(at[0]), float(at[1])), "N", fill=INK, font=face, anchor="mm")
