"""The synthetic site: a made-up valley, its scanner, its files and its plan."""
