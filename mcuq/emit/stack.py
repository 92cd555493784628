"""A bound on the stack of an inference, from the C alone: what compilers add to it was measured."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from mcuq.lower.source import runtime_blocks

_ARRAYS = re.compile(r"^ +(?!return|static)(?:const )?(\w+) [^=;(]*\[\d+\][^=;]*", re.MULTILINE)
_LONG = ("int64_t", "sum_type", "double")
# Registers that calls save, and what compilers keep on the stack for want of registers.
FRAMES_BYTES = 640
_ALIGNMENT = 8


def stack_bytes(kernels: Iterable[str]) -> int:
    """Bytes that an inference by these kernels takes at most."""
    deepest = max((_depth_bytes(text) for text in kernels), default=0)
    return -(-(FRAMES_BYTES + deepest) // _ALIGNMENT) * _ALIGNMENT


def _depth_bytes(text: str) -> int:
    """Arrays and registers that assembly saves, on the deepest path of calls from C of one function."""
    called = set(re.findall(r"\bmcuq_\w+", text)) & runtime_blocks().keys()
    return _own_bytes(text) + max((_runtime_bytes(name) for name in called if not _defines(text, name)), default=0)


def _defines(text: str, name: str) -> bool:
    return re.search(rf"^static .*\b{name}\(", text, re.MULTILINE) is not None


@cache
def _runtime_bytes(name: str) -> int:
    return _depth_bytes(runtime_blocks()[name])


def _own_bytes(text: str) -> int:
    arrays = 0
    for found in _ARRAYS.finditer(text):
        element_bytes = 8 if found[1] in _LONG else 4
        arrays += element_bytes * sum(map(int, re.findall(r"\[(\d+)\]", found[0])))
    saved = sum(4 * _registers(listed) for listed in re.findall(r"\bpush \{([^}]*)\}", text))
    return arrays + saved


def _registers(listed: str) -> int:
    """How many r4-r11, lr are."""
    count = 0
    for part in listed.split(","):
        ends = [int(number) for number in re.findall(r"r(\d+)", part)]
        count += ends[-1] - ends[0] + 1 if ends else 1
    return count
