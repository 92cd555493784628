"""The kernels of LSTM, GRU and RNN that make the sums of four units at a time."""

from __future__ import annotations

from functools import partial

from mcuq.kernels.gru import gru_by
from mcuq.kernels.kernel import WHOLE, Kernel
from mcuq.kernels.lstm import lstm_by
from mcuq.kernels.recurrent_rows import FourUnits, accepts_gru, is_near
from mcuq.kernels.rnn import rnn_by
from mcuq.ops.dtypes import FLOAT32, MIXED


def kernels_by(rows: FourUnits, needs: frozenset[str]) -> tuple[Kernel, Kernel, Kernel]:
    """Of LSTM, GRU and RNN. Scratch: as portable, in whole fours, and a step's x as int16."""
    types = {"activations": MIXED, "constants": WHOLE | FLOAT32}
    return (
        Kernel(partial(lstm_by, rows), needs, is_near, **types),
        Kernel(partial(gru_by, rows), needs, accepts_gru, **types),
        Kernel(partial(rnn_by, rows), needs, is_near, **types),
    )
