"""Scales and biases per channel go into the weights before or behind them; what is left becomes a layer."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from mcuq.builder import GraphBuilder
from mcuq.ir import Graph, Node
from mcuq.ops.add import Add
from mcuq.ops.affine import Affine
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.mul import Mul
from mcuq.ops.reshape import Reshape
from mcuq.ops.window import Window
from mcuq.tensor import Array


def fold_affine(graph: Graph) -> Graph:
    """Fold each Affine over the last dimension into the layer before it, else into the layer behind it."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if isinstance(node.op, Affine) and (parameters := _last_axis_parameters(builder, node)):
            _ = _fold_backward(builder, node, *parameters) or _fold_forward(builder, node, *parameters)
    return builder.graph()


def lower_affine(graph: Graph) -> Graph:
    """Remaining Affines: a depthwise 1x1 convolution over the last dimension, else Mul and Add."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Affine):
            continue
        x, scale, bias = (builder.tensors[name] for name in node.inputs)
        parameters = _last_axis_parameters(builder, node)
        builder.remove(node)
        if parameters is None:
            shape = [-1 if axis == node.op.axis else 1 for axis in range(len(x.shape))]
            factor = builder.constant(scale.values.reshape(shape), scale.name)
            summand = builder.constant(bias.values.reshape(shape), bias.name)
            scaled = builder.add(Mul(), [x.name, factor], name=f"{node.name}.mul")
            builder.add(Add(), [scaled, summand], node.output, node.name)
            continue
        channels = x.shape[-1]
        weight = builder.constant(parameters[0].reshape(channels, 1, 1, 1), scale.name)
        offset = builder.constant(parameters[1], bias.name)
        flat = builder.add(Reshape((1, 1, x.elements // channels, channels)), [x.name])
        y = builder.add(Conv2d(Window((1, 1)), channels), [flat, weight, offset], name=node.name)
        builder.add(Reshape(x.shape), [y], node.output)
    return builder.graph()


def _last_axis_parameters(builder: GraphBuilder, node: Node) -> tuple[Array, Array] | None:
    """(scale, bias) of the last dimension; one value for all may stand along any dimension."""
    assert isinstance(node.op, Affine)
    x, scale, bias = (builder.tensors[name] for name in node.inputs)
    if node.op.axis == len(x.shape) - 1:
        return scale.values, bias.values
    if np.ptp(scale.values) == 0 and np.ptp(bias.values) == 0:
        size = x.shape[-1]
        return np.full(size, scale.values[0]), np.full(size, bias.values[0])
    return None


def _fold_backward(builder: GraphBuilder, node: Node, scale: Array, bias: Array) -> bool:
    layer = builder.producer(node.inputs[0])
    if layer is None or not isinstance(layer.op, Conv2d | FullyConnected) or not builder.is_private(layer.output):
        return False
    if (layer.op.minimum, layer.op.maximum) != (-inf, inf):
        return False
    weight, old_bias = (builder.tensors[name] for name in layer.inputs[1:])
    per_output = scale.reshape(-1, *(1,) * (len(weight.shape) - 1))
    builder.remove(layer)
    builder.remove(node)
    _add_layer(builder, layer, node.output, layer.inputs[0], weight.values * per_output, old_bias.values * scale + bias)
    return True


def _fold_forward(builder: GraphBuilder, node: Node, scale: Array, bias: Array) -> bool:
    if not builder.is_private(node.output):
        return False
    layer = builder.consumers(node.output)[0]
    if not isinstance(layer.op, Conv2d | FullyConnected) or layer.inputs[0] != node.output:
        return False
    if isinstance(layer.op, Conv2d) and (layer.op.groups != 1 or (any(layer.op.window.pads) and bias.any())):
        # Padding is zero behind the bias, not before it.
        return False
    weight, old_bias = (builder.tensors[name] for name in layer.inputs[1:])
    added = (weight.values * bias).reshape(weight.shape[0], -1).sum(axis=1)
    builder.remove(layer)
    builder.remove(node)
    _add_layer(builder, layer, layer.output, node.inputs[0], weight.values * scale, old_bias.values + added)
    return True


def _add_layer(builder: GraphBuilder, layer: Node, output: str, x: str, weight: Array, bias: Array) -> None:
    """The layer with other weights. Constants get new names: other layers may share the old ones."""
    inputs = [
        x,
        builder.constant(weight.astype(np.float32), layer.inputs[1]),
        builder.constant(bias.astype(np.float32), layer.inputs[2]),
    ]
    builder.add(replace(layer.op), inputs, output, layer.name)
