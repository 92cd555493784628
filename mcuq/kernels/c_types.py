"""The C types of elements."""

from __future__ import annotations

C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "float16": "uint16_t",  # its bits
    "float32": "float",
}
