"""Each operator in each type on every CPU: C against the simulator. A new operator is a line of cases/each.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases.each import of_type
from float_cases import check_floats, float_layers
from support import check_c, integer_branches
from test_operators import CPUS

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Operator
from mcuq.kernels import KERNELS
from mcuq.ops.concat import Join
from mcuq.ops.convert import Convert
from mcuq.ops.function import Function
from mcuq.ops.regrid import QuantizeChannels
from mcuq.quantize.scheme import parse_scheme

TYPES = ("int8", "int16", "float32")
# Layers of conversions are no layers of a scheme: these files make them.
ELSEWHERE: dict[type[Operator], str] = {
    Convert: "ops/test_convert.py",
    Join: "quantize/test_output_parts.py",
    QuantizeChannels: "ops/test_regrid.py",
}
QUICK = {("cortex-m0", "int8"), ("rv32imc", "float32")}
WAYS = [
    pytest.param(
        board,
        dtype,
        marks=[
            *([pytest.mark.toolchain] if compilers == ("gcc",) else []),
            *([pytest.mark.slow] if (board, dtype) not in QUICK else []),
        ],
    )
    for board, (_, compilers) in CPUS.items()
    for dtype in TYPES
]


# Of a hundred layers side by side the program takes more stack than the emulated Cortex-M55 has.
MOST_SIDE_BY_SIDE = 40


def side_by_side(dtype: str) -> list[Graph]:
    """All of a type in few graphs."""
    cases = of_type(dtype)
    parts = [cases[first : first + MOST_SIDE_BY_SIDE] for first in range(0, len(cases), MOST_SIDE_BY_SIDE)]
    if dtype == "float32":
        return [float_layers(part) for part in parts]
    return [integer_branches(part, 5, parse_scheme(dtype)) for part in parts]


@pytest.mark.parametrize(("board", "dtype"), WAYS)
def test_each_operator_gives_the_simulators_bits(board: str, dtype: str) -> None:
    check = check_floats if dtype == "float32" else check_c
    for graph in side_by_side(dtype):
        check(graph, "emulator", board=board)


@pytest.mark.parametrize("dtype", TYPES)
def test_each_operator_has_a_layer_in_each_type(dtype: str) -> None:
    """Functions of one value are drawn from their examples: tests/ops/test_function.py, test_unary.py."""
    layers = [layer for graph in side_by_side(dtype) for layer in graph.layers()]
    tried = {type(layer.op) for layer in layers if dtype in {t.dtype for t in (*layer.activations, layer.output)}}
    wanted = {op for op in KERNELS if not issubclass(op, Function) and dtype in op.dtypes} - set(ELSEWHERE)
    missing = sorted(op.__name__ for op in wanted - tried)
    assert not missing, f"tests/kernels/cases/each.py has no layer of {', '.join(missing)} in {dtype}"


def test_what_is_tried_elsewhere_is_there() -> None:
    for op, name in ELSEWHERE.items():
        assert op.__name__ in (Path(__file__).parents[1] / name).read_text()
