"""The whole way from a float graph to its integer graph, with all that is on by default for accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcuq.ir import Graph
from mcuq.quantize.apply import quantize_graph
from mcuq.quantize.calibrate import DEFAULT_METHOD, calibrate
from mcuq.quantize.equalize import equalize
from mcuq.quantize.headroom import add_headroom
from mcuq.quantize.input_grid import input_grid_ranges
from mcuq.quantize.ranges import CalibrationMethod
from mcuq.quantize.recover import DEFAULT_RECOVERY, Recovery, recover
from mcuq.quantize.samples import Samples, spread_samples
from mcuq.quantize.scheme import INT8_SCHEME, Scheme


@dataclass(frozen=True, eq=False)
class Quantized:
    """`graph` in integers, and the float graph that it stands for tensor by tensor.

    That is the original one up to factors per channel between layers (equalize.py); inputs and outputs are the same.
    """

    float_graph: Graph
    graph: Graph


def quantize_model(
    graph: Graph,
    samples: Samples,
    method: CalibrationMethod = DEFAULT_METHOD,
    scheme: Scheme = INT8_SCHEME,
    recovery: Recovery = DEFAULT_RECOVERY,
    progress: Callable[[], None] = lambda: None,
) -> Quantized:
    """Quantize a float graph on calibration samples.

    `method` finds ranges over all samples, `progress` being called after each; all else is measured on at most 256
    of them, spread evenly. Raises QuantizationError for tensors without a range, and where int32 overflows.
    """
    chosen = spread_samples(samples)
    if recovery.equalization:
        reach = {node.name: scheme.reach_of(node.name) for node in graph.nodes}
        graph = equalize(graph, chosen, reach)
    ranges = calibrate(graph, samples, method, progress)
    if recovery.headroom:
        ranges = add_headroom(graph, ranges, chosen)
    ranges |= input_grid_ranges(graph, chosen)
    integer = quantize_graph(graph, ranges, scheme)
    return Quantized(graph, recover(graph, integer, chosen, recovery, scheme))
