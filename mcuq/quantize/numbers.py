"""The tables of numbers that a scheme names: what weights may be stored as, what layers may write.

A new one is a line here (and a grid, kernels, a packing where it is none of these); no module compares a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.packing import fits
from mcuq.graph.tensor import Array
from mcuq.quantize.grid import GRIDS, INT8, Codebook, Grid


@dataclass(frozen=True, eq=False)
class Weights:
    """What a weight takes in flash, codebooks not counted, and the integers that it is rounded to; None for floats.

    `drops_any`: a weight of any size may become 0; else those do that are below half a step of the largest.
    `finer` is the next that errs less, for a layer that needs it.
    """

    bits: float
    grid: Grid | Codebook | None = None
    drops_any: bool = True
    finer: str | None = "int8"

    @property
    def is_float(self) -> bool:
        """Whether they are no integers."""
        return self.grid is None

    def keeps(self, integers: Array) -> bool:
        """Whether weights (channels, taps) that a model came with as these integers can be had as these."""
        if self.grid is None or self.grid is INT8:
            return True
        if isinstance(self.grid, Codebook):
            return all(np.unique(row).size <= self.grid.size for row in integers)
        return fits(integers, self.grid.name)


WEIGHTS: Mapping[str, Weights] = {
    "int8": Weights(8, INT8, drops_any=False, finer="float32"),
    "int4": Weights(4, GRIDS["int4"]),
    "int2": Weights(2, GRIDS["int2"]),
    "ternary": Weights(1.6, GRIDS["ternary"]),
    "binary": Weights(1, GRIDS["binary"]),
    "codebook": Weights(4, Codebook()),
    "float16": Weights(16, finer="float32"),
    "float32": Weights(32, finer=None),
}


@dataclass(frozen=True)
class Activations:
    """Whether a layer's output has a scale, or is floats."""

    is_float: bool = False


ACTIVATIONS: Mapping[str, Activations] = {
    "int8": Activations(),
    "int16": Activations(),
    "float32": Activations(is_float=True),
}


@dataclass(frozen=True)
class InputScale:
    """Whether channels of an input may get scales of their own."""

    splits: bool


INPUT_SCALES: Mapping[str, InputScale] = {"auto": InputScale(True), "per-tensor": InputScale(False)}
