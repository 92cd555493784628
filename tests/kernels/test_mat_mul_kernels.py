"""MatMul: which kernel each CPU takes, and what a block of columns is."""

from __future__ import annotations

import pytest
from support import integer_graph

from mcuq.boards.find import load_board
from mcuq.kernels.mat_mul import block_columns
from mcuq.lower import lower
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


def test_a_block_has_all_columns_or_whole_units_of_them() -> None:
    assert block_columns(64, 64, 16) == 64
    assert block_columns(64, 65, 16) == 64
    assert block_columns(100, 65, 16) == 32
    assert block_columns(5000, 65, 16) == 16
    assert block_columns(5000, 7, 16) == 7
