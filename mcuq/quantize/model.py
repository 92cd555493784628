"""The whole way from a float graph to its quantized graph, with all that is on by default for accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcuq.dataset import Sample, count_samples, spread_indices, spread_samples
from mcuq.errors import QuantizationError
from mcuq.graph.ir import Graph
from mcuq.quantize.activations import INT16_ROOM
from mcuq.quantize.apply import quantize_graph
from mcuq.quantize.calibrate import DEFAULT_METHOD, RangeCollectors, constant_notes
from mcuq.quantize.dtypes import activation_dtypes, float_tensors
from mcuq.quantize.equalize import equalize
from mcuq.quantize.given import given_quantization
from mcuq.quantize.headroom import Headroom
from mcuq.quantize.input_channels import regrid_inputs
from mcuq.quantize.input_grid import input_grid_ranges
from mcuq.quantize.judge import Judgement, distinct_samples, judge
from mcuq.quantize.level import level
from mcuq.quantize.means import ChannelMeans, corrected_tensors
from mcuq.quantize.method import CalibrationMethod
from mcuq.quantize.observe import Only, observe
from mcuq.quantize.output_parts import join_outputs
from mcuq.quantize.progress import Progress, silent
from mcuq.quantize.quality import quality_notes
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
    outputs are the same. `judgement` is how it does on samples held back (judge.py), None where that was not asked for
    or cannot be told.
    """

    float_graph: Graph
    graph: Graph
    samples: int
    judgement: Judgement | None = None
    notes: tuple[str, ...] = ()


def quantize_on_samples(
    graph: Graph,
    samples: Iterable[Sample],
    method: CalibrationMethod = DEFAULT_METHOD,
    scheme: Scheme = INT8_SCHEME,
    recovery: Recovery = DEFAULT_RECOVERY,
    progress: Progress = silent,
    judged: bool = False,
) -> Quantized:
    """Quantize a float graph that has its conversions on calibration samples, which are read once, twice where they
    are more than MOST_SAMPLES, and once more where their number is not known beforehand.

    `method` finds ranges over all samples, all else is measured on at most MOST_SAMPLES of them; `progress` is told of
    each phase. `judged` says whether models of fewer samples are made too, to tell how they do on others.
    Layers and tensors that came quantized stay as they are. Raises QuantizationError for tensors without a range, and
    where int32 overflows.
    """
    count = count_samples(samples)
    chosen = spread_samples(samples, MOST_SAMPLES, count)
    data = _Data(samples if len(chosen) < count else chosen, chosen, count)
    quantized, integer, notes = _quantize(graph, data, method, scheme, recovery, progress)
    if not judged:
        return Quantized(quantized, integer, count, notes=notes)
    distinct = distinct_samples(chosen)
    notes += copies_notes(len(chosen), len(distinct))
    try:
        judgement = judge(
            graph,
            distinct,
            lambda part: _quantize(graph, _Data(part, part, len(part)), method, scheme, recovery)[1],
            progress,
        )
    except QuantizationError as error:
        unjudged = f"how accurate the model is on other inputs was not judged: with fewer of the samples, {error}"
        return Quantized(quantized, integer, count, None, (*notes, unjudged))
    judged_notes = quality_notes(judgement.outputs, judgement.judged_on) if judgement else ()
    return Quantized(quantized, integer, count, judgement, (*notes, *judged_notes))


def copies_notes(samples: int, distinct: int) -> tuple[str, ...]:
    """A warning where half of the samples or more are copies of others."""
    copies = samples - distinct
    if 2 * copies < samples:
        return ()
    return (
        f"calibration data: {copies} of {samples} samples are copies of others and tell nothing new; "
        "give about a hundred different ones",
    )


@dataclass(frozen=True, eq=False)
class _Data:
    """`count` samples, at most MOST_SAMPLES of which are `chosen` and held."""

    samples: Iterable[Sample]
    chosen: Sequence[Sample]
    count: int


def _quantize(
    graph: Graph,
    data: _Data,
    method: CalibrationMethod,
    scheme: Scheme,
    recovery: Recovery,
    progress: Progress = silent,
) -> tuple[Graph, Graph, tuple[str, ...]]:
    """The float graph after equalization, its integer graph, notes; ranges are from all samples, all else from those
    that are chosen.

    The network is run twice: as it is given, for what its channels reach, and equalized, for all that is measured
    then. Ranges of the second cannot be told from the first bit for bit, as factors round.
    """
    chosen = data.chosen
    notes: tuple[str, ...] = ()
    if recovery.equalization and not given_quantization(graph).is_quantized:
        reach = {node.name: scheme.reach_of(*node.names) for node in graph.nodes}
        dtypes = activation_dtypes(graph, scheme)
        graph, seen = equalize(graph, see(graph, chosen), reach)
        steps = {name: STEPS[dtype] for name, dtype in dtypes.items() if dtype in STEPS}
        graph, seen = level(graph, seen, steps, reach)
        notes = uneven_notes(graph, seen, steps)
    regridded = regrid_inputs(graph, chosen, scheme, method, recovery.headroom)
    graph = regridded.graph
    without = float_tensors(graph, scheme)
    collectors = RangeCollectors(graph, method.averaging, without)
    headroom = Headroom(graph, collectors.of if recovery.headroom else ())
    means = ChannelMeans(graph, corrected_tensors(graph, without) if recovery.bias_correction else ())
    indices = spread_indices(data.count, MOST_SAMPLES)
    observers = (collectors, Only(headroom, indices), Only(means, indices))
    observe(graph, data.samples, observers, progress("calibrating", data.count))
    collectors.check()
    ranges = collectors.ranges(method)
    notes += constant_notes(graph, collectors.constants())
    if recovery.headroom:
        ranges = headroom.widened(ranges)
    ranges |= {name: span for name, span in input_grid_ranges(graph, chosen).items() if name in ranges}
    joined = join_outputs(graph, {**ranges, **regridded.ranges}, scheme)
    graph = joined.graph
    integer = quantize_graph(graph, joined.ranges, scheme)
    return graph, recover(graph, integer, chosen, recovery, scheme, progress, means.means), notes
