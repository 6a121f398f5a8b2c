"""The passes over the pixels of a picture: first hits, sky, light, and more samples where there are edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.frame import Frame
from twin.model.arrays import readonly
from twin.study.camera import AnyCamera
from twin.study.edges import SUBPIXELS, WEIGHTS, find_edges, line_strength
from twin.study.pixels import TILE, Sample, display_rows, light, sample_hits, sunlit
from twin.study.shade import Look, Surfaces
from twin.study.skylight import SkyLight, sky_shares
from twin.visibility.caster import Caster
from twin.visibility.rays import slices

ROWS = 32
"""Rows of a picture that a thread shows or searches for edges at a time."""


class Still:
    """The buffers of one picture while it is made; pixels in one row, from the top left.

    Every pixel is worked out for itself: neither the threads nor what is shaded together change a byte.

    Parameters
    ----------
    frame
        Frame of the scene.
    camera
        Where from.
    surfaces, look
        What the faces look like, and under which light.
    caster
        The engine, over the faces of ``surfaces``.
    threads
        Threads that shade; the engine is asked by each of them.
    """

    def __init__(
        self,
        frame: Frame,
        camera: AnyCamera,
        surfaces: Surfaces,
        look: Look,
        caster: Caster,
        threads: int = 1,
    ) -> None:
        self.frame, self.camera = frame, camera
        self.eye: NDArray[np.float64] = readonly(camera.eye, np.float64)
        self.size = (camera.height, camera.width)
        self.surfaces, self.look, self.caster, self.threads = surfaces, look, caster, threads
        count = camera.width * camera.height
        self.colour = np.zeros((count, 3), dtype=np.float32)
        self.faces = np.full(count, -1, dtype=np.int32)
        self.objects = np.full(count, -1, dtype=np.int32)
        self.depth = np.full(count, np.nan, dtype=np.float32)
        self.normals = np.zeros((count, 3), dtype=np.float32)

    def draw(self) -> None:
        """All passes, one after the other."""
        self.first_pass()
        self.look_up()
        self.shade()
        self.soften_edges()

    def repaint(self, surfaces: Surfaces) -> None:
        """The same picture with other colours of its faces."""
        self.surfaces = surfaces
        self.shade()
        self.soften_edges()

    def rgb(self) -> NDArray[np.uint8]:
        """(height, width, 3) sRGB."""
        colour = self.colour.reshape(*self.size, 3)
        out = np.empty(colour.shape, dtype=np.uint8)
        self.each(slices(self.size[0], ROWS), lambda rows: display_rows(colour, rows.start, rows.stop, out))
        return out

    def each(self, parts: Iterator[slice], work: Callable[[slice], None]) -> None:
        """Do some work for each part, in threads."""
        if self.threads == 1:
            for part in parts:
                work(part)
            return
        with ThreadPoolExecutor(self.threads, thread_name_prefix="pixels") as pool:
            try:
                for job in [pool.submit(work, part) for part in parts]:
                    job.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def bands(self, count: int, each: int = 1) -> Iterator[slice]:
        """Slices of ``count``, each with as many rays as suit the engine at ``each`` rays a piece."""
        return slices(count, max(1, self.caster.batch // each))

    def look_at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Sample:
        """First hits of picture points."""
        rays = self.camera.directions(self.frame, x, y)
        start = self.camera.origins(self.frame, x, y)
        hits = self.caster.first_hit(np.array(np.broadcast_to(start, rays.shape)), rays)
        return sample_hits(self.surfaces, start, rays, hits.distance, hits.face)

    def seen_before(
        self, pixels: slice | NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> Sample:
        """The sample of pixels that were looked at before."""
        rays = self.camera.directions(self.frame, x, y)
        start = self.camera.origins(self.frame, x, y)
        return sample_hits(self.surfaces, start, rays, self.depth[pixels], self.faces[pixels])

    def middles(self, pixels: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x and y of the middles of pixels."""
        y, x = np.divmod(np.arange(pixels.start, pixels.stop), self.size[1])
        return x + 0.5, y + 0.5

    def colours(self, sample: Sample, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """Light (n, 3) that comes from picture points, linear."""
        lit = sunlit(self.surfaces, self.look, sample, self.caster)
        return light(self.surfaces, self.look, sample, lit, self.sky.at(x, y, sample))

    def first_pass(self) -> None:
        """One sample in the middle of each pixel."""

        def work(band: slice) -> None:
            sample = self.look_at(*self.middles(band))
            self.faces[band] = sample.face
            self.objects[band] = self.surfaces.object_of(sample.face)
            self.depth[band] = np.where(sample.face >= 0, sample.distance, np.nan)
            self.normals[band] = sample.normals

        self.each(self.bands(len(self.faces)), work)

    def look_up(self) -> None:
        """Share of the sky at every second pixel of every second row."""
        rows, cols = (n // 2 + n % 2 for n in self.size)
        known = np.empty((rows, cols, 7), dtype=np.float32)
        self.sky = SkyLight(known, self.eye)

        def work(some: slice) -> None:
            r, c = np.divmod(np.arange(some.start * cols, some.stop * cols), cols)
            sample = self.seen_before(2 * r * self.size[1] + 2 * c, 2 * c + 0.5, 2 * r + 0.5)
            shape = (-1, cols, 3)
            known[some, :, 0] = sky_shares(self.caster, sample, TILE[r % 4, c % 4]).reshape(-1, cols)
            known[some, :, 1:4] = (sample.points - self.eye).reshape(shape)
            known[some, :, 4:] = sample.normals.reshape(shape)

        self.each(self.bands(rows, cols), work)

    def shade(self) -> None:
        """Colours of the middles of the pixels."""

        def work(band: slice) -> None:
            x, y = self.middles(band)
            self.colour[band] = self.colours(self.seen_before(band, x, y), x, y)

        self.each(self.bands(len(self.faces)), work)

    def soften_edges(self) -> None:
        """Eight samples where neighbours differ, and the lines of the buildings."""
        wanted = np.flatnonzero(self.edges())
        count, width = len(SUBPIXELS), self.size[1]

        def work(some: slice) -> None:
            pixels = wanted[some]
            row, col = np.divmod(pixels, width)
            x = (col[:, None] + SUBPIXELS[None, :, 0]).ravel()
            y = (row[:, None] + SUBPIXELS[None, :, 1]).ravel()
            sample = self.look_at(x, y)
            samples = np.clip(self.colours(sample, x, y), 0.0, 1.0).reshape(-1, count, 3)
            colour = np.einsum("nkc,k->nc", samples, WEIGHTS)
            strength = line_strength(*self.lines_of(sample, count))
            self.colour[pixels] = colour * (1.0 - strength[:, None])

        self.each(self.bands(len(wanted), count), work)

    def edges(self) -> NDArray[np.bool_]:
        """Pixels (height, width) that need more samples."""
        height = self.size[0]
        shown = (
            self.objects.reshape(self.size),
            self.normals.reshape(*self.size, 3),
            self.depth.reshape(self.size),
            self.rgb(),
        )
        out = np.empty(self.size, dtype=bool)
        self.each(slices(height, ROWS), lambda rows: find_edges(shown, rows.start, rows.stop, out))
        return out

    def lines_of(self, sample: Sample, count: int) -> tuple[NDArray[Any], ...]:
        """What ``line_strength`` asks of samples, ``count`` to a pixel."""
        hit = sample.face >= 0
        return (
            self.surfaces.object_of(sample.face).reshape(-1, count),
            (self.surfaces.drawn[sample.face] & hit).reshape(-1, count),
            sample.flat.reshape(-1, count, 3),
            np.where(hit, sample.distance, np.inf).reshape(-1, count),
        )
