"""Tables of a study of façades: by surface or window line, and by building."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.config import FacesStudySettings
from pipelines.face_rules import NAMES, ORDER, Rules, worst
from twin.model.scene import Scene
from twin.study.areas import AreaRule, day_error_h
from twin.study.compare import Row
from twin.study.facades import FaceSamples, FaceSun

ROUNDING_H = 1e-4
"""Hours are whole steps in single precision; a limit forgives this much [h]."""


def surface_rows(
    scene: Scene,
    samples: FaceSamples,
    before: FaceSun | None,
    after: FaceSun | None,
    settings: FacesStudySettings,
    rules: Rules,
) -> list[Row]:
    """One row for each surface, or window line of one, and date or period."""
    rows: list[Row] = []
    some = before or after
    if some is None:
        return rows
    steps = {day.date.isoformat(): day.step_min for day in settings.all_days}
    steps |= {period.name: period.step_min for period in settings.periods}
    lines = np.nan_to_num(samples.line, nan=-1.0)
    for number, surface in enumerate(samples.surfaces):
        own = samples.of == number
        for line in sorted(set(lines[own].tolist())):
            which = np.flatnonzero(own & (lines == line))
            weights = samples.area[which] if line < 0 else np.ones(len(which))
            azimuth = surface.azimuth_grid_deg
            common: Row = {
                "building": surface.building,
                "surface": f"{surface.kind}-{surface.number}",
                "line_m": None if line < 0 else line,
                "azimuth_true_deg": None if np.isnan(azimuth) else scene.frame.azimuth_true(azimuth),
                "tilt_deg": surface.tilt_deg,
                "area_m2": float(samples.area[which].sum()),
                "samples": len(which),
            }
            true = common["azimuth_true_deg"]
            sky = sky_columns(before, after, which, weights)
            sky |= rules.columns((before, after), which, None if true is None else float(true), line >= 0)
            for name in some.hours:
                sun = _sun_columns(before, after, name, which, weights, settings, day_error_h(steps[name]))
                rows.append(common | {"date": name} | sun | sky)
    return rows


def _mean(values: NDArray[np.floating] | None, weights: NDArray[np.float64]) -> float | None:
    if values is None or not len(values):
        return None
    return float(np.average(values.astype(np.float64), weights=weights))


def _sun_columns(
    before: FaceSun | None,
    after: FaceSun | None,
    name: str,
    which: NDArray[np.int64],
    weights: NDArray[np.float64],
    settings: FacesStudySettings,
    error_h: float,
) -> Row:
    old = before.hours[name][which] if before else None
    new = after.hours[name][which] if after else None
    was, now = _mean(old, weights), _mean(new, weights)
    out: Row = {
        "mean_existing_h": was,
        "mean_proposed_h": now,
        "mean_change_h": None if was is None or now is None else now - was,
        "largest_loss_h": None if old is None or new is None else float(max(0.0, (old - new).max())),
    }
    if before and after and name in before.daily:
        out |= _added_shadow(before.daily[name][:, which], after.daily[name][:, which], settings, error_h)
    if settings.limit is None or settings.limit.at_least_h is None:
        return out
    rule = AreaRule(settings.limit.at_least_h, settings.limit.share, settings.limit.kept)

    def shares(state: FaceSun | None) -> tuple[float, float, float] | None:
        if state is None:
            return None
        judged = state.least.get(name, state.hours[name])[which]
        return tuple(  # type: ignore[return-value]
            float(np.average(judged >= rule.at_least_h + off - ROUNDING_H, weights=weights))
            for off in (error_h, 0.0, -error_h)
        )

    first, last = shares(before), shares(after)
    decides = last or first
    out |= {"share_existing": first and first[1], "share_proposed": last and last[1]}
    if decides is not None:
        former = (first[0], first[2]) if first and last else None
        out["verdict"] = rule.verdict(former, (decides[0], decides[2]))
    return out


def _added_shadow(
    before: NDArray[np.float32], after: NDArray[np.float32], settings: FacesStudySettings, error_h: float
) -> Row:
    """Shadow that the worst sample gets more over a period and on one day, and whether that is too much."""
    added = np.maximum(0.0, before - after)
    total, day = float(added.sum(axis=0).max()), float(added.max())
    out: Row = {"most_added_shadow_h": total, "most_added_shadow_day_min": day * 60.0}
    limit = settings.limit
    if limit is None or limit.at_least_h is not None:
        return out
    days = int((added > 0).sum(axis=0).max())
    pairs = [
        (total, limit.most_shadow_h, error_h * np.sqrt(max(1, days))),
        (day, None if limit.most_shadow_day_min is None else limit.most_shadow_day_min / 60.0, error_h),
    ]
    ends = [
        [found + off * error <= most + ROUNDING_H for found, most, error in pairs if most is not None]
        for off in (1, -1)
    ]
    out["verdict"] = "met" if all(ends[0]) else "too close to call" if all(ends[1]) else "not met"
    return out


def sky_columns(
    before: FaceSun | None, after: FaceSun | None, which: NDArray[np.int64], weights: NDArray[np.float64]
) -> Row:
    """Irradiation, probable sun and sky of some samples before and after, as means by weight."""
    out: Row = {}
    some = before or after
    if some is not None and some.energy is not None:
        for key, state in (("existing", before), ("proposed", after)):
            energy = state.energy if state is not None else None
            out[f"irradiation_{key}_kwh_m2"] = None if energy is None else _mean(energy[which], weights)
    if some is not None and some.probable is not None:
        for k, name in enumerate(("apsh", "wpsh")):
            for key, state in (("existing", before), ("proposed", after)):
                hours = state.probable[k] if state is not None and state.probable is not None else None
                out[f"{name}_{key}_percent"] = None if hours is None else _mean(hours[which], weights)
    if some is None or some.sky is None:
        return out
    for name in ("vsc", "svf_cosine", "svf_solid_angle", "obstruction_angle_deg"):
        ends = [
            _mean(getattr(state.sky, name)[which], weights)
            if state is not None and state.sky is not None
            else None
            for state in (before, after)
        ]
        unit = "_percent" if name == "vsc" else ""
        out[f"{name}_existing{unit}"], out[f"{name}_proposed{unit}"] = ends
        if name == "vsc":
            was, now = ends
            out["vsc_ratio"] = now / was if was and now is not None else None
    return out


def building_rows(rows: Sequence[Row]) -> list[Row]:
    """One row for each building and date: its walls, its roofs, its best façade and its largest loss."""
    out: list[Row] = []
    for building, date in dict.fromkeys((row["building"], row["date"]) for row in rows):
        own = [r for r in rows if r["building"] == building and r["date"] == date]
        row: Row = {"building": building, "date": date}
        for kind in ("wall", "roof"):
            some = [r for r in own if str(r["surface"]).startswith(kind) and r["line_m"] is None]
            area = sum(float(r["area_m2"] or 0.0) for r in some)
            row[f"{kind}s_m2"] = area
            for state in ("existing", "proposed"):
                values = [(r[f"mean_{state}_h"], float(r["area_m2"] or 0.0)) for r in some]
                known = [(float(v), a) for v, a in values if v is not None]
                row[f"{kind}s_{state}_h"] = sum(v * a for v, a in known) / area if known and area else None
        # Where there are lines of windows, they alone are judged: a sunny attic does not light the rooms below.
        facades = [r for r in own if str(r["surface"]).startswith("wall")]
        facades = [r for r in facades if r["line_m"] is not None] or facades
        for state in ("existing", "proposed"):
            walls = [r[f"mean_{state}_h"] for r in facades]
            known_walls = [float(v) for v in walls if v is not None]
            row[f"best_facade_{state}_h"] = max(known_walls) if known_walls else None
        losses = [float(r["largest_loss_h"]) for r in own if r["largest_loss_h"] is not None]
        row["largest_loss_h"] = max(losses) if losses else None
        verdicts = [str(r["verdict"]) for r in facades if r.get("verdict")]
        if any("verdict" in r for r in own):
            row["verdict_of_best_facade"] = min(verdicts, key=ORDER.index) if verdicts else None
        row |= _rule_columns(own)
        out.append(row)
    return out


def _rule_columns(own: Sequence[Row]) -> Row:
    """The worst verdict of the window lines of a building for each rule, and how many of them break it."""
    out: Row = {}
    for name in NAMES:
        key = f"{name}_verdict"
        if any(key in row for row in own):
            verdicts = [str(row[key]) for row in own if row.get(key)]
            out[key] = worst(verdicts)
            out[f"{name}_lines"] = len(verdicts)
            out[f"{name}_lines_not_met"] = verdicts.count("not met")
    return out
