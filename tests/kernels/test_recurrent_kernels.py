"""Which recurrent layers the kernels of CPUs compute, and how their weights lie."""

from __future__ import annotations

import numpy as np
import pytest
from cases.recurrent import TANH, case, plain
from support import check_c, integer_branches, integer_graph

from mcuq.boards.find import load_board
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Quant
from mcuq.kernels.dsp.recurrent import pack_row_pairs
from mcuq.lower import lower
from mcuq.ops.gru import Gru
from mcuq.ops.lstm import Lstm
from mcuq.ops.recurrent_activation import Activation
from mcuq.ops.rnn import Rnn
from mcuq.quantize import quantize_graph
from mcuq.quantize.scheme import parse_scheme


def stem_of(graph: Graph, board: str) -> str:
    """What the function of a graph's only layer is called."""
    (step,) = lower(graph, load_board(board).cpu.features).steps
    (call,) = step.calls
    return call.constants.stem()


def test_pairs_of_rows_are_two_weights_of_one_int16() -> None:
    rows = np.random.default_rng(0).integers(-127, 128, (8, 12)).astype(np.int8)
    words = pack_row_pairs(rows).view(np.uint32).reshape(2, 3, 2, 2)
    for group, four, pair, half, place in np.ndindex(2, 3, 2, 2, 2):
        both = np.uint16(words[group, four, pair, half] >> np.uint32(16 * place)).view(np.int16)
        a, b = rows[4 * group + 2 * pair : 4 * group + 2 * pair + 2, 4 * four + 2 * half + place]
        assert both == 256 * int(a) + int(b)


@pytest.mark.parametrize(("board", "suffix"), [("cortex-m4", "_dsp"), ("cortex-m55", "_mve"), ("cortex-m0", "")])
def test_each_kind_has_kernels_of_cpus(board: str, suffix: str) -> None:
    for op, name in (
        (plain(Lstm), "lstm"),
        (plain(Gru, resets_product=True), "gru_reset_product"),
        (plain(Rnn), "rnn"),
    ):
        assert stem_of(integer_graph(*case(op, 2, 1, 5, 6)), board) == f"{name}{suffix}"


def test_others_are_portable() -> None:
    """States that are reset before the product, gates that reach beyond 1, totals beyond int32, weights of -128."""
    op, inputs = case(plain(Gru), 2, 1, 3, 4)
    assert stem_of(integer_graph(op, inputs), "cortex-m4") == "gru"
    op, inputs = case(Lstm((Activation("Relu"), TANH, TANH)), 2, 1, 3, 4)
    assert stem_of(integer_graph(op, inputs), "cortex-m4") == "lstm"
    op, inputs = case(plain(Rnn), 2, 1, 30, 4)
    assert stem_of(integer_graph(op, inputs, {"x0": (-1e4, 1e4)}), "cortex-m4") == "rnn_dsp"
    assert stem_of(integer_graph(op, inputs, {"x0": (-1e5, 1e5)}), "cortex-m4") == "rnn"
    builder = GraphBuilder("given")
    names = [builder.input("x0", (2, 1, 30))]
    names += [builder.constant(np.full(np.shape(w), -1.28, np.float32), "w", Quant((0.01,) * 4)) for w in inputs[1:3]]
    names.append(builder.constant(np.asarray(inputs[3]), "b"))
    builder.outputs.append(builder.add(op, names, "y", "layer"))
    graph = quantize_graph(builder.graph(), {"x0": (-1, 1), "y": (-1, 1)})
    assert stem_of(graph, "cortex-m4") == "rnn"
    check_c(graph, "host")


def test_sums_of_all_sizes_are_exact_where_assembly_computes_them() -> None:
    """Around the unrolls of the loops and the units at a time, with peepholes and 16 bits."""
    cases = [
        case(plain(Rnn), 2, 1, features, hidden) for features, hidden in ((1, 1), (4, 15), (13, 16), (17, 33), (30, 20))
    ]
    cases.append(case(plain(Lstm, has_peephole=True, has_initial=True), 2, 2, 5, 17))
    for scheme in ("int8", "int16"):
        graph = integer_branches(cases, 1, parse_scheme(scheme))
        for board in ("cortex-m4", "cortex-m55"):
            check_c(graph, "emulator", board=board)
