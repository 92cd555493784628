"""LSTM, GRU and RNN of integers and of floats, by loops over a row's products."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.gru import gru_by, gru_of_floats
from mcuq.kernels.kernel import WHOLE, Call, Kernel
from mcuq.kernels.lstm import lstm_by, lstm_of_floats
from mcuq.kernels.recurrent import Rows
from mcuq.kernels.rnn import rnn_by, rnn_of_floats
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.gru import Gru
from mcuq.ops.lstm import Lstm
from mcuq.ops.rnn import Rnn


def lower_lstm(op: Lstm, layer: Layer) -> tuple[Call, ...]:
    """Scratch: two hidden states, and cells."""
    return lstm_by(Rows(), op, layer)


def lower_gru(op: Gru, layer: Layer) -> tuple[Call, ...]:
    """Scratch: two hidden states, and where the state is reset that too."""
    return gru_by(Rows(), op, layer)


def lower_rnn(op: Rnn, layer: Layer) -> tuple[Call, ...]:
    """Scratch: two hidden states."""
    return rnn_by(Rows(), op, layer)


LSTM_KERNELS = (
    Kernel(lstm_of_floats, activations=FLOAT32, constants=FLOAT32),
    Kernel(lower_lstm, activations=MIXED, constants=WHOLE | FLOAT32),
)
GRU_KERNELS = (
    Kernel(gru_of_floats, activations=FLOAT32, constants=FLOAT32),
    Kernel(lower_gru, activations=MIXED, constants=WHOLE | FLOAT32),
)
RNN_KERNELS = (
    Kernel(rnn_of_floats, activations=FLOAT32, constants=FLOAT32),
    Kernel(lower_rnn, activations=MIXED, constants=WHOLE | FLOAT32),
)
