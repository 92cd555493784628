"""Reads back from a generated C file what it computes with: the calls of ID_run_in and the constant arrays.

So that a profile is of the C on disk, whatever version of mcuq has written it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Bytes of an element by its type in C.
ELEMENT_BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "float": 4}
_CAST = re.compile(r"^(?:\([^()]*\*\))+\((.*)\)$")


@dataclass(frozen=True)
class EmittedCall:
    """One call of a kernel: the layer's name in C, the function, and its arguments."""

    layer: str
    function: str
    arguments: tuple[str, ...]


def emitted_calls(text: str, model_id: str) -> tuple[EmittedCall, ...]:
    """The calls of MODEL_ID_run_in, in order."""
    body = re.search(rf"^void {model_id}_run_in\([^)]*\)\n\{{\n(.*?)^\}}", text, re.DOTALL | re.MULTILINE)
    found = re.findall(r"/\* (\w+) \*/\s+(\w+)\(([^;]*)\);", body[1] if body else "")
    return tuple(EmittedCall(layer, function, tuple(re.split(r",\s+", given))) for layer, function, given in found)


def emitted_arrays(text: str) -> Mapping[str, int]:
    """Bytes of each constant array."""
    found = re.findall(rf"^static const ({'|'.join(ELEMENT_BYTES)}) (\w+)\[(\d+)\]", text, re.MULTILINE)
    return {name: ELEMENT_BYTES[c_type] * int(count) for c_type, name, count in found}


def emitted_stack_bytes(header: str) -> int | None:
    """What the header says of the stack; None where it was written by a version of mcuq that does not say it."""
    found = re.search(r"^#define \w+_STACK_BYTES (\d+)$", header, re.MULTILINE)
    return None if found is None else int(found[1])


def arena_offset(argument: str) -> int | None:
    """The offset of an argument that is a place in the arena, whatever it is cast to; None for any other."""
    cast = _CAST.match(argument)
    found = re.fullmatch(r"arena(?: \+ (\d+))?", cast[1] if cast else argument)
    return None if found is None else int(found[1] or 0)


def with_functions_apart(text: str, functions: set[str]) -> str:
    """The file with these functions kept out of others, so that arriving at one of them is the start of a layer."""
    names = "|".join(sorted(functions))
    marked = re.sub(rf"^static void ({names})\(", r"static MCUQ_APART void \1(", text, flags=re.MULTILINE)
    return f"{_APART}{marked}"


_APART = """\
#if defined(__clang__)
#define MCUQ_APART __attribute__((noinline))
#else
#define MCUQ_APART __attribute__((noinline, noclone))
#endif
"""
