"""What every study of a run shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.build import Built
from pipelines.console import Reporter
from pipelines.site import Site
from twin.visibility.caster import Device


@dataclass(frozen=True, slots=True)
class StudyRun:
    """Everything a study needs besides its settings."""

    site: Site
    base: Built
    device: Device
    threads: int
    reporter: Reporter
    study_id: str = ""

    @property
    def file(self) -> Path:
        """File of the study in hand, for errors about its keys."""
        return self.site.folder / "studies" / f"{self.study_id}.toml"
