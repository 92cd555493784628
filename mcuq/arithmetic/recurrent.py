"""The integer arithmetic of recurrent networks: NumPy twin of firmware/kernels/mcuq_recurrent.h."""

from __future__ import annotations

import numpy as np

from mcuq.graph.tensor import Array


def rounded_s16(total: Array, shift: int) -> Array:
    """int32 of int64 `total` * 2^-shift, halves up, limited to 16 bits; shift in 1..62, |total| < 2^62."""
    rounded = (total.astype(np.int64) + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)
    return np.asarray(np.clip(rounded, -32768, 32767), np.int32)


def curve(x: Array, values: Array, shift: int) -> Array:
    """int32 of int16 `x`: a function by straight lines between int16 `values`, of x = -32768 and each 2^shift codes
    behind, each rounded to nearest, halves up; shift in 1..8."""
    x = x.astype(np.int32)
    index = (x >> shift) + (32768 >> shift)
    low, high = values[index].astype(np.int32), values[index + 1].astype(np.int32)
    fraction = x & ((1 << shift) - 1)
    return np.asarray(low + (((high - low) * fraction + (1 << (shift - 1))) >> shift), np.int32)
