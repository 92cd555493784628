"""Scale and zero point of every computed tensor of integers, from the ranges of real values that were found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mcuq.graph.ir import Graph
from mcuq.graph.quantization import ActivationOptions, power_of_two_above, quant_for_range, with_dtype
from mcuq.graph.tensor import Integers, Quant
from mcuq.quantize.calibrate import Range
from mcuq.quantize.dtypes import is_finer
from mcuq.quantize.groups import Groups, given_quants, scale_groups

# Times the calibrated range that int16 covers: inputs beyond what calibration saw are then not clipped, which would be
# most of the noise (vww: 19.4 dB, with room 37.6; sww: 37.8, 48.6). One bit of 16 is far below that of int8 weights.
INT16_ROOM = 2.0

# Of what was 0 throughout calibration, where nothing else shares its scale: room for what states and gates hold, and a
# step that leaves the biases of its readers fine. A step of 1 would round them to whole weight steps.
ZERO_SPAN = (-1.0, 1.0)

# Of a group by its root, in integers of a dtype: what its quantization is whatever its range.
_Fixed = Callable[[str, str], Quant | None]


def activation_quants(
    graph: Graph, ranges: Mapping[str, Range], dtypes: Mapping[str, str], options: ActivationOptions
) -> dict[str, Quant]:
    """Scale and zero point of every computed tensor of integers: given, fixed by its operator, or of its range.

    `dtypes` has the type of all computed tensors. What is converted from floats or from finer integers has the
    quantization that it would have if it had been computed in its own type; what is converted from integers that are
    no finer keeps all of their codes.
    """
    groups = scale_groups(graph)
    integers_of = {name: known for name in dtypes if (known := graph.tensors[name].integers) is not None}
    types = {groups.root(name): dtype for name, dtype in dtypes.items() if name not in integers_of}
    conversions = [
        (groups.root(node.output), groups.root(node.inputs[0]))
        for node in graph.nodes
        if node.op.is_conversion and node.output not in integers_of
    ]
    fixed = _fixed_quants(graph, groups)
    integers = sorted(set(types.values()) - {"float32"})
    own = {dtype: _own_spans(graph, groups, ranges, dtype) for dtype in integers}
    spans = {dtype: _with_converted(own[dtype], conversions, fixed, dtype) for dtype in integers}
    found: dict[str, Quant] = {}

    def quant_of(root: str) -> Quant:
        if root not in found:
            dtype = types[root]
            sources = [source for target, source in conversions if target == root]
            quant = fixed(root, dtype)
            if quant is None and len(sources) == 1 and root not in own[dtype]:
                (source,) = sources
                quant = fixed(source, dtype)
                if quant is None and not is_finer(types[source], dtype):
                    quant = quant_of(source)
            if quant is None:
                span = spans[dtype][root]
                quant = quant_for_range(*(span if any(span) else ZERO_SPAN), dtype, options)
            found[root] = quant
        return with_dtype(found[root], types[root], options)

    quants = {
        name: integers_of.get(name) or quant_of(groups.root(name))
        for name, dtype in dtypes.items()
        if dtype != "float32"
    }
    return _with_least_steps(graph, quants, groups, fixed, options)


def _with_least_steps(
    graph: Graph, found: Mapping[str, Quant], groups: Groups, fixed: _Fixed, options: ActivationOptions
) -> dict[str, Quant]:
    """The quantizations with wider steps where an operator cannot give such fine ones, but for those that are given."""
    quants = dict(found)
    members: dict[str, list[str]] = {}
    for name in quants:
        members.setdefault(groups.root(name), []).append(name)
    for layer in graph.layers():
        y, root = quants.get(layer.output.name), groups.root(layer.output.name)
        if y is None or isinstance(y, Integers) or any(t.name not in quants for t in layer.activations):
            continue
        tensors = {t.name: replace(t, dtype=q.dtype, quant=q) for t in layer.activations if (q := quants[t.name])}
        inputs = tuple(tensors.get(t.name, t) for t in layer.inputs)
        own = replace(layer, inputs=inputs, output=replace(layer.output, dtype=y.dtype, quant=y))
        step = layer.op.least_step(own)
        if step > y.step and fixed(root, y.dtype) is None:
            # Scales of weights, which the step is made of, become powers of two as well: up to twice as large.
            step = power_of_two_above(2 * step) if options.power_of_two else step
            quants.update((name, replace(quants[name], scale=(step,))) for name in members[root])
    return quants


def with_room(span: Range, dtype: str) -> Range:
    """The range that integers of `dtype` are to cover where calibration found `span`."""
    room = INT16_ROOM if dtype == "int16" else 1.0
    return room * span[0], room * span[1]


def _fixed_quants(graph: Graph, groups: Groups) -> _Fixed:
    given = {groups.root(name): quant for name, quant in given_quants(graph, groups).items()}
    fixing = {
        groups.root(layer.output.name): layer
        for layer in graph.layers()
        if not layer.op.is_conversion and layer.op.output_quant(layer) is not None
    }

    def fixed(root: str, dtype: str) -> Quant | None:
        # Of an operator that fixes its output, what is given is that of one type.
        if root not in fixing or (root in given and given[root].dtype == dtype):
            return given.get(root)
        return fixing[root].op.output_quant(fixing[root], dtype)

    return fixed


def _own_spans(graph: Graph, groups: Groups, ranges: Mapping[str, Range], dtype: str) -> dict[str, Range]:
    """What integers of `dtype` are to cover of each group's calibrated tensors and constants, by root."""
    spans: dict[str, Range] = {}

    def cover(name: str, low: float, high: float) -> None:
        root = groups.root(name)
        a, b = spans.get(root, (low, high))
        spans[root] = (min(a, low), max(b, high))

    for name in graph.inputs:
        if name in ranges:
            cover(name, *with_room(ranges[name], dtype))
    for layer in graph.layers():
        name = layer.output.name
        if layer.output.integers is not None:
            continue
        if name in ranges:
            cover(name, *layer.op.clip_range(*with_room(ranges[name], dtype)))
        elif layer.op.shares_scale:
            constants = [v for t in layer.moved if t.is_constant for v in (t.values.min(), t.values.max())]
            constants += layer.op.fills
            if constants:
                cover(name, float(min(constants)), float(max(constants)))
    return spans


def _with_converted(
    own: Mapping[str, Range], conversions: Sequence[tuple[str, str]], fixed: _Fixed, dtype: str
) -> dict[str, Range]:
    """The spans with what each group (target, source) is converted from."""
    spans = dict(own)
    grows = True
    while grows:
        grows = False
        for target, source in conversions:
            quant = fixed(source, dtype)
            span = spans.get(source) if quant is None else quant.real_bounds
            if span is None:
                continue
            low, high = spans.get(target, span)
            wider = (min(low, span[0]), max(high, span[1]))
            if spans.get(target) != wider:
                spans[target], grows = wider, True
    return spans
