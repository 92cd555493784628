"""LSTM, GRU and RNN by MVE: four rows share each load of what they hear."""

from __future__ import annotations

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.gru import gru_by
from mcuq.kernels.kernel import WHOLE, Call, Kernel
from mcuq.kernels.lstm import lstm_by
from mcuq.kernels.mve.requantized import MVE
from mcuq.kernels.recurrent_rows import FourUnits, accepts_gru, is_near
from mcuq.kernels.rnn import rnn_by
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.gru import Gru
from mcuq.ops.lstm import Lstm
from mcuq.ops.rnn import Rnn


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


def lower_lstm_mve(op: Lstm, layer: Layer) -> tuple[Call, ...]:
    """As that of the DSP extension."""
    return lstm_by(ROWS, op, layer)


def lower_gru_mve(op: Gru, layer: Layer) -> tuple[Call, ...]:
    """The same."""
    return gru_by(ROWS, op, layer)


def lower_rnn_mve(op: Rnn, layer: Layer) -> tuple[Call, ...]:
    """The same."""
    return rnn_by(ROWS, op, layer)


LSTM_KERNEL = Kernel(lower_lstm_mve, MVE, is_near, MIXED, WHOLE | FLOAT32)
GRU_KERNEL = Kernel(lower_gru_mve, MVE, accepts_gru, MIXED, WHOLE | FLOAT32)
RNN_KERNEL = Kernel(lower_rnn_mve, MVE, is_near, MIXED, WHOLE | FLOAT32)
