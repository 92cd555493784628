"""Networks of images and signals whose layers can run row by row, and compiling so that they do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from math import inf
from unittest import mock

import numpy as np
from float_cases import DYNAMIC, FLOAT, HALF, with_scheme
from packed_cases import KINDS, pack_weights
from support import with_ranges

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.lower import Program
from mcuq.ops.add import Add
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mul import Mul
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.total import Total
from mcuq.ops.window import Window
from mcuq.plan import Plan, Stepper, plan_memory
from mcuq.plan.memory import banded
from mcuq.plan.push import Pushed, find_pushed, without_taken
from mcuq.plan.segments import Finder, Segment
from mcuq.quantize import NAMED, Scheme

EVERYTHING = 2**30
CPUS = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55", "rv32imc")
# By name a float graph, and a seed, in the numbers that its layers compute in.
SCHEMES: dict[str, Callable[[Graph, int], Graph]] = {
    "s8": with_ranges,
    "s16": lambda graph, seed: with_ranges(graph, seed, scheme=Scheme(NAMED["int16"])),
    "packed": lambda graph, seed: pack_weights(with_ranges(graph, seed), KINDS, seed),
    "float32": lambda graph, seed: with_scheme(graph, FLOAT, seed),
    "float16": lambda graph, seed: with_scheme(graph, HALF, seed),
    "dynamic": lambda graph, seed: with_scheme(graph, DYNAMIC, seed),
}
Kernel = tuple[int, int]


def row_network(seed: int) -> Graph:
    """A float graph of four to eight layers in a row, some around a residual; every third is a signal along time."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder("rows")
    is_signal = seed % 3 == 2
    height, width = (1, int(rng.integers(12, 30))) if is_signal else (int(rng.integers(7, 16)), int(rng.integers(3, 9)))
    x = builder.input("x", (1, height, width, int(rng.choice([1, 3, 4, 8]))))

    def conv(
        x: str, kernel: tuple[int, int], channels: int, stride: int = 1, groups: int = 1, dilation: int = 1
    ) -> str:
        tensor = builder.tensors[x]
        inputs = tensor.shape[3] // groups
        weight = rng.normal(0, 1 / np.sqrt(inputs * np.prod(kernel)), (channels, *kernel, inputs))
        bias = rng.normal(0, 0.1, channels)
        reach = [(k - 1) * (dilation if i or not is_signal else 1) for i, k in enumerate(kernel)]
        pads = [int(rng.integers(0, r // 2 + 2)) if r else 0 for r in (*reach, *reach)]
        pads = [min(pad, kernel[i % 2] * dilation - 1) for i, pad in enumerate(pads)]
        strides = (1, stride) if is_signal else (stride, int(rng.integers(1, stride + 1)))
        dilations = (1, dilation) if is_signal else (dilation, dilation)
        window = Window(kernel, strides, (pads[0], pads[1], pads[2], pads[3]), dilations)
        if any(
            size + pads[i] + pads[i + 2] < (kernel[i] - 1) * dilations[i] + 1
            for i, size in enumerate(tensor.shape[1:3])
        ):
            return x
        constants = [builder.constant(np.asarray(v, np.float32), n) for v, n in ((weight, "w"), (bias, "b"))]
        return builder.add(Conv2d(window, groups), [x, *constants])

    def size() -> tuple[int, int]:
        return (1, int(rng.integers(1, 6))) if is_signal else (int(rng.integers(1, 5)), int(rng.integers(1, 4)))

    for _ in range(int(rng.integers(4, 9))):
        channels = builder.tensors[x].shape[3]
        kind = rng.choice(["conv", "pointwise", "depthwise", "pool", "mean", "function", "residual", "scale", "sum"])
        if kind == "conv":
            x = conv(x, size(), int(rng.choice([4, 6, 8])), int(rng.integers(1, 3)), 1, int(rng.integers(1, 3)))
        elif kind == "pointwise":
            x = conv(x, (1, 1), int(rng.choice([4, 7, 8, 16])))
        elif kind == "depthwise":
            x = conv(x, (1, 3) if is_signal else (3, 3), channels, int(rng.integers(1, 3)), channels)
        elif kind in ("pool", "mean") and min(builder.tensors[x].shape[2 if is_signal else 1 :][:2]) > 2:
            kernel = (1, 2) if is_signal else (2, 2)
            pads = (0, 1, 0, 1) if is_signal else (1, 0, 1, 1)
            window = Window(kernel, kernel if kind == "pool" else (1, 1), pads if rng.integers(2) else (0, 0, 0, 0))
            x = builder.add(MaxPool(window) if kind == "pool" else AveragePool(window, bool(rng.integers(2))), [x])
        elif kind == "function":
            x = builder.add(Sigmoid(), [x])
        elif kind == "scale":
            x = builder.add(
                Mul(), [x, builder.constant(rng.uniform(0.5, 1, (1, 1, 1, channels)).astype(np.float32), "s")]
            )
        elif kind == "sum":  # of three, whose rows are not there at one time
            late = builder.add(Sigmoid(), [builder.add(MaxPool(_same(is_signal)), [x])])
            x = builder.add(Total(), [x, late, builder.add(MaxPool(_same(is_signal)), [late])])
        elif kind == "residual":
            kernel = (1, 3) if is_signal else (3, 3)
            pads = (0, 1, 0, 1) if is_signal else (1, 1, 1, 1)
            weight = rng.normal(0, 0.3, (channels, *kernel, channels)).astype(np.float32)
            constants = [builder.constant(weight, "w"), builder.constant(np.zeros(channels, np.float32), "b")]
            inner = builder.add(Conv2d(Window(kernel, pads=pads)), [x, *constants])
            x = builder.add(Add(), [x, builder.add(Sigmoid(), [inner])])
    builder.outputs.append(builder.add(Sigmoid(), [x]))
    return builder.graph()


def _same(is_signal: bool) -> Window:
    return Window((1, 3) if is_signal else (3, 3), pads=(0, 1, 0, 1) if is_signal else (1, 1, 1, 1))


def all_segments(program: Program, features: Set[str], band: int, pushed: Pushed | None = None) -> list[Segment]:
    """As much of the program as can run row by row, in bands of up to `band` rows."""
    finder = Finder(program, features, pushed)
    found = []
    for first, last in finder.stretches():
        start = first
        while start <= last:
            for end in range(last, start - 1, -1):
                segment = finder.segment(start, end, (band, band), EVERYTHING)
                if segment is not None:
                    found.append(segment)
                    start = end
                    break
            start += 1
    return found


@contextmanager
def row_by_row(band: int, found: list[Segment] | None = None, push: bool = False) -> Iterator[None]:
    """Programs that are compiled meanwhile run as far as they can row by row; what does is added to `found`. With
    `push`, the first stretch takes rows of the input."""

    def plan(
        program: Program, features: Set[str], stepper: Stepper | None = None, room_bytes: float = inf
    ) -> tuple[Program, Plan]:
        pushed = find_pushed(program) if push else None
        if pushed is not None:
            program = without_taken(program, pushed)
        segments = all_segments(program, features, band, pushed)
        assert pushed is None or (segments[0].is_pushed and segments[0].last >= pushed.last)
        if found is not None:
            found.extend(segments)
        program = banded(program, segments)
        return program, plan_memory(program, segments, pushed, stepper)

    with mock.patch.object(sys.modules["mcuq.compile"], "plan_rows", plan):
        yield
