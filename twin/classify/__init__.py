"""What points are: class tables per campaign."""
