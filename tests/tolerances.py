"""Named tolerances of the tests, each with its reason."""

FRAME_ROUND_TRIP_M = 1e-9
"""World to local and back: one subtraction and one addition of whole metres in float64."""
