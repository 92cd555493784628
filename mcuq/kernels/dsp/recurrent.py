"""LSTM, GRU and RNN by SMLAD and SMLALD: rows of weights in pairs."""

from __future__ import annotations

import numpy as np

from mcuq.graph.tensor import Array
from mcuq.kernels.dsp.order import DSP
from mcuq.kernels.recurrent_rows import FourUnits
from mcuq.kernels.recurrent_units import kernels_by


def pack_row_pairs(rows: Array) -> Array:
    """int32 words of int8 (4 * groups, 4 * fours) for mcuq_dsp_row_sums: of each group and each four inputs two words
    of rows a and b, then two of c and d."""
    groups, fours = len(rows) // 4, rows.shape[1] // 4
    parts = rows.astype(np.int16).reshape(groups, 2, 2, fours, 4)
    both = (parts[:, :, 0] * np.int16(256) + parts[:, :, 1]).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(both).astype("<i2").view("<i4").reshape(-1).astype(np.int32)


ROWS = FourUnits(
    suffix="_dsp",
    rounded="mcuq_dsp_rounded_s16",
    shortened="mcuq_dsp_shifted_s16",
    rounded_product="mcuq_dsp_rounded_product",
    function="mcuq_dsp_row_sums",
    pack=pack_row_pairs,
    weights_an_element=4,
    middle_of="mcuq_dsp_middle",
    per=" / 4",
)

LSTM_KERNEL, GRU_KERNEL, RNN_KERNEL = kernels_by(ROWS, DSP)
