"""Constant data as C."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.emit.text import COLUMNS, wrap
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import c_float


@dataclass(frozen=True)
class DataArray:
    """Constant data with its C name and type; what `is_outside` is in no C file, and its name is an offset. What
    `is_fast` is copied into faster memory at start."""

    name: str
    c_type: str
    values: Array
    is_outside: bool = False
    is_fast: bool = False

    @property
    def text(self) -> str:
        """The initializer's lines."""
        as_text = c_float if self.c_type == "float" else str
        return wrap([as_text(v) for v in self.values.reshape(-1).tolist()], ", ", COLUMNS - 4, "    ")
