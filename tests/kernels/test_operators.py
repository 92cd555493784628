"""The cases of every operator on every CPU: C against the simulator. A new operator is a module of `cases`, a new CPU a
line of CPUS; what is peculiar to a CPU's kernels is in a file of its own."""

from __future__ import annotations

import pytest
from cases.every import drawn, drawn_weighted, fixed
from support import Case, check_c, integer_branches

from mcuq.boards.find import load_board
from mcuq.lower import choose_kernel

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
WAYS = [
    pytest.param(board, on, compiler, marks=pytest.mark.toolchain if (on, compiler) == ("emulator", "gcc") else ())
    for board, (_, compilers) in CPUS.items()
    for on, compiler in (("host", "gcc"), *(("emulator", compiler) for compiler in compilers))
]
# All sizes in the emulator and, under sanitizers, on the host those of vectors; a third of the others.
SIZES = [
    (board, on, part, parts)
    for board, (feature, _) in CPUS.items()
    for parts in (12 if feature == "mve" else 6,)
    for on, every in (("emulator", 1), ("host", 1 if feature == "mve" else 3))
    for part in range(0, parts, every)
]
# 360 layers with weights and 48 others for each CPU.
SEEDS = range(1, 7)
PER_SEED = 10


def sizes_for(board: str) -> list[Case]:
    return fixed(has_vectors=CPUS[board][0] == "mve")


@pytest.mark.parametrize(("board", "on", "compiler"), WAYS)
def test_some_layers_give_the_simulators_bits(
    board: str, on: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A twelfth of the sizes, others on each CPU, and random layers of each kind."""
    monkeypatch.setenv("MCUQ_CC", compiler)
    first = list(CPUS).index(board)
    check_c(integer_branches([*sizes_for(board)[first::12], *drawn(0, 1)]), on, samples=4, board=board)


@pytest.mark.slow
@pytest.mark.parametrize(("board", "on", "part", "parts"), SIZES)
def test_sizes_around_every_block_give_the_simulators_bits(board: str, on: str, part: int, parts: int) -> None:
    check_c(integer_branches(sizes_for(board)[part::parts], part), on, samples=4, board=board)


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
    check_c(integer_branches(drawn(seed, PER_SEED), seed), on, samples=4, seed=seed, board=board)


@pytest.mark.slow
@pytest.mark.parametrize(("board", "seed"), [(board, seed) for board, seeds in OTHER_CORES.items() for seed in seeds])
def test_random_layers_give_the_simulators_bits_on_other_cores(board: str, seed: int) -> None:
    check_c(integer_branches(drawn(seed, PER_SEED), seed), "emulator", samples=4, seed=seed, board=board)


def test_five_hundred_layers_take_kernels_of_each_cpu() -> None:
    graphs = [integer_branches(drawn_weighted(seed, PER_SEED), seed) for seed in SEEDS]
    random = [layer for graph in graphs for layer in graph.layers()]
    sizes = {has_vectors: list(integer_branches(fixed(has_vectors)).layers()) for has_vectors in (False, True)}
    for board, (feature, _) in CPUS.items():
        features = load_board(board).cpu.features
        taken = [feature in choose_kernel(layer, features).needs for layer in (*random, *sizes[feature == "mve"])]
        assert sum(taken) >= 500, board
