"""Semantic surface types, as CityJSON 2.0 names them, plus the toolkit's own for what is drawn."""

from __future__ import annotations

from enum import IntEnum


class Surface(IntEnum):
    """What a face is; stored as uint8 beside the faces of a mesh or geometry."""

    UNKNOWN = 0
    GROUND = 1
    WALL = 2
    ROOF = 3
    CLOSURE = 4
    OUTER_CEILING = 5
    OUTER_FLOOR = 6
    WINDOW = 7
    DOOR = 8
    INTERIOR_WALL = 9
    CEILING = 10
    FLOOR = 11
    WATER = 12
    WATER_GROUND = 13
    WATER_CLOSURE = 14
    TRAFFIC_AREA = 15
    AUXILIARY_TRAFFIC_AREA = 16
    TRANSPORTATION_MARKING = 17
    TRANSPORTATION_HOLE = 18
    TERRAIN = 32
    VEGETATION = 33
    BRIDGE = 34
    LAND_USE = 35
    OTHER = 36
    PLANT_COVER = 37


CITYJSON_NAMES: dict[Surface, str] = {
    Surface.GROUND: "GroundSurface",
    Surface.WALL: "WallSurface",
    Surface.ROOF: "RoofSurface",
    Surface.CLOSURE: "ClosureSurface",
    Surface.OUTER_CEILING: "OuterCeilingSurface",
    Surface.OUTER_FLOOR: "OuterFloorSurface",
    Surface.WINDOW: "Window",
    Surface.DOOR: "Door",
    Surface.INTERIOR_WALL: "InteriorWallSurface",
    Surface.CEILING: "CeilingSurface",
    Surface.FLOOR: "FloorSurface",
    Surface.WATER: "WaterSurface",
    Surface.WATER_GROUND: "WaterGroundSurface",
    Surface.WATER_CLOSURE: "WaterClosureSurface",
    Surface.TRAFFIC_AREA: "TrafficArea",
    Surface.AUXILIARY_TRAFFIC_AREA: "AuxiliaryTrafficArea",
    Surface.TRANSPORTATION_MARKING: "TransportationMarking",
    Surface.TRANSPORTATION_HOLE: "TransportationHole",
}
"""Semantic types with a name in CityJSON 2.0."""

FROM_CITYJSON: dict[str, Surface] = {name: surface for surface, name in CITYJSON_NAMES.items()}
"""The way back."""
