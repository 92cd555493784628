"""Runs the float graph over calibration data and finds the range of every tensor that needs a scale."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from mcuq.errors import QuantizationError
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.convert import Convert
from mcuq.quantize.groups import given_quants, scale_groups
from mcuq.quantize.method import CalibrationMethod
from mcuq.quantize.ranges import INT8_LEVELS, RangeCollector

# Chosen by measurement on the reference networks: see docs/accuracy.md.
DEFAULT_METHOD = CalibrationMethod("percentile", 99.999)
# Fewer leave out what other inputs reach.
FEWEST_SAMPLES = 10

Range = tuple[float, float]


def calibrate(
    graph: Graph,
    samples: Iterable[Mapping[str, Array]],
    method: CalibrationMethod = DEFAULT_METHOD,
    progress: Callable[[], None] = lambda: None,
    levels: Mapping[str, int] | None = None,
    without: Collection[str] = (),
    constant: Callable[[str, float], None] = lambda name, value: None,
) -> dict[str, Range]:
    """Range of each tensor with a scale of its own, by name, over float32 samples of the graph's inputs.

    Memory does not grow with the number of samples: each tensor has one histogram. `progress` is called after
    each sample. `levels` is the number of integers of each tensor that has not 256. Tensors in `without` need no scale.
    `constant(name, value)` is called for each tensor that has one value throughout, which is then an end of its range.
    Raises QuantizationError where that holds for all inputs, as no range can be known.
    """
    collectors = collect(graph, samples, progress, method.averaging, without)
    for name, collector in collectors.items():
        # Of a single value nobody expects that it varies.
        if collector.is_constant and collector.values_seen > 1:
            constant(name, collector.minimum)
    counts = levels or {}
    return {name: collector.range(method, counts.get(name, INT8_LEVELS)) for name, collector in collectors.items()}


def collect(
    graph: Graph,
    samples: Iterable[Mapping[str, Array]],
    progress: Callable[[], None] = lambda: None,
    averaging: float = DEFAULT_METHOD.averaging,
    without: Collection[str] = (),
) -> dict[str, RangeCollector]:
    """What `calibrate` chooses ranges from, so that several methods can be tried on one run of the network."""
    producers = graph.producers()
    collectors = {
        name: RangeCollector(name, averaging=averaging, where=where_in_file(graph, producers, name))
        for name in scaled_tensors(graph, without)
    }
    if not collectors:
        return {}
    computed = [name for name in collectors if name not in graph.inputs]
    model = FloatModel(write_onnx(graph, [*computed, *(o for o in graph.outputs if o not in computed)]))
    count = 0
    for sample in samples:
        values = {**sample, **model.run(sample, computed)}
        for name, collector in collectors.items():
            collector.update(values[name])
        count += 1
        progress()
    inputs = [collectors[name] for name in graph.inputs if name in collectors]
    if inputs and all(collector.is_constant and collector.values_seen > 1 for collector in inputs):
        raise QuantizationError(
            f"tensor '{inputs[0].name}': is {inputs[0].minimum:g} throughout the {count} calibration sample"
            f"{'s' * (count != 1)}, so its range cannot be known; give calibration data that varies"
        )
    return collectors


def constant_notes(graph: Graph, constants: Mapping[str, float], made_up: bool = False) -> tuple[str, ...]:
    """What to know of tensors that had one value throughout calibration, or on inputs `made_up` in its place:
    `constants`, by name."""
    if not constants:
        return ()
    producers = graph.producers()
    shown = [f"{_in_file(graph, producers, name)} is {value:g}" for name, value in list(constants.items())[:3]]
    more = [f"{len(constants) - 3} more do not vary"] if len(constants) > 3 else []
    if made_up:
        return (f"on made-up inputs {', '.join(shown + more)}: give calibration data if it will vary",)
    return (f"throughout calibration {', '.join(shown + more)}: give data that varies if it will",)


def where_in_file(graph: Graph, producers: Mapping[str, Node], name: str) -> str:
    """What errors call the tensor: by its name, if the model has it."""
    return f"tensor '{name}'" if name in (*graph.inputs, *graph.outputs) else _in_file(graph, producers, name)


def _in_file(graph: Graph, producers: Mapping[str, Node], name: str) -> str:
    """How the model calls the tensor, or else the node that it came from."""
    if name in graph.inputs:
        return f"input '{name}'"
    return f"the output of '{producers[name].names[-1]}'"


def scaled_tensors(graph: Graph, without: Collection[str] = ()) -> list[str]:
    """Inputs, and outputs of operators that choose their scale: neither shared, converted, fixed nor given.

    Those in `without` are left out.
    """
    chosen = [
        layer.output.name
        for layer in graph.layers()
        if not (layer.op.shares_scale or isinstance(layer.op, Convert)) and layer.op.output_quant(layer) is None
    ]
    given = given_quants(graph, scale_groups(graph))
    return [name for name in (*graph.inputs, *chosen) if name not in given and name not in without]
