"""Scales of a layer's weights on its grid, and rounding to nearest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuq.arithmetic.packing import fits
from mcuq.graph.operator import Layer
from mcuq.graph.quantization import WeightOptions, power_of_two_above
from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.float_weights import LARGEST_DIFFERENCE, dynamic_constants
from mcuq.ops.given_weights import came_with, given_weight_scale
from mcuq.ops.single_tap import single_tap_scale
from mcuq.ops.weighted import (
    integer_constants,
    least_scales,
    scales_for_differences,
    scales_for_sums,
    weight_rows,
)
from mcuq.quantize.given_packing import BLOCKS, block_integers, with_least_bits
from mcuq.quantize.grid import INT8, Codebook, Grid
from mcuq.quantize.scheme import Scheme


def round_nearest(layer: Layer, scheme: Scheme) -> tuple[Tensor, ...]:
    """(x, weight, bias) as integers, for a layer with a quantized input and real weights and bias."""
    real = weight_rows(layer)
    grid = layer_grid(real, scheme.grid_of(*layer.names))
    scale = weight_scales(layer, real, grid, scheme.weight_options)
    if (blocks := _of_blocks(layer, real, grid, scheme)) is not None:
        q, own = blocks
        least = np.maximum(least_scales(layer, INT8.reach), scales_for_sums(layer))
        own = np.where(q.any(axis=1), own, np.maximum(own, least))
        if (own >= least).all():
            return _in_blocks(integer_constants(layer, q, own))
    return packed(layer, integer_constants(layer, grid.nearest(real / scale[:, None]), scale), grid)


def round_for_dynamic_input(layer: Layer, scheme: Scheme) -> tuple[Tensor, ...]:
    """(x, weight, bias) with integer weights and a float bias, for a layer whose input is quantized on the device.

    Integers of weights that came quantized are kept.
    """
    real = weight_rows(layer)
    given = given_weight_scale(layer.inputs[1])
    if given is not None and not np.isnan(given).any():
        return with_least_bits(dynamic_constants(layer, np.rint(real / given[:, None]), given))
    grid = layer_grid(real, scheme.grid_of(*layer.names))
    options = scheme.weight_options
    if (blocks := _of_blocks(layer, real, grid, scheme)) is not None:
        return _in_blocks(dynamic_constants(layer, *blocks))
    scale = grid.scales(real) if options.per_channel else grid.scales(real.reshape(1, -1)).repeat(len(real))
    scale = np.maximum(scale, float(np.finfo(np.float32).tiny))
    scale = np.maximum(scale, scales_for_differences(real, LARGEST_DIFFERENCE))
    if options.power_of_two:
        scale = np.array([power_of_two_above(s) for s in scale.tolist()])
    return packed(layer, dynamic_constants(layer, grid.nearest(real / scale[:, None]), scale), grid)


def _of_blocks(layer: Layer, real: Array, grid: Grid, scheme: Scheme) -> tuple[Array, Array] | None:
    """Integers and scales of weights (channels, taps) that came in blocks of 4 bits, where int8 and a scale a channel
    are asked for."""
    options = scheme.weight_options
    if not came_with(layer) or grid.bits != INT8.bits or not options.per_channel or options.power_of_two:
        return None
    return block_integers(real)


def _in_blocks(constants: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    x, weight, bias = constants
    rows = weight.values.reshape(len(weight.values), -1)
    assert all(fits(row, BLOCKS) for row in rows), "made of steps and zeros"
    return x, replace(weight, packing=BLOCKS), bias


def packed(layer: Layer, constants: tuple[Tensor, ...], grid: Grid) -> tuple[Tensor, ...]:
    """(x, weight, bias) with the packing of weights on the grid.

    Of a layer whose weights came with few values and lost them by no more than rounding, that of what is left.
    """
    if grid.packing is None and came_with(layer):
        return with_least_bits(constants, are_codes=True)
    x, weight, bias = constants
    return x, replace(weight, packing=grid.packing), bias


def layer_grid(real: Array, grid: Grid | Codebook, importance: Array | None = None) -> Grid:
    """The grid itself, or the codebook's for these weights (channels, taps)."""
    return grid.fit(real, importance) if isinstance(grid, Codebook) else grid


def weight_scales(
    layer: Layer, real: Array, grid: Grid, options: WeightOptions, importance: Array | None = None
) -> Array:
    """Scales (channels,) for weights (channels, taps); `importance` (channels, taps) weighs their errors.

    A power of two is the smallest that is not below the scale of best fit, so that nothing more is clipped.
    """
    if options.per_channel and real.shape[1] == 1 and grid.bits == INT8.bits:
        x, _, bias = layer.inputs
        scale = single_tap_scale(real[:, 0], bias.values.astype(np.float64), x.scale)
    elif options.per_channel:
        scale = grid.scales(real, importance)
    else:
        flat = None if importance is None else np.broadcast_to(importance, real.shape).reshape(1, -1)
        scale = grid.scales(real.reshape(1, -1), flat).repeat(len(real))
    scale = np.maximum(scale, np.maximum(least_scales(layer, grid.reach), scales_for_sums(layer)))
    if not options.per_channel:
        scale = np.full_like(scale, scale.max())
    if options.power_of_two:
        scale = np.array([power_of_two_above(s) for s in scale.tolist()])
    return scale
