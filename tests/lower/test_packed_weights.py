"""Networks of packed weights through all stages: choice of kernels, memory, size, pruning and files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from golden.graphs import digits, tiny
from packed_cases import KINDS, pack_weights
from support import check_c, integer_branches, random_inputs, with_ranges

import mcuq
from mcuq.arithmetic.packing import stored_bytes
from mcuq.boards.find import load_board
from mcuq.compile import assemble
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Tensor
from mcuq.kernels import KERNELS
from mcuq.lower import GOALS, Goal, alternatives, lower
from mcuq.lower.program import scratch_bytes
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import layer_requantization
from mcuq.ops.window import Window
from mcuq.plan import plan_memory, plan_rows
from mcuq.quantize import prune_graph
from mcuq.report.profile import profile_model
from mcuq.validate import check_bits

NETWORKS: dict[str, Callable[[], Graph]] = {"digits": digits, "tiny": tiny}
DSP = load_board("cortex-m4").cpu.features


def kernels(graph: Graph, goal: Goal = "balanced") -> list[str]:
    """The kernels of each layer on Cortex-M4."""
    return ["+".join(call.constants.stem() for call in step.calls) for step in lower(graph, DSP, goal).steps]


def pointwise_beside(other_pixels: int) -> Graph:
    """A 1x1 convolution whose weights take 1024 bytes unpacked, after one of `other_pixels` that is not packed."""
    rng = np.random.default_rng(0)
    cases = [
        (Conv2d(Window((1, 1))), [(1, 1, size, inputs), rng.normal(size=(32, 1, 1, inputs)), rng.normal(size=32)])
        for size, inputs in ((other_pixels, 64), (8, 32))
    ]
    graph = integer_branches(cases)
    packed = pack_weights(graph, "int4")
    return replace(graph, tensors={**graph.tensors, **{n: t for n, t in packed.tensors.items() if n.startswith("c1_")}})


def test_all_weights_are_unpacked_at_once_where_other_layers_need_as_much_memory() -> None:
    assert kernels(pointwise_beside(200)) == ["pointwise_dsp", "unpack+pointwise_dsp"]
    assert kernels(pointwise_beside(4)) == ["pointwise_dsp", "pointwise_packed_dsp"]


def test_speed_unpacks_all_weights_at_once_whatever_memory_that_takes() -> None:
    assert kernels(pointwise_beside(4), "speed") == ["pointwise_dsp", "unpack+pointwise_dsp"]


def test_unpacking_at_once_does_not_raise_the_arena() -> None:
    graph = pointwise_beside(200)
    whole = tuple(step.calls for step in lower(graph, DSP).steps)
    blocks = [k for k in KERNELS[type(graph.nodes[1].op)] if k.fits(graph.layer(graph.nodes[1]), DSP)]
    own = blocks[0].lower(graph.nodes[1].op, graph.layer(graph.nodes[1]))
    assert scratch_bytes(whole[1]) > scratch_bytes(own)
    program = lower(graph, DSP)
    cheaper = replace(program, steps=(program.steps[0], replace(program.steps[1], calls=own)))
    assert plan_memory(program).arena_bytes == plan_memory(cheaper).arena_bytes


def test_weights_are_unpacked_at_once_where_outputs_over_inputs_save_more() -> None:
    """Blocks of channels read all of the input again for each, so that no output may lie over it."""
    rng = np.random.default_rng(0)
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 16, 16, 32))
    for _ in range(3):
        weight = builder.constant(rng.normal(0, 0.2, (32, 1, 1, 32)).astype(np.float32), "w")
        bias = builder.constant(rng.normal(0, 0.2, 32).astype(np.float32), "b")
        x = builder.add(Conv2d(Window((1, 1))), [x, weight, bias])
    builder.outputs.append(x)
    graph = pack_weights(with_ranges(builder.graph()), "int4")
    board = load_board("cortex-m4")
    at_once, by_blocks = (plan_rows(p, DSP)[1].arena_bytes for p in alternatives(graph, DSP, "balanced"))
    assert at_once < by_blocks
    model = assemble(graph, board, "net", b"")
    assert model.arena_bytes == at_once
    assert check_bits(model, iter([random_inputs(graph, 4)]), "emulator").first_mismatch is None


@pytest.mark.slow
@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4"])
@pytest.mark.parametrize("network", NETWORKS)
def test_networks_of_all_packings_give_the_simulators_bits(network: str, board: str, goal: Goal) -> None:
    graph = pack_weights(NETWORKS[network](), KINDS)
    model = assemble(graph, load_board(board), "net", b"", optimize=goal)
    report = check_bits(model, iter([random_inputs(graph, 4, 7)]), "emulator")
    assert report.first_mismatch is None
    assert report.samples == 4


def test_packed_layers_share_functions_with_size() -> None:
    rng = np.random.default_rng(1)
    cases = [
        (Conv2d(Window((1, 1))), [(1, 4, 4, c), rng.normal(size=(c, 1, 1, c)), rng.normal(size=c)])
        for c in (4, 8, 12, 20)
    ]
    graph = pack_weights(integer_branches(cases), "int4")
    calls = [call for step in lower(graph, frozenset(), "size").steps for call in step.calls]
    assert {call.constants.template for call in calls} == {"portable/unpack", "portable/conv2d_size"}
    assert len({(c.constants, c.parameters) for c in calls if c.constants.template == "portable/conv2d_size"}) == 1


def test_size_spends_no_memory_on_unpacking_at_once() -> None:
    rng = np.random.default_rng(3)
    case = (FullyConnected(), [(1, 640), rng.normal(size=(128, 640)), rng.normal(size=128)])
    graph = pack_weights(integer_branches([case]), "int4")
    goals: tuple[Goal, ...] = ("balanced", "size")
    for goal in goals:
        assert plan_memory(lower(graph, DSP, goal)).arena_bytes <= 640 + 128 + 4 * 640
    assert plan_memory(lower(graph, DSP, "speed")).arena_bytes == 640 + 128 + 128 * 640


def test_constants_are_counted_as_they_are_packed() -> None:
    rng = np.random.default_rng(2)
    case = (FullyConnected(), [(1, 64), rng.normal(size=(32, 64)), rng.normal(size=32)])
    graph = integer_branches([case])
    biases_and_multipliers = 32 * 8
    assert lower(graph).constant_bytes == 2048 + biases_and_multipliers
    assert lower(pack_weights(graph, "int4")).constant_bytes == 1024 + biases_and_multipliers
    assert lower(pack_weights(graph, "binary")).constant_bytes == 256 + biases_and_multipliers


def test_a_packed_constant_says_what_it_takes_of_flash() -> None:
    weight = Tensor("w", (3, 21), "int8", np.zeros((3, 21), np.int8))
    assert stored_bytes(weight) == 63
    sizes = {"int4": 32, "int2": 16, "ternary": 16, "binary": 8, "codebook": 32}
    assert {p: stored_bytes(replace(weight, packing=p)) for p in sizes} == sizes


@pytest.mark.parametrize("kind", KINDS)
def test_pruned_layers_stay_packed_and_give_the_same_bytes(kind: str) -> None:
    graph = pack_weights(tiny(), kind)
    conv = next(n for n in graph.nodes if isinstance(n.op, Conv2d) and n.op.groups == 1)
    layer = graph.layer(conv)
    weight, bias = layer.inputs[1:]
    # A channel whose multiplier is 0 is constant, whatever its weights are.
    scale = list(weight.quantization.scale)
    scale[1] = max(scale) * 2.0**-60
    weight = replace(weight, quant=replace(weight.quantization, scale=tuple(scale)))
    graph = replace(graph, tensors={**graph.tensors, weight.name: weight, bias.name: bias})
    assert layer_requantization(graph.layer(conv)).multiplier[1] == 0
    pruned, saved = prune_graph(graph)
    assert saved.parameter_bytes >= 0
    packings = {t.packing for t in pruned.tensors.values() if t.is_constant and t.dtype == "int8"}
    assert packings == {t.packing for t in graph.tensors.values() if t.is_constant and t.dtype == "int8"}
    inputs = random_inputs(graph, 4)
    want = simulate(graph, inputs)
    assert all(np.array_equal(got, want[name]) for name, got in simulate(pruned, inputs).items())
    check_c(pruned, "host", board="cortex-m4")


def test_a_saved_model_keeps_its_packings(tmp_path: Path) -> None:
    graph = pack_weights(digits(), KINDS)
    model = assemble(graph, load_board("cortex-m4"), "net", b"")
    mcuq.save(model, tmp_path)
    loaded = mcuq.load(tmp_path)
    assert {n: t.packing for n, t in loaded.graph.tensors.items()} == {n: t.packing for n, t in graph.tensors.items()}
    again = assemble(loaded.graph, loaded.board, "net", b"")
    assert again.files == model.files


def test_a_profile_counts_unpacking_with_its_layer() -> None:
    model = assemble(pointwise_beside(200), load_board("cortex-m4"), "net", b"")
    first, second = profile_model(model).layers
    assert second.weight_bytes == 512 + 8 + 32 * 8
    assert "1" in second.function
    assert first.instructions > second.instructions > 0
