"""The plates of verified pictures: what they say of camera, sun, proposal, data and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.render import View
from pipelines.sheets import SheetContext, sheet_info
from pipelines.site import Site
from twin.model.scene import Scene
from twin.study.camera import Camera
from twin.study.exposure import FRAME_SR
from twin.study.impact import Change, Impact
from viewers.picture_sheet import Labelled, Plan, picture_width_mm, write_picture_sheet
from viewers.plate import BaseMap
from viewers.words import instant_text, number, sun_text

KINDS = {
    "terrain": "terrain",
    "buildings": "buildings",
    "proposals": "proposals",
    "trees": "trees",
    "sky": "sky",
    "water": "water",
}
"""Phrases of what a picture shows; all else is other."""
LEAST_VIEWING_CM, ARM_CM = 25.0, 40.0
"""Nearest at which a sheet is looked at; at arm's length."""


def data_dates(site: Site) -> list[str]:
    """Days of the flights that the model was made from, where the site says them; the newest first."""
    inputs = site.settings.inputs
    return [d.isoformat() for d in (inputs.points_date, inputs.older_points_date) if d is not None]


def model_accuracy(scene: Scene, lod: str | None = None) -> dict[str, Any]:
    """How well the existing roofs fit the points at a level of detail [m], and the share of buildings that have it.

    The best level of each, and the share at 2.2, where ``lod`` is None; None where not known.
    """
    key = "rmse_m" if lod is None else f"rmse_lod{lod.replace('.', '')}_m"
    off = [float(b.attributes[key]) for b in scene.buildings if b.attributes.get(key) is not None]
    level = lod or "2.2"
    have = [b for b in scene.buildings if any(g.lod == level for g in b.geometries)]
    return {
        "lod": level,
        "roof_rmse_median_m": float(np.median(off)) if off else None,
        "lod_percent": 100.0 * len(have) / len(scene.buildings) if scene.buildings else None,
    }


def write_view_sheet(
    stem: Path,
    context: SheetContext,
    base: BaseMap,
    view: View,
    pictures: Sequence[Labelled],
    impact: Impact | None,
) -> list[Path]:
    """The plate of a view: its pictures, a plan, and the record; gives the files."""
    settings, scene, say = context.settings, context.scene, context.say
    name = view.settings.title or view.name
    title = f"{settings.title}: {name}" if settings.title else f"{say('picture')}: {name}"
    width = picture_width_mm(len(pictures), pictures[0][1].shape)
    language = context.language
    lines = [
        f"{say('camera')}: {_camera_words(context, view)}",
        f"{instant_text(view.sun, language)}; {sun_text(view.sun, language)}",
        *([] if impact is None else _impact_words(context, impact)),
        *([] if view.photo is None else [say("photo_backdrop"), view.photo.words(language)]),
        _model_words(context, view.settings.lod),
        _size_words(context, width, view.camera),
    ]
    method = (say("picture_method"), f"{say('engine')} {context.device}")
    subtitle = f"{say('scenario')} {scene.scenario}"
    info = sheet_info(context, title, subtitle, tuple(lines), method)
    camera = view.camera
    plan = Plan(
        base.existing,
        base.removed,
        base.proposed,
        (camera.eye[0], camera.eye[1]),
        scene.frame.azimuth_grid(camera.bearing_true_deg),
        camera.hfov_deg,
    )
    return write_picture_sheet(stem, pictures, info, plan)


def _size_words(context: SheetContext, width_mm: float, camera: Camera) -> str:
    """From where the pictures of the sheet are seen as they would be; how large they must be where that is too near."""
    half, language = float(np.tan(np.radians(camera.hfov_deg) / 2)), context.language
    distance = width_mm / 20 / half
    if distance >= LEAST_VIEWING_CM:
        return context.say("hold_at").format(number(distance, 0, language))
    return context.say("print_at").format(number(2 * ARM_CM * half, 0, language), number(ARM_CM, 0, language))


def _percent(share: float, language: str) -> str:
    """A share as percent, with a decimal where it is small and not nothing."""
    return number(100 * share, 0 if share == 0 or share >= 0.1 else 1, language)


def _camera_words(context: SheetContext, view: View) -> str:
    camera, frame, language = view.camera, context.scene.frame, context.language
    east, north = frame.to_world(np.array([camera.eye[:2]]))[0]
    above = (
        ""
        if view.above_ground_m is None
        else f", {number(view.above_ground_m, 2, language)} m {context.say('above_ground')}"
    )
    lens = 18.0 / float(np.tan(np.radians(camera.hfov_deg) / 2))
    text = (
        f"{context.say('eye_at')} E {east:.1f} N {north:.1f}, {number(camera.eye[2], 2, language)} m{above}; "
        f"{context.say('bearing')} {number(camera.bearing_true_deg % 360, 2, language)}°; "
        f"{context.say('pitch')} {number(camera.pitch_deg, 1, language)}°; "
        f"{context.say('field_of_view')} {number(camera.hfov_deg, 1, language)}° "
        f"({number(lens, 0, language)} mm / 36 mm)"
    )
    return text + (
        f"; {context.say('roll')} {number(camera.roll_deg, 2, language)}°" if camera.roll_deg else ""
    )


def _impact_words(context: SheetContext, impact: Impact) -> list[str]:
    language, say = context.language, context.say
    removed = []
    if impact.gone.any():
        removed = [say("removed_takes").format(number(100 * float(impact.gone.mean()), 2, language))]
    if not impact.seen.any():
        return [say("not_in_picture"), *removed]
    share = 100.0 * float(impact.seen.mean())
    takes = say("takes").format(number(share, 2, language), number(1000 * impact.solid_angle, 2, language))
    frame = say("frame_is").format(number(100 * impact.solid_angle / FRAME_SR, 2, language))
    part = say("part_hidden").format(_percent(impact.share_hidden, language))
    pixels = float(impact.seen.sum())
    most = [
        f"{_kind_word(context, kind)} {_percent(count / pixels, language)} %"
        for kind, count in _by_kind(impact.hides)
        if count >= 0.005 * pixels
    ]
    place = sum(change.pixels for change in impact.replaces) / pixels
    if place:
        removed.append(say("in_place").format(_percent(place, language)))
    hides = [say("hides_most").format(", ".join(most))] if most else []
    return [f"{takes} ({frame}); {part}", *hides, *removed]


def _by_kind(changes: tuple[Change, ...]) -> list[tuple[str, int]]:
    total: dict[str, int] = {}
    for change in changes:
        total[change.kind] = total.get(change.kind, 0) + change.pixels
    return sorted(total.items(), key=lambda item: -item[1])


def _kind_word(context: SheetContext, kind: str) -> str:
    return context.say(KINDS.get(kind, "other")).lower()


def _model_words(context: SheetContext, lod: str | None) -> str:
    language, say = context.language, context.say
    dates = data_dates(context.site)
    words = say("data_dates").format(", ".join(dates)) if dates else say("data_undated")
    known: Mapping[str, Any] = model_accuracy(context.base.scene, lod)
    if known["roof_rmse_median_m"] is not None:
        off = number(known["roof_rmse_median_m"], 2, language)
        words += f"; {say('roofs_off').format(off, known['lod'], number(known['lod_percent'], 0, language))}"
    return f"{say('model_accuracy')}: {words}"
