"""The synthetic valley and its simulated scanner."""
