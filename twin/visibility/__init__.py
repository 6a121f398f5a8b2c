"""What blocks this ray? One seam over Embree, WGSL compute and a plain reference; usable on its own."""
