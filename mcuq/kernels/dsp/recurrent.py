"""LSTM, GRU and RNN by SMLAD and SMLALD: rows of weights in pairs."""

from __future__ import annotations

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.dsp.order import DSP
from mcuq.kernels.gru import gru_by
from mcuq.kernels.kernel import WHOLE, Call, Kernel
from mcuq.kernels.lstm import lstm_by
from mcuq.kernels.recurrent_rows import FourUnits, accepts_gru, is_near
from mcuq.kernels.rnn import rnn_by
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.gru import Gru
from mcuq.ops.lstm import Lstm
from mcuq.ops.rnn import Rnn


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


def lower_lstm_dsp(op: Lstm, layer: Layer) -> tuple[Call, ...]:
    """Scratch: as portable, in whole fours, and a step's x as int16."""
    return lstm_by(ROWS, op, layer)


def lower_gru_dsp(op: Gru, layer: Layer) -> tuple[Call, ...]:
    """The same."""
    return gru_by(ROWS, op, layer)


def lower_rnn_dsp(op: Rnn, layer: Layer) -> tuple[Call, ...]:
    """The same."""
    return rnn_by(ROWS, op, layer)


LSTM_KERNEL = Kernel(lower_lstm_dsp, DSP, is_near, MIXED, WHOLE | FLOAT32)
GRU_KERNEL = Kernel(lower_gru_dsp, DSP, accepts_gru, MIXED, WHOLE | FLOAT32)
RNN_KERNEL = Kernel(lower_rnn_dsp, DSP, is_near, MIXED, WHOLE | FLOAT32)
