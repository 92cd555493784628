"""Kernels for Armv6-M and Armv7-M without SIMD: blocks of pixels and of channels."""
