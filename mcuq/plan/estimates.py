"""About how many instructions calls and bands of rows take, for steps that keep to a budget, and for the part of all
instructions that running row by row may add.

Rates are what layers of kws, ic, vww, sww and ad took in int8, int16, int4, floats and dynamic ranges (mcuq profile);
of the sum over a network's layers they are a tenth or two off, of a single layer mostly less than a third.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import TypeVar

from mcuq.arithmetic.expression import Expression
from mcuq.graph.operator import Layer
from mcuq.graph.rows import Band, RowWindow
from mcuq.kernels.kernel import Call
from mcuq.lower import Program
from mcuq.lower.bands import banded_layer
from mcuq.ops.function import Function
from mcuq.plan.work import A_CALL, blocks, is_of_channels_alone, read_again, work_of

# Cycles of an instruction, on cores whose cycles are known (emulate/cycles.py): of depthwise kernels, which take the
# most; convolutions take 1.43, additions 1.1.
CYCLES: Mapping[str, float] = {"cortex-m4": 1.55, "cortex-m33": 1.55}


@dataclass(frozen=True)
class Rates:
    """Instructions of a multiply-accumulate, of one of sums of each channel alone, of an element that is made of sums,
    of one that is made of others in its place, of one that goes into a pool, and of a function's value."""

    mac: float
    alone: float
    made: float
    element: float
    pooled: float
    function: float = 30


Values = TypeVar("Values")
# By the folder of a kernel; a feature, or "" where the CPU has none of them.
_OWN: Mapping[str, Mapping[str, Rates]] = {
    "dsp": {"": Rates(0.89, 1.5, 10, 8, 2)},
    "mve": {"": Rates(0.15, 0.3, 3, 2.3, 0.9)},
    "rv32": {"": Rates(2.6, 2.3, 18, 15, 4.2)},
    "blocked": {"armv6m": Rates(2.2, 6, 45, 20, 6.4, 55), "": Rates(1.4, 2.8, 20, 13, 2.7)},
    "portable": {
        "armv6m": Rates(8.8, 11, 45, 20, 6.4, 55),
        "rv32m": Rates(5.2, 3, 18, 15, 4.2),
        "": Rates(4.5, 3.5, 15, 13, 2.7),
    },
}
# Of portable kernels in int16, where they differ: sww and kws.
_INT16: Mapping[str, Rates] = {"armv6m": Rates(5.5, 7.5, 89, 20, 8, 230)}
_FLOATS: Mapping[str, Rates] = {"fpu": Rates(3.7, 5.2, 10, 12, 5.7, 80), "": Rates(160, 138, 150, 200, 60, 2600)}
_DYNAMIC: Mapping[str, Rates] = {"fpu": Rates(3.2, 10, 20, 12, 5.7, 80), "": Rates(18, 95, 300, 200, 60, 2600)}
# Of a multiply-accumulate, a tap of an output's window, and an output, where layers of all sizes share a function:
# kws and ic by `--optimize size` on Cortex-M0 and RV32, to 7 %; on others a fifth more, as how many registers compilers
# have left differs from model to model: one took half more.
_SHARED: Mapping[str, tuple[float, float, float]] = {
    "armv6m": (16.3, 40.9, 137),
    "rv32m": (8.4, 24.7, 51),
    "": (7.1, 37.5, 62),
}
# What kernels of sums of products are called.
_SUMS = ("conv2d", "pointwise", "depthwise", "fully_connected", "mat_mul", "recurrent", "sparse_product")
_FUNCTIONS = ("softmax", "log_softmax", "masked_softmax", "normalize", "lrn")
_POOLS = ("pool", "reduce", "fold")
# Of a row of weights that one pixel meets, whose loads no other pixel shares.
_ONE_PIXEL = 1.5
_START = 80.0  # of a call
_LEFT = 1.0  # of the work of so many pixels as kernels with taps make at a time, for those that are left over
_CHANNELS = 4  # of an input: where it has fewer, windows are copied before they are multiplied
_AGAIN = 1.3  # times what plans of rows take a depthwise band to read again: here a step too long is worse than RAM


def call_instructions(call: Call, layer: Layer, features: Set[str]) -> int:
    """About how many a call takes that is one of a layer's."""
    folder, _, kind = call.constants.template.partition("/")
    rates = _rates(folder, kind, layer, features)
    y = layer.output
    if kind == "conv2d_size":
        mac, tap, made = _of_cpu(_SHARED, features)
        return ceil(_START + mac * layer.op.macs(layer) + (tap * _taps(layer) + made) * y.elements)
    read = sum(layer.inputs[i].elements for i in call.inputs)
    if kind.startswith(_SUMS) and call.has_output:
        return ceil(_START + rates.made * y.elements + _products(layer, folder, kind, rates, features))
    if not call.has_output:  # what only writes working memory goes through what it reads
        return ceil(_START + rates.element * max(read, *(array.size for array in call.arrays.values()), 1))
    if kind.startswith(_POOLS):
        per = rates.element if kind == "fold" else rates.pooled  # sums of which are held in memory
        return ceil(_START + per * max(read, y.elements * _taps(layer)) + rates.made * y.elements)
    moved = min(read, y.elements) if layer.op.shares_scale and read else max(read, y.elements)
    is_function = kind.startswith(_FUNCTIONS) or (
        layer.output.dtype == "float32" and isinstance(layer.op, Function) and _calls(layer.op.expression)
    )  # in integers it is a table
    return ceil(_START + (rates.function if is_function else rates.element) * moved)


def _taps(layer: Layer) -> int:
    """Of a window, one where there is none."""
    return prod(getattr(getattr(layer.op, "window", None), "kernel", (1,)))


def all_instructions(program: Program, features: Set[str]) -> int:
    """About how many the layers of a program take one by one."""
    return max(1, sum(call_instructions(call, step.layer, features) for step in program.steps for call in step.calls))


def _calls(expression: Expression) -> bool:
    """Whether a function of the library is called."""
    return bool(expression.function) or any(map(_calls, expression.operands))


def band_instructions(call: Call, layer: Layer, axis: int, window: RowWindow, band: Band, features: Set[str]) -> int:
    """About how many a band of rows takes, and what decides that it is its turn."""
    own = call_instructions(call, banded_layer(layer, axis, band), features)
    again = _AGAIN * read_again(layer, axis, window, work_of(features)) if layer.op.macs(layer) else 0.0
    return own + ceil(A_CALL + again)


def _rates(folder: str, kind: str, layer: Layer, features: Set[str]) -> Rates:
    table = _OWN[folder]
    if folder == "portable" and any(t.dtype == "int16" for t in (*layer.activations, layer.output)):
        table = {**table, **_INT16}
    if any(t.dtype == "float32" for t in (*layer.activations, layer.output)):
        weights = [t for t in layer.inputs if t.is_constant]
        is_dynamic = kind.startswith(_SUMS) and any(t.dtype == "int8" for t in weights)
        table = _DYNAMIC if is_dynamic else _FLOATS
    return _of_cpu(table, features)


def _of_cpu(table: Mapping[str, Values], features: Set[str]) -> Values:
    return next((values for feature, values in table.items() if feature in features), table[""])


def _products(layer: Layer, folder: str, kind: str, rates: Rates, features: Set[str]) -> float:
    macs, x, y = layer.op.macs(layer), layer.activations[0], layer.output
    if kind.startswith("depthwise") or (kind.startswith("conv2d") and is_of_channels_alone(layer)):
        return rates.alone * macs + rates.pooled * x.elements
    if kind.startswith(("fully_connected", "recurrent")):
        return _ONE_PIXEL * rates.mac * macs
    work = work_of(features)
    if folder == "portable" or not kind.startswith(("conv2d", "pointwise")):
        return rates.mac * macs
    pixels = y.elements // y.shape[-1]
    copied = macs // y.shape[-1] if x.shape[-1] < _CHANNELS and folder != "rv32" else 0
    left = work if kind.startswith("pointwise") else replace(work, left=_LEFT)
    return rates.element * copied + rates.mac * macs * blocks(pixels, left) * work.pixels / pixels
