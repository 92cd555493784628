"""Every kernel with constants of some values and with all that is pasted into it, for tests of what its C declares."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from itertools import product
from math import inf

import numpy as np
from support import Whole, integer_graph

from mcuq.emit.render import render_kernel
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Quant, Tensor
from mcuq.kernels.item import CPUS, Item, parse_items
from mcuq.kernels.kernel import LITTLE_SCRATCH, Constants
from mcuq.kernels.runtime import needed_items
from mcuq.lower.choose import fitting_kernels
from mcuq.ops.add import Add, Sub
from mcuq.ops.arg_max import ArgMax
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.compare import Compare
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.convert import Convert
from mcuq.ops.cum_sum import CumSum
from mcuq.ops.div import Div
from mcuq.ops.dynamic_quantize import PARTS, DynamicQuantize
from mcuq.ops.elu import Elu
from mcuq.ops.extreme import Max, Min
from mcuq.ops.from_integers import FromIntegers
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.gather import Gather
from mcuq.ops.gather_elements import GatherElements
from mcuq.ops.gru import Gru
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.integer_mat_mul import IntegerMatMul
from mcuq.ops.lp_pool import LpPool
from mcuq.ops.lstm import Lstm
from mcuq.ops.mat_mul import MatMul
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean, ReduceSum
from mcuq.ops.mod import Mod
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.power import Power
from mcuq.ops.prelu import PRelu
from mcuq.ops.recurrent_activation import Activation
from mcuq.ops.reduce import ReduceL1, ReduceL2, ReduceLp, ReduceMin, ReduceProd, ReduceSumSquare
from mcuq.ops.rnn import Rnn
from mcuq.ops.scatter_elements import ScatterElements
from mcuq.ops.scatter_sum import ScatterSum
from mcuq.ops.slice import Slice
from mcuq.ops.to_integers import ToIntegers
from mcuq.ops.top_k import TopK
from mcuq.ops.total import Total
from mcuq.ops.where import Where
from mcuq.ops.window import Window
from mcuq.quantize.scheme import parse_scheme
from mcuq.resources import resource_dir

BODY = "/* plain C from here on */\n"
# What fields that are no numbers may hold.
TEXTS = {"packing": "int4", "sum_type": "int64_t"}

SIGMOID, TANH = Activation("Sigmoid"), Activation("Tanh")


def few(*shape: int) -> Array:
    """Weights of two values."""
    return np.where(np.arange(np.prod(shape)).reshape(shape) % 3, 1.0, -1.0)


# Layers that between them are computed by everything that is pasted into templates.
Inputs = list[tuple[int, ...] | Whole | Array]
LAYERS: list[tuple[Operator, Inputs]] = [
    *(
        (op, [(1, 3, 4), shape])
        for op in (Add(), Sub(), Mul(), Div(), Max(), Min(), Mod(), Power(), PRelu())
        for shape in ((1, 3, 4), (1, 1, 4))
    ),
    (MatMul(), [(2, 3, 4), (2, 4, 5)]),
    (Sub(), [np.ones((1, 3, 1)), (1, 3, 4)]),
    (Pad((0, 1), (0, 1)), [(1, 4)]),
    (Slice((1,), (2,), (2,)), [(8,)]),
    (Clip(0.0, 1.0), [(1, 4)]),
    (Elu(), [(1, 4)]),
    *((ArgMax((1,), is_max), [(1, 4)]) for is_max in (True, False)),
    (FromIntegers(), [Whole((1, 4), 0, 9)]),
    (Gather(0), [(4, 3), Whole((2,), 0, 3)]),
    (GatherElements(0), [(4, 3), Whole((2, 3), 0, 3)]),
    *((ScatterElements(0, reduction), [(4, 3), Whole((2, 3), 0, 3), (2, 3)]) for reduction in ("none", "min", "max")),
    *((Total(), [(1, 4)] * count) for count in (3, 4)),
    (ScatterSum(0, 4), [(2, 3), Whole((2, 3), 0, 3)]),
    (ScatterSum(0, 4), [Whole((2, 3), 0, 9), Whole((2, 3), 0, 3)]),
    *((TopK(1, 2, largest), [(1, 4)]) for largest in (True, False)),
    *((CumSum(1, exclusive), [(1, 4)]) for exclusive in (True, False)),
    (CumSum(1), [Whole((1, 4), 0, 9)]),
    (IntegerMatMul(), [Whole((3, 4), 0, 9), Whole((4, 2), 0, 9)]),
    *((DynamicQuantize(part), [(1, 4)]) for part in PARTS),
    (ToIntegers(0, 9), [(1, 4)]),
    *((Compare(relation), [(1, 4), (1, 4)]) for relation in ("<", "<=", ">", ">=", "==")),
    *(
        (IntegerArithmetic(kind), [Whole((1, 4), 0, 9), Whole((1, 4), 0, 9)])
        for kind in ("Add", "WrappedAdd", "WrappedSub", "WrappedMul", "Div", "Mod", "Remainder")
    ),
    (Where(), [Whole((1, 4), 0, 1), (1, 4), (1, 1)]),
    *((MaxPool(Window((2, 2), pads=pads)), [(1, 4, 4, 4)]) for pads in ((0, 0, 0, 0), (1, 1, 1, 1))),
    (LpPool(Window((2, 2))), [(1, 4, 4, 4)]),
    *((AveragePool(Window((2, 2), pads=pads)), [(1, 4, 4, 4)]) for pads in ((0, 0, 0, 0), (1, 1, 1, 1))),
    *(
        (op, [(2, 1, 3), few(4 * op.gates, 3), few(4 * op.gates, 4), np.zeros((2, 4 * op.gates))])
        for op in (Gru((SIGMOID, TANH)), Lstm((SIGMOID, TANH, TANH)), Rnn((TANH,)))
    ),
    *((op((1,)), [(1, 5, 4)]) for op in (ReduceSum, ReduceL1, ReduceL2, ReduceSumSquare, ReduceProd, ReduceMin)),
    (ReduceLp((1,)), [(1, 5, 4)]),
    *((Mean((1,)), [(1, size, 4)]) for size in (5, 70_000)),  # the longer of int16 adds up more than int32 holds
]
# Those with weights, of few kinds, as packed ones have codes for: convolutions of whole words, few and many, and of
# others, 1x1 and depthwise ones, of which one has the whole image for its window; rows of whole words and of others,
# and with sums that need 64 bits in int16.
WEIGHTED: list[tuple[Operator, Inputs]] = [
    *(
        (Conv2d(Window(kernel, pads=pads), groups, minimum=minimum), [(1, 5, 5, channels), weight, np.zeros(4)])
        for kernel, pads, groups, minimum, channels, weight in (
            ((3, 3), (1, 1, 1, 1), 1, 0.0, 4, few(4, 3, 3, 4)),
            ((3, 3), (1, 1, 1, 1), 1, 0.0, 32, few(4, 3, 3, 32)),
            ((3, 3), (0, 0, 0, 0), 1, -inf, 3, few(4, 3, 3, 3)),
            ((1, 1), (0, 0, 0, 0), 1, 0.0, 4, few(4, 1, 1, 4)),
            ((3, 3), (1, 1, 1, 1), 4, 0.0, 4, few(4, 3, 3, 1)),
            ((5, 5), (0, 0, 0, 0), 4, 0.0, 4, few(4, 5, 5, 1)),
        )
    ),
    *(
        (Conv2d(Window(kernel, strides), 4), [(1, 5, width, 4), few(4, *kernel, 1), np.zeros(4)])
        for kernel, strides, width in (((1, 3), (1, 1), 6), ((1, 3), (1, 2), 9), ((3, 3), (2, 2), 7))
    ),
    *((FullyConnected(minimum=0.0), [(2, size), few(4, size), np.zeros(4)]) for size in (8, 6, 1200)),
]


def subclasses(kind: type[Constants]) -> list[type[Constants]]:
    return [found for child in kind.__subclasses__() for found in (child, *subclasses(child))]


KERNELS = sorted(
    {c for c in subclasses(Constants) if "template" in vars(c) and c.__module__.startswith("mcuq.")},
    key=lambda c: c.template,
)
KERNEL = {kind.template: kind for kind in KERNELS}


def has_fragments(kind: type[Constants]) -> bool:
    return any(f.type == "Fragment" for f in fields(kind))


def sample(kind: type[Constants]) -> Constants:
    """The kernel's constants, all 1 or of the first type that there is, or those of a layer where C is pasted."""
    if has_fragments(kind):
        return next(found for found in pasted() if type(found) is kind)
    texts = {f.name: TEXTS.get(f.name, "int16_t") for f in fields(kind) if f.type == "str"}
    return kind(**{**{f.name: 1 for f in fields(kind)}, **texts})


@cache
def pasted() -> list[Constants]:
    """Constants of kernels into which C is pasted, of all kinds: of LAYERS in each type, and of conversions."""
    scales = {"int8": Quant((0.1,), 3), "uint8": Quant((0.1,), 3, "uint8"), "int16": Quant((0.1,), 0, "int16")}
    found = []
    for scheme in ("int8", "int16", "float32"):
        found += [layer_of(op, inputs, scheme) for op, inputs in LAYERS]
    for scheme in ("int8", "int16", "int4", "dynamic"):
        found += [layer_of(op, inputs, scheme) for op, inputs in WEIGHTED]
    for x, y in product((*scales, "float32"), repeat=2):
        tensors = [Tensor(name, (1, 4), dtype, quant=scales.get(dtype)) for name, dtype in (("x", x), ("y", y))]
        found += [Layer("layer", Convert(y), (tensors[0],), tensors[1])] if x != y else []
    calls = [
        call
        for layer in found
        for kernel in fitting_kernels(layer, {*CPUS, LITTLE_SCRATCH})
        for call in kernel.lower(layer.op, layer)
    ]
    return list(dict.fromkeys(call.constants for call in calls if call.constants.fragments()))


def layer_of(op: Operator, inputs: Inputs, scheme: str) -> Layer:
    (layer,) = integer_graph(op, inputs, scheme=parse_scheme(scheme)).layers()
    return layer


def kernels_and_pasted() -> list[Constants]:
    """One of each kernel without pasted C, and all with."""
    return [*(sample(kind) for kind in KERNELS if not has_fragments(kind)), *pasted()]


def name_of(constants: Constants) -> str:
    """For tests: its template, and what is pasted."""
    return f"{constants.template}:{constants.stem()}"


def template_text(kind: type[Constants]) -> str:
    """Its template without the declaration."""
    text = (resource_dir("templates") / "kernels" / f"{kind.template}.c.j2").read_text()
    return text.partition("#}\n")[2]


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def identifiers(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", without_comments(text)))


def names_read(constants: Constants) -> list[str]:
    """The constants that the body names."""
    named = identifiers(render_kernel(constants, "net_layer").partition(BODY)[2])
    return [name for name in constants.numbers() if name in named]


def with_runtime(text: str, needs: tuple[str, ...]) -> str:
    """C of a kernel as a file that compiles, with the items that it needs."""
    items = "\n".join(item.text for item in needed_items(needs))
    return f"#include <stdint.h>\n{items}\n{text}\n"


ANY = """
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MCUQ_ANY_H
#define MCUQ_ANY_H
/* item mcuq_pair: */
typedef struct { int32_t low, high; } mcuq_pair;

/* item MCUQ_TWICE: */
/* A macro of two functions. */
#define MCUQ_TWICE(x) ((x) * 2)

/* item mcuq_table: */
static const int32_t mcuq_table[3] = { 1, 2, 3 };

/* item mcuq_second: needs mcuq_table, MCUQ_TWICE; code 20 */
static const int32_t *mcuq_second(int32_t i)
{
    return mcuq_table + MCUQ_TWICE(i) / 2;
}

/* item mcuq_pair_of: needs mcuq_pair, MCUQ_TWICE;
   stack 12;
   code 30; cpu dsp */
static mcuq_pair mcuq_pair_of(int32_t x)
{
    const mcuq_pair pair = { x, MCUQ_TWICE(x) };
    return pair;
}

/* item mcuq_swap, mcuq_swapped: needs mcuq_pair, mcuq_pair_of; stack 8 */
static void mcuq_swap(mcuq_pair *pair)
{
    const int32_t low = pair->low;
    pair->low = pair->high;
    pair->high = low;
}
static mcuq_pair mcuq_swapped(int32_t x)
{
    mcuq_pair pair = mcuq_pair_of(x);
    mcuq_swap(&pair);
    return pair;
}
#endif
"""


def any_items() -> dict[str, Item]:
    """Items of the runtime of all kinds, by their names."""
    return {name: item for item in parse_items(ANY) for name in item.names}
