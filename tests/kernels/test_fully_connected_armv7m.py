"""Matrices on Cortex-M3: their sums exactly; layers of sizes around each unrolled loop and part, at both extremes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from cases.fully_connected import dense
from support import Case, check_c, integer_branches, integer_graph, model_of

from mcuq.boards.find import load_board
from mcuq.build.shared_library import build_library
from mcuq.build.target import build_target
from mcuq.emulate.unicorn_cpu import UnicornCpu
from mcuq.graph.tensor import Array
from mcuq.kernels.blocked.fully_connected_armv7m import (
    SUM_MAX,
    SUM_MIN,
    longest_part,
    lower_armv7m_fully_connected,
    pack_quads,
)
from mcuq.lower import choose_kernel
from mcuq.ops.fully_connected import FullyConnected
from mcuq.resources import resource_dir
from mcuq.validate import check_bits

BOARD = "cortex-m3"
ARMV7M = frozenset({"armv7m"})
WAYS = [("host", "gcc"), pytest.param("emulator", "gcc", marks=pytest.mark.toolchain), ("emulator", "zig")]
MOST = 640
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 127, 128, 129, 130, 255, 256, 257, 258, 260, 512, 513, 517, 520, MOST)

Dot = Callable[[Array, Array], Array]  # x (n), weight (12, n) -> sums (12)

# sums of exactly -2^23 from values of -128, and of 2^23 - 1 where the last value is 127
LOWEST = np.array([127] * 516 + [4, 0], np.int8)
HIGHEST = np.array([-127] * 516 + [-3, 1], np.int8)
VALUES = np.array([-128] * 517 + [127], np.int8)

KERNELS = resource_dir("firmware") / "kernels"


def source(folder: str = "") -> str:
    """C of dot(x, w, n, acc), which adds twelve sums to acc; `memory` has room for the operands."""
    return (
        f'#include "{folder}blocked/mcuq_quads.h"\n'
        f"int32_t memory[{12 + 3 * MOST + MOST // 4 + 1}];\n"
        "void dot(const int8_t *x, const int32_t *w, int32_t n, int32_t *acc);\n"
        "void dot(const int8_t *x, const int32_t *w, int32_t n, int32_t *acc)\n"
        "{\n"
        "    uint32_t sums[9];\n"
        "    mcuq_quad_sums_8(x, w, n, mcuq_quad_start(x, n), sums);\n"
        "    mcuq_quad_sums_4(x, w + 2 * n, n, mcuq_quad_start(x, n), sums + 6);\n"
        "    for (int i = 0; i < 3; i++)\n"
        "        mcuq_quad_split(sums + 3 * i, acc + 4 * i);\n"
        "}\n"
    )


def host_dot() -> Dot:
    library = build_library(source(f"{KERNELS.as_posix()}/"))

    def dot(x: Array, weight: Array) -> Array:
        acc, words = np.zeros(12, np.int32), pack_quads(weight)
        library.dot(x.ctypes, words.ctypes, len(x), acc.ctypes)
        return acc

    return dot


HEADERS = ("mcuq_compiler.h", "mcuq_math.h", "blocked/mcuq_quads.h")


def emulated_dot(optimize: str) -> Dot:
    """With x at an odd address."""
    board = load_board(BOARD)
    headers = {name: (KERNELS / name).read_text() for name in HEADERS}
    cpu = UnicornCpu(build_target({"dot.c": source(), **headers}, "dot", ("memory",), board, optimize).elf, board)
    acc = cpu.address_of("memory")

    def dot(x: Array, weight: Array) -> Array:
        words = acc + 48
        values = words + 12 * len(x) + 1
        for address, data in ((acc, bytes(48)), (words, pack_quads(weight).tobytes()), (values, x.tobytes())):
            cpu.write(address, data)
        cpu.call("dot", values, words, len(x), acc)
        return np.frombuffer(cpu.read(acc, 48), np.int32)

    return dot


@pytest.mark.parametrize(
    "way",
    [
        "host",
        *(f"zig -O{level}" for level in "23"),
        *(pytest.param(f"gcc -O{level}", marks=pytest.mark.toolchain) for level in "0123s"),
    ],
)
def test_sums_are_those_of_numpy_up_to_the_ends_of_24_bits(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "host":
        dot = host_dot()
    else:
        compiler, optimize = way.split()
        monkeypatch.setenv("MCUQ_CC", compiler)
        dot = emulated_dot(optimize)
    for x, weight in (*ends(), *(random_operands(seed) for seed in range(200))):
        want = weight.astype(int) @ x
        assert SUM_MIN <= want.min() <= want.max() <= SUM_MAX
        assert dot(x, weight).tolist() == want.tolist(), (x.tolist(), weight.tolist())


def ends() -> list[tuple[Array, Array]]:
    """Values and weights at their extremes, and sums at theirs in each place of a word."""
    cases = []
    for n, extremes in ((1, (-128, 127)), (2, (-128, 127)), (511, (-128, 127)), (516, (-127, 127))):
        for x in (-128, 127):
            for flip in (False, True):
                high = (np.arange(12)[:, None] & 1 == 1) ^ (np.arange(n) % 5 == 4) ^ flip
                uniform = np.broadcast_to(np.arange(12)[:, None] & 1 == flip, (12, n))
                cases += [(np.full(n, x, np.int8), np.where(h, *extremes).astype(np.int8)) for h in (high, uniform)]
    for x in (np.full(518, -128, np.int8), VALUES):
        cases += [(x, np.stack([(LOWEST, HIGHEST)[(i & mask) > 0] for i in range(12)])) for mask in (1, 2, 4, 6, 7, 8)]
    return cases


def random_operands(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    n = SIZES[seed % len(SIZES)]
    spread = int(rng.choice([1, 10, 100 if n > 512 else 128]))
    return rng.integers(-128, 128, n).astype(np.int8), rng.integers(-spread, spread, (12, n)).astype(np.int8)


def cases() -> list[Case]:
    """Every number of inputs in SIZES and of outputs up to 17; weights random or all at their extremes."""
    rng = np.random.default_rng(0)
    sizes = [(i % 3 + 1, n, i % 17 + 1) for i, n in enumerate(SIZES)] + [(1, 9, n) for n in range(1, 18)]
    at_extremes = [
        np.where(rng.integers(2, size=(3, n)), *pair) for n in (516, 517, 1040) for pair in ((1, -1), (1, 1))
    ]
    return [
        *(dense(rng, *size) for size in sizes),
        *((FullyConnected(), [(2, w.shape[1]), w.astype(np.float32), np.zeros(3)]) for w in at_extremes),
    ]


@pytest.mark.parametrize(("on", "compiler"), WAYS)
def test_c_gives_the_simulators_bits(on: str, compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    graph = integer_branches(cases())
    assert all(choose_kernel(layer, ARMV7M).lower is lower_armv7m_fully_connected for layer in graph.layers())
    check_c(graph, on, samples=4, board=BOARD)


# 560 layers from one compiler in the emulator, some of them from the other and on the host under sanitizers.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "on", "compiler"),
    [(seed, "emulator", "gcc") for seed in range(1, 15)]
    + [(seed, *way) for seed in (1, 2) for way in (("host", "gcc"), ("emulator", "zig"))],
)
def test_c_gives_the_simulators_bits_for_many_random_layers(
    seed: int, on: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    rng = np.random.default_rng(seed)
    sizes = [(int(rng.integers(1, 4)), int(rng.choice(SIZES)), int(rng.integers(1, 18))) for _ in range(20)]
    sizes += [tuple(int(v) for v in rng.integers(1, (4, 300, 18))) for _ in range(20)]
    graph = integer_branches([dense(rng, *size) for size in sizes], seed)
    check_c(graph, on, samples=4, seed=seed, board=BOARD)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_weights_and_values_of_minus_128_are_computed_too(on: str) -> None:
    """The quantizer gives no such weight; a model that comes with integers may."""
    rng = np.random.default_rng(0)
    graph = integer_graph(FullyConnected(), [(2, 40), rng.normal(size=(9, 40)), np.zeros(9)])
    (layer,) = graph.layers()
    tensor = layer.inputs[1]
    weight = rng.choice(np.array([-128, 127], np.int8), tensor.shape)
    weight[0], weight[1] = -128, 127
    graph = replace(graph, tensors={**graph.tensors, tensor.name: replace(tensor, data=weight)})
    check_c(graph, on, board=BOARD)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_layer_whose_sums_reach_both_ends_of_24_bits_has_one_part(on: str) -> None:
    weight = np.stack([LOWEST, HIGHEST, *[LOWEST] * 3, *[HIGHEST] * 4]).astype(np.float32)
    weight[:, 0] = np.sign(weight[:, 0]) * 127
    graph = integer_graph(FullyConnected(), [(1, 518), weight, np.zeros(9)], {"y": (-600.0, 600.0)})
    (layer,) = graph.layers()
    assert parts_of(layer.inputs[1].values) == [518]
    x = np.stack([np.full((1, 518), -128), VALUES[None], -1 - VALUES[None]]).astype(np.int8)
    report = check_bits(model_of(graph, BOARD), iter([{graph.inputs[0]: x}]), on)
    assert report.first_mismatch is None
    assert report.compared_bytes == 27


def parts_of(weight: Array) -> Sequence[int]:
    """Lengths of the parts."""
    inputs, length = weight.shape[1], longest_part(weight)
    return [min(length, inputs - start) for start in range(0, inputs, length)]


def test_parts_are_as_few_as_24_bits_allow() -> None:
    def parts(*rows: Sequence[int]) -> Sequence[int]:
        return parts_of(np.array(rows, np.int8))

    assert parts([-128]) == [1]
    assert parts([127] * 516) == parts([-127] * 516) == [516]
    assert parts([0] * 517, [127] * 517) == [259, 258]
    assert parts([127] * 1032) == [516, 516]
    assert parts([-128] * 511) == [511]
    assert parts([-128] * 512) == [256, 256]
    assert parts([1] * 4096) == [4096]
    assert parts(LOWEST.tolist(), HIGHEST.tolist()) == [518]
    assert parts([*LOWEST.tolist(), 1]) == [260, 259]
    assert parts([*HIGHEST.tolist(), 1]) == [260, 259]


def test_sums_of_parts_of_random_weights_fit_24_bits() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        inputs, largest = int(rng.integers(1, 5000)), int(rng.integers(1, 128))
        weight = rng.integers(-largest, largest + 1, (3, inputs)).astype(np.int8)
        length = longest_part(weight)
        for start in range(0, inputs, length):
            part = weight[:, start : start + length].astype(int)
            assert np.maximum(-128 * part, 127 * part).sum(axis=1).max() <= SUM_MAX
            assert np.minimum(-128 * part, 127 * part).sum(axis=1).min() >= SUM_MIN
        if length < inputs:
            w = weight.astype(int)
            high, low = np.maximum(-128 * w, 127 * w).sum(axis=1), np.minimum(-128 * w, 127 * w).sum(axis=1)
            assert high.max() > SUM_MAX or low.min() < SUM_MIN


def test_quads_hold_four_outputs_with_128_added() -> None:
    first, second = [[1, -128], [2, 0], [3, 0], [4, 0]], [[127, 5], [-127, 0]]
    for rows, want in (
        (first, ["0x84838281", "0x80808000"]),
        (first + second, ["0x84838281", "0x808001ff", "0x80808000", "0x80808085"]),
        (
            first + second[:1] * 4 + second,
            ["0x84838281", *["0xffffffff", "0x80808000", "0x85858585"], "0x808001ff", "0x80808085"],
        ),
    ):
        assert [hex(word) for word in pack_quads(np.array(rows, np.int8)).astype(np.uint32)] == want
