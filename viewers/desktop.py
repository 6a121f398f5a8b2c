"""The interactive window: layers, scenarios, and a sun slider whose shadows come from the studies' engine.

VTK's own shadow pass is not used: it loses shadows of thin and distant things.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import NDArray

from twin.io.atomic import writing
from twin.model.scene import Layer, Scene
from twin.sun.dates import instant_at_solar_hour
from twin.visibility.caster import Device
from viewers.drawables import LAYERS, NEAR_M, Lit, LitScene, near_region
from viewers.fonts import font_file
from viewers.words import instant_text, sun_text, word

SIZE = (1600, 1000)
SKY = ("#f4f6f8", "#bcd0e2")
INK = "#28282c"
EDGE = "#5a5650"
FIRST_SOLAR_H, LAST_SOLAR_H = 4.0, 20.0
STEP_SOLAR_H = 0.25
"""Ends of the slider and what an arrow key moves it by, apparent solar time [h]."""

DATES = {"m": (3, 21), "j": (6, 21), "d": (12, 21)}
"""Month and day behind each key."""


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """What the window shows besides the scenes.

    Parameters
    ----------
    title
        Name of the site.
    timezone
        IANA name of legal time.
    language
        ``fr`` or ``en``.
    year
        Of the dates that the keys choose.
    attribution
        Sources of the data, shown in the window.
    synthetic
        Whether the place is invented; the window says so.
    """

    title: str
    timezone: str
    language: str = "fr"
    year: int = 2026
    attribution: str = ""
    synthetic: bool = False


@dataclass(slots=True, eq=False)
class _State:
    """What is drawn of one scenario."""

    lit: LitScene
    ground: Any = None
    meshes: dict[Layer, Any] = field(default_factory=dict)
    actors: dict[Layer, list[Any]] = field(default_factory=dict)


class SceneWindow:
    """A window on the states of a site.

    Parameters
    ----------
    scenes
        By the name of their scenario; the first is shown first, keys 1, 2, ... choose.
    settings
        Title, language, time zone.
    device, threads
        Engine of the shadows.
    off_screen
        Draw without a display.
    """

    def __init__(
        self,
        scenes: Mapping[str, Scene],
        settings: WindowSettings,
        device: Device,
        threads: int = 1,
        off_screen: bool = False,
    ) -> None:
        self.settings = settings
        self.engine = device.label
        self.names = list(scenes)
        self._scenes = dict(scenes)
        region = near_region(list(scenes.values()))
        self._states = {name: _State(LitScene(s, region, device, threads)) for name, s in scenes.items()}
        self.chosen = self.names[0]
        self.date = dt.date(settings.year, *DATES["m"])
        self.solar_h = 15.0
        self.shown: dict[Layer, bool] = dict.fromkeys(LAYERS, True)
        self.plotter = pv.Plotter(off_screen=off_screen, window_size=list(SIZE), title=settings.title)
        self.plotter.set_background(SKY[0], top=SKY[1])
        for name in self.names:
            self._add(name)
        self._slider: Any = None
        self._widgets()
        self._keys()
        self._place_camera(region)
        self.refresh()

    def _word(self, key: str) -> str:
        return word(key, self.settings.language)

    # What is drawn

    def _add(self, name: str) -> None:
        state = self._states[name]
        ground = state.lit.ground
        mesh = _poly(ground.vertices, ground.faces)
        mesh.active_texture_coordinates = ground.texture_coordinates()
        blank = pv.Texture(np.full((2, 2, 3), 200, dtype=np.uint8))
        state.ground = self.plotter.add_mesh(mesh, texture=blank, lighting=False, render=False)
        state.actors["terrain"] = [state.ground]
        for layer, pieces in state.lit.pieces.items():
            actors = state.actors.setdefault(layer, [])
            if len(pieces.faces):
                poly = _poly(pieces.vertices, pieces.faces)
                poly.cell_data["colour"] = np.zeros((len(pieces.faces), 3), dtype=np.uint8)
                state.meshes[layer] = poly
                actors.append(
                    self.plotter.add_mesh(poly, scalars="colour", rgb=True, lighting=False, render=False)
                )
            if layer in ("buildings", "proposals", "other"):
                actors.extend(self._add_edges(state.lit, layer))

    def _add_edges(self, lit: LitScene, layer: Layer) -> list[Any]:
        """Ridges, eaves and corners as thin lines, from the faces before they were cut up."""
        faces = lit.table.faces[lit.table.in_layers(layer)]
        if not len(faces):
            return []
        mesh = _poly(np.asarray(lit.table.vertices), faces.astype(np.int64)).clean()
        edges = mesh.extract_feature_edges(
            feature_angle=20, boundary_edges=True, non_manifold_edges=False, manifold_edges=False
        )
        if not edges.n_cells:
            return []
        return [self.plotter.add_mesh(edges, color=EDGE, line_width=1, lighting=False, render=False)]

    def _place_camera(self, region: Any) -> None:
        x, y = region.centre
        scene = self._scenes[self.names[0]]
        heights = scene.terrain.dtm.values
        z = float(np.nanmedian(heights)) if np.isfinite(heights).any() else 0.0
        far = 1.25 * max(region.width, region.height)
        self.plotter.camera_position = [
            (x - 0.55 * far, y - 0.75 * far, z + 0.62 * far),
            (x, y, z),
            (0, 0, 1),
        ]
        self.plotter.camera.view_angle = 35.0
        self.plotter.reset_camera_clipping_range()

    # What a user moves

    def _widgets(self) -> None:
        height = SIZE[1]
        for row, layer in enumerate(LAYERS):
            y = height - 190 - 34 * row
            self.plotter.add_checkbox_button_widget(
                self._switch(layer), value=True, position=(14, y), size=22, border_size=2, color_on="#2f5f8a"
            )
            self._text(self._word(layer), (46, y + 3), 10, f"layer-{layer}")
        self._slider = self.plotter.add_slider_widget(
            self._slid,
            (FIRST_SOLAR_H, LAST_SOLAR_H),
            value=self.solar_h,
            title=f"{self._word('solar')} [h]".encode("ascii", "ignore").decode(),
            pointa=(0.30, 0.07),
            pointb=(0.95, 0.07),
            color=INK,
            title_height=0.018,
            fmt="%.2f",
            style="modern",
            interaction_event="always",
        )
        self._text(self._word("window_keys"), (14, 14), 9, "keys")
        notes = [self.settings.attribution]
        if self.settings.synthetic:
            notes.append(self._word("synthetic"))
        self._text("  ".join(n for n in notes if n), (14, 36), 9, "notes")
        self.plotter.add_axes(xlabel="E", ylabel="N", zlabel="z", viewport=(0.88, 0.82, 1.0, 1.0), color=INK)

    def _text(self, text: str, place: tuple[float, float], size: int, name: str) -> None:
        self.plotter.add_text(
            text,
            position=place,
            font_size=size,
            color=INK,
            name=name,
            font_file=str(font_file()),
            render=False,
        )

    def _keys(self) -> None:
        for key, name in zip("123456789", self.names, strict=False):
            self.plotter.add_key_event(key, self._later(self.choose, name))
        for key, (month, day) in DATES.items():
            self.plotter.add_key_event(
                key, self._later(self.set_date, dt.date(self.settings.year, month, day))
            )
        self.plotter.add_key_event("Right", lambda: self.set_solar_hour(self.solar_h + STEP_SOLAR_H))
        self.plotter.add_key_event("Left", lambda: self.set_solar_hour(self.solar_h - STEP_SOLAR_H))
        self.plotter.add_key_event("s", self._later(self.screenshot, None))

    @staticmethod
    def _later(act: Callable[[Any], Any], value: Any) -> Callable[[], None]:
        def run() -> None:
            act(value)

        return run

    def _switch(self, layer: Layer) -> Callable[[bool], None]:
        def switch(on: bool) -> None:
            self.show_layer(layer, on)

        return switch

    def _slid(self, value: float) -> None:
        # Called once while the slider is being made.
        if self._slider is not None and abs(value - self.solar_h) >= 1 / 60:
            self.solar_h = float(value)
            self.refresh()

    def choose(self, name: str) -> None:
        """Show another scenario."""
        self.chosen = name
        self.refresh()

    def set_date(self, date: dt.date) -> None:
        """Move the sun to another day."""
        self.date = date
        self.refresh()

    def set_solar_hour(self, hour: float) -> None:
        """Move the sun to another hour of apparent solar time [h]."""
        self.solar_h = float(np.clip(hour, FIRST_SOLAR_H, LAST_SOLAR_H))
        if self._slider is not None:
            self._slider.GetRepresentation().SetValue(self.solar_h)
        self.refresh()

    def show_layer(self, layer: Layer, on: bool) -> None:
        """Show or hide a layer; what is hidden still casts its shadow."""
        self.shown[layer] = on
        self._show_actors()
        self.plotter.render()

    def _show_actors(self) -> None:
        for name, state in self._states.items():
            for layer, actors in state.actors.items():
                for actor in actors:
                    actor.SetVisibility(name == self.chosen and self.shown[layer])

    def refresh(self) -> Lit:
        """Light the chosen scenario for the chosen sun, and draw it."""
        state = self._states[self.chosen]
        place = self.settings
        sun = instant_at_solar_hour(self.date, self.solar_h, place.timezone, self._scenes[self.chosen].frame)
        lit = state.lit.light(sun)
        texture = pv.Texture(np.ascontiguousarray(lit.ground))
        texture.InterpolateOn()
        texture.RepeatOff()
        state.ground.texture = texture
        for layer, mesh in state.meshes.items():
            mesh.cell_data["colour"] = lit.faces[layer]
        self._show_actors()
        known = self.chosen in ("existing", "proposed")
        name = self._word(self.chosen) if known else f"{self._word('scenario')}: {self.chosen}"
        lines = [f"{place.title} - {name}", instant_text(sun, place.language)]
        down = sun.altitude_deg <= 0.0
        lines.append(self._word("below_horizon") if down else sun_text(sun, place.language))
        reach = self._word("shadow_reach").format(f"{NEAR_M:.0f}")
        lines.append(f"{reach}: {self.engine}")
        self._text("\n".join(lines), (14, SIZE[1] - 110), 11, "head")
        self.plotter.render()
        return lit

    def screenshot(self, path: Path | None) -> Path:
        """Write what the window shows as PNG; beside the working folder's other files where None."""
        target = path or Path(f"{self.chosen}-{self.date}-{self.solar_h:05.2f}h.png".replace("/", "_"))
        with writing(target) as part:
            self.plotter.screenshot(str(part))
        return target

    def show(self, wait: bool = True) -> None:
        """Open the window; come back when it is closed, or at once where not to ``wait``."""
        self.plotter.show(auto_close=False, interactive=wait)

    def close(self) -> None:
        """Close the window and give the engines back."""
        self.plotter.close()
        for state in self._states.values():
            state.lit.close()


def show_scenes(
    scenes: Mapping[str, Scene],
    settings: WindowSettings,
    device: Device,
    threads: int = 1,
    screenshot: Path | None = None,
) -> None:
    """Open the window on some scenarios, or write a picture of it without one.

    Parameters
    ----------
    scenes
        By the name of their scenario; the first is the existing state.
    settings
        Title, language, time zone.
    device, threads
        Engine of the shadows.
    screenshot
        Where to write a picture of the last scenario instead of opening the window.
    """
    window = SceneWindow(scenes, settings, device, threads, off_screen=screenshot is not None)
    try:
        if screenshot is not None:
            window.choose(window.names[-1])
            window.screenshot(screenshot)
        else:
            window.show()
    finally:
        window.close()


def _poly(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> Any:
    """Triangles as VTK takes them; float32 from the local origin, within 8 km of it."""
    return pv.PolyData.from_regular_faces(vertices.astype(np.float32), faces)


__all__ = ["SceneWindow", "WindowSettings", "show_scenes"]
