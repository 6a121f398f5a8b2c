"""A site on disk: where its files lie and what its settings say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.config import (
    PlanSettings,
    StudySettings,
    TwinSettings,
    parse,
    parse_identifier,
    parse_study,
    parse_views,
    read_toml,
)
from pipelines.config_views import ViewSettings
from twin.errors import InputError

EXISTING = "existing"
"""Id of the state without any proposal; it has no file."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site folder and its checked ``twin.toml``."""

    folder: Path
    settings: TwinSettings

    @property
    def out(self) -> Path:
        """The disposable folder of results."""
        return self.folder / "out"

    @property
    def model(self) -> Path:
        """The built model."""
        return self.out / "model"

    def path(self, text: str) -> Path:
        """A path of ``twin.toml``: relative to the site folder, or absolute."""
        return (self.folder / Path(text).expanduser()).resolve()

    def study_files(self) -> dict[str, Path]:
        """Study id to its file, sorted by id."""
        return _by_stem(self.folder / "studies")

    def study(self, study_id: str) -> StudySettings:
        """The settings of one study; InputError lists the ids there are."""
        files = self.study_files()
        if study_id not in files:
            raise InputError(f"{self.folder / 'studies'}: no study {study_id!r}; there are: {_names(files)}")
        return parse_study(files[study_id])

    def scenario_files(self) -> dict[str, Path]:
        """Scenario id to its file, sorted by id."""
        return _by_stem(self.folder / "scenarios")

    def proposal_files(self) -> dict[str, Path]:
        """Proposal folder name to its proposal.toml, sorted."""
        found = sorted((self.folder / "proposals").glob("*/proposal.toml"))
        return {parse_identifier(p.parent.name, p, p.parent.name): p for p in found}

    def views(self) -> dict[str, ViewSettings]:
        """Named views; none where there is no views.toml."""
        path = self.folder / "views.toml"
        return parse_views(path) if path.exists() else {}

    def plan(self) -> PlanSettings:
        """Phases of the plan; none where there is no plan.toml."""
        path = self.folder / "plan.toml"
        return parse(PlanSettings, read_toml(path), path) if path.exists() else PlanSettings()


def open_site(folder: Path) -> Site:
    """The site of a folder.

    Raises
    ------
    InputError
        No such folder or no ``twin.toml`` in it, or a fault in it, with the key.
    """
    if folder.is_file() and folder.name == "twin.toml":
        folder = folder.parent
    path = folder / "twin.toml"
    if not path.is_file():
        what = "no such folder" if not folder.is_dir() else "no twin.toml there"
        raise InputError(
            f"{folder}: {what}; make a site with `twin init {folder} ...` or `twin sample {folder}`"
        )
    return Site(folder.resolve(), parse(TwinSettings, read_toml(path), path))


def _by_stem(folder: Path) -> dict[str, Path]:
    found = sorted(folder.glob("*.toml"))
    return {parse_identifier(p.stem, p, p.stem): p for p in found}


def _names(files: dict[str, Path]) -> str:
    return ", ".join(files) or "none"
