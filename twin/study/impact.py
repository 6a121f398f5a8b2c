"""What a proposal does to a picture: where it stands and how much of that is seen, what it hides, what opens."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.arrays import readonly
from twin.model.scene import Scene
from twin.model.surface import Surface
from twin.study.camera import Camera
from twin.study.hanging import faces_of
from twin.study.occluders import face_table
from twin.study.picture import Picture
from twin.terrain.sampler import TinSampler
from twin.visibility.caster import Device, make_caster
from twin.visibility.rays import slices

BELOW_M = 0.01
"""How deep a point lies that counts as below the ground [m]."""


@dataclass(frozen=True, slots=True)
class Change:
    """Pixels that show another thing than before: ``kind`` and id of it (none for sky, ground, trees), how many, how
    large [sr]."""

    kind: str
    object: str
    pixels: int
    solid_angle: float


@dataclass(frozen=True, slots=True, eq=False)
class Impact:
    """What a proposal does to a picture.

    Parameters
    ----------
    seen
        (height, width) bool, pixels whose middle shows a proposed object.
    whole
        (height, width) bool, those that would if nothing else stood.
    gone
        (height, width) bool, those that showed an object which the scenario removes.
    solid_angle
        Of what is seen [sr].
    hides
        What was seen in the pixels of the proposal before and stays, the largest first.
    replaces
        What was seen in them and is removed.
    opens
        What is seen where removed objects stood, the proposal apart.
    """

    seen: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    gone: NDArray[np.bool_]
    solid_angle: float
    hides: tuple[Change, ...]
    replaces: tuple[Change, ...]
    opens: tuple[Change, ...]

    def __post_init__(self) -> None:
        for name in ("seen", "whole", "gone"):
            object.__setattr__(self, name, readonly(getattr(self, name), np.bool_))

    @property
    def share_hidden(self) -> float:
        """Share of the proposal's outline that other things hide, 0 to 1; 0 where none of it lies in the picture."""
        total = int((self.whole | self.seen).sum())
        return 1.0 - int(self.seen.sum()) / total if total else 0.0


def impact_of(before: Picture, after: Picture, whole: NDArray[np.bool_], camera: Camera) -> Impact:
    """The impact of a proposal on a picture.

    Parameters
    ----------
    before, after
        Pictures of the existing state and with the proposal, from the same camera.
    whole
        From ``proposal_whole``.
    camera
        Their camera.

    Raises
    ------
    InputError
        Pictures of different sizes.
    """
    if not (before.ids.shape == after.ids.shape == whole.shape == (camera.height, camera.width)):
        raise InputError("pictures of different sizes cannot be compared")
    seen = after.proposed()
    stays = set(after.objects)
    removed = np.array([name not in stays for name in before.objects] + [False])
    gone = removed[before.ids]
    weight = pixel_solid_angles(camera)
    return Impact(
        seen,
        whole,
        gone,
        float(weight[seen].sum()),
        _changes(before, seen & ~gone, weight),
        _changes(before, seen & gone, weight),
        _changes(after, gone & ~seen, weight),
    )


def pixel_solid_angles(camera: Camera) -> NDArray[np.float64]:
    """Solid angle (height, width) of the pixels of a central picture: area over d2 times cos i, focal length 1 [sr]."""
    size = np.tan(np.radians(camera.hfov_deg) / 2) / (camera.width / 2)
    u = (np.arange(camera.width) + 0.5 - camera.width / 2) * size
    v = (np.arange(camera.height) + 0.5 - camera.height / 2) * size
    out: NDArray[np.float64] = size**2 / (1.0 + u[None] ** 2 + v[:, None] ** 2) ** 1.5
    return out


def kinds_of(picture: Picture) -> list[Change]:
    """Everything that a picture shows, the largest first; without solid angles."""
    return list(_changes(picture, np.ones(picture.ids.shape, dtype=bool), None))


def _changes(
    picture: Picture, where: NDArray[np.bool_], weight: NDArray[np.float64] | None
) -> tuple[Change, ...]:
    """What a picture shows in some pixels, by kind and object."""
    codes = 2 * (picture.ids[where].astype(np.int64) + 1) + (picture.surfaces[where] == Surface.WATER)
    found, inverse = np.unique(codes, return_inverse=True)
    pixels = np.bincount(inverse, minlength=len(found))
    each = np.zeros(int(where.sum())) if weight is None else weight[where]
    angle = np.bincount(inverse, each, minlength=len(found))
    total: dict[tuple[str, str], list[float]] = {}
    for k, code in enumerate(found.tolist()):
        number, water = code // 2 - 1, bool(code % 2)
        sums = total.setdefault(_kind(picture, number, water), [0, 0.0])
        sums[0] += int(pixels[k])
        sums[1] += float(angle[k])
    changes = [Change(kind, name, int(n), a) for (kind, name), (n, a) in total.items()]
    return tuple(sorted(changes, key=lambda c: (-c.pixels, c.kind, c.object)))


def _kind(picture: Picture, number: int, water: bool) -> tuple[str, str]:
    """Kind and id; the sky, the ground, water and trees have no name."""
    if number < 0:
        return "sky", ""
    if water:
        return "water", ""
    layer = picture.layers[number]
    return layer, "" if layer in ("terrain", "trees") else picture.objects[number]


def proposal_whole(scene: Scene, camera: Camera, engine: tuple[Device, int]) -> NDArray[np.bool_]:
    """Pixels (height, width) whose middle would show a proposed object if nothing else stood on the ground.

    What of it lies below the ground (bases that are sunk into a slope) does not count.

    Parameters
    ----------
    scene
        The scene with the proposal.
    camera
        Where from.
    engine
        Device and threads.
    """
    # Only what is proposed is walked: on a whole town all else takes longer than the rays.
    table = face_table(replace(scene, buildings=(), others=(), trees=()))
    mine = np.array([status == "proposed" for status in table.statuses])
    out = np.zeros(camera.width * camera.height, dtype=bool)
    if not mine.any():
        return out.reshape(camera.height, camera.width)
    eye, ground = np.array(camera.eye, dtype=np.float64), TinSampler(scene.terrain.tin)
    caster = make_caster(faces_of(table, mine).triangles(), *engine)
    try:
        for band in slices(len(out), caster.batch * engine[1]):
            y, x = np.divmod(np.arange(band.start, band.stop), camera.width)
            rays = camera.directions(table.frame, x + 0.5, y + 0.5)
            hits = caster.first_hit(np.tile(eye, (len(rays), 1)), rays)
            met = np.flatnonzero(hits.face >= 0)
            points = eye + hits.distance[met, None].astype(np.float64) * rays[met]
            below = points[:, 2] < ground.heights(points[:, :2]) - BELOW_M
            out[band.start + met[~below]] = True
    finally:
        caster.close()
    return out.reshape(camera.height, camera.width)
