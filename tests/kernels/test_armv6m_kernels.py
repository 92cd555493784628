"""Kernels of Cortex-M0 and M0+: which layers they take, groups of weights, products of half words."""

from __future__ import annotations

from inspect import unwrap

import numpy as np
from support import integer_graph

from mcuq.arithmetic.int8 import multiply_high
from mcuq.build.shared_library import build_library
from mcuq.kernels.blocked.conv2d import LONGEST_GROUP, lower_blocked, weight_groups
from mcuq.lower import choose_kernel
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.window import Window
from mcuq.resources import resource_dir

ARMV6M = frozenset({"armv6m"})


def test_layers_that_need_more_than_a_high_word_take_the_portable_kernel() -> None:
    weight = np.ones((1, 1, 1, 1), np.float32)
    for high, is_blocked in ((100.0, True), (1.0, True), (0.01, False)):
        graph = integer_graph(Conv2d(Window((1, 1))), [(1, 1, 1, 1), weight, np.zeros(1)], {"y": (-high, high)})
        (layer,) = graph.layers()
        assert (unwrap(choose_kernel(layer, ARMV6M).lower) is lower_blocked) == is_blocked


def test_groups_hold_the_weights_in_order_and_are_as_long_as_a_half_word_allows() -> None:
    rng = np.random.default_rng(0)
    weight = np.clip(np.rint(rng.normal(size=(20, 300)) * rng.choice([1, 10, 50], (20, 1))), -127, 127).astype(np.int8)
    weight[0], weight[1], weight[2] = 127, -127, 0
    stream, counts = weight_groups(weight)
    assert stream.dtype == np.int8
    rest = stream.astype(int).tolist()
    for row, count in zip(weight.astype(int).tolist(), counts, strict=True):
        groups = []
        while length := rest.pop(0):
            groups.append([rest.pop(0) for _ in range(length)])
        assert len(groups) == count
        assert [w for group in groups for w in group] == row
        for group, after in zip(groups, [*groups[1:], None], strict=True):
            assert fits(group)
            assert len(group) <= LONGEST_GROUP
            assert after is None or len(group) == LONGEST_GROUP or not fits([*group, after[0]])
    assert not rest
    assert counts[:3].tolist() == [150, 150, 3]


def fits(group: list[int]) -> bool:
    low = sum(min(-128 * w, 127 * w) for w in group)
    high = sum(max(-128 * w, 127 * w) for w in group)
    return low >= -(2**15) and high < 2**15


def test_high_word_from_short_products_is_that_of_the_long_one() -> None:
    header = (resource_dir("firmware") / "kernels" / "blocked" / "mcuq_pairs.h").as_posix()
    library = build_library(
        f'#include "{header}"\n'
        "void high(const int32_t *a, const int32_t *m, int32_t n, int32_t is_narrow, int32_t *y);\n"
        "void high(const int32_t *a, const int32_t *m, int32_t n, int32_t is_narrow, int32_t *y)\n"
        "{\n"
        "    for (int32_t i = 0; i < n; i++)\n"
        "        y[i] = mcuq_multiply_high_short(a[i], m[i], is_narrow);\n"
        "}\n"
    )
    rng = np.random.default_rng(0)
    edges = np.array([0, 1, 2047, 2048, 65535, 65536, 2**22 - 1, 2**22, 2**30, 2**31 - 1])
    multipliers = np.concatenate([edges, rng.integers(0, 2**31, 10**6)])
    for is_narrow, largest in ((0, 2**31 - 1), (1, 2**20 - 1)):
        ends = np.array([0, 1, -1, largest, -largest, largest // 2, 65535, 65536, -65536, 4095])
        a = np.concatenate([ends, rng.integers(-largest, largest + 1, 10**6)]).astype(np.int32)
        every = np.repeat(a[:10], 10), np.tile(multipliers[:10], 10)
        x, m = np.concatenate([a, every[0]]), np.concatenate([multipliers, every[1]]).astype(np.int32)
        y = np.empty_like(x)
        library.high(x.ctypes, m.ctypes, len(x), is_narrow, y.ctypes)
        assert np.array_equal(y, multiply_high(x, m))
