"""The C types of elements, and values as C."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "uint16": "uint16_t",
    "float16": "uint16_t",  # its bits
    "float32": "float",
}


def pointers(dtypes: Mapping[str, str]) -> str:
    """Parameters of C that point to constant elements of these dtypes, by name, with what follows them in mind."""
    return "".join(f"const {C_TYPES[dtype]} *{name}, " for name, dtype in dtypes.items())


def c_float(value: float) -> str:
    """A C expression that names the same float32: a literal, but for infinities and NaN, which freestanding C has none
    for."""
    if np.isnan(value):
        return "mcuq_float_of_bits(0x7fc00000u)"
    if np.isinf(value):
        return "mcuq_infinity()" if value > 0 else "-mcuq_infinity()"
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def c_float_needs(values: Iterable[object]) -> tuple[str, ...]:
    """The runtime items that c_float names of those of the values that are floats."""
    numbers = [v for v in values if isinstance(v, (float, np.floating))]
    infinity = ("mcuq_infinity",) if any(map(np.isinf, numbers)) else ()
    return infinity + (("mcuq_float_of_bits",) if any(map(np.isnan, numbers)) else ())
