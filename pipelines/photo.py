"""A photograph as the backdrop of a view: its pixels, and the camera solved from its control points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipelines.config_views import PhotoSettings
from pipelines.site import Site
from twin.errors import InputError
from twin.frame import Frame
from twin.io.atomic import sha256_file
from twin.study.camera import Camera
from twin.study.pose import Pose, solve_pose
from viewers.words import number, word

MOST_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class SolvedPhoto:
    """Pixels (h, w, 3) of a photograph, its control points and its pose."""

    pixels: NDArray[np.uint8]
    settings: PhotoSettings
    pose: Pose

    def rows(self) -> list[Mapping[str, Any]]:
        """The table of residuals: where each point is drawn less where the photograph shows it."""
        return [
            {
                "point": point.name,
                "x_px": point.x,
                "y_px": point.y,
                "residual_x_px": float(off[0]),
                "residual_y_px": float(off[1]),
                "residual_px": float(np.hypot(*off)),
                "used": bool(used),
            }
            for point, off, used in zip(
                self.settings.points, self.pose.residuals, self.pose.used, strict=True
            )
        ]

    def words(self, language: str) -> str:
        """How good the pose is, for the caption."""
        most = float(np.linalg.norm(self.pose.residuals[self.pose.used], axis=1).max())
        return word("pose", language).format(
            int(self.pose.used.sum()),
            number(self.pose.rms_px, 1, language),
            number(most, 1, language),
            number(self.pose.position_m, 2, language),
            number(self.pose.bearing_deg, 3, language),
        )

    def record(self, frame: Frame) -> dict[str, Any]:
        """The camera as solved, with its standard errors and residuals."""
        camera, pose = self.pose.camera, self.pose
        east, north = frame.to_world(np.array([camera.eye[:2]]))[0]
        return {
            "crs": frame.crs_name,
            "heights": frame.vertical,
            "east": float(east),
            "north": float(north),
            "height_m": camera.eye[2],
            "bearing_true_deg": camera.bearing_true_deg % 360.0,
            "pitch_deg": camera.pitch_deg,
            "roll_deg": camera.roll_deg,
            "hfov_deg": camera.hfov_deg,
            "width": camera.width,
            "height": camera.height,
            "standard_error": {"position_m": pose.position_m, "bearing_deg": pose.bearing_deg},
            "rms_px": pose.rms_px,
            "points": list(self.rows()),
            "method": "least squares on the control points, pinhole without distortion, principal point in the middle; "
            "a point that spoils the fit of all others is left out",
        }

    def warnings(self) -> list[str]:
        """What a person should know before the picture is used."""
        out = [
            f"control point {point.name!r} was left out: it lies {float(np.hypot(*off)):.0f} pixels from where the "
            "others put it"
            for point, off, used in zip(
                self.settings.points, self.pose.residuals, self.pose.used, strict=True
            )
            if not used
        ]
        if self.pose.rms_px > self.settings.warn_px:
            limit = f"more than {self.settings.warn_px:g}"
            out.append(
                f"the control points are off by {self.pose.rms_px:.1f} pixels (RMS), {limit}: "
                "check them, or the lens distorts"
            )
        return out


def photo_hash(site: Site, view: str, settings: PhotoSettings) -> str:
    """Hash of a photograph's file; InputError where there is none."""
    path = site.path(settings.file)
    if not path.is_file():
        raise InputError(
            f"{site.folder / 'views.toml'}: view {view!r}, key 'photo.file': no such file: {path}"
        )
    return sha256_file(path)


def solved_photo(site: Site, where: str, settings: PhotoSettings, guess: Camera, frame: Frame) -> SolvedPhoto:
    """Read a photograph and solve its camera, from the camera of the view as a first guess.

    Raises
    ------
    InputError
        No picture, control points beside it or that fit no camera.
    """
    path = site.path(settings.file)
    pixels = read_photo(path)
    height, width = pixels.shape[:2]
    beside = [p.name for p in settings.points if not (0 <= p.x <= width and 0 <= p.y <= height)]
    if beside:
        raise InputError(
            f"{where}: control point {beside[0]!r} lies beside the photograph of {width} x {height} pixels"
        )
    world = np.array([[p.east, p.north] for p in settings.points])
    local = np.column_stack([frame.to_local(world), [p.height_m for p in settings.points]])
    drawn = np.array([[p.x, p.y] for p in settings.points])
    start = replace(guess, width=width, height=height)
    try:
        pose = solve_pose(local, drawn, start, frame, settings.known_lens)
    except InputError as error:
        raise InputError(f"{where}: key 'photo': {error}") from None
    return SolvedPhoto(pixels, settings, pose)


def read_photo(path: Path) -> NDArray[np.uint8]:
    """Pixels (h, w, 3) of a photograph, upright as its camera noted; InputError where it cannot be read."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise InputError(
                    f"{path}: {image.width} x {image.height} pixels are more than {MOST_PIXELS:,}"
                )
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"), dtype=np.uint8)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be read as a picture: {error}") from error
