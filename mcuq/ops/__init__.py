"""The operators: an explicit table, one line each."""

from __future__ import annotations

from collections.abc import Mapping

from mcuq.graph.operator import Operator
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.abs import Abs
from mcuq.ops.acos import Acos
from mcuq.ops.acosh import Acosh
from mcuq.ops.add import Add, Sub
from mcuq.ops.affine import Affine
from mcuq.ops.arg_max import ArgMax
from mcuq.ops.asin import Asin
from mcuq.ops.asinh import Asinh
from mcuq.ops.atan import Atan
from mcuq.ops.atanh import Atanh
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.ceil import Ceil
from mcuq.ops.celu import Celu
from mcuq.ops.clip import Clip
from mcuq.ops.compare import Compare
from mcuq.ops.composed import COMPOSED, MOVE_INTEGERS, OF_INTEGERS
from mcuq.ops.concat import Concat, Join
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.convert import Convert
from mcuq.ops.cos import Cos
from mcuq.ops.cosh import Cosh
from mcuq.ops.cum_sum import CumSum
from mcuq.ops.div import Div
from mcuq.ops.dynamic_quantize import DynamicQuantize
from mcuq.ops.elu import Elu
from mcuq.ops.erf import Erf
from mcuq.ops.exp import Exp
from mcuq.ops.extreme import Max, Min
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.floor import Floor
from mcuq.ops.from_integers import FromIntegers
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.gather import Gather
from mcuq.ops.gather_elements import GatherElements
from mcuq.ops.gelu import Gelu
from mcuq.ops.greatest import Greatest, Least
from mcuq.ops.gru import Gru
from mcuq.ops.hard_sigmoid import HardSigmoid
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.identity import Identity
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.integer_mat_mul import IntegerMatMul
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.log import Log
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.lp_pool import LpPool
from mcuq.ops.lrn import LRN
from mcuq.ops.lstm import Lstm
from mcuq.ops.masked_softmax import MaskedSoftmax
from mcuq.ops.mat_mul import MatMul
from mcuq.ops.max_places import MaxPlaces
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean, ReduceSum
from mcuq.ops.mish import Mish
from mcuq.ops.mod import Mod
from mcuq.ops.mul import Mul
from mcuq.ops.neg import Neg
from mcuq.ops.normalize import Normalize
from mcuq.ops.pad import Pad
from mcuq.ops.pow import Pow
from mcuq.ops.power import Power
from mcuq.ops.prelu import PRelu
from mcuq.ops.reciprocal import Reciprocal
from mcuq.ops.reduce import ReduceL1, ReduceL2, ReduceLp, ReduceMin, ReduceProd, ReduceSumSquare
from mcuq.ops.regrid import QuantizeChannels, Regrid
from mcuq.ops.rescale import Rescale
from mcuq.ops.reshape import Reshape
from mcuq.ops.rnn import Rnn
from mcuq.ops.round import Round
from mcuq.ops.scatter_elements import ScatterElements
from mcuq.ops.scatter_sum import ScatterSum
from mcuq.ops.selu import Selu
from mcuq.ops.shift_in import ShiftIn
from mcuq.ops.shrink import Shrink
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.sign import Sign
from mcuq.ops.sin import Sin
from mcuq.ops.sinh import Sinh
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.softplus import Softplus
from mcuq.ops.softsign import Softsign
from mcuq.ops.sparse_product import SparseProduct
from mcuq.ops.sqrt import Sqrt
from mcuq.ops.swish import Swish
from mcuq.ops.tan import Tan
from mcuq.ops.tanh import Tanh
from mcuq.ops.thresholded_relu import ThresholdedRelu
from mcuq.ops.to_integers import ToIntegers
from mcuq.ops.top_k import TopK
from mcuq.ops.total import Total
from mcuq.ops.transpose import Transpose
from mcuq.ops.unary import Chain
from mcuq.ops.unfold import Unfold
from mcuq.ops.unpool import Unpool
from mcuq.ops.where import Where

_OPERATORS: tuple[type[Operator], ...] = (
    Abs,
    Acos,
    Acosh,
    Add,
    Affine,
    Asin,
    Asinh,
    Atan,
    Atanh,
    ArgMax,
    AveragePool,
    Ceil,
    Celu,
    Chain,
    Clip,
    Compare,
    Concat,
    Conv2d,
    Convert,
    Cos,
    CumSum,
    Cosh,
    Div,
    DynamicQuantize,
    Elu,
    Erf,
    Exp,
    FakeQuantize,
    Floor,
    FromIntegers,
    FullyConnected,
    Gather,
    GatherElements,
    Gelu,
    Gru,
    Greatest,
    HardSigmoid,
    HardSwish,
    Identity,
    IntegerArithmetic,
    IntegerMatMul,
    Join,
    LeakyRelu,
    Least,
    Log,
    LogSoftmax,
    LpPool,
    LRN,
    Lstm,
    MaskedSoftmax,
    MatMul,
    Max,
    MaxPlaces,
    MaxPool,
    Mean,
    Min,
    Mish,
    Mod,
    Mul,
    Neg,
    Normalize,
    Pad,
    Pow,
    Power,
    PRelu,
    QuantizeChannels,
    Reciprocal,
    ReduceL1,
    ReduceL2,
    ReduceLp,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    ReduceSumSquare,
    Regrid,
    Rescale,
    Reshape,
    Rnn,
    Round,
    ScatterElements,
    ScatterSum,
    Selu,
    ShiftIn,
    Shrink,
    Sigmoid,
    Sign,
    Sin,
    Sinh,
    Slice,
    Softmax,
    Softplus,
    Softsign,
    SparseProduct,
    Sqrt,
    Sub,
    Swish,
    Tan,
    Tanh,
    ThresholdedRelu,
    ToIntegers,
    TopK,
    Total,
    Transpose,
    Unfold,
    Unpool,
    Where,
)

OPS: Mapping[str, type[Operator]] = {op.__name__: op for op in _OPERATORS}
"""Operator name -> class."""

_OF_REALS: Mapping[str, FromOnnx] = {
    **{onnx_type: add for op in _OPERATORS for onnx_type, add in vars(op).get("from_onnx", {}).items()},
    **COMPOSED,
}

INTEGERS_FROM_ONNX: Mapping[str, FromOnnx] = {
    **{onnx_type: add for op in _OPERATORS for onnx_type, add in vars(op).get("from_integers", {}).items()},
    **{onnx_type: add for onnx_type, add in _OF_REALS.items() if onnx_type in MOVE_INTEGERS},
    **OF_INTEGERS,
}
"""ONNX operator type -> the function that adds it to a graph where it reads computed integers of the file."""

FROM_ONNX: Mapping[str, FromOnnx] = {**INTEGERS_FROM_ONNX, **_OF_REALS}
"""ONNX operator type -> the function that adds it to a graph elsewhere: all types that there are."""
