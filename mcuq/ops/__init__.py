"""The operators: an explicit table, one line each."""

from __future__ import annotations

from collections.abc import Mapping

from mcuq.graph.operator import Operator
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.add import Add, Sub
from mcuq.ops.affine import Affine
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat, Join
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.convert import Convert
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.hard_sigmoid import HardSigmoid
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.identity import Identity
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.regrid import QuantizeChannels, Regrid
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.ops.unary import Chain, Rescale

_OPERATORS: tuple[type[Operator], ...] = (
    Add,
    Affine,
    AveragePool,
    Chain,
    Clip,
    Concat,
    Conv2d,
    Convert,
    FakeQuantize,
    FullyConnected,
    HardSigmoid,
    HardSwish,
    Identity,
    Join,
    LeakyRelu,
    LogSoftmax,
    MaxPool,
    Mean,
    Mul,
    Pad,
    QuantizeChannels,
    Regrid,
    Rescale,
    Reshape,
    Sigmoid,
    Slice,
    Softmax,
    Sub,
    Tanh,
    Transpose,
)

OPS: Mapping[str, type[Operator]] = {op.__name__: op for op in _OPERATORS}
"""Operator name -> class."""

FROM_ONNX: Mapping[str, FromOnnx] = {
    onnx_type: add for op in _OPERATORS for onnx_type, add in vars(op).get("from_onnx", {}).items()
}
"""ONNX operator type -> the function that adds it to a graph."""
