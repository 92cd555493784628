"""Operators do not care where memory lies."""

from support import unsearched_memory

__all__ = ["unsearched_memory"]
