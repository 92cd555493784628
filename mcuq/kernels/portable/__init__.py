"""Kernels for any CPU."""
