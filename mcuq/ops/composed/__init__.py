"""ONNX operators that are spelled in others: how each is added to a graph. None has a class, a kernel or a template.

An explicit table, one line an operator; those of MOVES only move values, so that they may read a quantized file's
integers.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.composed.attention import from_attention
from mcuq.ops.composed.cast import from_cast, from_cast_of_integers
from mcuq.ops.composed.center_crop_pad import from_center_crop_pad
from mcuq.ops.composed.clip import from_clip
from mcuq.ops.composed.compress import from_compress, from_reverse_sequence
from mcuq.ops.composed.conv_transpose import from_conv_transpose
from mcuq.ops.composed.depth import from_depth_to_space, from_space_to_depth
from mcuq.ops.composed.dequantize import from_dequantize_of_integers
from mcuq.ops.composed.einsum import from_einsum
from mcuq.ops.composed.expand import from_expand, from_tile
from mcuq.ops.composed.extreme import from_max, from_min
from mcuq.ops.composed.fourier import from_dft, from_stft
from mcuq.ops.composed.gather import from_gather, from_gather_of_integers
from mcuq.ops.composed.integers import from_abs, from_clip_of_integers, from_neg
from mcuq.ops.composed.linear_images import from_affine_grid, from_col2im, from_grid_sample, from_roi_align
from mcuq.ops.composed.logic import from_is_inf, from_is_nan, from_not
from mcuq.ops.composed.nd import from_gather_nd, from_scatter_nd
from mcuq.ops.composed.normalize import (
    from_group_normalization,
    from_instance_normalization,
    from_layer_normalization,
    from_lp_normalization,
    from_mean_variance_normalization,
    from_rms_normalization,
)
from mcuq.ops.composed.one_hot import from_hardmax, from_one_hot
from mcuq.ops.composed.reduce import (
    from_global_max_pool,
    from_reduce_log_sum,
    from_reduce_log_sum_exp,
    from_reduce_max,
)
from mcuq.ops.composed.resize import from_resize
from mcuq.ops.composed.split import from_split
from mcuq.ops.composed.trilu import from_trilu
from mcuq.ops.composed.variadic import from_mean, from_sum

COMPOSED: Mapping[str, FromOnnx] = {
    "AffineGrid": from_affine_grid,
    "Attention": from_attention,
    "Cast": from_cast,
    "CenterCropPad": from_center_crop_pad,
    "Clip": from_clip,
    "Col2Im": from_col2im,
    "Compress": from_compress,
    "ConvTranspose": from_conv_transpose,
    "DFT": from_dft,
    "DepthToSpace": from_depth_to_space,
    "Einsum": from_einsum,
    "Expand": from_expand,
    "Gather": from_gather,
    "GatherND": from_gather_nd,
    "GlobalMaxPool": from_global_max_pool,
    "GridSample": from_grid_sample,
    "GroupNormalization": from_group_normalization,
    "Hardmax": from_hardmax,
    "InstanceNormalization": from_instance_normalization,
    "IsInf": from_is_inf,
    "IsNaN": from_is_nan,
    "LayerNormalization": from_layer_normalization,
    "LpNormalization": from_lp_normalization,
    "Max": from_max,
    "Mean": from_mean,
    "MeanVarianceNormalization": from_mean_variance_normalization,
    "Min": from_min,
    "RMSNormalization": from_rms_normalization,
    "ReduceLogSum": from_reduce_log_sum,
    "ReduceLogSumExp": from_reduce_log_sum_exp,
    "ReduceMax": from_reduce_max,
    "Resize": from_resize,
    "RoiAlign": from_roi_align,
    "ReverseSequence": from_reverse_sequence,
    "STFT": from_stft,
    "ScatterND": from_scatter_nd,
    "SpaceToDepth": from_space_to_depth,
    "Split": from_split,
    "Sum": from_sum,
    "Tile": from_tile,
    "Upsample": from_resize,
    "Trilu": from_trilu,
}

MOVES = frozenset(
    {
        "DepthToSpace",
        "Expand",
        "Gather",
        "GlobalMaxPool",
        "ReduceMax",
        "Resize",
        "SpaceToDepth",
        "Split",
        "Tile",
        "Upsample",
    }
)

# What reads integers that stand for themselves, in the place of COMPOSED.
OF_INTEGERS: Mapping[str, FromOnnx] = {
    "Attention": from_attention,
    "Abs": from_abs,
    "Cast": from_cast_of_integers,
    "Clip": from_clip_of_integers,
    "DFT": from_dft,
    "DequantizeLinear": from_dequantize_of_integers,
    "Gather": from_gather_of_integers,
    "GatherND": from_gather_nd,
    "Neg": from_neg,
    "Not": from_not,
    "OneHot": from_one_hot,
    "STFT": from_stft,
    "ScatterND": from_scatter_nd,
    "Trilu": from_trilu,
}

# What moves such integers as it moves real values.
MOVE_INTEGERS = frozenset(
    {
        "Compress",
        "Concat",
        "DepthToSpace",
        "Dropout",
        "Expand",
        "Flatten",
        "Identity",
        "Pad",
        "Reshape",
        "ReverseSequence",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)
