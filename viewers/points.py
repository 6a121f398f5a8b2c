"""The window for raw clouds, coloured by class, in Open3D."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.classify.tables import PointClass
from twin.errors import MissingDependencyError
from twin.io.atomic import writing
from viewers.palette import POINT_CLASSES, Colour

SIZE = (1600, 1000)
OTHER: Colour = (255, 0, 255)
"""Colour of classes without one."""


def class_legend(classes: NDArray[np.integer]) -> list[str]:
    """A line for each class that occurs: its colour, code, name and number of points."""
    codes, counts = np.unique(classes, return_counts=True)
    lines = []
    for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
        colour = "#{:02x}{:02x}{:02x}".format(*POINT_CLASSES.get(code, OTHER))
        lines.append(f"{colour}  class {code:3d}  {_class_name(code):<24} {count:>12,} points")
    return lines


def _class_name(code: int) -> str:
    try:
        return PointClass(code).name.lower().replace("_", " ")
    except ValueError:
        return "other"


def class_colours(classes: NDArray[np.integer]) -> NDArray[np.float64]:
    """sRGB (n, 3), 0 to 1, of the points' classes."""
    table = np.tile(np.array(OTHER, dtype=np.float64) / 255.0, (256, 1))
    for code, colour in POINT_CLASSES.items():
        table[code] = np.array(colour) / 255.0
    return table[np.asarray(classes, dtype=np.int64)]


def show_points(
    xyz: NDArray[np.float64], classes: NDArray[np.integer], title: str, screenshot: Path | None = None
) -> None:
    """Open the window on a cloud, or write a picture of it.

    Parameters
    ----------
    xyz
        (n, 3) local coordinates [m].
    classes
        (n,) class of each point.
    title
        Of the window.
    screenshot
        Where to write a picture (PNG); the window closes by itself then.

    Raises
    ------
    MissingDependencyError
        No window can be opened on this display.
    """
    import open3d as o3d

    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(np.asarray(xyz, dtype=np.float64)))
    cloud.colors = o3d.utility.Vector3dVector(class_colours(classes))
    window = o3d.visualization.Visualizer()
    if not window.create_window(title, *SIZE, visible=True):
        raise MissingDependencyError(
            "open3d opens no window here: its OpenGL 3.3 is missing (apt install libgl1-mesa-dri), "
            "or the display is remote"
        )
    try:
        window.add_geometry(cloud)
        options = window.get_render_option()
        options.point_size = 2.0
        options.background_color = np.array([0.96, 0.97, 0.98])
        view = window.get_view_control()
        view.set_front([-0.45, -0.70, 0.55])
        view.set_up([0.0, 0.0, 1.0])
        view.set_zoom(0.55)
        if screenshot is None:
            window.run()
            return
        window.poll_events()
        window.update_renderer()
        with writing(screenshot) as part:
            window.capture_screen_image(part, do_render=True)
    finally:
        window.destroy_window()
