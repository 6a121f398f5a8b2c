"""Proposals and scenarios from their files, and the scenes they resolve to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely

from pipelines.config import (
    AnchorSettings,
    ModelSettings,
    ProposalSettings,
    RemoveSettings,
    ScenarioSettings,
    VolumeSettings,
    parse,
    read_toml,
)
from pipelines.inputs import area_polygon
from pipelines.site import EXISTING, Site
from twin.errors import InputError
from twin.frame import Frame
from twin.io.atomic import plain, sha256_file, sha256_json, write_json
from twin.io.meshes import read_mesh
from twin.massing.place import place_mesh
from twin.massing.resolve import conflicts, resolve
from twin.massing.storeys import parse_levels
from twin.model.proposal import PlacedModel, Proposal, Removal, Scenario, Volume
from twin.model.scene import Scene
from twin.terrain.sampler import TinSampler

DEFAULT_UP = {".glb": "y", ".gltf": "y", ".obj": "z", ".stl": "z"}


def beside(folder: Path, text: str, where: str) -> Path:
    """A file of a proposal: it must lie inside the proposal's folder.

    Raises
    ------
    InputError
        The path leads out of the folder, or there is no such file.
    """
    path = (folder / text).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError(f"{where}: {text!r} leads out of {folder}; put the file beside the proposal")
    if not path.is_file():
        raise InputError(f"{where}: no such file: {path}")
    return path


def load_proposal(
    path: Path, site: Site, frame: Frame, sampler: TinSampler, until: str | None = None
) -> Proposal:
    """One proposal from its file, as it stands at the end of a phase.

    Parameters
    ----------
    path
        The proposal.toml.
    site, frame, sampler
        Whose plan, coordinates and ground.
    until
        Phase id: parts of later phases of the plan are left out; everything stands where None.

    Raises
    ------
    InputError
        With the file and the key.
    """
    settings = parse(ProposalSettings, read_toml(path), path)
    if settings.id != path.parent.name:
        raise InputError(f"{path}: key 'id': {settings.id!r} differs from its folder {path.parent.name!r}")
    order = [phase.id for phase in site.plan().phase]
    _check_phases(settings, path, order)

    def stands(phase: str | None) -> bool:
        return until is None or phase is None or order.index(phase) <= order.index(until)

    accepted = site.settings.site.accepted_accuracy_m
    volumes = tuple(
        _volume(v, n, path, frame, accepted) for n, v in enumerate(settings.volume) if stands(v.phase)
    )
    models = tuple(
        _model(m, n, path, frame, sampler) for n, m in enumerate(settings.model) if stands(m.phase)
    )
    removals = tuple(
        _removal(r, n, path, frame, accepted) for n, r in enumerate(settings.remove) if stands(r.phase)
    )
    files = {p.name: sha256_file(p) for p in sorted(path.parent.iterdir()) if p.is_file()}
    return Proposal(
        settings.id,
        settings.title or settings.id,
        settings.status,
        volumes,
        models,
        removals,
        sha256_json([plain(settings.model_dump(mode="json")), files, until]),
    )


def _check_phases(settings: ProposalSettings, path: Path, order: list[str]) -> None:
    """Phases must be in the plan, ids of parts must differ."""
    parts: dict[str, list[str | None]] = {
        "volume": [v.phase for v in settings.volume],
        "model": [m.phase for m in settings.model],
        "remove": [r.phase for r in settings.remove],
    }
    for kind, phases in parts.items():
        for number, phase in enumerate(phases):
            if phase is not None and phase not in order:
                known = ", ".join(order) or "none: plan.toml declares none"
                raise InputError(f"{path}: key '{kind}.{number}.phase': no phase {phase!r}; known: {known}")
    ids = [v.id for v in settings.volume] + [m.id or Path(m.file).stem for m in settings.model]
    for part_id in sorted(ids):
        if ids.count(part_id) > 1:
            raise InputError(f"{path}: the id {part_id!r} stands twice in the proposal")


def _volume(
    settings: VolumeSettings, number: int, path: Path, frame: Frame, accepted: float | None
) -> Volume:
    where = f"{path}: volume {settings.id!r}"
    try:
        storeys = parse_levels(settings.levels)
    except InputError as error:
        raise InputError(f"{where}: key 'volume.{number}.levels': {error}") from None
    polygon = _own_polygon(settings.footprint, path.parent, frame, f"{where}: key 'footprint'", accepted)
    ground_floor = settings.ground_floor_height_m or settings.floor_height_m
    return Volume(
        settings.id, polygon, storeys, ground_floor, settings.floor_height_m, settings.base, settings.height_m
    )


def _model(
    settings: ModelSettings, number: int, path: Path, frame: Frame, sampler: TinSampler
) -> PlacedModel:
    where = f"{path}: key 'model.{number}'"
    file = beside(path.parent, settings.file, where)
    suffix = file.suffix.lower()
    if suffix not in DEFAULT_UP:
        raise InputError(f"{where}.file: {suffix or 'no suffix'} is not read; give a GLB, OBJ or STL")
    vertices, faces = read_mesh(file, units=settings.units, up=settings.up or DEFAULT_UP[suffix])
    anchor: AnchorSettings = settings.anchor
    height = anchor.height
    if height is None:
        local = frame.to_local(np.array([[anchor.east, anchor.north]]))
        height = float(sampler.heights(local)[0])
        if height != height:
            raise InputError(
                f"{where}.anchor: E {anchor.east} N {anchor.north} lies outside the modelled terrain"
            )
    mesh = place_mesh(
        vertices,
        faces,
        anchor_model=anchor.model,
        anchor_world=(anchor.east, anchor.north, height),
        rotation_grid_deg=anchor.rotation_grid_deg,
        frame=frame,
    )
    return PlacedModel(settings.id or file.stem, mesh, file.name)


def _removal(
    settings: RemoveSettings, number: int, path: Path, frame: Frame, accepted: float | None
) -> Removal:
    polygon = None
    if settings.polygon is not None:
        where = f"{path}: key 'remove.{number}.polygon'"
        polygon = _own_polygon(settings.polygon, path.parent, frame, where, accepted)
    return Removal(tuple(settings.ids), polygon)


def _own_polygon(
    ring: object, folder: Path, frame: Frame, where: str, accepted: float | None
) -> shapely.Polygon:
    """A polygon given in place, or in a file beside the proposal."""
    if isinstance(ring, str):
        beside(folder, ring.partition("#")[0], where)
    return area_polygon(ring, folder, frame, where, accepted)


def load_scenario(site: Site, scenario_id: str) -> Scenario:
    """A scenario with its parents' proposals first.

    Raises
    ------
    InputError
        No such scenario, a circle of parents, an unknown proposal or phase.
    """
    files = site.scenario_files()
    chain: list[ScenarioSettings] = []
    current = scenario_id
    while current != EXISTING:
        if current not in files:
            known = ", ".join([EXISTING, *files])
            raise InputError(f"{site.folder / 'scenarios'}: no scenario {current!r}; there are: {known}")
        settings = parse(ScenarioSettings, read_toml(files[current]), files[current])
        if settings.id != current:
            raise InputError(f"{files[current]}: key 'id': {settings.id!r} differs from the file's name")
        if any(settings.id == earlier.id for earlier in chain):
            raise InputError(f"{files[current]}: key 'parent': the scenarios are each other's parents")
        chain.append(settings)
        current = settings.parent
    known_proposals = site.proposal_files()
    phases = {phase.id for phase in site.plan().phase}
    applied: list[tuple[str, str | None]] = []
    for settings in reversed(chain):
        for entry in settings.apply:
            where = f"{files[settings.id]}: key 'apply'"
            if entry.proposal not in known_proposals:
                names = ", ".join(known_proposals) or "none"
                raise InputError(f"{where}: no proposal {entry.proposal!r}; there are: {names}")
            if entry.phase is not None and entry.phase not in phases:
                raise InputError(f"{where}: no phase {entry.phase!r} in plan.toml")
            if any(entry.proposal == name for name, _ in applied):
                raise InputError(f"{where}: proposal {entry.proposal!r} is applied twice")
            applied.append((entry.proposal, entry.phase))
    title = chain[0].title if chain else EXISTING
    return Scenario(scenario_id, title or scenario_id, tuple(applied))


def scene_of(site: Site, base: Scene, scenario_id: str) -> Scene:
    """The scene of a scenario; its record goes to ``out/scenes/<scenario>/scene.json``."""
    if scenario_id == EXISTING:
        return base
    scenario = load_scenario(site, scenario_id)
    sampler = TinSampler(base.terrain.tin)
    files = site.proposal_files()
    proposals = {
        name: load_proposal(files[name], site, base.frame, sampler, phase)
        for name, phase in scenario.proposals
    }
    scene = resolve(scenario, proposals, base)
    write_json(site.out / "scenes" / scenario_id / "scene.json", scene_record(scenario, scene))
    return scene


def scene_record(scenario: Scenario, scene: Scene) -> dict[str, object]:
    """What a scenario resolves to, for people and for diffs."""
    return {
        "scenario": scenario.id,
        "title": scenario.title,
        "hash": scene.hash,
        "proposals": [{"id": p, "phase": phase} for p, phase in scenario.proposals],
        "proposed": [{"id": building.id, **plain(dict(building.attributes))} for building in scene.proposed],
        "removed": list(scene.removed),
        "conflicts": list(conflicts(scene)),
    }


def scenario_ids(site: Site) -> list[str]:
    """Every scenario with a file."""
    return list(site.scenario_files())
