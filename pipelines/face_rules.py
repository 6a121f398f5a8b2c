"""Limits and rules of a study of façades as they are applied, and the verdicts that they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.config import FacesStudySettings
from twin.study.compare import Row
from twin.study.facades import FaceSamples, FaceSun
from twin.study.precision import SKY_METHOD, SUN_METHOD
from twin.study.rules import KeptRule, Light

ORDER = ("met", "too close to call", "not met")
"""Verdicts from good to bad."""
NAMES = ("vsc", "apsh", "wpsh")


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules on windows that a study applies.

    Parameters
    ----------
    rules
        By metric.
    error
        Stated error by metric [percentage points].
    within_south_deg
        By metric: façades that turn farther from true south do not count [degree].
    skipped
        By metric: why its rule is not applied.
    """

    rules: Mapping[str, KeptRule] = field(default_factory=dict)
    error: Mapping[str, float] = field(default_factory=dict)
    within_south_deg: Mapping[str, float] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    def columns(
        self,
        states: tuple[FaceSun | None, FaceSun | None],
        which: NDArray[np.int64],
        azimuth_true: float | None,
        receptor: bool,
    ) -> Row:
        """Verdicts of some samples: that of their mean, and the share of them that breaks the rule.

        None where the samples are no window line, or the façade does not count for the rule.
        """
        out: Row = {}
        for name, rule in self.rules.items():
            out[f"{name}_verdict"], out[f"{name}_share_not_met"] = None, None
            turned = None if azimuth_true is None else abs((azimuth_true % 360.0) - 180.0)
            limit = self.within_south_deg.get(name, 180.0)
            if not receptor or not len(which) or (turned is not None and turned > limit + 1e-6):
                continue
            before, after = (values_of(state, name, which) for state in states)
            drops = _drops(states, which) if rule.most_annual_drop is not None else None
            light = _light(before, after, drops)
            if light is None:
                continue
            out[f"{name}_verdict"] = rule.verdict(light, self.error[name], self.error.get("apsh", 0.0))
            out[f"{name}_share_not_met"] = float(
                np.mean([rule.broken(one) for one in _lights(before, after, drops)])
            )
        return out

    def words(self) -> dict[str, Any] | None:
        """The rules as they were applied."""
        if not (self.rules or self.skipped):
            return None
        found: dict[str, Any] = {name: {"applied": False, "why": why} for name, why in self.skipped.items()}
        for name, rule in self.rules.items():
            found[name] = {
                "applied": True,
                "at_least_percent": rule.at_least,
                "kept": rule.kept,
                "most_annual_drop_points": rule.most_annual_drop,
                "within_south_deg": self.within_south_deg.get(name),
                "not_met": "value < at_least_percent and value < kept x former value"
                + ("" if rule.most_annual_drop is None else " and annual drop > most_annual_drop_points"),
                "tie": "a value equal to a limit, to 0.0001 percent, keeps it; one that has not fallen keeps the rule; "
                "without a former state the first condition alone counts",
                "receptors": "window lines by their mean, and windows where given; the share of the points of a line "
                "that break the rule stands beside",
                "error_percentage_points": self.error[name],
                "error_method": SKY_METHOD if name == "vsc" else SUN_METHOD,
                "too_close_to_call": "the error, taken for and against on new and former value, turns the verdict",
            }
        return found


def values_of(state: FaceSun | None, name: str, which: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """VSC, annual or winter probable hours of some samples [percent]; None where the study has none."""
    if state is None:
        return None
    if name == "vsc":
        return None if state.sky is None else state.sky.vsc[which].astype(np.float64)
    found = state.probable
    return None if found is None else found[NAMES.index(name) - 1][which].astype(np.float64)


def _drops(
    states: tuple[FaceSun | None, FaceSun | None], which: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    before, after = (values_of(state, "apsh", which) for state in states)
    return None if before is None or after is None else before - after


def _light(before: Any, after: Any, drops: Any) -> Light | None:
    means = [None if v is None else float(v.mean()) for v in (before, after, drops)]
    if means[1] is None:
        return None if means[0] is None else Light(None, means[0])
    return Light(means[0], means[1], means[2])


def _lights(before: Any, after: Any, drops: Any) -> list[Light]:
    if after is None:
        return [Light(None, float(v)) for v in before]
    return [
        Light(
            None if before is None else float(before[k]),
            float(after[k]),
            None if drops is None else float(drops[k]),
        )
        for k in range(len(after))
    ]


def asked_rules(
    settings: FacesStudySettings, samples: FaceSamples
) -> tuple[dict[str, KeptRule], dict[str, str]]:
    """The rules that a study can apply, and why it cannot apply others that it names."""
    rules: dict[str, KeptRule] = {}
    skipped: dict[str, str] = {}
    receptors = bool(np.isfinite(samples.line).any()) or settings.windows is not None
    for name in NAMES:
        rule = getattr(settings, name)
        if rule is None:
            continue
        if not receptors:
            skipped[name] = "no window lines (window_lines_m) and no windows are given"
        elif name == "vsc" and not settings.sky_directions:
            skipped[name] = "no sky is asked for (sky_directions)"
        elif name != "vsc" and settings.sunshine_probability is None:
            skipped[name] = "the monthly sunshine_probability of the place is not given"
        else:
            drop = getattr(rule, "most_annual_drop_points", None)
            rules[name] = KeptRule(rule.at_least_percent, rule.kept, drop)
    return rules, skipped


def worst(verdicts: list[str]) -> str | None:
    """The worst of some verdicts."""
    return max(verdicts, key=ORDER.index) if verdicts else None


def limit_words(settings: FacesStudySettings) -> dict[str, Any]:
    """The limit of hours as it was applied."""
    limit = settings.limit
    if limit is None:
        return {}
    asked = {key: value for key, value in limit.model_dump().items() if value is not None}
    if limit.at_least_h is None:
        return {
            **asked,
            "operator": "<=",
            "tie": "shadow equal to the limit, to 0.0001 h, is within it",
            "counts": "existing - proposed hours of each day, of the sample with the most; a gain counts as 0",
            "too_close_to_call": "a time step a day, half at each end; over a period times the root of its days",
        }
    return {
        **asked,
        "operator": ">=",
        "tie": "a sample that reaches the limit to 0.0001 h has reached it",
        "too_close_to_call": "a time step (half at each end of a stretch of sun) on each sample may turn the share",
        "periods": "of a period with daily = true the day with the least sun counts, else its total",
    }
