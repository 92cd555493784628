"""Functions of one value, as tables and as rescalings: elements around what a vector holds. All functions that are
expressions run in tests/ops/test_function.py."""

from __future__ import annotations

from support import Case

from cases.values import Make
from mcuq.ops.clip import Clip
from mcuq.ops.hard_sigmoid import HardSigmoid
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.rescale import Rescale
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.tanh import Tanh
from mcuq.ops.unary import Chain, Unary

FUNCTIONS: tuple[Unary, ...] = (
    Sigmoid(),
    Tanh(),
    HardSwish(),
    HardSigmoid(),
    HardSigmoid(0.3, -0.1),
    LeakyRelu(0.1),
    LeakyRelu(-2.0),
    Clip(0, 6),
    Clip(minimum=-0.25),
    Clip(),
    Rescale(),
    Chain((HardSwish(), Sigmoid())),
    Chain((Sigmoid(), Tanh(), Clip(0.2, 0.5))),
    Chain((Clip(0, 6), Rescale(), Clip(-1, 2))),
)
# Of one element, of one less and one more than vectors have, and more.
SIZES: tuple[tuple[int, ...], ...] = ((), (1, 1), (1, 7), (1, 8), (1, 9), (1, 300), (2, 5, 7, 3))


def fixed() -> list[Case]:
    """Each function at some sizes, and each size with some functions."""
    return [(op, [size]) for i, op in enumerate(FUNCTIONS) for size in SIZES[i % 3 :: 3]]


MAKERS: tuple[Make, ...] = ()
