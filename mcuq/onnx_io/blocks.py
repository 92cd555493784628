"""Constants whose integers have a scale, and a zero point, for each block along a dimension."""

from __future__ import annotations

import numpy as np

from mcuq.graph.tensor import Array
from mcuq.onnx_io.given_quant import GivenQuant
from mcuq.onnx_io.reader import OnnxNode, normalized_axis

IN_BLOCKS = "scales of blocks"


def blocked_constant(node: OnnxNode, q: Array) -> tuple[Array, GivenQuant]:
    """Real values, float32, of integers that a DequantizeLinear reads in blocks, and the quantization of channels that
    is the same, or else that they lost theirs.

    Raises ModelError for scales and zero points that do not fit the blocks.
    """
    block, axis = node.attribute("block_size"), normalized_axis(node.attribute("axis", 1), q.ndim, node)
    scale = node.constant(1, "scale")
    zero_points = node.constant(2, "zero_point") if node.has(2) else np.zeros(scale.shape, q.dtype)
    if scale.dtype != np.float32:
        raise node.error(f"scale is {scale.dtype}; supported is float32")
    if zero_points.dtype != q.dtype:
        raise node.error(f"zero_point is {zero_points.dtype}, but its tensor is {q.dtype}; give both one type")
    wanted = [-(-size // block) if i == axis else size for i, size in enumerate(q.shape)] if block > 0 else []
    if list(scale.shape) != wanted or zero_points.shape != scale.shape:
        raise node.error(
            f"block_size={block} along axis {axis} of {list(q.shape)} does not fit scale and zero_point of shapes "
            f"{list(scale.shape)} and {list(zero_points.shape)}"
        )
    unfit = ~np.isfinite(scale)
    if unfit.any():
        raise node.error(f"scale{np.argwhere(unfit)[0].tolist()} is {scale[unfit][0]:g}; it must be finite")
    each = np.arange(q.shape[axis]) // block
    signed = scale.take(each, axis)
    difference = q.astype(np.int64) - zero_points.take(each, axis).astype(np.int64)
    difference, scale = positive_scales(difference, signed)
    return (difference * scale).astype(np.float32), channel_quant(difference, scale.astype(np.float64), axis)


def positive_scales(integers: Array, scale: Array) -> tuple[Array, Array]:
    """Integers and scales of the same products, of which all scales are positive: those below 0 change the integers'
    sign, those of 0 make them 0."""
    return integers * np.sign(scale).astype(integers.dtype), np.where(scale == 0, 1, np.abs(scale)).astype(scale.dtype)


def channel_quant(integers: Array, scale: Array, axis: int) -> GivenQuant:
    """One scale, or one for each channel, with which int8 expresses integers times their scales, float64 of the same
    shape, exactly: that of the finest block, where others are multiples. Else that the quantization is lost.

    Blocks lie along `axis`; channels are the first dimension, or the second.
    """
    for channels in (None, *(a for a in range(min(integers.ndim, 2)) if a != axis)):
        others = tuple(i for i in range(integers.ndim) if i != channels)
        least = np.where(integers != 0, scale, np.inf).min(axis=others, keepdims=True, initial=np.inf)
        least = np.where(least == np.inf, scale.min(initial=1.0), least)  # of zeros alone: any
        whole = np.where(integers != 0, integers * (scale / least), 0)
        if (whole == np.rint(whole)).all() and whole.min(initial=0) >= -128 and whole.max(initial=0) <= 127:
            return GivenQuant(tuple(least.reshape(-1).tolist()), 0, channels)
    return GivenQuant((1.0,), lost=IN_BLOCKS)
