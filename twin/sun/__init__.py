"""Where the sun stands, and when."""
