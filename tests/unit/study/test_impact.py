"""What a proposal does to a picture: shares, solid angles and what is hidden, in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_worlds import FRAME, box, flat, scene_of
from twin.errors import InputError
from twin.model.surface import Surface
from twin.study.camera import Camera
from twin.study.impact import impact_of, kinds_of, pixel_solid_angles, proposal_whole
from twin.study.picture import Picture, render
from twin.visibility.caster import choose_device

ENGINE = (choose_device("cpu"), 1)
PALETTE = {Surface.TERRAIN: (200, 200, 190), Surface.OTHER: (225, 220, 215)}
CAMERA = Camera((0.0, 0.0, 30.0), FRAME.azimuth_true(0.0), 0.0, 60.0, 480, 270)


def shot(old: tuple, new: tuple, camera: Camera = CAMERA) -> tuple[Picture, Picture, np.ndarray]:
    before, after = scene_of(flat(2000.0), old), scene_of(flat(2000.0), old, new)
    pictures = [render(scene, camera, None, PALETTE, ENGINE[0]) for scene in (before, after)]
    return pictures[0], pictures[1], proposal_whole(after, camera, ENGINE)


@pytest.mark.parametrize("hfov", [10.0, 60.0, 110.0])
def test_pixels_make_up_the_frame(hfov: float) -> None:
    """A rectangle's solid angle: 4 asin(sin a sin b) of its half angles' pyramid, here by the closed form."""
    camera = Camera((0.0, 0.0, 2.0), 12.0, 0.0, hfov, 600, 400)
    w = 2 * np.tan(np.radians(hfov) / 2)
    h = w * 400 / 600
    whole = 4 * np.arcsin(w * h / np.sqrt((w**2 + 4) * (h**2 + 4)))
    assert pixel_solid_angles(camera).sum() == pytest.approx(whole, rel=2e-5)


def test_a_wall_face_on_takes_its_solid_angle() -> None:
    """20 x 40 m at 100 m, 30 m of it below the eye's level and 10 above, before nothing but sky and ground."""
    before, after, whole = shot((), (box("p/tower", (0, 105), (20, 10, 40)),))
    impact = impact_of(before, after, whole, CAMERA)

    def corner(w: float, h: float) -> float:
        return float(np.arctan(w * h / (100.0 * np.sqrt(100.0**2 + w**2 + h**2))))

    exact = 2 * (corner(10.0, 10.0) + corner(10.0, 30.0))
    assert impact.solid_angle == pytest.approx(exact, rel=0.02)
    assert impact.share_hidden == 0.0 and not impact.gone.any()
    assert {change.kind for change in impact.hides} == {"sky", "terrain"}
    assert sum(change.pixels for change in impact.hides) == impact.seen.sum()
    assert sum(change.solid_angle for change in impact.hides) == pytest.approx(impact.solid_angle)
    assert impact.opens == ()


def test_what_stands_before_it_hides_half_of_it() -> None:
    """A screen at half the distance, half as wide and as high as the part of the tower that it covers."""
    screen = box("screen", (-5, 50), (10, 0.5, 60))
    before, after, whole = shot((screen,), (box("p/tower", (0, 105), (40, 10, 40)),))
    impact = impact_of(before, after, whole, CAMERA)
    assert impact.share_hidden == pytest.approx(0.5, abs=0.02)
    assert impact.seen[whole].mean() == pytest.approx(0.5, abs=0.02)


def test_what_goes_opens_a_view() -> None:
    house = box("house", (0, 60), (20, 10, 20))
    before, _, whole = shot((house,), ())
    after = render(scene_of(flat(2000.0)), CAMERA, None, PALETTE, ENGINE[0])
    impact = impact_of(before, after, whole, CAMERA)
    assert not impact.seen.any() and impact.hides == () and impact.share_hidden == 0.0
    assert impact.gone.sum() == sum(change.pixels for change in impact.opens) > 1000
    assert {change.kind for change in impact.opens} == {"terrain"}
    assert next(change for change in kinds_of(before) if change.object == "house").pixels == impact.gone.sum()


def test_pictures_of_two_sizes_are_refused() -> None:
    before, after, whole = shot((), ())
    with pytest.raises(InputError, match="different sizes"):
        impact_of(before, after, whole[:-1], CAMERA)


def test_what_is_replaced_is_not_hidden() -> None:
    """A tower on the site of a house that goes: it hides the sky above, and stands in place of the house."""
    house = box("house", (0, 60), (20, 10, 20))
    before = render(scene_of(flat(2000.0), (house,)), CAMERA, None, PALETTE, ENGINE[0])
    scene = scene_of(flat(2000.0), (), (box("p/tower", (0, 60), (20, 10, 60)),))
    after = render(scene, CAMERA, None, PALETTE, ENGINE[0])
    impact = impact_of(before, after, proposal_whole(scene, CAMERA, ENGINE), CAMERA)
    assert [change.object for change in impact.replaces] == ["house"] and impact.replaces[0].pixels > 1000
    assert "house" not in {change.object for change in impact.hides}
    total = sum(change.pixels for change in (*impact.hides, *impact.replaces))
    assert total == impact.seen.sum()


def test_a_base_below_the_ground_is_not_hidden() -> None:
    scene = scene_of(flat(2000.0), (), (box("p/tower", (0, 60), (20, 10, 40), base_m=-15.0),))
    after = render(scene, CAMERA, None, PALETTE, ENGINE[0])
    whole = proposal_whole(scene, CAMERA, ENGINE)
    assert (whole & ~after.proposed()).mean() < 1e-4 and after.proposed().mean() > 0.01
