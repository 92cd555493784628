"""The cases of every operator on every CPU and in every scheme: C against the simulator. A new operator is a module of
`cases`, a new CPU a line of CPUS, a new scheme one of SCHEMES; what is peculiar to a CPU's kernels is in a file of its
own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from binary_cases import binary_cases
from cases.every import drawn, drawn_weighted, fixed
from float_cases import check_floats
from scheme_cases import SCHEMES
from support import Case, integer_branches, model_of, portable

from mcuq.boards.facts import Board
from mcuq.boards.find import board_names, load_board
from mcuq.graph.tensor import Array
from mcuq.lower import choose_kernel
from mcuq.ops.add import Add, Sub
from mcuq.ops.div import Div
from mcuq.ops.extreme import Max, Min
from mcuq.ops.integer_mat_mul import IntegerMatMul
from mcuq.ops.mul import Mul
from mcuq.validate import check_bits

# Boards with the feature that most of their kernels need and the compilers for their emulators.
CPUS = {
    "cortex-m0": ("armv6m", ("gcc", "zig")),
    "cortex-m3": ("armv7m", ("gcc", "zig")),
    "cortex-m4": ("dsp", ("gcc", "zig")),
    "cortex-m55": ("mve", ("gcc",)),
    "rv32imc": ("rv32m", ("gcc", "zig")),
}
# Cores that take the kernels of another, with seeds of their own.
OTHER_CORES = {"cortex-m0plus": range(100, 103), "cortex-m7": range(200, 203), "cortex-m33": range(300, 303)}
# A CPU without any feature.
PORTABLE = "portable"
WAYS = [
    pytest.param(board, on, compiler, marks=pytest.mark.toolchain if (on, compiler) == ("emulator", "gcc") else ())
    for board, (_, compilers) in CPUS.items()
    for on, compiler in (("host", "gcc"), *(("emulator", compiler) for compiler in compilers))
]
# Programs of all sizes: more layers would need more stack than boards have.
PARTS, VECTOR_PARTS = 12, 24
# All sizes in the emulator, but of portable kernels a quarter; on the host, under sanitizers, those of vectors and a
# quarter of the others.
SIZES = [
    (board, on, part, parts)
    for board, parts in {PORTABLE: PARTS, **{b: VECTOR_PARTS if b == "cortex-m55" else PARTS for b in CPUS}}.items()
    for on, every in (("emulator", 4 if board == PORTABLE else 1), ("host", 1 if board == "cortex-m55" else 4))
    for part in range(0, parts, every)
    if (board, on) != (PORTABLE, "host")  # which tests do by default
]
# 360 layers with weights, 60 of groups or many channels, and 60 others for each CPU.
SEEDS = range(1, 7)
PER_SEED = 10

# Other schemes. All sizes where a CPU has kernels of its own for a scheme, a quarter of them also on the host; a
# twelfth, another on each, on the CPUs that take the portable ones. On the host all by portable kernels, but a quarter
# of those of schemes that have the loops of another with other types around them.
OTHER_SCHEMES = [scheme for scheme in SCHEMES if scheme != "s8"]
LOOPS = ("s16", "packed", "float32", "dynamic")
DSP_SCHEMES = ("s16", "s8 to s16", "s16 to s8")
OWN = {
    **{(scheme, "cortex-m4"): PARTS if scheme == "s16" else 4 for scheme in DSP_SCHEMES},
    **{("packed", f"cortex-m{core}"): 4 for core in (0, 3, 4)},
}
OTHER_SIZES = [
    *((scheme, PORTABLE, "host", part, 3) for scheme in LOOPS for part in range(3)),
    *((scheme, PORTABLE, "host", i % 4, 4) for i, scheme in enumerate(OTHER_SCHEMES) if scheme not in LOOPS),
    *((scheme, board, "emulator", part, parts) for (scheme, board), parts in OWN.items() for part in range(parts)),
    *((scheme, board, "host", 0, 4) for scheme, board in OWN),
    *(
        (scheme, board, "emulator", i, PARTS)
        for scheme in OTHER_SCHEMES
        for i, board in enumerate(CPUS)
        if (scheme, board) not in OWN
    ),
]


def board_of(name: str) -> Board:
    return portable() if name == PORTABLE else load_board(name)


def sizes_for(board: str, scheme: str = "s8") -> list[Case]:
    return fixed(SCHEMES[scheme].operators, board == "cortex-m55" and scheme == "s8")


def check(cases: Sequence[Case], seed: int, board: str, on: str, scheme: str = "s8") -> None:
    check_floats(SCHEMES[scheme].graph(cases, seed), on, board_of(board), 4 if scheme == "s8" else 5)


@pytest.mark.parametrize(("board", "on", "compiler"), WAYS)
def test_some_layers_give_the_simulators_bits(
    board: str, on: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 32nd of the sizes, others on each CPU, and random layers of each kind."""
    monkeypatch.setenv("MCUQ_CC", compiler)
    check([*sizes_for(board)[list(CPUS).index(board) :: 32], *drawn(0, 1)], 0, board, on)


@pytest.mark.parametrize("part", range(4))
def test_portable_kernels_give_the_simulators_bits_at_all_sizes(part: int) -> None:
    check(sizes_for(PORTABLE)[part::4], part, PORTABLE, "host")


@pytest.mark.slow
@pytest.mark.parametrize(("board", "on", "part", "parts"), SIZES)
def test_sizes_around_every_block_give_the_simulators_bits(board: str, on: str, part: int, parts: int) -> None:
    check(sizes_for(board)[part::parts], part, board, on)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "board", "on", "part", "parts"),
    [
        pytest.param(*way, marks=pytest.mark.toolchain if way[1:3] == ("cortex-m55", "emulator") else ())
        for way in OTHER_SIZES
    ],
)
def test_other_schemes_give_the_simulators_bits(scheme: str, board: str, on: str, part: int, parts: int) -> None:
    check(sizes_for(board, scheme)[part::parts], part, board, on, scheme)


# All layers from one compiler in the emulator, a sixth of them from the other and on the host under sanitizers.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "seed", "on", "compiler"),
    [
        (board, seed, on, compiler)
        for board, (_, compilers) in CPUS.items()
        for on, compiler in (("host", "gcc"), *(("emulator", compiler) for compiler in compilers))
        for seed in (SEEDS if (on, compiler) == ("emulator", "gcc") else SEEDS[:1])
    ],
)
def test_random_layers_give_the_simulators_bits(
    board: str, seed: int, on: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    check(drawn(seed, PER_SEED), seed, board, on)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_random_layers_of_portable_kernels_give_the_simulators_bits(seed: int) -> None:
    check(drawn(seed, PER_SEED), seed, PORTABLE, "host")


@pytest.mark.slow
@pytest.mark.parametrize(("board", "seed"), [(board, seed) for board, seeds in OTHER_CORES.items() for seed in seeds])
def test_random_layers_give_the_simulators_bits_on_other_cores(board: str, seed: int) -> None:
    check(drawn(seed, PER_SEED), seed, board, "emulator")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "board", "on", "compiler"),
    [
        *((scheme, PORTABLE, "host", "gcc") for scheme in OTHER_SCHEMES),
        *((scheme, board, "emulator", compiler) for scheme, board in OWN for compiler in ("gcc", "zig")),
    ],
)
def test_random_layers_of_other_schemes_give_the_simulators_bits(
    scheme: str, board: str, on: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    seed = list(SCHEMES).index(scheme)
    count = 2 if compiler == "zig" else 4 if board == PORTABLE else PER_SEED
    check(drawn(seed, count, SCHEMES[scheme].operators), seed, board, on, scheme)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["s8", "s16"])
@pytest.mark.parametrize("board", CPUS)
def test_one_input_at_its_lowest_and_the_other_at_its_highest_value(board: str, scheme: str) -> None:
    graph = SCHEMES[scheme].graph(binary_cases([Add, Sub, Mul, Div, Max, Min], 31), 31)
    inputs: dict[str, Array] = {}
    for name in graph.inputs:  # x5_0 and x5_1 are those of the layer with the output y5
        tensor = graph.tensors[name]
        low, high = tensor.quantization.bounds
        ends = [low, high] if name.endswith("_0") else [high, low]
        inputs[name] = np.stack([np.full(tensor.shape, end, tensor.dtype) for end in ends])
    report = check_bits(model_of(graph, board), iter([inputs]), "emulator")
    assert report.first_mismatch is None
    assert report.samples == 2


def test_five_hundred_layers_take_kernels_of_each_cpu() -> None:
    graphs = [integer_branches(drawn_weighted(seed, PER_SEED), seed) for seed in SEEDS]
    random = [layer for graph in graphs for layer in graph.layers()]
    sizes = {board: list(integer_branches(sizes_for(board)).layers()) for board in ("cortex-m4", "cortex-m55")}
    for board, (feature, _) in CPUS.items():
        features = load_board(board).cpu.features
        layers = (*random, *sizes["cortex-m55" if feature == "mve" else "cortex-m4"])
        assert sum(feature in choose_kernel(layer, features).needs for layer in layers) >= 500, board


def test_kernels_of_every_board_are_those_of_a_cpu_here() -> None:
    known = {load_board(board).cpu.features for board in CPUS}
    assert {load_board(name).cpu.features for name in board_names() if name != "host"} - known <= {frozenset()}


def test_kernels_of_a_scheme_alone_are_all_tried() -> None:
    """OWN holds each CPU whose kernels for a scheme are neither portable nor those of another CPU; those of products of
    the file's own integers are the same in every scheme, and tried with int8."""
    found = set()
    for scheme in OTHER_SCHEMES:
        layers = list(SCHEMES[scheme].graph(fixed(SCHEMES[scheme].operators, False)[::7], 0).layers())
        for board in CPUS:
            features = load_board(board).cpu.features
            own = [layer for layer in layers if not isinstance(layer.op, IntegerMatMul)]
            if any(choose_kernel(layer, features).needs for layer in own):
                found.add((scheme, board))
    assert found == {*OWN, *((scheme, "cortex-m55") for scheme in (*DSP_SCHEMES, "packed"))}  # those of Cortex-M4
