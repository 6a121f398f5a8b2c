"""Named tolerances of the tests, each with its reason."""

FRAME_ROUND_TRIP_M = 1e-9
"""World to local and back: one subtraction and one addition of whole metres in float64."""

# Delft: our 90th percentile against the top of a model made from the same cloud with the same percentile.
DELFT_P90_M = 0.5
"""Both take the 90th percentile of the points in the outline; classes and the cut above ground differ."""
DELFT_P90_SHARE = 0.75
"""Share of the 160 buildings that must agree: small sheds hold few points and differ."""
