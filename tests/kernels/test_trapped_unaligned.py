"""Kernels where accesses to unaligned addresses are trapped: Cortex-M with CCR.UNALIGN_TRP set, whatever compilers are
told, and RV32, whose smaller cores trap or are slow."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from cases import conv2d, mat_mul
from cases.every import drawn, drawn_weighted
from cases.recurrent import GATES, case, plain
from float_cases import DYNAMIC, HALF, float_layers
from packed_cases import KINDS, MAKERS, pack_weights, packed_layers
from scheme_cases import INT16
from support import Case, beside, integer_branches, model_of, random_inputs
from trapped import NEWLIB, STRICT, run_trapped, simulated, trapped_board

from mcuq.boards.find import load_board
from mcuq.build.target import build_target
from mcuq.compile import with_goal
from mcuq.emulate.unicorn_cpu import UnicornCpu
from mcuq.errors import BuildError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.lower import GOALS, Goal
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.slice import Slice
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window
from mcuq.plan.fit import STACK_BYTES

pytestmark = pytest.mark.toolchain


# What compilers and linkers are told.
FLAGS: dict[str, tuple[str, ...]] = {
    "default": (),
    "strict": STRICT,
    "default newlib": NEWLIB,
    "strict newlib": (*STRICT, *NEWLIB),
}
GRAPHS: dict[tuple[str, str], Callable[[int], Graph]] = {
    ("mps2-an386", "int8"): lambda seed: integer_branches([*conv2d.dense(), *drawn(seed, 2)], seed),
    ("mps2-an386", "int16"): lambda seed: integer_branches(drawn_weighted(seed, 3), seed, INT16),
    ("mps2-an385", "int8"): lambda seed: integer_branches(drawn_weighted(seed, 3), seed),
    ("cortex-m55", "int8"): lambda seed: integer_branches(drawn(seed, 2), seed),
    **{("mps2-an386", name): partial(packed_layers, name, KINDS, count=len(KINDS)) for name in MAKERS},
}


def any_inputs(graph: Graph) -> dict[str, Array]:
    """Two samples; floats are of size 1."""
    integers = [name for name in graph.inputs if graph.tensors[name].dtype != "float32"]
    inputs = random_inputs(replace(graph, inputs=tuple(integers)), 2)
    rng = np.random.default_rng(0)
    return {
        n: inputs[n] if n in inputs else rng.normal(size=(2, *graph.tensors[n].shape)).astype(np.float32)
        for n in graph.inputs
    }


def check(board: str, graph: Graph, goal: Goal = "balanced", flags: Sequence[str] = ("default",)) -> None:
    """Assert that the graph's C gives the simulator's bytes however compilers and linkers are told to make it."""
    model = model_of(graph, trapped_board(board), optimize=goal)
    inputs = any_inputs(graph)
    want = simulated(model, inputs)
    for name in flags:
        made = replace(model, board=trapped_board(board, FLAGS[name]))
        assert run_trapped(made, inputs) == want, name


@pytest.mark.parametrize(("board", "kind"), GRAPHS)
def test_no_layer_faults(board: str, kind: str) -> None:
    check(board, GRAPHS[board, kind](0))


@pytest.mark.slow
@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize(("board", "kind"), GRAPHS)
def test_no_random_layer_faults(board: str, kind: str, goal: Goal) -> None:
    """Compilers that may take words from any address do so or not by goal; those that may not do not."""
    flags = tuple(FLAGS) if goal == "balanced" else ("default newlib",)
    check(board, beside([GRAPHS[board, kind](seed) for seed in range(1, 4)]), goal, flags)


def channel_cases(channels: int) -> list[Case]:
    """Layers of so many channels, of odd sizes, with and without padding, strides and dilation."""
    rng = np.random.default_rng(channels)
    image = (1, 7, 9, channels)

    def conv(outputs: int, kernel: int, groups: int = 1, **window: object) -> Case:
        weight = rng.normal(size=(outputs, kernel, kernel, channels // groups)).astype(np.float32)
        bias = rng.normal(size=outputs).astype(np.float32)
        return Conv2d(Window((kernel, kernel), **window), groups), [image, weight, bias]

    matrix = rng.normal(size=(5, 7 * channels)).astype(np.float32)
    return [
        conv(channels + 1, 3, pads=(1, 1, 1, 1)),
        conv(3, 3, strides=(2, 1)),
        conv(2, 2, dilations=(1, 2), pads=(0, 1, 0, 1)),
        conv(5, 1),
        conv(channels, 3, channels, pads=(1, 1, 1, 1)),
        conv(channels, 3, channels, strides=(2, 2), pads=(0, 1, 1, 0)),
        (FullyConnected(), [(3, 7 * channels), matrix, np.zeros(5, np.float32)]),
        (MaxPool(Window((2, 2), (2, 2))), [image]),
        (AveragePool(Window((3, 2), (1, 2))), [image]),
        (Mean((1, 2)), [image]),
        (Slice((0, 1, 2, 0), (1, 2, 3, 1), (1, 3, 2, channels)), [image]),
        (Transpose((0, 3, 1, 2)), [image]),
        (Concat(3), [image, (1, 7, 9, 3)]),
        (Concat(1), [image, (1, 1, 9, channels)]),
    ]


CHANNELS: dict[str, Callable[[list[Case]], Graph]] = {
    "int8": integer_branches,
    "int16": partial(integer_branches, scheme=INT16),
    "float32": float_layers,
    "float16": partial(float_layers, scheme=HALF),
    "dynamic": partial(float_layers, scheme=DYNAMIC),
    "packed": lambda cases: pack_weights(integer_branches(cases), KINDS),
}


@pytest.mark.slow
@pytest.mark.parametrize("scheme", CHANNELS)
@pytest.mark.parametrize(
    ("board", "flags"),
    [("mps2-an386", tuple(FLAGS)), ("mps2-an385", ("default newlib",)), ("cortex-m55", ("default newlib",))],
    ids=["mps2-an386", "mps2-an385", "cortex-m55"],
)
def test_no_number_of_channels_faults(board: str, flags: tuple[str, ...], scheme: str) -> None:
    cases = [case for channels in range(1, 10) for case in channel_cases(channels)]
    check(board, CHANNELS[scheme](cases), flags=flags)


def recurrent_cases() -> list[Case]:
    """Odd sizes, three sequences of which two end early, states that begin with constants or zeros."""
    sizes = [(1, 5), (3, 7), (7, 9), (9, 17), (14, 19)]
    lengths = (1, 3, 2)
    return [
        case(plain(kind, has_initial=has_initial, lengths=lengths), 3, 3, features, hidden, constant=True)
        for kind in GATES
        for has_initial, (features, hidden) in zip((False, True, False, True, False), sizes, strict=True)
    ]


@pytest.mark.parametrize("goal", ["balanced", pytest.param("speed", marks=pytest.mark.slow)])
@pytest.mark.parametrize("board", ["mps2-an385", "mps2-an386", "cortex-m55"])
def test_no_recurrent_layer_faults(board: str, goal: Goal) -> None:
    """What fills states and rows up, and what copies them, is not joined to words."""
    cases = recurrent_cases()
    flags = ("default newlib",)
    check(board, beside([integer_branches(cases), integer_branches(cases, scheme=INT16)]), goal, flags)


def test_no_matrix_product_faults() -> None:
    """Rows that are no whole words are filled up with zeros, from any address on."""
    rng = np.random.default_rng(0)
    check("mps2-an386", integer_branches([mat_mul.product(rng, (4, taps, 5)) for taps in range(1, 10)]))


@pytest.mark.parametrize("board", ["mps2-an385", "mps2-an386", "cortex-m55"])
def test_the_trap_is_set(board: str) -> None:
    """So that a word from an odd address faults, and newlib's memcpy, which takes such."""
    graph = integer_branches(channel_cases(1)[:1])
    odd = "(int8_t *)layer_arena + 1"
    word = f'__asm__ volatile("ldr r0, [%0]" : : "r"({odd}) : "r0", "memory");'
    copy = f"volatile uint32_t count = 64; __builtin_memcpy({odd}, (int8_t *)layer_arena + 68, count);"
    for flags, then in (((), word), (NEWLIB, copy)):
        with pytest.raises(BuildError, match=f"'layer' on emulated {board}: stops with a fault"):
            run_trapped(model_of(graph, trapped_board(board, flags)), random_inputs(graph, 1), then=then)


@pytest.mark.parametrize("goal", ["size", "balanced"])
def test_no_word_is_taken_from_an_unaligned_address(goal: Goal) -> None:
    graph = integer_branches(drawn_weighted(0, 3))
    for board in ("rv32imc", "cortex-m0", "cortex-m3", "cortex-m4"):
        assert unaligned_accesses(graph, board, goal) == 0


def test_unaligned_accesses_are_seen() -> None:
    """Of an input at an odd address, which Cortex-M4 can take where nothing is trapped."""
    assert unaligned_accesses(integer_branches(channel_cases(4)[:1]), "cortex-m4", "balanced", apart=1) > 0


def unaligned_accesses(graph: Graph, board: str, goal: Goal, apart: int = 0) -> int:
    """How many loads and stores of one inference are of addresses that are no multiples of their sizes; inputs and
    outputs are at their own places, or so many bytes behind them."""
    unicorn = importlib.import_module("unicorn")
    model = with_goal(model_of(graph, load_board(board)), goal)
    entry, places = f"{model.name}_run", model.listing.accessors
    cpu = UnicornCpu(
        build_target(model.files, entry, tuple(places.values()), model.board, stack_bytes=STACK_BYTES).elf, model.board
    )
    pointers = [cpu.call(places[name]).value + apart for name in (*graph.inputs, *graph.outputs)]
    found = [0]

    def look(engine: object, access: int, address: int, n_bytes: int, value: int, data: object) -> None:
        found[0] += address % n_bytes != 0

    cpu._engine.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, look)
    cpu.call(entry, *pointers)
    return found[0]
