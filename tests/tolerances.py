"""Named tolerances of the tests, each with its reason."""

FRAME_ROUND_TRIP_M = 1e-9
"""World to local and back: one subtraction and one addition of whole metres in float64."""

# Delft: our 90th percentile against the top of a model made from the same cloud with the same percentile.
DELFT_P90_M = 0.5
"""Both take the 90th percentile of the points in the outline; classes and the cut above ground differ."""
DELFT_P90_SHARE = 0.75
"""Share of the 160 buildings that must agree: small sheds hold few points and differ."""

# Terrain, rasters, vector files
TIN_PLANE_M = 1e-9
"""Two ways to compute one plane in float64, at heights below 1 km."""

SAMPLED_PLANE_M = 1e-6
"""Height on a plane at a point of some 100 m of local coordinates; the slack at edges is 1e-7 m."""

FILLED_PLANE_M = 5e-5
"""Filled heights are float32: 4e-6 m at 60 m, a few of them summed."""

WARPED_HEIGHT_M = 0.02
"""A file of another CRS sampled anew: 0.01 m of place on a slope of up to 1, and float32."""

# The synthetic sample

SAMPLE_DENSITY_SHARE = 0.10
"""Points per square metre against 6.8: the spacing is settled on a sparse pilot scan of a part of the tiles."""

SAMPLE_RESIDUAL_SHARE = 0.05
"""Spread of points about their true surface over the scanner's stated noise: statistics of tens of thousands."""

SAMPLE_VOLUME_M3 = 1e-6
"""Volume of a closed solid against the sum of its prisms: float64 at local coordinates."""

SAMPLE_GROUND_M = 0.06
"""Median distance of ground points from the true ground: 3 cm of range noise, 6 cm in plan on mild slopes."""

# Sun, shadow and sight
SUN_DEG = 3e-4
"""Stated error of the NREL solar position algorithm."""

SUN_TIME_S = 1.0
"""Instants are rounded to whole seconds, reference times too."""

SHADOW_AREA_SHARE = 0.01
"""Area of a shadow counted in cells of 0.25 m against the closed form."""

SHADOW_TIP_M = 0.05
"""Tip of a 113 m shadow in three map projections: 0.3 mm of map scale a metre and 0.01 degree of convergence."""

LIFT_M = 0.007
"""Points stand 5 mm above the ground, and the engine lifts its rays by 2 mm more."""

# Buildings, trees and proposed volumes

FOOT_M = 0.02
"""Foot of a wall against the terrain's triangles: 8 mm of thinning, 1 cm of folds between the samples."""

OUTLINE_M = 0.006
"""Outlines are rounded to 1 mm and simplified at 5 mm."""

PRISM_VOLUME_M3 = 1e-6
"""Volume of a prism two ways: float64 at local coordinates, some thousand cubic metres."""

TREE_PLACE_M = 1.1
"""Stem against the top of a known crown: two cells of 0.5 m, where a third of the cells has no return."""

TREE_HEIGHT_M = 0.6
"""Highest return against the true top: the top cell may be empty, and crowns fall off from it."""

TREE_RADIUS_SHARE = 0.25
"""Crown radius by area: the flooding stops at a share of the height, and small crowns are few cells."""

CROWN_END_M = 0.25
"""Ends of a crown by its returns: the square law holds near the end only, 40 returns reach a third of the way down."""

CROWN_RADIUS_SHARE = 0.02
"""Radius by the spread of 40 returns about their own centre, which lies nearer to them than the stem: 1/80 less."""

DELFT_ROOF_M = 0.5
"""90th percentile of the roofs against another tool's: other classes, other ties at edges."""

DELFT_ROOF_SHARE = 0.75
"""Share of 160 roofs within that: some outlines are roofed with glass or differ by what counts as roof."""

# Formats

FORMAT_PLACE_M = 0.001
"""A corner in any file against its place in the world: float32 of local metres in GLB, 0.1 mm in OBJ and CityJSON."""

GLB_VOLUME_SHARE = 1e-5
"""Volume of a box of some metres from float32 corners 100 m off the origin: 4e-6 m on each."""

CITYJSON_STEP_M = 0.00006
"""CityJSON is written in whole steps of 0.1 mm: half a step, and float64 on top."""

REFERENCE_SHADOW_SHARE = 0.97
"""Cells that agree with a published shadow mask: other programs read cells as nodes or prisms, which moves edges
by half a cell."""

REFERENCE_SHADOW_STRAY_SHARE = 0.005
"""Cells that differ farther than one cell from an edge of the mask: what half a cell does not explain."""

CITY_FOOT_M = 1.0
"""Ground under a building of a city model against the foot of its walls: cellars and sloping yards differ."""

CITY_FOOT_SHARE = 0.9
"""Share of the buildings of a real model that keep to it."""

# Rays

EXCUSED_SHARE = 0.01
"""Share of random rays that may be decided by less than the grazing tolerance: ends on surfaces, 10 km off the origin.
Measured: 0.65 % at most, among rays that end on flat ground."""

EMBREE_CORNER_SHARE = 1e-3
"""Share of rays aimed exactly at a corner of closed ground that Embree lets through; measured: up to 3 in 10,000."""

FACE_HIT_M = 1e-5
"""Distance to a plane some metres away in float32, near the origin."""

DELFT_EXCUSED_SHARE = 5e-4
"""Share of random rays in a town, 500 m wide and near the origin, that are decided within the grazing tolerance."""

SWEEP_SHARE = 0.015
"""Share of cells in a small, dense town at 0.5 m for which the sweep says otherwise than the exact reading; edges."""

SWEEP_STRAY_SHARE = 0.001
"""The same, of cells that are not beside an edge of a shadow."""

FIELD_BIAS_PERCENT = 0.6
"""Bias of the hours of sun by the fast engine on the sample site, trees and a bridge included; measured 0.13 %."""

FIELD_P95_STEPS = 4
FIELD_P99_STEPS = 9
"""Error of the hours of sun that 95 and 99 % of cells keep, in steps of 10 minutes; measured 2 and 4."""

SKY_FACTOR = 0.004
"""A sky view factor from 2,000 directions: one direction in eight bands' worth of a long horizon's edge."""

VSC_PERCENT = 0.15
"""Vertical sky component from 10,000 directions [percent points]; finite walls leave 0.02."""

SWEEP_GPU_M = 0.0005
"""By how much a target may be higher or lower where the sweep on the GPU says otherwise than the one in numba [m].
They do the same steps in float32, whose unit is 0.008 mm at 100 m and 0.06 mm at 1 km; a GPU may join a product
and a sum into one step, which differs by a unit or two at each reading."""

# Classification

SMRF_TOTAL_ERROR = 0.03
"""Points on the wrong side of the ground, of all: the filter's published mean on the ISPRS set is 2.97 %."""

SMRF_DTM_M = 0.10
"""RMSE of the terrain in the open: 3 cm of range noise, 6 cm in plan, foot of walls and low things within 0.4 m."""

DELFT_ROOF_RECALL, DELFT_ROOF_PRECISION = 0.98, 0.97
"""Points of class 6 in outlines found without their class; 1.4 % of them lie lower than 1.5 m above the ground."""

DELFT_OUTLINE_AREA, DELFT_OUTLINE_PRECISION = 0.96, 0.92
"""Area of the map's buildings under derived outlines, and of these over points of class 6 (cells of 0.5 m, one wider):
gaps between houses of less than a metre are closed."""

# Zones of visibility

EXPOSED_ALIKE_SHARE = 0.99
"""Cells with the same count: a cell in the plane of a face is before it or not, by the rounding of its place."""

EXPOSED_SR = 1e-4
"""Sum of a dozen solid angles: places in 32 bits, 4e-6 m off at 80 m, before outlines of half a metre."""

EXPOSED_GPU_SR = 1e-5
"""Solid angles in 32 bits beside those in 64: what is left of a cell seen at a glancing angle."""

EXPOSED_GPU_SHARE = 1e-3
"""The same as a share: WGSL grants an arc tangent of 4096 units of the last place, 2.4e-4."""
