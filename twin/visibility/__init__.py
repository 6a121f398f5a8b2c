"""One seam: what blocks this ray? Takes bare arrays; import from the modules."""
