"""What files are read as, in layers side by side where C computes it."""

from many_layers import hardly_optimized_sweeps, unsearched_memory

__all__ = ["hardly_optimized_sweeps", "unsearched_memory"]
