"""Operators in many layers side by side."""

from many_layers import hardly_optimized_sweeps, unsearched_memory

__all__ = ["hardly_optimized_sweeps", "unsearched_memory"]
