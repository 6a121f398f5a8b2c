"""What every study of a run shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.build import Built
from pipelines.config import StudySettings
from pipelines.console import Reporter
from pipelines.provenance import Step, versions
from pipelines.site import Site
from twin.io.atomic import plain, sha256_file
from twin.model.scene import Scene
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


def record_of(
    run: StudyRun,
    settings: StudySettings,
    scenes: Mapping[str, Scene],
    made: Step,
    about: Mapping[str, Any],
    written: tuple[Path, Iterable[Path]],
) -> dict[str, Any]:
    """The manifest of a study.

    Parameters
    ----------
    scenes
        By state, the one of the scenario last.
    about
        What this study says of itself: method, tables.
    written
        The folder, and the files in it.
    """
    place, (folder, files) = run.site.settings.site, written
    record: dict[str, Any] = plain(
        {
            "study": run.study_id,
            "kind": settings.kind,
            "site": place.name,
            "synthetic": place.synthetic,
            "scenario": list(scenes.values())[-1].scenario,
            "scene_hash": {state: scene.hash for state, scene in scenes.items()},
            "settings": settings.model_dump(mode="json"),
            **about,
            "files": {f.relative_to(folder).as_posix(): sha256_file(f) for f in sorted(files)},
            "provenance": {"step": made.key, "inputs": plain(made.record)["inputs"], "versions": versions()},
        }
    )
    return record
