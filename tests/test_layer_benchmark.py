"""benchmarks/layers.py: each operator that has kernels has a row, and the table is read back as it is written."""

from __future__ import annotations

from layers import BOARDS, LAYERS, RESULTS, TYPES, Row, measure, read_rows, work
from support import float_graph
from test_each_operator import ELSEWHERE

from mcuq.kernels import KERNELS
from mcuq.ops.function import Function
from mcuq.ops.identity import Identity
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.transpose import Transpose
from mcuq.ops.unary import Chain

# Chains are the tables that functions are, and Identity is a copy.
LIKE_OTHERS = {Chain, Identity}
CASES = {name: case for rows in LAYERS.values() for name, case in rows.items()}


def test_each_operator_has_a_row() -> None:
    shown = {type(op) for op, _ in CASES.values()}
    wanted = {op for op in KERNELS if not issubclass(op, Function)} - {*ELSEWHERE, *LIKE_OTHERS}
    missing = sorted(op.__name__ for op in wanted - shown)
    assert not missing, f"benchmarks/layers.py has no layer of {', '.join(missing)}"


def test_the_committed_table_has_all_rows() -> None:
    rows = read_rows(RESULTS.read_text(encoding="utf-8"))
    assert list(rows) == list(CASES)
    for name, (_, *cells) in rows.items():
        has = [dtype in CASES[name][0].dtypes for _ in BOARDS for dtype in TYPES]
        assert [cell != "-" for cell in cells] == has, name


def test_work_is_macs_or_elements_of_the_larger_side() -> None:
    works = {name: work(next(iter(float_graph(*CASES[name]).layers()))) for name in CASES}
    assert works["MatMul, b transposed"] == ("MAC", 4 * 32 * 48 * 32)
    assert works["MaxPool 2x2"] == ("element", 12 * 12 * 32)
    assert works["Unpool 2x2"] == ("element", 32 * 144)
    assert works["Gather, rows of a table"] == ("element", 64 * 32)


def test_rows_are_measured_and_read_back() -> None:
    """Of each type that an operator has, and no other."""
    cases = {"functions": (Sigmoid(), [(8, 25)]), "moves": (Transpose((1, 0)), [(8, 25)])}
    rows = measure(cases, ["cortex-m4"])
    assert {name: set(row.counts) for name, row in rows.items()} == {
        name: {("cortex-m4", dtype) for dtype in TYPES} for name in cases
    }
    assert all(2 < count < 200 for row in rows.values() for count in row.counts.values())
    text = "".join(f"| {' | '.join((name, *row.cells))} |\n" for name, row in rows.items())
    assert read_rows(text) == {name: row.cells for name, row in rows.items()}
    assert Row("MAC", {("cortex-m55", "int8"): 0.5}).cells == ("MAC", "-", "-", "-", "0.50", "-", "-")
