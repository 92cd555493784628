"""Runs the float graph over calibration data and finds the range of every tensor that needs a scale."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from mcuq.errors import QuantizationError
from mcuq.float_model import FloatModel
from mcuq.ir import Graph
from mcuq.onnx_io.writer import write_onnx
from mcuq.quantize.ranges import CalibrationMethod, RangeCollector
from mcuq.tensor import Array

# Chosen by measurement on the reference networks: see docs/accuracy.md.
DEFAULT_METHOD = CalibrationMethod("percentile", 99.999)

Range = tuple[float, float]


def calibrate(
    graph: Graph,
    samples: Iterable[Mapping[str, Array]],
    method: CalibrationMethod = DEFAULT_METHOD,
    progress: Callable[[], None] = lambda: None,
    without: Collection[str] = (),
) -> dict[str, Range]:
    """Range of each tensor with a scale of its own, by name, over float32 samples of the graph's inputs.

    Memory does not grow with the number of samples: each tensor has one histogram. `progress` is called after
    each sample. Tensors in `without` need no scale. Raises QuantizationError for a tensor that has the same value
    throughout, as its range cannot be known.
    """
    names = scaled_tensors(graph, without)
    if not names:
        return {}
    collectors = {name: RangeCollector(name) for name in names}
    computed = [name for name in names if name not in graph.inputs]
    model = FloatModel(write_onnx(graph, [*computed, *(o for o in graph.outputs if o not in computed)]))
    extremes: dict[str, Range] = {}
    count = 0
    for sample in samples:
        values = {**sample, **model.run(sample, computed)}
        for name, collector in collectors.items():
            collector.update(values[name])
            low, high = float(values[name].min()), float(values[name].max())
            seen = extremes.get(name, (low, high))
            extremes[name] = (min(low, seen[0]), max(high, seen[1]))
        count += 1
        progress()
    for name, (low, high) in extremes.items():
        if low == high and (graph.tensors[name].elements > 1 or count > 1):
            raise QuantizationError(
                f"tensor '{name}': is {low:g} throughout the {count} calibration sample{'s' * (count != 1)}, so its "
                "range cannot be known; give calibration data that varies"
            )
    return {name: collector.range(method) for name, collector in collectors.items()}


def scaled_tensors(graph: Graph, without: Collection[str] = ()) -> list[str]:
    """Inputs, and outputs of operators that choose their scale: neither shared nor fixed; but those in `without`."""
    chosen = [
        layer.output.name
        for layer in graph.layers()
        if not layer.op.shares_scale and layer.op.output_quant(layer) is None
    ]
    return [name for name in (*graph.inputs, *chosen) if name not in without]
