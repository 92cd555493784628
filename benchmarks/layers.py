"""Instructions a MAC or an element of a layer of each operator, on emulated CPUs, with like layers beside each other.

    python benchmarks/layers.py [--only TEXT] [--update]

prints a table and how each figure differs from the last one in benchmarks/layers.md; --update writes that file anew.
Layers have sizes of small networks, so that what a call costs once is little of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tests_path  # noqa: F401
from cases import recurrent
from float_cases import float_layers
from kernels import line, with_changes
from support import Case, Whole, integer_branches, model_of

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.ops.abs import Abs
from mcuq.ops.add import Add, Sub
from mcuq.ops.arg_max import ArgMax
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.compare import Compare
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.cum_sum import CumSum
from mcuq.ops.div import Div
from mcuq.ops.dynamic_quantize import DynamicQuantize
from mcuq.ops.exp import Exp
from mcuq.ops.extreme import Max, Min
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.from_integers import FromIntegers
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.gather import Gather
from mcuq.ops.gather_elements import GatherElements
from mcuq.ops.gelu import Gelu
from mcuq.ops.greatest import Greatest, Least
from mcuq.ops.gru import Gru
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.integer_mat_mul import IntegerMatMul
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.lp_pool import LpPool
from mcuq.ops.lrn import LRN
from mcuq.ops.lstm import Lstm
from mcuq.ops.masked_softmax import MaskedSoftmax
from mcuq.ops.mat_mul import MatMul
from mcuq.ops.max_places import MaxPlaces
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean, ReduceSum
from mcuq.ops.mod import Mod
from mcuq.ops.mul import Mul
from mcuq.ops.normalize import Normalize
from mcuq.ops.pad import Pad
from mcuq.ops.power import Power
from mcuq.ops.prelu import PRelu
from mcuq.ops.reduce import ReduceL1, ReduceL2, ReduceLp, ReduceMin, ReduceProd, ReduceSumSquare
from mcuq.ops.rnn import Rnn
from mcuq.ops.scatter_elements import ScatterElements
from mcuq.ops.scatter_sum import ScatterSum
from mcuq.ops.shift_in import ShiftIn
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.sparse_product import SparseProduct
from mcuq.ops.to_integers import ToIntegers
from mcuq.ops.top_k import TopK
from mcuq.ops.total import Total
from mcuq.ops.transpose import Transpose
from mcuq.ops.unfold import Unfold
from mcuq.ops.unpool import Unpool
from mcuq.ops.where import Where
from mcuq.ops.window import Window
from mcuq.quantize.scheme import parse_scheme
from mcuq.report.profile import profile_model

RESULTS = Path(__file__).with_name("layers.md")
BOARDS = ("cortex-m4", "cortex-m55")
TYPES = ("int8", "int16", "float32")
HEADINGS = ("layer", "a", *(f"{board.removeprefix('cortex-').upper()} {dtype}" for board in BOARDS for dtype in TYPES))
TEXT = """\
# Instructions of each operator's kernels

Written by `python benchmarks/layers.py --update`: instructions for a MAC of layers that have such, else for an element
of the output, or of the largest input if that has more, from entry to return of each layer's functions. `-` stands
where an operator has no kernel of the type. Layers that compute what is like each other stand together.

Slow beside what is like it:

- MatMul of int16, one and a half times FullyConnected of int16: its sums have 64 bits, as do their requantizations.
- Conv2d of groups, four times that of one group: each group has few channels.
- Gru whose reset comes before the product, ONNX's default, 3 to 5 times one whose reset is behind it (PyTorch's, Keras'
  reset_after): portable loops too.
- Most of int16 and float32 on Cortex-M55: its vectors are used for int8, and of int16 for recurrent layers.
- Power, and LRN, which has one for each element: logarithms and exponentials. LpPool with p=2 takes a root for each
  window, a quarter of which each element here pays; ReduceProd rounds each product.
- Total of int16, and Sub of int16 where scales differ much: sums of 64 bits.

"""
AT_ONCE = 4  # layers of a program: their inputs lie in RAM at the same time
_NUMBERS = np.random.default_rng(0)


def _constant(*shape: int) -> np.ndarray:
    return _NUMBERS.normal(size=shape).astype(np.float32)


def _weighted(op: Conv2d | FullyConnected, x: tuple[int, ...], *weight: int) -> Case:
    return op, [x, _constant(*weight), _constant(weight[0])]


_IMAGE = (1, 12, 12, 32)
_ROWS = (64, 64)
_CHANNEL = (1, 1, 1, 32)
_PIXELS = (1, 8, 8, 32)
_BELOW_9 = Whole(_PIXELS, 1, 9)
_WIDE = Whole(_PIXELS, -300, 70_000)

# What is alike -> name of a row -> the layer.
LAYERS: Mapping[str, Mapping[str, Case]] = {
    "products": {
        "Conv2d 1x1, 32 to 32": _weighted(Conv2d(Window((1, 1))), _IMAGE, 32, 1, 1, 32),
        "Conv2d 3x3, 32 to 16": _weighted(Conv2d(Window((3, 3), (1, 1), (1, 1, 1, 1))), _IMAGE, 16, 3, 3, 32),
        "Conv2d 3x3, 4 groups": _weighted(Conv2d(Window((3, 3), (1, 1), (1, 1, 1, 1)), 4), _IMAGE, 32, 3, 3, 8),
        "Conv2d 3x3, depthwise": _weighted(Conv2d(Window((3, 3), (1, 1), (1, 1, 1, 1)), 32), _IMAGE, 32, 3, 3, 1),
        "FullyConnected 256 to 64": _weighted(FullyConnected(), (1, 256), 64, 256),
        "FullyConnected 64 to 64, 16 rows": _weighted(FullyConnected(), (16, 64), 64, 64),
        "MatMul, taps of b apart": (MatMul(), [(4, 32, 48), (4, 48, 32)]),
        "MatMul, b transposed": (MatMul(transposed=True), [(4, 32, 48), (4, 32, 48)]),
        "MatMul, 16 taps, b transposed": (MatMul(transposed=True), [(64, 16), (64, 16)]),
        "MatMul, b constant": (MatMul(), [(32, 48), _constant(48, 32)]),
        "IntegerMatMul": (IntegerMatMul(), [Whole((4, 32, 48), -128, 127), Whole((4, 48, 32), -128, 127)]),
        "SparseProduct, 2 of 12 rows": (
            SparseProduct(1),
            [_IMAGE, _NUMBERS.integers(0, 12, (24, 2)).astype(np.float32), _constant(24, 2)],
        ),
        "SparseProduct, 4 of 12 channels": (
            SparseProduct(3),
            [(1, 12, 12, 12), _NUMBERS.integers(0, 12, (24, 4)).astype(np.float32), _constant(24, 4)],
        ),
        "Lstm 32 to 32": recurrent.case(recurrent.plain(Lstm), 8, 1, 32, 32),
        "Gru 32 to 32, reset before the product": recurrent.case(recurrent.plain(Gru), 8, 1, 32, 32),
        "Gru 32 to 32, reset behind it": recurrent.case(recurrent.plain(Gru, resets_product=True), 8, 1, 32, 32),
        "Rnn 32 to 32": recurrent.case(recurrent.plain(Rnn), 8, 1, 32, 32),
    },
    "rows": {
        "Softmax": (Softmax(), [_ROWS]),
        "MaskedSoftmax": (MaskedSoftmax(), [_ROWS, np.tri(64, dtype=np.float32)]),
        "LogSoftmax": (LogSoftmax(), [_ROWS]),
        "Normalize, 64 of a row": (Normalize((1,), 1e-5), [_ROWS, _constant(1, 64), _constant(1, 64)]),
        "Normalize, without the mean": (
            Normalize((1,), 1e-5, centered=False),
            [_ROWS, _constant(1, 64), _constant(1, 64)],
        ),
        "Normalize, channels": (Normalize((1, 2), 1e-5), [_IMAGE, _constant(*_CHANNEL), _constant(*_CHANNEL)]),
        "Normalize, 4 groups": (
            Normalize((1, 2, 3), 1e-5, group_axis=3, groups=4),
            [_IMAGE, _constant(*_CHANNEL), _constant(*_CHANNEL)],
        ),
        "LRN of 5": (LRN(3, 5, 1e-2, 0.75, 1.0), [_IMAGE]),
        "TopK, 5 of 64": (TopK(1, 5), [_ROWS]),
        "ArgMax": (ArgMax((1,)), [_ROWS]),
        "CumSum": (CumSum(1), [_ROWS]),
    },
    "windows": {
        "MaxPool 2x2": (MaxPool(Window((2, 2), (2, 2))), [_IMAGE]),
        "AveragePool 2x2": (AveragePool(Window((2, 2), (2, 2))), [_IMAGE]),
        "LpPool 2x2, p=1": (LpPool(Window((2, 2), (2, 2)), 1), [_IMAGE]),
        "LpPool 2x2, p=2": (LpPool(Window((2, 2), (2, 2)), 2), [_IMAGE]),
        "LpPool 2x2, p=3": (LpPool(Window((2, 2), (2, 2)), 3), [_IMAGE]),
        "MaxPlaces 2x2": (MaxPlaces(Window((2, 2), (2, 2))), [_IMAGE]),
        "MaxPool 2x2 of integers": (MaxPool(Window((2, 2), (2, 2))), [_WIDE]),
        "Unfold of 3": (Unfold(1, 3, 1, 1, 1), [_IMAGE]),
        "Unpool 2x2": (Unpool((32, 144)), [(32, 36), Whole((32, 36), 0, 143)]),
    },
    "reductions": {
        "Mean of images": (Mean((1, 2)), [_IMAGE]),
        "Mean of channels": (Mean((3,)), [_IMAGE]),
        **{
            f"{op.__name__} of {what}": (op(axes), [shape])
            for op in (ReduceSum, ReduceMin, ReduceL1, ReduceL2, ReduceSumSquare)
            for what, axes, shape in (("images", (1, 2), _IMAGE), ("channels", (3,), _IMAGE))
        },
        "ReduceLp of channels, p=3": (ReduceLp((3,), 3), [_IMAGE]),
        "ReduceProd of 4": (ReduceProd((2,)), [(1, 24, 4, 32)]),
    },
    "two tensors": {
        **{
            f"{type(op).__name__}": (op, [_PIXELS, _PIXELS])
            for op in (Add(), Sub(), Mul(), Div(), Max(), Min(), Mod(), PRelu())
        },
        **{
            f"{type(op).__name__}, constant of channels": (op, [_PIXELS, _constant(*_CHANNEL)])
            for op in (Add(), Mul(), Div(), Max(), PRelu())
        },
        "Mul, one a pixel": (Mul(), [_PIXELS, (1, 8, 8, 1)]),
        "Power": (Power(), [_PIXELS, np.resize(np.arange(4, dtype=np.float32), 32).reshape(_CHANNEL)]),
        "Total of 3": (Total(), [_PIXELS] * 3),
        "Total of 4, divided": (Total(0.25), [_PIXELS] * 4),
        "Greatest of 3": (Greatest(), [_PIXELS] * 3),
        "Least of 4": (Least(), [_PIXELS] * 4),
        "Compare <": (Compare("<"), [_PIXELS, _PIXELS]),
        "Compare ==, integers": (Compare("=="), [_BELOW_9, _BELOW_9]),
        "Where": (Where(), [Whole(_PIXELS, 0, 1), _PIXELS, _PIXELS]),
        "Where, one a pixel": (Where(), [Whole((1, 8, 8, 1), 0, 1), _PIXELS, _constant(1, 1, 1, 1)]),
        **{
            f"IntegerArithmetic {kind}": (IntegerArithmetic(kind), [_WIDE, _BELOW_9])
            for kind in ("Add", "WrappedAdd", "Mul", "Div", "Mod", "Max", "And")
        },
    },
    "one tensor": {
        "Clip": (Clip(0.0, 0.5), [_PIXELS]),
        "Sigmoid": (Sigmoid(), [_PIXELS]),
        "Exp": (Exp(), [_PIXELS]),
        "Gelu": (Gelu(), [_PIXELS]),
        "Abs": (Abs(), [_PIXELS]),
        "FakeQuantize": (FakeQuantize(0.01, 3), [_PIXELS]),
        "FromIntegers": (FromIntegers(), [Whole(_PIXELS, -300, 40_000)]),
        "ToIntegers": (ToIntegers(-128, 127), [_PIXELS]),
        **{f"DynamicQuantize, {part}": (DynamicQuantize(part), [_PIXELS]) for part in ("codes", "scale")},
    },
    "moves": {
        "Concat of channels": (Concat(3), [_PIXELS, _PIXELS]),
        "Pad": (Pad((0, 1, 1, 0), (0, 1, 1, 0), 0.5), [_PIXELS]),
        "ShiftIn, one row of eight": (ShiftIn(1), [_PIXELS, (1, 1, *_PIXELS[2:])]),
        "Slice, every second row back": (Slice((0, 7, 0, 0), (1, 4, 8, 32), (1, -2, 1, 1)), [_PIXELS]),
        "Transpose, channels first": (Transpose((0, 3, 1, 2)), [_PIXELS]),
        "Transpose, heads": (Transpose((0, 2, 1, 3)), [(1, 32, 4, 16)]),
        "Gather, rows of a table": (Gather(0), [_constant(100, 32), Whole((1, 64), 0, 99)]),
        "Gather, single numbers": (Gather(1), [_ROWS, Whole((64,), -64, 63)]),
        "GatherElements": (GatherElements(1), [_ROWS, Whole(_ROWS, -64, 63)]),
        "ScatterElements": (ScatterElements(1), [_ROWS, Whole(_ROWS, -64, 63), _ROWS]),
        "ScatterElements, max": (ScatterElements(1, "max"), [_ROWS, Whole(_ROWS, -64, 63), _ROWS]),
        "ScatterSum": (ScatterSum(1, 64), [_ROWS, Whole(_ROWS, -64, 63)]),
    },
}


@dataclass(frozen=True)
class Row:
    """A row of the table: what its figures are for one of, and those by board and type."""

    unit: str
    counts: Mapping[tuple[str, str], float]

    @property
    def cells(self) -> tuple[str, ...]:
        """The row's cells in Markdown."""
        found = (self.counts.get((board, dtype)) for board in BOARDS for dtype in TYPES)
        return (self.unit, *("-" if count is None else f"{count:.2f}" for count in found))


def measure(cases: Mapping[str, Case], boards: Sequence[str]) -> dict[str, Row]:
    """The rows of layers by name."""
    counts: dict[str, dict[tuple[str, str], float]] = {name: {} for name in cases}
    units = dict.fromkeys(cases, "")
    for dtype in TYPES:
        names = [name for name, (op, _) in cases.items() if dtype in op.dtypes]
        for some in (names[first : first + AT_ONCE] for first in range(0, len(names), AT_ONCE)):
            graph = side_by_side([cases[name] for name in some], dtype)
            for board in boards:
                for number, (unit, count) in counted(graph, board):
                    units[some[number]], counts[some[number]][board, dtype] = unit, count
    return {name: Row(units[name], counts[name]) for name in cases}


def side_by_side(cases: Sequence[Case], dtype: str) -> Graph:
    """The layers in a graph of the type."""
    return float_layers(cases) if dtype == "float32" else integer_branches(cases, 0, parse_scheme(dtype))


def counted(graph: Graph, board: str) -> Iterator[tuple[int, tuple[str, float]]]:
    """Number of each layer, what is counted of it, and its instructions for one such."""
    model = model_of(graph, board)
    layers = {layer.name: layer for layer in graph.layers()}
    for found in profile_model(model).layers:
        unit, count = work(layers[found.name])
        yield int(found.name.removeprefix("layer")), (unit, found.instructions / count)


def work(layer: Layer) -> tuple[str, int]:
    """("MAC" or "element", how many of them a layer has)."""
    if macs := layer.op.macs(layer):
        return "MAC", macs
    return "element", max(t.elements for t in (*layer.activations, layer.output))


def read_rows(text: str) -> dict[str, tuple[str, ...]]:
    """Name of a layer -> its other cells, from the table as it was written."""
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines() if row.startswith("| ")]
    return {row[0]: tuple(row[1:]) for row in rows if len(row) == len(HEADINGS) and row[1] in ("MAC", "element")}


def main() -> None:
    """Measure, print, and write the table if asked."""
    parser = argparse.ArgumentParser(description="Count what layers of each operator take.")
    parser.add_argument("--only", default="", help="layers whose names hold this; nothing is written then")
    parser.add_argument("--update", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    last = read_rows(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    heads = [line(HEADINGS), line(("---", "---", *("---:",) * (len(HEADINGS) - 2)))]
    text = []
    for kind, every in LAYERS.items():
        if not (wanted := {name: case for name, case in every.items() if options.only in name}):
            continue
        rows = measure(wanted, BOARDS)
        print(
            f"\n## {kind.capitalize()}\n",
            *heads,
            *(line((name, *with_changes(row.cells, last.get(name)))) for name, row in rows.items()),
            sep="\n",
            flush=True,
        )
        text += [f"## {kind.capitalize()}", "", *heads, *(line((name, *row.cells)) for name, row in rows.items()), ""]
    if options.update and not options.only:
        RESULTS.write_text(TEXT + "\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
