"""What tests share: integer graphs of one layer or of many side by side, and runs of their C and float meaning."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from mcuq.boards.facts import Board
from mcuq.boards.find import load_board
from mcuq.compile import Aim, CompiledModel, assemble_for
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array, Integers, Quant, Tensor
from mcuq.lower import Goal, Stepped
from mcuq.onnx_io.given import integers_of
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.quantize import Scheme, quantize_graph
from mcuq.quantize.calibrate import Range, scaled_tensors
from mcuq.validate import BitsReport, check_bits


@dataclass(frozen=True)
class Whole:
    """A computed input of integers of the file, from `low` to `high`."""

    shape: tuple[int, ...]
    low: int
    high: int


# What an operator reads: a shape is a computed input, an array a constant, one of int64 of integers of the file.
Inputs = Sequence[tuple[int, ...] | Whole | Array]
Case = tuple[Operator, Inputs]

# Real input ranges that give zero points at both ends, in the middle and off it, at small and large scales.
RANGES: tuple[Range, ...] = ((-1, 1), (0, 6), (-3, 0), (-0.4, 2.5), (-20, 7), (-1e-3, 1e-3), (0, 300), (-0.9, 0.1))

# Steps of an int8 output that float32 arithmetic of ONNX Runtime may be off in the tests' layers. Those of int16
# outputs are 256 times finer.
FLOAT_ROUNDING = 1e-3

INT8 = Scheme()


def float_graph(op: Operator, inputs: Inputs) -> Graph:
    """A float graph of one node, y = op(x0, x1, ...)."""
    builder = GraphBuilder("layer")
    _add_layer(builder, op, inputs, "layer", "y", "")
    return builder.graph()


def float_branches(cases: Sequence[Case]) -> Graph:
    """A float graph of many nodes side by side, y0 = op0(x0_0, x0_1, ...), y1 = ..."""
    builder = GraphBuilder("layers")
    for i, (op, inputs) in enumerate(cases):
        _add_layer(builder, op, inputs, f"layer{i}", f"y{i}", f"{i}_")
    return builder.graph()


def _add_layer(builder: GraphBuilder, op: Operator, inputs: Inputs, name: str, output: str, prefix: str) -> None:
    def added(i: int, value: tuple[int, ...] | Whole | Array) -> str:
        if isinstance(value, Whole):
            return builder.input(f"x{prefix}{i}", value.shape, Integers.of(value.low, value.high))
        if isinstance(value, np.ndarray):
            quant = integers_of(value) if value.dtype == np.int64 else None
            return builder.constant(np.asarray(value, np.float32), f"c{prefix}{i}", quant)
        return builder.input(f"x{prefix}{i}", value)

    names = [added(i, value) for i, value in enumerate(inputs)]
    builder.outputs.append(builder.add(op, names, output, name))


def integer_graph(
    op: Operator, inputs: Inputs, ranges: Mapping[str, Range] | None = None, scheme: Scheme = INT8
) -> Graph:
    """The int8 graph of one node; tensors without a range in `ranges` have [-1, 1]."""
    graph = float_graph(op, inputs)
    given = dict(ranges or {})
    return quantize_graph(graph, {name: given.get(name, (-1.0, 1.0)) for name in scaled_tensors(graph)}, scheme)


def given_integers(op: Operator, x: tuple[int, ...], weight: Array, x_range: Range) -> Graph:
    """The int8 graph of one layer whose weights came as integers, 127 a unit, and whose bias is 0."""
    builder = GraphBuilder("layer")
    weights = builder.constant(weight.astype(np.float32), "w", Quant((1 / 127,) * len(weight)))
    bias = builder.constant(np.zeros(len(weight), np.float32), "b")
    builder.outputs.append(builder.add(op, [builder.input("x0", x), weights, bias], "y", "layer"))
    return quantize_graph(builder.graph(), {"x0": x_range, "y": (-1.0, 1.0)})


def integer_branches(cases: Sequence[Case], seed: int = 0, scheme: Scheme = INT8) -> Graph:
    """The int8 graph of many nodes side by side: inputs have RANGES in turn, outputs what they then reach, cut or
    widened at random."""
    return with_ranges(float_branches(cases), seed, scheme=scheme)


def with_ranges(graph: Graph, seed: int = 0, samples: int = 3, scheme: Scheme = INT8) -> Graph:
    """The int8 graph of a float graph, with ranges as `integer_branches` has them."""
    rng = np.random.default_rng(seed)
    ranges = {name: RANGES[(i + seed) % len(RANGES)] for i, name in enumerate(graph.inputs)}
    computed = [name for name in scaled_tensors(graph) if name not in graph.inputs]
    if computed:
        model = FloatModel(write_onnx(graph, computed))
        runs = [model.run(random_reals(graph, ranges, rng)) for _ in range(samples)]
        for name in computed:
            low, high = min(float(r[name].min()) for r in runs), max(float(r[name].max()) for r in runs)
            low_factor, high_factor = rng.uniform(0.5, 1.3, 2)
            ranges[name] = (low * low_factor, high * high_factor)
    return quantize_graph(graph, ranges, scheme)


def beside(graphs: Sequence[Graph]) -> Graph:
    """Graphs as one that computes all of them; names begin with the graph's number."""
    tensors: dict[str, Tensor] = {}
    nodes: list[Node] = []
    for i, graph in enumerate(graphs):
        tensors |= {f"g{i}_{name}": replace(t, name=f"g{i}_{name}") for name, t in graph.tensors.items()}
        nodes += [
            replace(n, name=f"g{i}_{n.name}", inputs=tuple(f"g{i}_{x}" for x in n.inputs), output=f"g{i}_{n.output}")
            for n in graph.nodes
        ]
    inputs, outputs = (
        tuple(f"g{i}_{name}" for i, graph in enumerate(graphs) for name in getattr(graph, side))
        for side in ("inputs", "outputs")
    )
    return Graph(graphs[0].name, tuple(nodes), tensors, inputs, outputs)


def random_reals(graph: Graph, ranges: Mapping[str, Range], rng: np.random.Generator) -> dict[str, Array]:
    """One float32 sample, evenly spread over the range of each input."""

    def values(name: str) -> Array:
        tensor = graph.tensors[name]
        if tensor.integers is not None:
            return rng.integers(tensor.integers.low, tensor.integers.high + 1, tensor.shape).astype(np.float32)
        return rng.uniform(*ranges[name], tensor.shape).astype(np.float32)

    return {name: values(name) for name in graph.inputs}


def model_of(
    graph: Graph,
    board: str | Board = "cortex-m4",
    name: str = "layer",
    optimize: Goal = "balanced",
    push: bool = False,
    step: Stepped | None = None,
) -> CompiledModel:
    """The integer graph with its C, without an ONNX model."""
    board = load_board(board) if isinstance(board, str) else board
    return assemble_for(graph, board, name, Aim(optimize, push=push, step=step))


def portable(board: str = "cortex-m4") -> Board:
    """The board without the CPU features that kernels may need."""
    found = load_board(board)
    return replace(found, cpu=replace(found.cpu, features=frozenset()))


def random_inputs(graph: Graph, samples: int, seed: int = 0, known: bool = False) -> dict[str, Array]:
    """Integers (samples, *shape): the first sample is all at the least, the second all at the greatest, the rest
    random. Those of the file are all of their type, or those that are `known`."""
    rng = np.random.default_rng(seed)
    result = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        low, high = tensor.quantization.bounds
        if known and tensor.integers is not None:
            low, high = tensor.integers.low, tensor.integers.high
        x = rng.integers(low, high + 1, (samples, *tensor.shape)).astype(tensor.dtype)
        x[:1], x[1:2] = low, high
        result[name] = x
    return result


def check_c(graph: Graph, on: str, samples: int = 6, seed: int = 0, board: str | Board = "cortex-m4") -> BitsReport:
    """Run the graph's C on random inputs and both extremes, and assert that every byte is the simulator's."""
    report = check_bits(model_of(graph, board), iter([random_inputs(graph, samples, seed)]), on)
    assert report.first_mismatch is None, f"{graph.text()}{report.first_mismatch}"
    assert report.samples == samples
    assert report.compared_bytes > 0
    return report


def check_portable_c(graph: Graph, on: str, samples: int = 6) -> BitsReport:
    """`check_c` of the kernels that run on any CPU."""
    return check_c(graph, on, samples, board=portable())


def dequantized(graph: Graph) -> Graph:
    """The float graph of an integer graph: the same constants as real numbers, no rounding of activations."""
    tensors = {name: Tensor(name, t.shape) for name, t in graph.tensors.items() if not t.is_constant}
    for layer in graph.layers():
        for t in layer.inputs:
            if not t.is_constant:
                continue
            if t.quant is None:
                tensors[t.name] = t
                continue
            if t.integers is not None:
                tensors[t.name] = Tensor(t.name, t.shape, "float32", t.values.astype(np.float32))
                continue
            values = t.values.astype(np.float64) - t.zero_point
            if t.dtype == "int32":
                # The stored bias has the input's zero point folded in.
                weight = layer.inputs[1].values.astype(np.int64)
                values += layer.inputs[0].zero_point * weight.reshape(len(weight), -1).sum(axis=1)
            scale = np.array(t.quantization.scale)
            real = values * (scale.reshape(-1, *(1,) * (values.ndim - 1)) if scale.size > 1 else scale)
            tensors[t.name] = Tensor(t.name, t.shape, "float32", real.astype(np.float32).reshape(t.shape))
    return replace(graph, tensors=tensors)


def run_float(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs (samples, *shape) by name of ONNX Runtime on float32 inputs (samples, *shape)."""
    session = FloatModel(model)
    count = len(next(iter(inputs.values())))
    runs = [session.run({name: np.asarray(x[i]) for name, x in inputs.items()}) for i in range(count)]
    return {name: np.stack([run[name] for run in runs]) for name in session.outputs}


def check_float(graph: Graph, steps: float | Callable[[Layer], float], samples: int = 6, seed: int = 0) -> None:
    """Assert that the simulator is within `steps` output steps of what ONNX Runtime computes from the same integer
    inputs and constants as real numbers; values beyond the output's codes count as the nearest code. `steps` may
    be a function of the layer that gives the output."""
    inputs = random_inputs(graph, samples, seed, known=True)
    reals = {name: graph.tensors[name].quantization.dequantize(x) for name, x in inputs.items()}
    want = run_float(write_onnx(dequantized(graph)), reals)
    for name, got in simulate(graph, inputs).items():
        quant = graph.tensors[name].quantization
        exact = np.clip(want[name].astype(np.float64) / quant.step + quant.zero_point, *quant.bounds)
        off = np.abs(got - exact)
        index = tuple(map(int, np.unravel_index(off.argmax(), off.shape)))
        allowed = steps if isinstance(steps, float) else steps(graph.layer(graph.producers()[name]))
        assert off[index] <= allowed + FLOAT_ROUNDING * (256 if quant.dtype == "int16" else 1), (
            f"{graph.text()}output '{name}', element {index}: want {exact[index]:.4f}, got {got[index]}"
        )


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pid: int) -> None:
    """Assert that the process ends within 30 s."""
    deadline = time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)
