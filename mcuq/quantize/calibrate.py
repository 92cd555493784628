"""Runs the float graph over calibration data and finds the range of every tensor that needs a scale."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from mcuq.errors import QuantizationError
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array
from mcuq.quantize.groups import given_quants, scale_groups
from mcuq.quantize.held import HeldMagnitudes
from mcuq.quantize.method import CalibrationMethod
from mcuq.quantize.observe import observe
from mcuq.quantize.ranges import INT8_LEVELS, RangeCollector

# Chosen by measurement on the reference networks: see docs/accuracy.md.
DEFAULT_METHOD = CalibrationMethod("percentile", 99.999)
# Fewer leave out what other inputs reach.
FEWEST_SAMPLES = 10

Range = tuple[float, float]


class RangeCollectors:
    """Observes each tensor with a scale of its own, so that several methods can be tried on one run of the network.

    Memory does not grow with the number of samples: each tensor has one histogram.
    """

    def __init__(
        self, graph: Graph, averaging: float = DEFAULT_METHOD.averaging, without: Collection[str] = ()
    ) -> None:
        """Tensors in `without` need no scale; `averaging` is that of the methods to be tried."""
        producers = graph.producers()
        self.of = {
            name: RangeCollector(name, averaging=averaging, where=where_in_file(graph, producers, name))
            for name in scaled_tensors(graph, without)
        }
        self._held = HeldMagnitudes(graph, without)
        self._inputs = [self.of[name] for name in graph.inputs if name in self.of]
        self._count = 0

    @property
    def names(self) -> Collection[str]:
        """The tensors that have a range, and what else must be seen."""
        return dict.fromkeys((*self.of, *self._held.names))

    def add(self, values: Mapping[str, Array]) -> None:
        """Take a sample in. Raises QuantizationError where values are NaN or Inf."""
        for name, collector in self.of.items():
            collector.update(values[name])
        self._held.add(values)
        self._count += 1

    def check(self) -> None:
        """Raise QuantizationError where all inputs had one value throughout: no range can be known then."""
        if self._inputs and all(c.is_constant and c.values_seen > 1 for c in self._inputs):
            raise QuantizationError(
                f"tensor '{self._inputs[0].name}': is {self._inputs[0].minimum:g} throughout the {self._count} "
                f"calibration sample{'s' * (self._count != 1)}, so its range cannot be known; give calibration data "
                "that varies"
            )

    def ranges(self, method: CalibrationMethod, levels: Mapping[str, int] | None = None) -> dict[str, Range]:
        """Of each tensor, and of what operators hold inside under names that are no tensor's (held.py).

        `levels` is the number of integers of those that have not 256.
        """
        counts = levels or {}
        found = {name: collector.range(method, counts.get(name, INT8_LEVELS)) for name, collector in self.of.items()}
        return found | self._held.ranges()

    def constants(self) -> dict[str, float]:
        """The tensors that had one value throughout, which is then an end of their range."""
        # Of a single value nobody expects that it varies.
        return {name: c.minimum for name, c in self.of.items() if c.is_constant and c.values_seen > 1}


def collect(
    graph: Graph,
    samples: Iterable[Mapping[str, Array]],
    progress: Callable[[], None] = lambda: None,
    averaging: float = DEFAULT_METHOD.averaging,
    without: Collection[str] = (),
) -> RangeCollectors:
    """Run the float graph over float32 samples of its inputs, for ranges alone; `progress` after each sample.

    Raises QuantizationError where no range can be known.
    """
    collectors = RangeCollectors(graph, averaging, without)
    observe(graph, samples, [collectors], progress)
    collectors.check()
    return collectors


def calibrate(
    graph: Graph,
    samples: Iterable[Mapping[str, Array]],
    method: CalibrationMethod = DEFAULT_METHOD,
    progress: Callable[[], None] = lambda: None,
    levels: Mapping[str, int] | None = None,
    without: Collection[str] = (),
) -> dict[str, Range]:
    """Range of each tensor with a scale of its own, by name: `collect`, and what the method makes of it."""
    return collect(graph, samples, progress, method.averaging, without).ranges(method, levels)


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
        if not (layer.op.shares_scale or layer.op.is_conversion) and layer.op.output_quant(layer) is None
    ]
    given = given_quants(graph, scale_groups(graph))
    return [name for name in (*graph.inputs, *chosen) if name not in given and name not in without]
