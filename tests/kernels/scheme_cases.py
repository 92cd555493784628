"""What layers compute with: how cases become a graph of each scheme."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

from cases import functions, pools
from cases.every import OPERATORS, WEIGHTED
from float_cases import DYNAMIC, FLOAT, HALF, float_layers
from packed_cases import KINDS, pack_weights
from support import INT8, Case, integer_branches

from mcuq.graph.ir import Graph
from mcuq.quantize import NAMED, Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(NAMED["int16"])
WIDENING = Scheme(NAMED["int8"], {"*": NAMED["int16"]})  # reads int8, writes int16
NARROWING = Scheme(NAMED["int16"], {"*": NAMED["int8"]})  # reads int16, writes int8


@dataclass(frozen=True)
class Numbers:
    """The graph of cases side by side and a seed, and the operators whose kernels differ from those of a scheme above
    it."""

    graph: Callable[[Sequence[Case], int], Graph]
    operators: Sequence[ModuleType] = OPERATORS


def integers(scheme: Scheme) -> Callable[[Sequence[Case], int], Graph]:
    return lambda cases, seed: integer_branches(cases, seed, scheme)


def floats(weights: str, activations: str, before: str | None = None) -> Callable[[Sequence[Case], int], Graph]:
    """Inputs are `before` where it is given, else of the type of activations."""
    scheme = Scheme(LayerScheme(weights, activations), input=before)
    return lambda cases, seed: float_layers(cases, scheme, seed)


SCHEMES = {
    "s8": Numbers(integers(INT8)),
    "s16": Numbers(integers(INT16)),
    "s8 to s16": Numbers(integers(WIDENING), (*WEIGHTED, pools)),
    "s16 to s8": Numbers(integers(NARROWING), (*WEIGHTED, pools, functions)),
    "packed": Numbers(lambda cases, seed: pack_weights(integer_branches(cases, seed), KINDS, seed), WEIGHTED),
    "float32": Numbers(lambda cases, seed: float_layers(cases, FLOAT, seed)),
    "float16": Numbers(lambda cases, seed: float_layers(cases, HALF, seed), WEIGHTED),
    "dynamic": Numbers(lambda cases, seed: float_layers(cases, DYNAMIC, seed), WEIGHTED),
    # Sums of floats between other types.
    "s8 by float32": Numbers(floats("float32", "int8"), WEIGHTED),
    "s8 by float16 to s16": Numbers(floats("float16", "int16", "int8"), WEIGHTED),
    "s16 by float32 to float32": Numbers(floats("float32", "float32", "int16"), WEIGHTED),
    "float32 by float16 to s8": Numbers(floats("float16", "int8", "float32"), WEIGHTED),
}
