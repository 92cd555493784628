"""LSTM, GRU and RNN by MVE: four rows share each load of what they hear."""

from __future__ import annotations

import numpy as np

from mcuq.graph.tensor import Array
from mcuq.kernels.mve.requantized import MVE
from mcuq.kernels.recurrent_rows import FourUnits
from mcuq.kernels.recurrent_units import kernels_by


def pack_rows(rows: Array) -> Array:
    """int8, one row after the other."""
    return np.ascontiguousarray(rows).reshape(-1)


# Rounding is that of the DSP extension, which CPUs with MVE have.
ROWS = FourUnits(
    suffix="_mve",
    rounded="mcuq_dsp_rounded_s16",
    shortened="mcuq_dsp_shifted_s16",
    rounded_product="mcuq_dsp_rounded_product",
    function="mcuq_mve_row_sums",
    pack=pack_rows,
    middle_of="mcuq_dsp_middle",
)

LSTM_KERNEL, GRU_KERNEL, RNN_KERNEL = kernels_by(ROWS, MVE)
