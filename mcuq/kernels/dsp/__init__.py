"""Kernels for Arm CPUs with the DSP extension."""
