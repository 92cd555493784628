"""The integer arithmetic of recurrent networks: NumPy twin of firmware/kernels/mcuq_recurrent.h."""

from __future__ import annotations

import numpy as np

from mcuq.graph.tensor import Array


def rounded_s16(total: Array, shift: int) -> Array:
    """int32 of int64 `total` * 2^-shift, halves up, limited to 16 bits; shift in 1..62, |total| < 2^62."""
    rounded = (total.astype(np.int64) + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)
    return np.asarray(np.clip(rounded, -32768, 32767), np.int32)
