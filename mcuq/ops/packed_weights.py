"""Layers of packed weights as layers of whole ones."""

from __future__ import annotations

from dataclasses import replace
from math import ldexp

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Quant, Tensor
from mcuq.ops.weighted import layer_requantization

INT8_MAX = 127


def packing_of(layer: Layer) -> str:
    """The packing of the layer's weights."""
    packing = layer.inputs[1].packing
    assert packing is not None
    return packing


def whole_weights(layer: Layer) -> tuple[Layer, int]:
    """The same layer with weights that are not packed, times 2^shift, and that shift.

    What takes few bits has large scales: factors to the output often are 1/4 or more, and the accumulator is then to be
    multiplied by a power of two first. Where int8 holds the weights times that power it is done to weights and bias
    instead, with the scales of both divided by it, at no cost: accumulators, which have room for it, are the multiplied
    ones, multipliers are the same, and every kernel for whole weights will do.
    """
    x, weight, bias = layer.inputs
    if x.quant is None:  # quantized on the device: products are scaled in float
        return replace(layer, inputs=(x, replace(weight, packing=None), bias)), 0
    shift = layer_requantization(layer).prescale
    if int(weight.values.max()) << shift > INT8_MAX or int(weight.values.min()) << shift < ~INT8_MAX:
        shift = 0

    def scaled(tensor: Tensor) -> Tensor:
        quant = Quant(tuple(ldexp(scale, -shift) for scale in tensor.quantization.scale), 0, tensor.quantization.dtype)
        return replace(tensor, data=tensor.values << shift, quant=quant, packing=None)

    return replace(layer, inputs=(x, scaled(weight), scaled(bias))), shift
