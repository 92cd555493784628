"""Parts of tensors that are made, or read, where the whole lies: no copies, the simulator's bits."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from support import INT8, check_c, model_of, random_inputs, with_ranges

from mcuq.compile import with_goal
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.lower import Goal, lower
from mcuq.ops.add import Add
from mcuq.ops.concat import Concat
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.plan import plan_memory, plan_rows
from mcuq.plan.least_fit import _ram
from mcuq.quantize import parse_scheme
from mcuq.validate import check_bits


def sliced(begin: tuple[int, ...], sizes: tuple[int, ...], steps: tuple[int, ...] | None = None) -> Slice:
    return Slice(begin, sizes, steps or (1,) * len(begin))


def copies(graph: Graph, board: str = "host", goal: Goal = "balanced") -> dict[str, int]:
    """Calls of each layer that moves parts."""
    model = with_goal(model_of(graph, board, "net"), goal)
    return {layer.name: len(listed.calls) for layer, listed in model.coded_layers if layer.op.parts(layer)}


def branches(parts: int = 4, size: int = 16) -> Graph:
    """The input in parts, a function of each, all of them again, and two overlapping halves of that in one product."""
    builder = GraphBuilder("net")
    x = builder.add(Sigmoid(), [builder.input("x", (1, parts * size))])
    own = [builder.add(sliced((0, size * i), (1, size)), [x]) for i in range(parts)]
    joined = builder.add(Concat(1), [builder.add(Softmax(), [part]) for part in own])
    half = parts * size // 2
    ends = [builder.add(sliced((0, begin), (1, half)), [joined]) for begin in (0, half // 2)]
    y = builder.add(Concat(1), [builder.add(Mul(), ends), joined])
    builder.outputs.append(builder.add(Sigmoid(), [y]))
    return with_ranges(builder.graph())


@pytest.mark.parametrize("board", ["host", "cortex-m4"])
def test_nothing_is_copied_where_parts_have_their_places(board: str) -> None:
    graph = branches()
    assert copies(graph, board, "speed") == {}
    model = with_goal(model_of(graph, board, "net"), "speed")
    assert check_bits(model, iter([random_inputs(graph, 6)]), "host").first_mismatch is None


def test_parts_whose_places_are_not_aligned_are_copied() -> None:
    assert copies(branches(4, 6), goal="speed") == {"slice_2": 1, "slice_4": 1, "concat": 2, "slice_6": 1}


def elementwise(sizes: list[int], axis: int = 1, constant: bool = False) -> Graph:
    builder = GraphBuilder("net")
    shape = (1, 1, 1, 1)
    parts = []
    for i, size in enumerate(sizes):
        own = tuple(size if a == axis else n for a, n in enumerate(shape))
        if constant and i == 1:
            parts.append(builder.constant(np.linspace(-1, 1, size, dtype=np.float32).reshape(own), "c"))
        else:
            parts.append(builder.add(Sigmoid(), [builder.input(f"x{i}", own)]))
    builder.outputs.append(builder.add(Concat(axis), parts))
    return with_ranges(builder.graph())


def test_parts_are_made_in_an_output_of_the_model() -> None:
    """The caller's memory may be behind it, which has room for it alone."""
    graph = elementwise([8, 12, 5])
    assert copies(graph) == {}
    assert check_c(graph, "host").first_mismatch is None


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_places_in_the_callers_memory_are_bytes_whatever_elements_have(scheme: str) -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 24))
    parts = [builder.add(sliced((0, begin), (1, 8)), [x]) for begin in (8, 16)]
    builder.outputs.append(builder.add(Concat(1), [builder.add(Softmax(), [part]) for part in parts]))
    graph = with_ranges(builder.graph(), scheme=parse_scheme(scheme))
    assert copies(graph, "cortex-m4") == {}
    for on in ("host", "emulator"):
        assert check_c(graph, on).first_mismatch is None


def test_what_is_needed_at_least_counts_no_part_beside_its_whole_at_any_step() -> None:
    builder = GraphBuilder("net")
    whole = builder.add(Concat(1), [builder.add(Sigmoid(), [builder.input("x", (1, 8))])] * 8)
    part = builder.add(sliced((0, 0), (1, 32)), [whole])
    builder.outputs += [builder.add(Mean((1,)), [name]) for name in (part, whole, part)]
    graph = with_ranges(builder.graph())
    assert _ram(graph, INT8, {})[0] <= plan_rows(lower(graph), frozenset())[1].arena_bytes


def test_constant_parts_alone_are_copied() -> None:
    graph = elementwise([8, 12, 5], constant=True)
    assert copies(graph) == {"concat": 1}
    assert check_c(graph, "host").first_mismatch is None


def test_inputs_and_outputs_of_the_model_are_copied_into_others_and_out_of_them() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 16))
    a, b = builder.add(Sigmoid(), [x]), builder.add(Softmax(), [x])
    whole = builder.add(Concat(1), [x, a, b])
    builder.outputs += [a, builder.add(Sigmoid(), [whole]), builder.add(sliced((0, 16), (1, 8)), [whole])]
    graph = with_ranges(builder.graph())
    assert copies(graph) == {"concat": 2, "slice": 1}
    assert check_c(graph, "host").first_mismatch is None


@pytest.mark.parametrize(("begin", "sizes"), [((0, 0), (8, 4)), ((4, 0), (4, 4)), ((0, 0), (4, 4))])
@pytest.mark.parametrize("is_view", [True, False])
def test_what_is_taken_of_an_input_is_copied_into_an_output_though_a_view_is_given_out(
    begin: tuple[int, int], sizes: tuple[int, int], is_view: bool
) -> None:
    builder = GraphBuilder("net")
    y = builder.add(sliced(begin, sizes), [builder.input("x", (8, 4))], "taken")
    y = builder.add(Reshape((sizes[0] * sizes[1],)), [y], "view") if is_view else y
    builder.outputs.append(y)
    graph = with_ranges(builder.graph())
    assert sum(copies(graph).values()) == 1
    check_c(graph, "host")


def test_a_part_twice_is_copied_once() -> None:
    builder = GraphBuilder("net")
    a = builder.add(Sigmoid(), [builder.input("x", (1, 16))])
    builder.outputs.append(builder.add(Softmax(), [builder.add(Concat(1), [a, a])]))
    graph = with_ranges(builder.graph())
    assert copies(graph) == {"concat": 1}
    assert check_c(graph, "host").first_mismatch is None


def test_a_layer_takes_no_place_that_it_still_reads_elsewhere() -> None:
    """Overlapping parts of one tensor: what is written over one of them would be read as the other."""
    builder = GraphBuilder("net")
    x = builder.add(Sigmoid(), [builder.input("x", (1, 24))])
    first, second = (builder.add(sliced((0, begin), (1, 16)), [x]) for begin in (4, 0))
    builder.outputs.append(builder.add(Softmax(), [builder.add(Add(), [first, second])]))
    graph = with_ranges(builder.graph())
    assert copies(graph) == {}
    assert check_c(graph, "host").first_mismatch is None


def test_a_layer_takes_no_place_of_which_a_part_is_read_again_and_again() -> None:
    """A part that lies where the whole begins, and is broadcast: the first rows written would be read by the others."""
    builder = GraphBuilder("net")
    x = builder.add(Sigmoid(), [builder.input("x", (1, 6, 8))])
    row = builder.add(sliced((0, 0, 0), (1, 1, 8)), [x])
    builder.outputs.append(builder.add(Softmax(), [builder.add(Mul(), [x, row])]))
    graph = with_ranges(builder.graph())
    assert copies(graph) == {}
    assert check_c(graph, "host").first_mismatch is None


def test_a_small_part_of_much_is_copied_where_much_would_have_to_stay() -> None:
    builder = GraphBuilder("net")
    x = builder.add(Sigmoid(), [builder.input("x", (1, 64))])
    part = builder.add(sliced((0, 0), (1, 4)), [x])
    wide = builder.add(Concat(1), [builder.add(sliced((0, 4 * i), (1, 4)), [x]) for i in range(1, 16)])
    late = builder.add(Softmax(), [builder.add(Concat(1), [builder.add(Softmax(), [wide])] * 4)])
    builder.outputs.append(builder.add(Concat(1), [late, part]))
    graph = with_ranges(builder.graph())
    whole = plan_memory(lower(graph))
    _, plan = plan_rows(lower(graph), frozenset())
    assert plan.arena_bytes < whole.arena_bytes
    assert check_c(graph, "host").first_mismatch is None


SLICES = [
    ((0, 0, 0), (2, 3, 4), None, 0),
    ((1, 0, 0), (2, 3, 4), None, -12),
    ((1, 2, 0), (1, 1, 4), None, -20),
    ((1, 0, 2), (1, 1, 2), None, -14),
    ((1, 2, 3), (1, 1, 1), None, -23),
    ((0, 1, 0), (1, 2, 4), None, -4),
    ((0, 0, 0), (2, 2, 4), None, None),
    ((0, 0, 0), (1, 3, 3), None, None),
    ((0, 0, 0), (2, 3, 4), (2, 1, 1), None),
    ((2, 0, 0), (1, 3, 4), (-1, 1, 1), -24),
    ((2, 0, 0), (2, 3, 4), (-1, 1, 1), None),
    ((0, 0, 3), (1, 1, 4), (1, 1, -1), None),
]


@pytest.mark.parametrize(("begin", "sizes", "steps", "place"), SLICES)
def test_which_slices_are_parts_of_what_follows(
    begin: tuple[int, ...], sizes: tuple[int, ...], steps: tuple[int, ...] | None, place: int | None
) -> None:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(sliced(begin, sizes, steps), [builder.input("x", (3, 3, 4))]))
    graph = builder.graph()
    [layer] = graph.layers()
    values = np.arange(36).reshape(3, 3, 4)
    own = layer.op.simulate(layer, [values[None]]).reshape(-1)
    assert layer.op.parts(layer) == ({} if place is None else {0: place})
    if place is not None:
        assert own.tolist() == list(range(-place, -place + own.size))


def test_which_concatenations_have_parts_that_follow_one_another() -> None:
    def parts(shape: tuple[int, ...], axis: int) -> dict[int, int]:
        builder = GraphBuilder("net")
        y = builder.add(Concat(axis), [builder.input(f"x{i}", shape) for i in range(3)])
        builder.outputs.append(y)
        [layer] = builder.graph().layers()
        return dict(layer.op.parts(layer))

    assert parts((1, 2, 3), 1) == {0: 0, 1: 6, 2: 12}
    assert parts((2, 2, 3), 0) == {0: 0, 1: 12, 2: 24}
    assert parts((1, 1, 3), 2) == {0: 0, 1: 3, 2: 6}
    assert parts((1, 2, 3), 2) == {}


def random_parts(seed: int) -> Graph:
    """Slices, concatenations, views and layers that take places over, of a few tensors again and again."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder("net")
    made = [builder.input(f"x{i}", (1, 4 * int(rng.integers(2, 9)))) for i in range(int(rng.integers(1, 3)))]

    def size(name: str) -> int:
        return builder.tensors[name].shape[1]

    for _ in range(int(rng.integers(6, 16))):
        x = str(rng.choice(made))
        kind = rng.choice(["slice", "concat", "sigmoid", "softmax", "product", "view"])
        if kind == "slice":
            begin = int(rng.integers(size(x)))
            begin -= begin % 4 if rng.integers(4) else 0
            y = builder.add(sliced((0, begin), (1, int(rng.integers(1, size(x) - begin + 1)))), [x])
        elif kind == "concat":
            y = builder.add(Concat(1), [str(name) for name in rng.choice(made, int(rng.integers(2, 5)))])
        elif kind == "sigmoid":
            y = builder.add(Sigmoid(), [x])
        elif kind == "softmax":
            y = builder.add(Softmax(), [x])
        elif kind == "product":
            others = [name for name in made if size(name) == size(x)]
            y = builder.add(Mul(), [x, str(rng.choice(others))])
        else:
            y = builder.add(Reshape((1, size(x))), [builder.add(Reshape((size(x), 1)), [x])])
        if size(y) <= 256:
            made.append(y)
    builder.outputs += [builder.add(Sigmoid(), [name]) for name in dict.fromkeys([made[-1], str(rng.choice(made))])]
    if rng.integers(2):
        builder.outputs.append(builder.add(Concat(1), [made[-1], made[0]]))
    return with_ranges(builder.graph(), seed)


def check_random(seeds: range, on: str, board: str) -> int:
    """How many copies of parts are left out."""
    without = 0
    for seed in seeds:
        graph = random_parts(seed)
        assert check_c(graph, on, board=board).first_mismatch is None, seed
        moved = [layer for layer in graph.layers() if layer.op.parts(layer)]
        without += sum(len(layer.op.parts(layer)) for layer in moved) - sum(copies(graph, board).values())
    return without


def test_random_networks_of_parts_give_the_simulators_bits() -> None:
    assert check_random(range(12), "host", "cortex-m4") > 12


@pytest.mark.slow
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m55", "rv32imc"])
def test_many_random_networks_of_parts_give_the_simulators_bits(board: str) -> None:
    seed = 100 * ["cortex-m0", "cortex-m55", "rv32imc"].index(board)
    assert check_random(range(100 + seed, 140 + seed), "host", board) > 40
    check_random(range(500 + seed, 506 + seed), "emulator", board)


def alive_together(graph: Graph, layers: list[Layer]) -> list[tuple[str, str]]:
    """Pairs of tensors whose values are needed at one step, or one while the other is made, of all layers with code."""
    last = {t.name: i for i, layer in enumerate(layers) for t in layer.activations} | dict.fromkeys(
        graph.outputs, len(layers)
    )
    first = dict.fromkeys(graph.inputs, -1) | {layer.output.name: i for i, layer in enumerate(layers)}
    names = [name for name in first if name in last]
    return [(a, b) for a, b in combinations(names, 2) if first[a] < last[b] and first[b] < last[a]]


@pytest.mark.parametrize("seed", range(40))
def test_bytes_of_two_tensors_are_the_same_only_where_their_values_are(seed: int) -> None:
    """The values of one sample, each layer on its own: what lies at a common byte holds the same there."""
    graph = random_parts(seed)
    _, plan = plan_rows(lower(graph), frozenset())
    assert _ram(graph, INT8, {})[0] <= plan.arena_bytes, "what is said to be needed at least"
    values = dict(zip(graph.inputs, (np.arange(graph.tensors[n].elements) for n in graph.inputs), strict=True))
    source: dict[str, np.ndarray] = {}  # of each byte of a tensor, what it is a copy of
    serial = 0
    for name in graph.inputs:
        source[name] = serial + values[name]
        serial += values[name].size
    layers = list(graph.layers())
    for layer in layers:
        y = layer.output
        if layer.op.is_view or layer.op.parts(layer):
            inputs = [source[t.name].reshape(1, *t.shape) for t in layer.activations]
            source[y.name] = layer.op.simulate(layer, inputs).reshape(-1)
        else:
            source[y.name] = serial + np.arange(y.elements)
            serial += y.elements
    for a, b in alive_together(graph, layers):
        places = [plan.offset_of(name) + np.arange(graph.tensors[name].elements) for name in (a, b)]
        _, of_a, of_b = np.intersect1d(*places, assume_unique=True, return_indices=True)
        assert (source[a][of_a] == source[b][of_b]).all(), (a, b)
