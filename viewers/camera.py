"""Cameras of the named views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from twin.errors import InputError
from twin.model.scene import Scene
from twin.study.camera import Camera
from twin.study.sight import EYE_LIFT_M
from twin.terrain.sampler import TinSampler


def camera_of(scene: Scene, view: Mapping[str, Any], where: str) -> Camera:
    """The camera of a view.

    Parameters
    ----------
    scene
        For the ground under the eye.
    view
        ``eye`` (east, north, above_ground_m or height_m), bearing_true_deg, pitch_deg, field_of_view_deg, width
        and height.
    where
        Begins the message of an error.

    Raises
    ------
    InputError
        An eye above no ground (with above_ground_m), or below it.
    """
    eye = view["eye"]
    x, y = scene.frame.to_local(np.array([[eye["east"], eye["north"]]]))[0]
    ground = float(TinSampler(scene.terrain.tin).heights(np.array([[x, y]]))[0])
    height = eye.get("height_m")
    if height is None:
        if np.isnan(ground):
            raise InputError(
                f"{where}: key 'eye': E {eye['east']} N {eye['north']} lies outside the terrain; "
                "give height_m instead of above_ground_m, or move it"
            )
        height = ground + float(eye["above_ground_m"])
    elif height < ground:
        raise InputError(
            f"{where}: key 'eye.height_m': {height:.3f} m lies below the ground ({ground:.3f} m)"
        )
    return Camera(
        (float(x), float(y), float(np.fmax(height, ground + EYE_LIFT_M))),
        float(view["bearing_true_deg"]),
        float(view["pitch_deg"]),
        float(view["field_of_view_deg"]),
        int(view["width"]),
        int(view["height"]),
    )
