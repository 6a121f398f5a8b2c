"""The sample's plan: five proposals, scenarios, phases, studies and views, as a person would write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely

from pipelines.sample.glb import tower_mesh, write_tower
from pipelines.sample.ground import HALF_WIDTH
from pipelines.sample.links import BRIDGE_U
from pipelines.sample.sizes import SampleSize
from pipelines.sample.town import PlanSite, Town
from twin.frame import Frame
from twin.io.atomic import write_text
from twin.io.vector import VectorFeature, write_geojson

Rectangle = tuple[float, float, float, float]

PHASES = (("2030", "Phase 1", "2026", "2030"), ("2035", "Phase 2", "2031", "2035"))
NOTE = "# Synthetic sample: an invented plan in an invented valley.\n"


def write_plan(folder: Path, town: Town) -> None:
    """Write proposals, scenarios, phases, studies and views of a site.

    Parameters
    ----------
    folder
        The site's folder.
    town
        Where the plan's sites lie; a small window holds only some of them.
    """
    frame = town.size.frame()
    made = [name for name in PROPOSALS if name in town.sites]
    for name in made:
        write_proposal(folder / "proposals" / name, name, town.sites[name], frame)
    phases = "".join(
        f'[[phase]]\nid = "{i}"\nlabel = "{label}"\nfrom = "{a}"\nto = "{b}"\n\n' for i, label, a, b in PHASES
    )
    write_text(
        folder / "plan.toml", f'{NOTE}title = "Plan de la vallée (exemple)"\n\n{phases}'.rstrip() + "\n"
    )
    _scenario(folder, "plan-2030", "Plan 2030", [(name, "2030") for name in made])
    _scenario(folder, "plan-2035", "Plan 2035", [(name, "2035") for name in made])
    if "tower" in made:
        _scenario(folder, "tower-only", "La tour seule", [("tower", None)])
    _studies(folder, town, frame)
    _views(folder, town)


class Draft:
    """Collects the parts of one proposal.

    Parameters
    ----------
    name, title
        Id and title.
    site
        Where it stands.
    """

    def __init__(self, name: str, title: str, site: PlanSite) -> None:
        self.site = site
        self.text = f'{NOTE}id = "{name}"\ntitle = "{title}"\nstatus = "draft"\n'
        self.shapes: list[VectorFeature] = [
            VectorFeature("clear", site.polygon.buffer(1.0, join_style="mitre"))
        ]

    def volume(
        self, name: str, rectangle: Rectangle, levels: str, phase: str = "2030", ground: float = 3.2
    ) -> None:
        """Add a volume by a rectangle in the site's axes (a0, b0, a1, b1) [m]."""
        a0, b0, a1, b1 = rectangle
        self.shapes.append(VectorFeature(name, self.site.axes.rectangle(a0, b0, a1, b1)))
        self.text += (
            f'\n[[volume]]\nid = "{name}"\nfootprint = "site.geojson#{name}"\nlevels = "{levels}"\n'
            f"floor_height_m = 3.0\nground_floor_height_m = {ground}\n"
            f'base = "terrain_mean"\nphase = "{phase}"\n'
        )

    def remove_ids(self) -> None:
        """Take the site's buildings away by their ids."""
        ids = ", ".join(f'"{i}"' for i in self.site.buildings)
        self.text += f'\n[[remove]]\nids = [{ids}]\nphase = "2030"\n'

    def remove_polygon(self) -> None:
        """Take away what lies on the site."""
        self.text += '\n[[remove]]\npolygon = "site.geojson#clear"\nphase = "2030"\n'

    def model(self, file: str, place: tuple[float, float], frame: Frame) -> None:
        """Place a model with its origin at (a, b), turned with the site."""
        east, north = frame.to_world(self.site.axes.local(np.array([place])))[0]
        turn = -np.degrees(np.arctan2(self.site.axes.s, self.site.axes.c)) % 360.0
        self.text += (
            f'\n[[model]]\nid = "{Path(file).stem}"\nfile = "{file}"\nunits = "m"\nup = "y"\nphase = "2030"\n'
            f"anchor = {{ model = [0, 0, 0], east = {east:.3f}, north = {north:.3f}, "
            f"rotation_grid_deg = {turn:.4f} }}\n"
        )

    def write(self, folder: Path, frame: Frame) -> None:
        """Write proposal.toml and site.geojson."""
        write_text(folder / "proposal.toml", self.text)
        write_geojson(folder / "site.geojson", self.shapes, frame)


def _entrance(draft: Draft, folder: Path, frame: Frame) -> None:
    length, depth = draft.site.length, draft.site.depth
    draft.remove_ids()
    draft.volume("street", (3.0, 6.0, 17.0, depth - 6.0), "R+3", ground=4.5)
    draft.volume("boulevard", (24.0, 6.0, length - 6.0, 20.0), "R+3", ground=4.5)
    draft.volume("court", (30.0, depth - 20.0, length - 20.0, depth - 7.0), "R+5", "2035")


def _boulevard(draft: Draft, folder: Path, frame: Frame) -> None:
    draft.remove_polygon()
    wide = (draft.site.length - 4 * 7.0) / 3
    for k, levels in enumerate(("R+4", "R+5", "R+4")):
        a = 7.0 + k * (wide + 7.0)
        draft.volume(f"block-{k + 1}", (a, 3.0, a + wide, 17.0), levels, ground=4.5)
    draft.volume("yard", (10.0, 32.0, draft.site.length - 10.0, 46.0), "R+2", "2035")


def _furnace(draft: Draft, folder: Path, frame: Frame) -> None:
    length, depth = draft.site.length, draft.site.depth
    draft.remove_polygon()
    draft.volume("north", (10.0, depth - 18.0, length - 10.0, depth - 5.0), "R+5", "2035")
    draft.volume("west", (10.0, 6.0, 23.0, depth - 28.0), "R+3")
    draft.volume("east", (length - 23.0, 6.0, length - 10.0, depth - 28.0), "R+3")
    draft.volume("south", (33.0, 6.0, length - 33.0, 19.0), "R+4", "2035")


def _tower(draft: Draft, folder: Path, frame: Frame) -> None:
    depth = draft.site.depth
    draft.remove_ids()
    draft.model("tower.glb", (26.0, depth * 0.5), frame)
    draft.volume(
        "base", (44.0, depth * 0.5 - 8.0, draft.site.length - 12.0, depth * 0.5 + 8.0), "R+4", ground=4.5
    )
    write_tower(folder / "tower.glb", *tower_mesh(23, 24.0))


def _corridor(draft: Draft, folder: Path, frame: Frame) -> None:
    length, depth = draft.site.length, draft.site.depth
    draft.remove_polygon()
    draft.volume(
        "pavilion",
        (length * 0.5 - 9.0, depth * 0.5 - 6.0, length * 0.5 + 9.0, depth * 0.5 + 6.0),
        "R+0",
        ground=4.0,
    )


PROPOSALS: dict[str, tuple[str, Callable[[Draft, Path, Frame], None]]] = {
    "entrance": ("Entrée de ville", _entrance),
    "boulevard": ("Boulevard urbain", _boulevard),
    "furnace-housing": ("Logements du haut fourneau", _furnace),
    "tower": ("Tour du quai", _tower),
    "green-corridor": ("Corridor vert", _corridor),
}
"""Proposals of the plan in the order in which scenarios apply them: title and author."""


def write_proposal(folder: Path, name: str, site: PlanSite, frame: Frame) -> None:
    """Write one proposal's folder."""
    title, author = PROPOSALS[name]
    draft = Draft(name, title, site)
    author(draft, folder, frame)
    draft.write(folder, frame)


def _scenario(folder: Path, name: str, title: str, parts: list[tuple[str, str | None]]) -> None:
    rows = [
        f'  {{ proposal = "{p}", phase = "{phase}" }},' if phase else f'  {{ proposal = "{p}" }},'
        for p, phase in parts
    ]
    head = f'{NOTE}id = "{name}"\ntitle = "{title}"\nparent = "existing"\n'
    write_text(folder / "scenarios" / f"{name}.toml", head + "apply = [\n" + "\n".join(rows) + "\n]\n")


def _studies(folder: Path, town: Town, frame: Frame) -> None:
    size = town.size
    area = ""
    if size.valley_wide:
        around = shapely.box(
            *shapely.union_all([s.polygon for s in town.sites.values()]).buffer(250.0).bounds
        )
        ring = np.round(frame.to_world(np.array(around.exterior.coords)[:-1]), 0).tolist()
        area = f"area = {{ ring = {ring} }}\n"
    days = "".join(f"\n[[days]]\ndate = {date}\nstep_min = {step}\n" for date, step in size.sun_steps)
    write_text(
        folder / "studies" / "sun.toml",
        f'{NOTE}kind = "sunlight"\ntitle = "Ensoleillement"\nscenarios = ["plan-2030"]\n'
        f"cell_size_m = {size.study_cell}\nmin_altitude_deg = 0.0\nsample_height_m = 0.0\n"
        f"plates_solar_h = {list(size.plates_h)}\ntrees = true\n{area}{days}",
    )
    x, y = _belvedere(town)
    east, north = frame.to_world(np.array([[x, y]]))[0]
    write_text(
        folder / "studies" / "view.toml",
        f'{NOTE}kind = "viewshed"\ntitle = "Vues"\nscenarios = ["plan-2030"]\n'
        f"cell_size_m = {size.study_cell}\n"
        f"observer = {{ east = {east:.2f}, north = {north:.2f}, above_ground_m = 1.6 }}\n"
        f"target_height_m = 0.0\nmax_distance_m = {3000.0 if size.valley_wide else 1000.0}\n{area}",
    )


def _belvedere(town: Town) -> tuple[float, float]:
    """The observer: on top of the first slag heap where the window holds it, else on the quay."""
    u0, d0, u1, d1, _ = town.size.heaps[0]
    x, y = town.valley.local((u0 + u1) / 2, (d0 + d1) / 2)
    w = town.window
    return (x, y) if w.west < x < w.east and w.south < y < w.north else _quay(town)


def _quay(town: Town) -> tuple[float, float]:
    """A standpoint on a quay: across the river where the window holds it."""
    w = town.window.buffered(-10.0)
    for u, d in (
        (BRIDGE_U - 160.0, HALF_WIDTH + 14.0),
        (BRIDGE_U - 8.0, -HALF_WIDTH - 17.0),
        (BRIDGE_U, -118.0),
    ):
        x, y = town.valley.local(u, d)
        if w.west < x < w.east and w.south < y < w.north:
            return x, y
    return w.centre


def _views(folder: Path, town: Town) -> None:
    site = town.sites.get("tower") or next(iter(town.sites.values()), None)
    shift = -72.0 if town.size.valley_wide else 0.0
    x, y = _quay(town)
    goal = (site.polygon.centroid.x, site.polygon.centroid.y) if site else town.window.centre
    text = NOTE + _view("quay", "Depuis le quai", town.size, (x, y), goal, 4.0)
    start = town.valley.local(BRIDGE_U + 3.0, -262.0 + shift)
    along = town.valley.local(BRIDGE_U + 90.0, -262.0 + shift)
    text += _view("boulevard", "Le long du boulevard", town.size, start, along, 3.0)
    write_text(folder / "views.toml", text)


def _view(
    name: str, title: str, size: SampleSize, eye: tuple[float, float], goal: tuple[float, float], pitch: float
) -> str:
    frame = size.frame()
    east, north = frame.to_world(np.array([eye]))[0]
    grid = float(np.degrees(np.arctan2(goal[0] - eye[0], goal[1] - eye[1])))
    return (
        f'[{name}]\ntitle = "{title}"\n'
        f"eye = {{ east = {east:.2f}, north = {north:.2f}, above_ground_m = 1.6 }}\n"
        f"bearing_true_deg = {frame.azimuth_true(grid):.2f}\nhfov_deg = 70.0\npitch_deg = {pitch}\n"
        f"width = {size.picture[0]}\nheight = {size.picture[1]}\n"
        f'date = 2026-03-21\nsolar_h = 15.0\nscenarios = ["plan-2030"]\n\n'
    )
