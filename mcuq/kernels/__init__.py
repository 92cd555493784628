"""Which kernels compute an operator: one table, read by lower/choose. No operator imports a kernel."""

from __future__ import annotations

from collections.abc import Mapping

from mcuq.graph.operator import Operator
from mcuq.kernels.blocked.conv2d import accepts_blocked, lower_blocked
from mcuq.kernels.blocked.conv2d_packed import PACKED_BLOCKED_KERNELS
from mcuq.kernels.blocked.depthwise import accepts_blocked_depthwise, lower_blocked_depthwise
from mcuq.kernels.blocked.fully_connected_armv6m import (
    accepts_short_requantization,
    lower_armv6m_fully_connected,
    lower_packed_armv6m,
)
from mcuq.kernels.blocked.fully_connected_armv7m import lower_armv7m_fully_connected
from mcuq.kernels.blocked.mat_mul import MAT_MUL_KERNEL as ARMV6M_MAT_MUL_KERNEL
from mcuq.kernels.dsp.add import lower_add_dsp
from mcuq.kernels.dsp.conv2d import CONV2D_KERNELS as DSP_CONV2D_KERNELS
from mcuq.kernels.dsp.conv2d import PACKED_CONV2D_KERNELS as DSP_PACKED_CONV2D_KERNELS
from mcuq.kernels.dsp.fully_connected import FULLY_CONNECTED_KERNEL as DSP_FULLY_CONNECTED_KERNEL
from mcuq.kernels.dsp.fully_connected import PACKED_FULLY_CONNECTED_KERNEL as DSP_PACKED_FULLY_CONNECTED_KERNEL
from mcuq.kernels.dsp.long_mat_mul import INTEGER_MAT_MUL_KERNEL as DSP_INTEGER_MAT_MUL_KERNEL
from mcuq.kernels.dsp.long_mat_mul import MAT_MUL_S16_KERNEL as DSP_MAT_MUL_S16_KERNEL
from mcuq.kernels.dsp.mat_mul import MAT_MUL_KERNEL as DSP_MAT_MUL_KERNEL
from mcuq.kernels.dsp.pool import is_average_pool_dsp, is_max_pool_dsp, lower_average_pool_dsp, lower_max_pool_dsp
from mcuq.kernels.dsp.recurrent import GRU_KERNEL as DSP_GRU_KERNEL
from mcuq.kernels.dsp.recurrent import LSTM_KERNEL as DSP_LSTM_KERNEL
from mcuq.kernels.dsp.recurrent import RNN_KERNEL as DSP_RNN_KERNEL
from mcuq.kernels.dsp.reduce import is_mean_dsp, lower_mean_dsp
from mcuq.kernels.dsp.total import TOTAL_KERNELS as DSP_TOTAL_KERNELS
from mcuq.kernels.kernel import Kernel
from mcuq.kernels.mve.add import ADD_KERNELS as MVE_ADD_KERNELS
from mcuq.kernels.mve.conv2d import CONV2D_KERNELS as MVE_CONV2D_KERNELS
from mcuq.kernels.mve.conv2d import PACKED_CONV2D_KERNELS, PACKED_FULLY_CONNECTED_KERNELS
from mcuq.kernels.mve.depthwise import DEPTHWISE_KERNELS
from mcuq.kernels.mve.fully_connected import FULLY_CONNECTED_KERNELS, ONE_PIXEL_KERNELS
from mcuq.kernels.mve.mat_mul import MAT_MUL_KERNEL as MVE_MAT_MUL_KERNEL
from mcuq.kernels.mve.recurrent import GRU_KERNEL as MVE_GRU_KERNEL
from mcuq.kernels.mve.recurrent import LSTM_KERNEL as MVE_LSTM_KERNEL
from mcuq.kernels.mve.recurrent import RNN_KERNEL as MVE_RNN_KERNEL
from mcuq.kernels.operands import is_flat
from mcuq.kernels.packed import PACKED_CONSTANTS, of_whole
from mcuq.kernels.portable.add import ADD_KERNELS
from mcuq.kernels.portable.arg_max import lower_arg_max
from mcuq.kernels.portable.compare import COMPARE_KERNELS
from mcuq.kernels.portable.concat import lower_concat
from mcuq.kernels.portable.conv2d import lower_conv2d
from mcuq.kernels.portable.conv2d_dynamic import CONV2D_DYNAMIC_KERNELS
from mcuq.kernels.portable.conv2d_float32 import CONV2D_FLOAT32_KERNELS
from mcuq.kernels.portable.conv2d_packed import lower_packed, lower_packed_depthwise
from mcuq.kernels.portable.conv2d_size import lower_conv2d_size
from mcuq.kernels.portable.convert import lower_convert
from mcuq.kernels.portable.cum_sum import lower_cum_sum
from mcuq.kernels.portable.depthwise import lower_depthwise
from mcuq.kernels.portable.div import DIV_KERNELS
from mcuq.kernels.portable.dynamic_quantize import lower_dynamic_quantize
from mcuq.kernels.portable.extreme import EXTREME_KERNELS
from mcuq.kernels.portable.from_integers import lower_from_integers
from mcuq.kernels.portable.fully_connected import lower_fully_connected
from mcuq.kernels.portable.fully_connected_float32 import FULLY_CONNECTED_FLOAT32_KERNELS
from mcuq.kernels.portable.fully_connected_packed import lower_packed_fully_connected
from mcuq.kernels.portable.gather import lower_gather, lower_gather_elements
from mcuq.kernels.portable.greatest import lower_greatest
from mcuq.kernels.portable.identity import lower_identity
from mcuq.kernels.portable.integer_arithmetic import INTEGER_ARITHMETIC_KERNELS
from mcuq.kernels.portable.integer_mat_mul import INTEGER_MAT_MUL_KERNELS
from mcuq.kernels.portable.log_softmax import lower_log_softmax
from mcuq.kernels.portable.log_softmax_float32 import lower_log_softmax_float32
from mcuq.kernels.portable.log_softmax_s16 import lower_log_softmax_s16
from mcuq.kernels.portable.lrn import lower_lrn, lower_lrn_float32
from mcuq.kernels.portable.masked_softmax import MASKED_SOFTMAX_KERNELS
from mcuq.kernels.portable.mat_mul import MAT_MUL_KERNELS
from mcuq.kernels.portable.mod import MOD_KERNELS
from mcuq.kernels.portable.mul import MUL_KERNELS
from mcuq.kernels.portable.normalize import lower_normalize, lower_normalize_float32
from mcuq.kernels.portable.pad import lower_pad
from mcuq.kernels.portable.pool import lower_average_pool, lower_lp_pool, lower_max_places, lower_max_pool
from mcuq.kernels.portable.power import POWER_KERNELS
from mcuq.kernels.portable.prelu import PRELU_KERNELS
from mcuq.kernels.portable.quantize_channels import lower_quantize_channels
from mcuq.kernels.portable.recurrent import GRU_KERNELS, LSTM_KERNELS, RNN_KERNELS
from mcuq.kernels.portable.reduce import (
    accepts_whole_image,
    lower_mean,
    lower_norm,
    lower_reduce_min,
    lower_reduce_prod,
    lower_whole_image,
)
from mcuq.kernels.portable.scatter_elements import lower_scatter_elements
from mcuq.kernels.portable.scatter_sum import lower_scatter_sum
from mcuq.kernels.portable.shift_in import lower_shift_in
from mcuq.kernels.portable.slice import lower_slice
from mcuq.kernels.portable.softmax import lower_softmax
from mcuq.kernels.portable.softmax_float32 import lower_softmax_float32
from mcuq.kernels.portable.softmax_s16 import lower_softmax_s16
from mcuq.kernels.portable.sparse_product import lower_sparse_product, lower_sparse_product_float32
from mcuq.kernels.portable.to_integers import lower_to_integers
from mcuq.kernels.portable.top_k import lower_top_k
from mcuq.kernels.portable.total import lower_total
from mcuq.kernels.portable.transpose import lower_transpose
from mcuq.kernels.portable.unary import lower_function, lower_unary
from mcuq.kernels.portable.unfold import lower_unfold
from mcuq.kernels.portable.unpool import lower_unpool
from mcuq.kernels.portable.where import lower_where
from mcuq.kernels.rv32.conv2d import (
    is_dense,
    is_pointwise,
    lower_conv2d_rv32,
    lower_depthwise_rv32,
    lower_pointwise_rv32,
)
from mcuq.kernels.rv32.fully_connected import lower_fully_connected_rv32
from mcuq.kernels.rv32.mat_mul import MAT_MUL_KERNEL as RV32_MAT_MUL_KERNEL
from mcuq.kernels.shifted import with_shifts
from mcuq.ops import OPS
from mcuq.ops.add import Add, Sub
from mcuq.ops.arg_max import ArgMax
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.compare import Compare
from mcuq.ops.concat import Concat, Join
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.convert import Convert
from mcuq.ops.cum_sum import CumSum
from mcuq.ops.div import Div
from mcuq.ops.dtypes import ANY, FLOAT32, INT16, INTEGERS, MIXED, MOVED
from mcuq.ops.dynamic_quantize import DynamicQuantize
from mcuq.ops.extreme import Max, Min
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.from_integers import FromIntegers
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.function import Function
from mcuq.ops.gather import Gather
from mcuq.ops.gather_elements import GatherElements
from mcuq.ops.greatest import Greatest, Least
from mcuq.ops.gru import Gru
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
from mcuq.ops.regrid import QuantizeChannels
from mcuq.ops.rnn import Rnn
from mcuq.ops.scatter_elements import ScatterElements
from mcuq.ops.scatter_sum import ScatterSum
from mcuq.ops.shift_in import ShiftIn
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

# Of functions of one value on integers, and on floats too.
UNARY = (Kernel(lower_unary, activations=MIXED),)
FUNCTION = (Kernel(lower_function, activations=MIXED | FLOAT32),)
ADD = (*MVE_ADD_KERNELS, Kernel(lower_add_dsp, needs=frozenset({"dsp"}), accepts=is_flat), *ADD_KERNELS)
MEAN = (
    Kernel(lower_mean_dsp, needs=frozenset({"dsp"}), accepts=is_mean_dsp),
    Kernel(lower_mean, activations=MIXED | FLOAT32),
)
NORM = (Kernel(lower_norm, activations=MIXED | FLOAT32),)
CONCAT = (Kernel(lower_concat, activations=MOVED, constants=MOVED),)
MAT_MUL = (
    MVE_MAT_MUL_KERNEL,
    DSP_MAT_MUL_KERNEL,
    DSP_MAT_MUL_S16_KERNEL,
    RV32_MAT_MUL_KERNEL,
    ARMV6M_MAT_MUL_KERNEL,
    *MAT_MUL_KERNELS,
)

# The preferred first, a portable one last: the first that fits the board and the layer is used. Views need none.
KERNELS: Mapping[type[Operator], tuple[Kernel, ...]] = {
    **dict.fromkeys((op for op in OPS.values() if issubclass(op, Function)), FUNCTION),
    Add: ADD,
    ArgMax: (Kernel(lower_arg_max, activations=ANY),),
    AveragePool: (
        Kernel(lower_average_pool_dsp, needs=frozenset({"dsp"}), accepts=is_average_pool_dsp),
        Kernel(lower_whole_image, accepts=accepts_whole_image),
        Kernel(lower_average_pool, activations=MIXED | FLOAT32),
    ),
    Chain: UNARY,
    Compare: COMPARE_KERNELS,
    Concat: CONCAT,
    Conv2d: (
        *CONV2D_FLOAT32_KERNELS,
        *CONV2D_DYNAMIC_KERNELS,
        *DEPTHWISE_KERNELS,
        *ONE_PIXEL_KERNELS,
        *MVE_CONV2D_KERNELS,
        *DSP_CONV2D_KERNELS,
        Kernel(with_shifts(lower_blocked), needs=frozenset({"armv6m"}), accepts=accepts_blocked),
        Kernel(lower_blocked, needs=frozenset({"armv7m"}), accepts=accepts_blocked),
        Kernel(lower_depthwise_rv32, needs=frozenset({"rv32m"}), accepts=lambda op, layer: op.is_depthwise(layer)),
        Kernel(lower_pointwise_rv32, needs=frozenset({"rv32m"}), accepts=is_pointwise),
        Kernel(lower_conv2d_rv32, needs=frozenset({"rv32m"}), accepts=is_dense),
        Kernel(with_shifts(lower_blocked_depthwise), needs=frozenset({"armv6m"}), accepts=accepts_blocked_depthwise),
        Kernel(lower_blocked_depthwise, needs=frozenset({"armv7m"}), accepts=accepts_blocked_depthwise),
        Kernel(with_shifts(lower_conv2d_size), needs=frozenset({"size"})),
        *PACKED_CONV2D_KERNELS,
        *DSP_PACKED_CONV2D_KERNELS,
        *PACKED_BLOCKED_KERNELS,
        Kernel(
            with_shifts(lower_packed_depthwise),
            accepts=lambda op, layer: op.is_depthwise(layer),
            constants=PACKED_CONSTANTS,
        ),
        Kernel(with_shifts(lower_packed), constants=PACKED_CONSTANTS),
        Kernel(with_shifts(lower_depthwise), accepts=lambda op, layer: op.is_depthwise(layer), activations=MIXED),
        Kernel(with_shifts(lower_conv2d), activations=MIXED),
    ),
    Convert: (Kernel(lower_convert, activations=INTEGERS | FLOAT32),),
    CumSum: (Kernel(lower_cum_sum, activations=ANY),),
    FakeQuantize: UNARY,
    Div: DIV_KERNELS,
    DynamicQuantize: (Kernel(lower_dynamic_quantize, activations=ANY),),
    FromIntegers: (Kernel(lower_from_integers, activations=ANY),),
    FullyConnected: (
        *FULLY_CONNECTED_FLOAT32_KERNELS,
        *FULLY_CONNECTED_KERNELS,
        DSP_FULLY_CONNECTED_KERNEL,
        Kernel(lower_fully_connected_rv32, needs=frozenset({"rv32m"})),
        Kernel(
            with_shifts(lower_armv6m_fully_connected),
            needs=frozenset({"armv6m"}),
            accepts=accepts_short_requantization,
        ),
        Kernel(
            lower_armv7m_fully_connected,
            needs=frozenset({"armv7m"}),
            accepts=accepts_short_requantization,
        ),
        *PACKED_FULLY_CONNECTED_KERNELS,
        DSP_PACKED_FULLY_CONNECTED_KERNEL,
        Kernel(
            with_shifts(lower_packed_armv6m),
            needs=frozenset({"armv6m"}),
            accepts=of_whole(accepts_short_requantization),
            constants=PACKED_CONSTANTS,
        ),
        Kernel(with_shifts(lower_packed_fully_connected), constants=PACKED_CONSTANTS),
        Kernel(with_shifts(lower_fully_connected), activations=MIXED),
    ),
    Gather: (Kernel(lower_gather, activations=MOVED, constants=MOVED),),
    GatherElements: (Kernel(lower_gather_elements, activations=MOVED, constants=MOVED),),
    Gru: (MVE_GRU_KERNEL, DSP_GRU_KERNEL, *GRU_KERNELS),
    Identity: (Kernel(lower_identity, activations=MOVED),),
    IntegerArithmetic: INTEGER_ARITHMETIC_KERNELS,
    IntegerMatMul: (DSP_INTEGER_MAT_MUL_KERNEL, *INTEGER_MAT_MUL_KERNELS),
    Join: CONCAT,
    LogSoftmax: (
        Kernel(lower_log_softmax_float32, activations=FLOAT32),
        Kernel(lower_log_softmax_s16, activations=INT16),
        Kernel(lower_log_softmax),
    ),
    LpPool: (Kernel(lower_lp_pool, activations=MIXED | FLOAT32),),
    LRN: (Kernel(lower_lrn_float32, activations=FLOAT32), Kernel(lower_lrn, activations=MIXED)),
    Lstm: (MVE_LSTM_KERNEL, DSP_LSTM_KERNEL, *LSTM_KERNELS),
    MaskedSoftmax: MASKED_SOFTMAX_KERNELS,
    MatMul: MAT_MUL,
    Max: EXTREME_KERNELS,
    MaxPlaces: (Kernel(lower_max_places, activations=MOVED),),
    MaxPool: (
        Kernel(lower_max_pool_dsp, needs=frozenset({"dsp"}), accepts=is_max_pool_dsp),
        Kernel(lower_max_pool, activations=MOVED),
    ),
    Mean: MEAN,
    Min: EXTREME_KERNELS,
    Mod: MOD_KERNELS,
    Mul: MUL_KERNELS,
    Normalize: (
        Kernel(lower_normalize_float32, activations=FLOAT32, constants=FLOAT32),
        Kernel(lower_normalize, constants=FLOAT32),
        Kernel(lower_normalize, activations=INT16, constants=FLOAT32),
    ),
    Pad: (Kernel(lower_pad, activations=MOVED),),
    Power: POWER_KERNELS,
    PRelu: PRELU_KERNELS,
    QuantizeChannels: (
        Kernel(lower_quantize_channels, activations=MOVED | {"uint8"}, constants=frozenset({"float32"})),
    ),
    ReduceL1: NORM,
    ReduceL2: NORM,
    ReduceLp: NORM,
    ReduceMin: (Kernel(lower_reduce_min, activations=MOVED),),
    ReduceProd: (Kernel(lower_reduce_prod, activations=MIXED | FLOAT32),),
    ReduceSum: MEAN,
    ReduceSumSquare: NORM,
    Rnn: (MVE_RNN_KERNEL, DSP_RNN_KERNEL, *RNN_KERNELS),
    ScatterElements: (Kernel(lower_scatter_elements, activations=MOVED, constants=MOVED),),
    ScatterSum: (Kernel(lower_scatter_sum, activations=MOVED, constants=MOVED),),
    ShiftIn: (Kernel(lower_shift_in, activations=MOVED),),
    Slice: (Kernel(lower_slice, activations=MOVED),),
    Softmax: (
        Kernel(lower_softmax_float32, activations=FLOAT32),
        Kernel(lower_softmax_s16, activations=INT16),
        Kernel(lower_softmax),
    ),
    SparseProduct: (
        Kernel(lower_sparse_product_float32, activations=FLOAT32, constants=FLOAT32),
        Kernel(lower_sparse_product, activations=MIXED, constants=FLOAT32),
    ),
    Sub: ADD,
    ToIntegers: (Kernel(lower_to_integers, activations=ANY),),
    TopK: (Kernel(lower_top_k, activations=ANY),),
    Greatest: (Kernel(lower_greatest, activations=MIXED | FLOAT32),),
    Least: (Kernel(lower_greatest, activations=MIXED | FLOAT32),),
    Total: (*DSP_TOTAL_KERNELS, Kernel(lower_total, activations=MIXED | FLOAT32)),
    Transpose: (Kernel(lower_transpose, activations=MOVED),),
    Unpool: (Kernel(lower_unpool, activations=MOVED),),
    Where: (Kernel(lower_where, activations=MOVED, constants=MOVED),),
    Unfold: (Kernel(lower_unfold, activations=MOVED),),
}
