"""Trees from the canopy."""
