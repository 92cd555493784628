"""MatMul: which kernel each CPU takes, and what a block of columns is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scheme_cases import INT16
from support import Whole, integer_graph

from mcuq.boards.find import load_board
from mcuq.graph.quantization import Quant
from mcuq.kernels.mat_mul import block_columns
from mcuq.lower import lower
from mcuq.ops.integer_mat_mul import IntegerMatMul
from mcuq.ops.mat_mul import MatMul


def templates(features, graph):
    return {call.constants.template for step in lower(graph, features).steps for call in step.calls}


@pytest.mark.parametrize(
    ("board", "folder"),
    [
        *(("cortex-m0", "blocked"), ("cortex-m3", "portable"), ("cortex-m4", "dsp")),
        *(("cortex-m55", "mve"), ("rv32imc", "rv32")),
    ],
)
def test_layers_take_the_kernel_of_their_cpu(board: str, folder: str) -> None:
    features = load_board(board).cpu.features
    assert templates(features, integer_graph(MatMul(), [(2, 3), (3, 2)], {"y": (-3, 3)})) == {f"{folder}/mat_mul"}
    # The output is finer than products of the inputs: one high word is too few.
    fine = integer_graph(MatMul(), [(2, 3), (3, 2)], {"y": (-1e-6, 1e-6)})
    assert templates(features, fine) == {"rv32/mat_mul" if folder == "rv32" else "portable/mat_mul"}


@pytest.mark.parametrize(
    ("board", "of_s16", "of_integers", "of_words"),
    [
        ("cortex-m0", "portable/mat_mul", "portable/integer_mat_mul", "portable/integer_mat_mul"),
        ("cortex-m4", "dsp/long_mat_mul", "dsp/long_mat_mul", "portable/integer_mat_mul"),
        ("cortex-m55", "dsp/long_mat_mul", "dsp/long_mat_mul", "portable/integer_mat_mul"),
    ],
)
def test_products_of_16_bits_take_the_kernel_of_their_cpu(
    board: str, of_s16: str, of_integers: str, of_words: str
) -> None:
    features = load_board(board).cpu.features
    s16 = integer_graph(MatMul(), [(2, 3), (3, 2)], {"y": (-3, 3)}, scheme=INT16)
    assert templates(features, s16) == {of_s16}
    for ends, template in (((-128, 127), of_integers), ((-255, 255), of_integers), ((0, 70_000), of_words)):
        graph = integer_graph(IntegerMatMul(), [Whole((2, 3), -255, 255), Whole((3, 2), *ends)])
        assert templates(features, graph) == {template}


def test_on_cortex_m0_integers_are_summed_by_its_assembly() -> None:
    graph = integer_graph(IntegerMatMul(), [Whole((2, 3), -255, 255), Whole((3, 2), -128, 127)])
    for board, sums in (("cortex-m0", "word_sums_even"), ("cortex-m3", "word_sums"), ("rv32imc", "word_sums")):
        (step,) = lower(graph, load_board(board).cpu.features).steps
        assert [call.constants.sums for call in step.calls] == [sums]


@pytest.mark.parametrize(("zero_points", "is_narrow"), [((0, 0), 1), ((-128, 0), 0), ((127, 127), 0)])
def test_on_cortex_m0_sums_are_narrow_where_what_zero_points_leave_is(
    zero_points: tuple[int, int], is_narrow: int
) -> None:
    """63 products of 128 * 128 are less than 2^20, as many of 255 * 128 are not."""
    a, b = (Quant((0.01,), zero_point) for zero_point in zero_points)
    graph = integer_graph(MatMul(), [(2, 63), (63, 2)], {"y": (-300, 300)})
    given = {name: replace(graph.tensors[name], quant=quant) for name, quant in (("x0", a), ("x1", b))}
    (step,) = lower(replace(graph, tensors={**graph.tensors, **given}), load_board("cortex-m0").cpu.features).steps
    assert [call.constants.is_narrow for call in step.calls] == [is_narrow]


def test_a_block_has_all_columns_or_whole_units_of_them() -> None:
    assert block_columns(64, 64, 16) == 64
    assert block_columns(64, 65, 16) == 64
    assert block_columns(100, 65, 16) == 32
    assert block_columns(5000, 65, 16) == 16
    assert block_columns(5000, 7, 16) == 7
