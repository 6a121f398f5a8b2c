"""Ground: DTM, DSM, voids, TIN, sampling."""
