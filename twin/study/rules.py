"""Rules on the light of windows that look at what is left of the former value, with verdicts of three values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twin.study.areas import Verdict

ROUNDING = 1e-4
"""Values come in single precision; a limit forgives this much [percent]."""


@dataclass(frozen=True, slots=True)
class Light:
    """A value of a window before and after, with the change of the year's where a rule looks at it.

    Parameters
    ----------
    before, after
        Values [percent]; ``before`` is None where there is no former state.
    annual_drop
        Former minus new annual value [percentage points]; None where there is no former state, or no rule about it.
    """

    before: float | None
    after: float
    annual_drop: float | None = None


@dataclass(frozen=True, slots=True)
class KeptRule:
    """A window is worse off where its value is too low, and too low a part of the former one, and enough is lost.

    Parameters
    ----------
    at_least
        Enough, whatever it was before [percent].
    kept
        Or this part of the former value; None: not asked.
    most_annual_drop
        Or no more than this is lost of the annual value [percentage points]; None: not asked.
    """

    at_least: float
    kept: float | None = None
    most_annual_drop: float | None = None

    def verdict(self, light: Light, error: float, annual_error: float = 0.0) -> Verdict:
        """Whether the rule is kept.

        Parameters
        ----------
        light
            The values; one that has not fallen keeps the rule.
        error, annual_error
            Stated errors of the value and of the annual one [percent].
        """
        if light.before is not None and light.after >= light.before:
            return "met"
        if not self._broken(light, error, annual_error):
            return "met"
        return "not met" if self._broken(light, -error, -annual_error) else "too close to call"

    def broken(self, light: Light) -> bool:
        """Whether the values as they were found break the rule."""
        fallen = light.before is None or light.after < light.before
        return fallen and self._broken(light, 0.0, 0.0)

    def _broken(self, light: Light, error: float, annual_error: float) -> bool:
        after = light.after - error
        if after >= self.at_least - ROUNDING:
            return False
        if light.before is None:
            return True
        if self.kept is not None and after >= self.kept * (light.before + error) - ROUNDING:
            return False
        if self.most_annual_drop is None or light.annual_drop is None:
            return True
        # Both ends of a difference carry the error.
        return light.annual_drop + 2.0 * annual_error > self.most_annual_drop + ROUNDING


def level_of(hours: float | None, levels: Mapping[str, float], rounding_h: float = 1e-4) -> str | None:
    """Name of the highest level that hours of sun reach; ``none`` below all, None without hours or levels."""
    if hours is None or not levels:
        return None
    reached = [(limit, name) for name, limit in levels.items() if hours >= limit - rounding_h]
    return max(reached)[1] if reached else "none"
