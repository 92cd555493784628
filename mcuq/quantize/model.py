"""The whole way from a float graph to its quantized graph, with all that is on by default for accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mcuq.dataset import Sample, count_samples, spread_samples
from mcuq.ir import Graph
from mcuq.quantize.activations import INT16_ROOM
from mcuq.quantize.apply import quantize_graph
from mcuq.quantize.calibrate import DEFAULT_METHOD, calibrate
from mcuq.quantize.dtypes import activation_dtypes, float_tensors
from mcuq.quantize.equalize import equalize
from mcuq.quantize.given import given_quantization
from mcuq.quantize.headroom import add_headroom
from mcuq.quantize.input_channels import regrid_inputs
from mcuq.quantize.input_grid import input_grid_ranges
from mcuq.quantize.level import level
from mcuq.quantize.method import CalibrationMethod
from mcuq.quantize.output_parts import join_outputs
from mcuq.quantize.recover import DEFAULT_RECOVERY, Recovery, recover
from mcuq.quantize.scheme import INT8_SCHEME, Scheme
from mcuq.quantize.seen import see
from mcuq.quantize.uneven import uneven_notes

# Of more samples these, spread evenly, are held at once for all that is measured beyond plain ranges. Fewer than a
# hundred left the means of the reference networks unsettled.
MOST_SAMPLES = 256
# Steps between the ends of a range that calibration found.
STEPS = {"int8": 255.0, "uint8": 255.0, "int16": 65535 / INT16_ROOM}


@dataclass(frozen=True, eq=False)
class Quantized:
    """`graph` in integers, the float graph that it stands for tensor by tensor, how many samples were seen, and notes
    for the user.

    The float graph is the original one up to factors per channel between layers (equalize.py, level.py); inputs and
    outputs are the same.
    """

    float_graph: Graph
    graph: Graph
    samples: int
    notes: tuple[str, ...] = ()


def quantize_on_samples(
    graph: Graph,
    samples: Iterable[Sample],
    method: CalibrationMethod = DEFAULT_METHOD,
    scheme: Scheme = INT8_SCHEME,
    recovery: Recovery = DEFAULT_RECOVERY,
    progress: Callable[[], None] = lambda: None,
) -> Quantized:
    """Quantize a float graph that has its conversions on calibration samples, which are read twice, and once more
    where their number is not known beforehand.

    `method` finds ranges over all samples, `progress` being called after each; all else is measured on at most
    MOST_SAMPLES of them. Layers and tensors that came quantized stay as they are. Raises QuantizationError for tensors
    without a range, and where int32 overflows.
    """
    notes: tuple[str, ...] = ()
    count = count_samples(samples)
    chosen = spread_samples(samples, MOST_SAMPLES, count)
    if recovery.equalization and not given_quantization(graph).is_quantized:
        reach = {node.name: scheme.reach_of(*node.names) for node in graph.nodes}
        dtypes = activation_dtypes(graph, scheme)
        graph, seen = equalize(graph, see(graph, chosen), reach)
        steps = {name: STEPS[dtype] for name, dtype in dtypes.items() if dtype in STEPS}
        graph, seen = level(graph, seen, steps, reach)
        notes = uneven_notes(graph, seen, steps)
    regridded = regrid_inputs(graph, chosen, scheme, method, recovery.headroom)
    graph = regridded.graph
    ranges = calibrate(graph, samples, method, progress, without=float_tensors(graph, scheme))
    if recovery.headroom:
        ranges = add_headroom(graph, ranges, chosen)
    ranges |= {name: span for name, span in input_grid_ranges(graph, chosen).items() if name in ranges}
    joined = join_outputs(graph, {**ranges, **regridded.ranges}, scheme)
    graph = joined.graph
    integer = quantize_graph(graph, joined.ranges, scheme)
    return Quantized(graph, recover(graph, integer, chosen, recovery, scheme), count, notes)
