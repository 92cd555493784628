"""Kernels for Armv8.1-M with MVE."""
