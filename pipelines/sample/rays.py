"""One laser pulse through the cells of a tile: returns from twigs, then from what stops it (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.sample.cells import CELL_M
from pipelines.sample.ground import WATER_M
from twin.jit import njit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_RETURNS = 5
DEAD_ZONE_M = 1.0
"""Two returns of one pulse are never closer than this along the ray [m]."""

SPENT_SHARE = 0.15
"""Share of the returns from twigs after which too little light is left for another."""

GROUND_CODE, VEGETATION_CODE, WATER_CODE = 2, 4, 9
ON_ROOF, ON_WALL, ON_GROUND, IN_CROWN = 0, 1, 2, 3
"""What a return came from."""


@njit
def mix(a: np.uint64, b: np.uint64) -> np.uint64:
    """Hash two numbers into one (the finaliser of splitmix64)."""
    h = a ^ (b * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x632BE59BD9B4E019))
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@njit
def uniform(key: np.uint64, what: int) -> float:
    """A number in (0, 1) that belongs to a pulse and a purpose, whatever tile or thread asks."""
    bits: float = float(mix(key, np.uint64(what)) >> np.uint64(11))
    return (bits + 0.5) * 1.1102230246251565e-16


@njit
def normal(key: np.uint64, what: int) -> float:
    """A standard normal number (Box and Muller 1958)."""
    radius: float = np.sqrt(-2.0 * np.log(uniform(key, what)))
    turn: float = np.cos(6.283185307179586 * uniform(key, what + 1000003))
    return radius * turn


@njit
def hit_prism(p: int, ray: Floats, edges: Floats, edge_start: Ints, tops: Floats) -> tuple[float, int]:
    """Distance at which a ray (origin, direction) enters a prism, and by roof or wall; -1 for a miss."""
    enter, leave, side = -1e30, 1e30, ON_WALL
    for e in range(edge_start[p], edge_start[p + 1]):
        speed = edges[e, 0] * ray[3] + edges[e, 1] * ray[4]
        room = edges[e, 2] - edges[e, 0] * ray[0] - edges[e, 1] * ray[1]
        if speed > 1e-14:
            leave = min(leave, room / speed)
        elif speed < -1e-14:
            enter = max(enter, room / speed)
        elif room < 0.0:
            return -1.0, ON_WALL
    speed = ray[5] - tops[p, 0] * ray[3] - tops[p, 1] * ray[4]
    room = tops[p, 2] + tops[p, 0] * ray[0] + tops[p, 1] * ray[1] - ray[2]
    if speed < 0.0:
        if room / speed >= enter:
            enter, side = room / speed, ON_ROOF
    elif speed > 0.0:
        leave = min(leave, room / speed)
    leave = min(leave, (tops[p, 3] - ray[2]) / ray[5])
    if enter < leave and enter > 0.0:
        return enter, side
    return -1.0, ON_WALL


@njit
def ground_z(x: float, y: float, west: float, south: float, ground: Floats) -> float:
    """Bilinear height of the ground [m]."""
    fx, fy = (x - west) / CELL_M, (y - south) / CELL_M
    c = min(max(int(fx), 0), ground.shape[1] - 2)
    r = min(max(int(fy), 0), ground.shape[0] - 2)
    fx, fy = fx - c, fy - r
    low = ground[r, c] * (1 - fx) + ground[r, c + 1] * fx
    high = ground[r + 1, c] * (1 - fx) + ground[r + 1, c + 1] * fx
    z: float = low * (1 - fy) + high * fy
    return z


@njit
def above_ground(ray: Floats, t: float, corner: Floats, ground: Floats) -> float:
    """Height of a ray over the ground at distance t [m]."""
    x, y = ray[0] + t * ray[3], ray[1] + t * ray[4]
    gap: float = ray[2] + t * ray[5] - ground_z(x, y, corner[0], corner[1], ground)
    return gap


@njit
def hit_ground(ray: Floats, t0: float, t1: float, corner: Floats, ground: Floats) -> float:
    """Distance at which a ray meets the ground between t0 and t1 (false position); -1 where it does not."""
    above, below = above_ground(ray, t0, corner, ground), above_ground(ray, t1, corner, ground)
    if below > 0.0:
        return -1.0
    if above <= 0.0:
        return t0
    t = t0
    for _ in range(8):
        t = t0 + (t1 - t0) * above / (above - below)
        gap = above_ground(ray, t, corner, ground)
        if abs(gap) < 1e-4:
            break
        if gap > 0.0:
            t0, above = t, gap
        else:
            t1, below = t, gap
    return t


@njit
def twigs(
    p: int, ray: Floats, span: tuple[float, float], key: np.uint64, crowns: Floats, hits: Floats, count: int
) -> int:
    """Add the returns from one crown that fall into ``span``; free paths are exponential, drawn per crown."""
    rh, rv = crowns[p, 3], crowns[p, 4]
    ox, oy, oz = (ray[0] - crowns[p, 0]) / rh, (ray[1] - crowns[p, 1]) / rh, (ray[2] - crowns[p, 2]) / rv
    dx, dy, dz = ray[3] / rh, ray[4] / rh, ray[5] / rv
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    under = b * b - a * (ox * ox + oy * oy + oz * oz - 1.0)
    if under <= 0.0:
        return count
    root = np.sqrt(under)
    t, last = (-b - root) / a, (-b + root) / a
    tree = mix(key, np.uint64(int(crowns[p, 6]) + 7000000))
    for k in range(MAX_RETURNS):
        t += -np.log(uniform(tree, k)) / crowns[p, 5]
        if t >= last or t >= span[1]:
            break
        if t >= span[0] and count < hits.shape[0]:
            hits[count, 0], hits[count, 1], hits[count, 2], hits[count, 3] = (
                t,
                VEGETATION_CODE,
                IN_CROWN,
                crowns[p, 6],
            )
            count += 1
        t += DEAD_ZONE_M
    return count


@njit
def first_prism(
    chosen: Ints, ray: Floats, span: tuple[float, float], key: np.uint64, bodies: Any
) -> tuple[float, int, int]:
    """The first prism that stops a ray within ``span``: distance, roof or wall, number; -1 for none."""
    edges, edge_start, tops, _, _ = bodies
    stop, source, number = span[1] + 1e-6, ON_WALL, -1
    for p in chosen:
        at, side = hit_prism(p, ray, edges, edge_start, tops)
        if not span[0] - 1e-6 <= at < stop:
            continue
        if tops[p, 4] >= 1.0 or uniform(key, 500 + p) < tops[p, 4]:
            stop, source, number = at, side, p
    return stop, source, number


@njit
def trace(
    ray: Floats,
    key: np.uint64,
    t: float,
    corner: Floats,
    scene: Any,
    bodies: Any,
    hits: Floats,
) -> int:
    """March one ray from distance t downwards; fill ``hits`` (distance, code, source, number); count them."""
    ground, top, prism_start, prism_list, crown_start, crown_list = scene
    codes, crowns = bodies[3], bodies[4]
    rows, cols = top.shape
    count = 0
    c = int(np.floor((ray[0] + t * ray[3] - corner[0]) / CELL_M))
    r = int(np.floor((ray[1] + t * ray[4] - corner[1]) / CELL_M))
    step_c, step_r = (1 if ray[3] > 0 else -1), (1 if ray[4] > 0 else -1)
    far = 1e30
    next_c = (corner[0] + (c + (step_c > 0)) * CELL_M - ray[0]) / ray[3] if abs(ray[3]) > 1e-12 else far
    next_r = (corner[1] + (r + (step_r > 0)) * CELL_M - ray[1]) / ray[4] if abs(ray[4]) > 1e-12 else far
    add_c = CELL_M / abs(ray[3]) if abs(ray[3]) > 1e-12 else far
    add_r = CELL_M / abs(ray[4]) if abs(ray[4]) > 1e-12 else far
    bottom = (-100.0 - ray[2]) / ray[5]
    while 0 <= c < cols and 0 <= r < rows:
        leave = min(next_c, next_r, bottom)
        if ray[2] + leave * ray[5] <= top[r, c]:
            cell = r * cols + c
            stop = hit_ground(ray, t, leave, corner, ground)
            code = WATER_CODE if ray[2] + stop * ray[5] < WATER_M + 0.02 else GROUND_CODE
            source, number = ON_GROUND, -1
            if stop < 0.0:
                stop = far
            chosen = prism_list[prism_start[cell] : prism_start[cell + 1]]
            at, side, p = first_prism(chosen, ray, (t, min(leave, stop)), key, bodies)
            if p >= 0:
                stop, code, source, number = at, codes[p], side, p
            for k in range(crown_start[cell], crown_start[cell + 1]):
                count = twigs(crown_list[k], ray, (t, min(leave, stop)), key, crowns, hits, count)
            if stop < far:
                if count < hits.shape[0]:
                    hits[count, 0], hits[count, 1] = stop, code
                    hits[count, 2], hits[count, 3] = source, number
                    count += 1
                return count
        if leave == bottom:
            return count
        t = leave
        if next_c < next_r:
            c += step_c
            next_c += add_c
        else:
            r += step_r
            next_r += add_r
    return count


@njit
def settle(hits: Floats, count: int, key: np.uint64) -> int:
    """Sort the returns by distance; drop those too close behind another or past the pulse's strength."""
    for i in range(1, count):
        k = i
        while k > 0 and hits[k, 0] < hits[k - 1, 0]:
            for m in range(4):
                hits[k, m], hits[k - 1, m] = hits[k - 1, m], hits[k, m]
            k -= 1
    kept = 0
    for i in range(count):
        if kept == MAX_RETURNS:
            break
        if kept == 0 or hits[i, 0] - hits[kept - 1, 0] >= DEAD_ZONE_M:
            for m in range(4):
                hits[kept, m] = hits[i, m]
            kept += 1
            if hits[i, 2] == IN_CROWN and uniform(key, 900 + i) < SPENT_SHARE:
                break
    return kept
