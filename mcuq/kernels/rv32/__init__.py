"""Kernels for RV32IM."""
