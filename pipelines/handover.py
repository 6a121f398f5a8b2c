"""Models for promoters and architects: one folder per scenario, in their formats."""

from __future__ import annotations

from pathlib import Path

from pipelines.build import load
from pipelines.console import Reporter
from pipelines.export import FORMATS, export_scene
from pipelines.propose import scenario_ids, scene_of
from pipelines.provenance import files_of, forget, is_done, mark_done, step
from pipelines.site import EXISTING, Site
from twin.errors import UsageError
from twin.io.atomic import remove


def export_site(
    site: Site,
    formats: list[str],
    reporter: Reporter,
    scenario: str | None = None,
    *,
    absolute: bool = False,
) -> list[Path]:
    """Export the existing state and every scenario (or the one named) in the given formats.

    Raises
    ------
    UsageError
        Unknown format.
    MissingDependencyError
        The format needs an extra that is not installed.
    """
    wanted = list(FORMATS) if "all" in formats else list(dict.fromkeys(formats))
    unknown = [f for f in wanted if f not in FORMATS]
    if unknown:
        raise UsageError(f"--format is one of {', '.join(FORMATS)} or all; got {', '.join(unknown)}")
    base = load(site).scene
    names = [scenario] if scenario else [EXISTING, *scenario_ids(site)]
    files: list[Path] = []
    for name in names:
        scene = scene_of(site, base, name)
        for kind in wanted:
            info = site.settings.site
            about = {
                "name": info.name,
                "attribution": info.attribution,
                "synthetic": info.synthetic,
                "absolute": absolute,
            }
            made = step(f"export-{kind}-{name}", {"scene": scene.hash}, about)
            if is_done(site.out, made):
                files.extend(files_of(site.out, made.name))
                continue
            old = files_of(site.out, made.name)
            forget(site.out, made.name)
            with reporter.step(f"Export {kind}, {name}"):
                written = export_scene(scene, kind, site.out / "exports" / name, about, absolute=absolute)
            for stale in set(old) - set(written):
                remove(stale)
            mark_done(site.out, made, written)
            files.extend(written)
    return files
