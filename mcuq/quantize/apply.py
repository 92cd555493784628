"""Gives every tensor its scale and turns constants into integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcuq.ir import Graph, Node, verify
from mcuq.operator import Layer
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.convert import Convert
from mcuq.ops.float_weights import FLOAT_WEIGHTS, float_constants
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.given_weights import given_weight_scale
from mcuq.ops.pad import Pad
from mcuq.ops.weighted import accumulator_bound
from mcuq.quantization import ActivationOptions, quant_for_range, with_dtype
from mcuq.quantize.calibrate import Range
from mcuq.quantize.dtypes import activation_dtypes
from mcuq.quantize.groups import given_quants, scale_groups
from mcuq.quantize.scheme import INT8_SCHEME, Scheme
from mcuq.quantize.weights import round_for_dynamic_input, round_nearest
from mcuq.tensor import Quant, Tensor

# Times the calibrated range that int16 covers: inputs beyond what calibration saw are then not clipped, which would be
# most of the noise (vww: 19.4 dB, with room 37.6; sww: 37.8, 48.6). One bit of 16 is far below that of int8 weights.
INT16_ROOM = 2.0


def quantize_graph(graph: Graph, ranges: Mapping[str, Range], scheme: Scheme = INT8_SCHEME) -> Graph:
    """The quantized graph of a float graph that has its conversions, whose scaled tensors have the given real ranges.

    Weights are rounded to nearest.

    Tensors that data only moves between share one scale, which covers the ranges of all of them. Raises
    QuantizationError where int32 cannot hold a layer's accumulator or bias.
    """
    dtypes = activation_dtypes(graph, scheme)
    quants = activation_quants(graph, ranges, dtypes, scheme.activation_options)
    tensors = {
        name: replace(tensor, dtype=dtypes[name], quant=quants.get(name))
        for name, tensor in graph.tensors.items()
        if not tensor.is_constant
    }
    nodes = []
    for node in graph.nodes:
        layer = graph.layer(node)
        inputs = tuple(tensors.get(t.name, t) if not t.is_constant else t for t in layer.inputs)
        layer = replace(layer, inputs=inputs, output=tensors[node.output])
        nodes.append(with_constants(node, _constants(layer, scheme), tensors))
    return verify(Graph(graph.name, tuple(nodes), tensors, graph.inputs, graph.outputs))


def check_accumulators(graph: Graph) -> None:
    """Raise QuantizationError for a layer of a quantized graph whose sums the integers of kernels do not hold."""
    for layer in graph.layers():
        if len(layer.inputs) == 3 and layer.inputs[2].dtype == "int32":
            accumulator_bound(layer)


def _constants(layer: Layer, scheme: Scheme) -> tuple[Tensor, ...]:
    """The layer's inputs with constants in the numbers of the scheme."""
    if isinstance(layer.op, Conv2d | FullyConnected):
        weights = scheme.of(*layer.names).weights
        if weights in FLOAT_WEIGHTS:
            return float_constants(layer, weights)
        if layer.output.quant is None:
            return round_for_dynamic_input(layer, scheme)
        if given_weight_scale(layer.inputs[1]) is None:
            return round_nearest(layer, scheme)
    return layer.op.quantize_constants(layer)


def activation_quants(
    graph: Graph, ranges: Mapping[str, Range], dtypes: Mapping[str, str], options: ActivationOptions
) -> dict[str, Quant]:
    """Scale and zero point of every computed tensor of integers: given, fixed by its operator, or of its range.

    `dtypes` has the type of all computed tensors. A converted tensor has the range of what it is converted from.
    """
    groups = scale_groups(graph)
    given = given_quants(graph, groups)
    ranges = {name: _with_room(span, dtypes[name]) for name, span in ranges.items()}
    covered: dict[str, Range] = dict(ranges)
    fixed: dict[str, Quant] = {groups.root(name): quant for name, quant in given.items()}
    for layer in graph.layers():
        name = layer.output.name
        if groups.root(name) in fixed or (dtypes[name] == "float32" and name not in ranges):
            continue
        if layer.op.shares_scale:
            constants = [v for t in layer.inputs if t.is_constant for v in (t.values.min(), t.values.max())]
            if isinstance(layer.op, Pad):
                constants.append(layer.op.value)
            if constants:
                covered[name] = (float(min(constants)), float(max(constants)))
        elif isinstance(layer.op, Convert):
            continue
        elif (quant := layer.op.output_quant(layer, dtypes[name])) is not None:
            fixed[groups.root(name)] = quant
        else:
            covered[name] = layer.op.clip_range(*ranges[name])
    spans: dict[str, Range] = {}
    for name, (low, high) in covered.items():
        root = groups.root(name)
        a, b = spans.get(root, (low, high))
        spans[root] = (min(a, low), max(b, high))
    for node in graph.nodes:
        if isinstance(node.op, Convert):
            root, source = groups.root(node.output), groups.root(node.inputs[0])
            if root in fixed:
                continue
            if source in fixed and root not in spans:
                fixed[root] = fixed[source]
                continue
            low, high = fixed[source].real_bounds if source in fixed else spans[source]
            a, b = spans.get(root, (low, high))
            spans[root] = (min(a, low), max(b, high))
    return {
        name: with_dtype(fixed[root], dtype, options)
        if root in fixed
        else quant_for_range(*spans[root], dtype, options)
        for name, dtype in dtypes.items()
        if dtype != "float32"
        for root in [groups.root(name)]
    }


def _with_room(span: Range, dtype: str) -> Range:
    """The range that integers of `dtype` are to cover where calibration found `span`."""
    room = INT16_ROOM if dtype == "int16" else 1.0
    return span[0] * room, span[1] * room


def with_constants(node: Node, inputs: tuple[Tensor, ...], tensors: dict[str, Tensor]) -> Node:
    """The node on its integer constants, added under names of their own: layers may share the float ones."""
    names = []
    for tensor in inputs:
        name = tensor.name
        if tensor.is_constant:
            suffix = 1
            while name in tensors:
                suffix += 1
                name = f"{tensor.name}_{suffix}"
            tensors[name] = replace(tensor, name=name)
        names.append(name)
    return replace(node, inputs=tuple(names))
