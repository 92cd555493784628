"""Kernels of packed weights: which layers they take, factors and powers of two, how blocks of weights lie."""

from __future__ import annotations

import numpy as np
import pytest
from packed_cases import KINDS, pack_weights
from support import Case, check_c, integer_branches, integer_graph

from mcuq.arithmetic.packing import pack, unpack
from mcuq.boards.find import load_board
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.kernels import KERNELS
from mcuq.kernels.packed import block_channels, pack_blocks
from mcuq.lower import lower
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.packed_weights import whole_weights
from mcuq.ops.weighted import accumulator_bound, layer_requantization
from mcuq.ops.window import Window

pytestmark = pytest.mark.slow

OF_CHANNELS = ("channel codebooks", "blocks")
FAST = ("cortex-m0", "cortex-m3", "cortex-m4", "rv32imc")


def templates(graph: Graph, board: str) -> list[str]:
    """The kernels of each layer."""
    steps = lower(graph, load_board(board).cpu.features).steps
    return ["+".join(call.constants.template for call in step.calls) for step in steps]


def layers(kind: str, *cases: Case) -> Graph:
    return pack_weights(integer_branches(cases), kind)


def cases_of_each_kernel() -> tuple[Case, ...]:
    """Pointwise, 3x3, depthwise and fully connected, beside a layer whose input makes their scratch free."""
    rng = np.random.default_rng(0)
    return (
        (Conv2d(Window((1, 1))), [(1, 5, 5, 8), rng.normal(size=(6, 1, 1, 8)), rng.normal(size=6)]),
        (Conv2d(Window((3, 3))), [(1, 5, 5, 3), rng.normal(size=(6, 3, 3, 3)), rng.normal(size=6)]),
        (Conv2d(Window((3, 3)), 8), [(1, 5, 5, 8), rng.normal(size=(8, 3, 3, 1)), rng.normal(size=8)]),
        (FullyConnected(), [(1, 32), rng.normal(size=(6, 32)), rng.normal(size=6)]),
    )


BLOCK_KERNELS = {
    "host": [
        "portable/conv2d_packed",
        "portable/conv2d_packed",
        "portable/depthwise_packed",
        "portable/fully_connected_packed",
    ],
    "cortex-m4": [
        "dsp/pointwise",
        "dsp/conv2d",
        "dsp/depthwise",
        "dsp/fully_connected",
    ],
    "cortex-m0": [
        "blocked/conv2d_packed",
        "blocked/conv2d_packed",
        "portable/depthwise_packed",
        "blocked/fully_connected_armv6m",
    ],
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OF_CHANNELS])
@pytest.mark.parametrize("board", BLOCK_KERNELS)
def test_each_cpu_has_kernels_that_unpack_blocks_of_any_packing(board: str, kind: str) -> None:
    for case, template in zip(cases_of_each_kernel(), BLOCK_KERNELS[board], strict=True):
        layer = next(layers(kind, case).layers())
        fitting = [k for k in KERNELS[type(layer.op)] if k.fits(layer, load_board(board).cpu.features)]
        assert fitting[0].lower(layer.op, layer)[0].constants.template == template


@pytest.mark.parametrize("kind", OF_CHANNELS)
def test_what_channels_have_of_their_own_is_for_kernels_that_read_channel_by_channel(kind: str) -> None:
    for case, board in [(case, board) for case in cases_of_each_kernel() for board in ("cortex-m4", "cortex-m0")]:
        layer = next(layers(kind, case).layers())
        found = [
            k.lower(layer.op, layer) for k in KERNELS[type(layer.op)] if k.fits(layer, load_board(board).cpu.features)
        ]
        assert found
        assert not any("dsp" in call.constants.template for (call,) in found)


def test_fast_kernels_are_taken_where_factors_are_large() -> None:
    """Few bits mean large scales; weights times a power of two need no multiplication of the accumulator."""
    graph = integer_graph(*cases_of_each_kernel()[0], {"x0": (-8.0, 8.0), "y": (-20.0, 20.0)})
    graph = pack_weights(graph, "ternary", on_grid=False)
    layer = next(graph.layers())
    requant = layer_requantization(layer)
    assert requant.prescale > 0
    whole, shift = whole_weights(layer)
    assert shift == requant.prescale
    assert layer_requantization(whole) == type(requant)(requant.multiplier, requant.shift, 0)
    assert accumulator_bound(whole) == accumulator_bound(layer) << shift
    inputs = {"x0": np.random.default_rng(1).integers(-128, 128, (4, 1, 5, 5, 8)).astype(np.int8)}
    same = {t.name: t for t in whole.inputs}
    assert np.array_equal(
        simulate(graph, inputs)["y"],
        layer.op.simulate(whole, [inputs["x0"], same["c1"].values, same["c2"].values]),
    )
    assert "dsp" in templates(graph, "cortex-m4")[0]
    for board in FAST:
        check_c(graph, "emulator", board=board)


def test_weights_without_room_for_the_power_of_two_are_multiplied_by_none() -> None:
    graph = integer_graph(*cases_of_each_kernel()[0], {"x0": (-8.0, 8.0), "y": (-0.02, 0.02)})
    layer = next(pack_weights(graph, "codebook", on_grid=False).layers())
    assert layer_requantization(layer).prescale > 0
    assert whole_weights(layer)[1] == 0
    check_c(pack_weights(graph, "codebook", on_grid=False), "host", board="cortex-m4")


def test_blocks_begin_at_equal_distances_and_do_not_cross_groups() -> None:
    weight = np.random.default_rng(2).integers(-8, 8, (10, 3)).astype(np.int8)
    blocks = pack_blocks(weight, "int4", 4, group=5)  # 4, 1, 4 and 1 channels
    assert (blocks.part, blocks.part_words, blocks.unpacked_bytes) == (4, 2, 16)
    starts = (0, 4, 5, 9)
    for index, (start, end) in enumerate(zip(starts, (4, 5, 9, 10), strict=True)):
        words = blocks.words[2 * index : 2 * index + 2]
        values = weight[start:end].reshape(-1)
        assert np.array_equal(unpack(words, "int4", values.size), values)
    assert len(blocks.words) == 7


def test_blocks_with_too_many_values_for_a_codebook_are_unpacked_channel_by_channel() -> None:
    weight = np.arange(60, dtype=np.int8).reshape(5, 12)
    blocks = pack_blocks(weight, "codebook", 4)
    assert (blocks.block, blocks.part, blocks.part_words) == (4, 1, 6)
    assert np.array_equal(blocks.words, np.concatenate([pack(row, "codebook") for row in weight]))


def test_a_block_has_what_fits_in_whole_multiples() -> None:
    assert block_channels(64, 9, 256) == 28
    assert block_channels(64, 64, 1024, 4, 16) == 16
    assert block_channels(64, 1000, 1024) == 4
    assert block_channels(3, 1000, 1024) == 3
