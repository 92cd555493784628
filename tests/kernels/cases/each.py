"""One or a few layers of each operator that has kernels, which take little time in every type on every CPU."""

from __future__ import annotations

import numpy as np
from support import Case, Whole

from cases import recurrent
from mcuq.ops.add import Add, Sub
from mcuq.ops.arg_max import ArgMax
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.compare import Compare
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.cum_sum import CumSum
from mcuq.ops.div import Div
from mcuq.ops.dynamic_quantize import PARTS, DynamicQuantize
from mcuq.ops.extreme import Max, Min
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.from_integers import FromIntegers
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.gather import Gather
from mcuq.ops.gather_elements import GatherElements
from mcuq.ops.greatest import Greatest, Least
from mcuq.ops.gru import Gru
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.identity import Identity
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.integer_mat_mul import IntegerMatMul
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.lp_pool import LpPool
from mcuq.ops.lrn import LRN
from mcuq.ops.lstm import Lstm
from mcuq.ops.masked_softmax import MaskedSoftmax
from mcuq.ops.mat_mul import MatMul
from mcuq.ops.max_places import MaxPlaces
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean, ReduceSum
from mcuq.ops.mod import Mod
from mcuq.ops.mul import Mul
from mcuq.ops.normalize import Normalize
from mcuq.ops.pad import Pad
from mcuq.ops.power import Power
from mcuq.ops.prelu import PRelu
from mcuq.ops.reduce import ReduceL1, ReduceL2, ReduceLp, ReduceMin, ReduceProd, ReduceSumSquare
from mcuq.ops.rnn import Rnn
from mcuq.ops.scatter_elements import ScatterElements
from mcuq.ops.scatter_sum import ScatterSum
from mcuq.ops.shift_in import ShiftIn
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.sparse_product import SparseProduct
from mcuq.ops.to_integers import ToIntegers
from mcuq.ops.top_k import TopK
from mcuq.ops.total import Total
from mcuq.ops.transpose import Transpose
from mcuq.ops.unary import Chain
from mcuq.ops.unfold import Unfold
from mcuq.ops.unpool import Unpool
from mcuq.ops.where import Where
from mcuq.ops.window import Window

IMAGE = (1, 5, 6, 4)
_NUMBERS = np.random.default_rng(0)


def _constant(*shape: int) -> np.ndarray:
    return _NUMBERS.normal(size=shape).astype(np.float32)


CASES: list[Case] = [
    *(
        (op, [IMAGE, other])
        for op in (Add(), Sub(minimum=0.0), Mul(), Div(maximum=0.7), Max(), Min(), Mod(), PRelu(minimum=-0.1))
        for other in (IMAGE, (1, 1, 1, 4), _constant(1, 5, 1, 4))
    ),
    (Power(), [IMAGE, np.array([1, 2, 3, 0], np.float32).reshape(1, 1, 1, 4)]),
    (Sub(), [_constant(1, 1, 1, 4), IMAGE]),
    (Div(), [_constant(1, 5, 6, 1), IMAGE]),
    (MatMul(), [(2, 3, 5), (2, 5, 6)]),
    (MatMul(transposed=True, minimum=0.0), [(3, 7), _constant(5, 7)]),
    (Conv2d(Window((3, 2), (2, 1), (1, 0, 1, 1)), minimum=0.0), [IMAGE, _constant(5, 3, 2, 4), _constant(5)]),
    (Conv2d(Window((3, 3)), 4), [IMAGE, _constant(4, 3, 3, 1), _constant(4)]),
    (FullyConnected(), [(2, 9), _constant(5, 9), _constant(5)]),
    (AveragePool(Window((2, 3), (2, 1), (1, 0, 0, 1))), [IMAGE]),
    (MaxPool(Window((2, 3), (2, 1), (1, 0, 0, 1))), [IMAGE]),
    *((LpPool(Window((2, 3), (2, 1), (1, 0, 0, 1)), power), [IMAGE]) for power in (1, 2, 3)),
    (MaxPool(Window((2, 2))), [Whole((1, 4, 3, 5), -300, 40_000)]),
    (Mean((1, 2), maximum=0.3), [IMAGE]),
    (Mean((3,)), [IMAGE]),
    *(
        (op(axes), [IMAGE])
        for op in (ReduceL1, ReduceL2, ReduceLp, ReduceMin, ReduceSum, ReduceSumSquare)
        for axes in ((1, 2), (3,))
    ),
    *((ReduceProd(axes), [IMAGE]) for axes in ((1,), (3,))),  # of so few that floats hold it
    (Normalize((1,), 1e-5), [(3, 9), _constant(1, 9), _constant(1, 9)]),
    (LRN(3, 3, 2.0, 0.75, 0.5), [(2, 3, 2, 9)]),
    (Softmax(), [(3, 9)]),
    (MaskedSoftmax(), [(2, 4, 9), np.tri(4, 9, 3, dtype=np.float32)]),
    *((MaskedSoftmax(empty=e), [(2, 3, 2, 4), Whole((2, 1, 2, 4), 0, 1)]) for e in ("zero", "nan", "equal", "all")),
    (LogSoftmax(), [(3, 9)]),
    (Clip(0.0, 0.5), [IMAGE]),
    (Chain((HardSwish(), Sigmoid())), [IMAGE]),
    (FakeQuantize(0.01, 3), [IMAGE]),
    (Concat(3), [IMAGE, (1, 5, 6, 1), _constant(1, 5, 6, 2)]),
    (Identity(), [IMAGE]),
    (Pad((0, 1, 0, 2), (0, 0, 1, 1), 0.5), [IMAGE]),
    (ShiftIn(1), [IMAGE, (1, 2, 6, 4)]),
    (Slice((0, 1, 5, 0), (1, 2, 3, 4), (1, 1, -2, 1)), [IMAGE]),
    (Transpose((0, 3, 1, 2)), [IMAGE]),
    (Gather(0), [_constant(9, 5), Whole((1, 4), -9, 8)]),
    (Gather(1), [(2, 6, 3), Whole((3,), -6, 5)]),
    (Gather(2), [(2, 3, 6), Whole((4,), -6, 5)]),
    (ArgMax((3,)), [IMAGE]),
    (ArgMax((1,), is_max=False, last=True), [IMAGE]),
    (FromIntegers(), [Whole((9,), -300, 40_000)]),
    (GatherElements(1), [(2, 6, 3), Whole((2, 4, 3), -6, 5)]),
    (GatherElements(2), [(2, 3, 4), _NUMBERS.integers(-4, 4, (2, 3, 7))]),
    (ScatterElements(1), [(2, 6, 3), Whole((2, 4, 3), -6, 5), (2, 4, 3)]),
    (Greatest(), [IMAGE, IMAGE, IMAGE]),
    (Least(maximum=0.5), [IMAGE, IMAGE, IMAGE, IMAGE]),
    (Total(), [IMAGE, IMAGE, IMAGE]),
    (Total(0.25), [IMAGE, IMAGE, IMAGE, IMAGE]),
    (ScatterElements(1, "min"), [(2, 6, 3), Whole((2, 4, 3), -6, 5), (2, 4, 3)]),
    (ScatterElements(1, "max"), [(2, 6, 3), Whole((2, 4, 3), -6, 5), (2, 4, 3)]),
    (ScatterSum(1, 6), [(2, 4, 3), Whole((2, 4, 3), -6, 5)]),
    (ScatterSum(0, 3), [Whole((2, 3), -9, 9), Whole((2, 3), -3, 2)]),
    (ScatterElements(0), [_constant(5, 3), Whole((2, 3), -5, 4), (2, 3)]),
    (TopK(1, 3), [(2, 9)]),
    (TopK(1, 2, False), [(2, 5, 3)]),
    (CumSum(1), [(2, 5, 3)]),
    (CumSum(0, True, True), [(9,)]),
    (CumSum(1), [Whole((2, 5), 0, 100)]),
    (IntegerMatMul(), [Whole((2, 3, 4), -128, 127), Whole((1, 4, 5), 0, 255)]),
    (IntegerMatMul(), [Whole((3, 4), -255, 255), _NUMBERS.integers(-128, 128, (4, 2))]),
    (IntegerMatMul(), [_NUMBERS.integers(0, 256, (1, 2, 3, 4)), Whole((2, 2, 4, 5), -255, 255)]),
    *((DynamicQuantize(part), [(2, 9)]) for part in PARTS),
    (ToIntegers(-128, 127), [(9,)]),
    (ToIntegers(-(2**31), 2**31 - 1), [(9,)]),
    (Compare("<"), [IMAGE, (1, 1, 1, 4)]),
    (Compare("=="), [IMAGE, IMAGE]),
    (Compare(">="), [IMAGE, _constant(1, 5, 1, 4)]),
    (Compare(">"), [Whole((5,), -300, 300), Whole((5,), -9, 2**24)]),
    (Where(), [Whole((2, 3, 1), 0, 1), (2, 3, 4), (1, 3, 4)]),
    (Where(), [Whole((2, 3, 1), 0, 1), (2, 3, 4), _constant(1, 1, 1)]),
    *(
        (IntegerArithmetic(kind), [Whole((5, 2), -300, 70_000), Whole((5, 1), 1, 9)])
        for kind in (
            "Add",
            "Sub",
            "Mul",
            "WrappedAdd",
            "WrappedSub",
            "WrappedMul",
            "Div",
            "Mod",
            "Remainder",
            "Min",
            "Max",
            "And",
            "Or",
            "Xor",
        )
    ),
    (SparseProduct(1), [IMAGE, _NUMBERS.integers(0, 5, (7, 2)).astype(np.float32), _constant(7, 2)]),
    (Unfold(1, 3, 1, 1, 2), [IMAGE]),
    recurrent.case(recurrent.plain(Lstm, with_cell=True, has_initial=True, has_peephole=True), 3, 1, 5, 4),
    *(recurrent.case(recurrent.plain(Gru, resets_product=after), 3, 1, 5, 4) for after in (False, True)),
    recurrent.case(recurrent.plain(Rnn, reverse=True, lengths=(2, 3)), 3, 2, 5, 4),
    (MaxPlaces(Window((2, 3), (2, 1), (1, 0, 0, 1))), [IMAGE]),
    (Unpool((2, 40)), [(2, 9), Whole((2, 9), 0, 79)]),
]


def of_type(dtype: str) -> list[Case]:
    """Those of operators whose output may be of that type."""
    return [case for case in CASES if dtype in case[0].dtypes]
