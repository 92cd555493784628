"""Counts how often each basic block runs under Unicorn, natively where a C compiler is installed."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from mcuq.build.shared_library import build_library
from mcuq.errors import BuildError


class BlockCount(NamedTuple):
    """A block's bytes, how often it ran, and how often it was left for elsewhere than the code behind it (of the
    block that ran last, that is not known yet)."""

    block_bytes: int
    runs: int
    left: int


class BlockCounter(Protocol):
    """Counts from `start` until `stop`; both throw away translated code, in which hooks are fixed."""

    def start(self, engine: Any) -> None: ...

    def stop(self, engine: Any) -> None: ...

    def clear(self) -> None: ...

    def counts(self) -> dict[int, BlockCount]:
        """Return what is known of each block that ran since `clear`, by address."""


def new_block_counter(unicorn: Any, first_address: int, code_bytes: int) -> BlockCounter:
    """Return the fastest counter that this computer can have for code in that range of addresses.

    `unicorn` is the imported module.
    """
    try:
        _native_hook()
    except (BuildError, ImportError, OSError):
        return PythonBlockCounter(unicorn)
    return NativeBlockCounter(unicorn, first_address, code_bytes)


def count_thumb_instructions(code: bytes) -> int:
    """Return how many instructions a basic block of Thumb code holds.

    A halfword whose upper five bits are 0b11101, 0b11110 or 0b11111 is the first of two (Armv7-M ARM, A5.1).
    """
    n_instructions = at = 0
    while at < len(code):
        at += 4 if code[at + 1] >> 3 >= 0b11101 else 2
        n_instructions += 1
    return n_instructions


def count_riscv_instructions(code: bytes) -> int:
    """Return how many instructions a basic block of RV32 code holds.

    One whose lowest two bits are not 0b11 is compressed, 16 bits long (RISC-V ISA manual, volume I, 1.5).
    """
    n_instructions = at = 0
    while at < len(code):
        at += 4 if code[at] & 0b11 == 0b11 else 2
        n_instructions += 1
    return n_instructions


class PythonBlockCounter:
    """Calls Python for every block: slow (half a microsecond and more a block), but needs no C compiler."""

    def __init__(self, unicorn: Any) -> None:
        self._unicorn = unicorn
        self._counts: dict[tuple[int, int], int] = {}
        self._left: dict[int, int] = {}
        self._last = (-1, 0)
        self._hook = 0

    def start(self, engine: Any) -> None:
        self._hook = engine.hook_add(self._unicorn.UC_HOOK_BLOCK, self._count)
        engine.ctl_flush_tb()

    def stop(self, engine: Any) -> None:
        engine.hook_del(self._hook)
        engine.ctl_flush_tb()

    def clear(self) -> None:
        self._counts.clear()
        self._left.clear()
        self._last = (-1, 0)

    def counts(self) -> dict[int, BlockCount]:
        blocks = {
            address: BlockCount(block_bytes, n, self._left.get(address, 0))
            for (address, block_bytes), n in self._counts.items()
        }
        _check(len(self._counts) - len(blocks))
        return blocks

    def _count(self, engine: Any, address: int, block_bytes: int, data: object) -> None:
        key = (address, block_bytes)
        self._counts[key] = self._counts.get(key, 0) + 1
        if self._last[0] >= 0 and sum(self._last) != address:
            self._left[self._last[0]] = self._left.get(self._last[0], 0) + 1
        self._last = key


class NativeBlockCounter:
    """Lets Unicorn call count_blocks.c directly."""

    def __init__(self, unicorn: Any, first_address: int, code_bytes: int) -> None:
        self._unicorn = unicorn
        n_slots = code_bytes // 2
        self._count = np.zeros(n_slots, np.uint64)
        self._block_bytes = np.zeros(n_slots, np.uint32)
        self._left = np.zeros(n_slots, np.uint64)
        arrays = (self._count, self._block_bytes, self._left)
        self._shared = _Counts(first_address, n_slots, *(array.ctypes.data for array in arrays), n_slots, 0)
        self._handle: Any = None

    def start(self, engine: Any) -> None:
        hook_type, unicorn_library, new_handle = _native_hook()
        self._handle = new_handle()
        # Unicorn's Python method takes only Python functions, so the C function below it is called.
        # A range that ends before it begins means every address.
        status = unicorn_library.uc_hook_add(
            engine._uch,
            ctypes.byref(self._handle),
            self._unicorn.UC_HOOK_BLOCK,
            ctypes.cast(hook_type, ctypes.c_void_p),
            ctypes.addressof(self._shared),
            1,
            0,
        )
        if status != self._unicorn.UC_ERR_OK:
            raise self._unicorn.UcError(status)
        engine.ctl_flush_tb()

    def stop(self, engine: Any) -> None:
        _native_hook()[1].uc_hook_del(engine._uch, self._handle)
        engine.ctl_flush_tb()

    def clear(self) -> None:
        self._count[:] = 0
        self._left[:] = 0
        self._shared.last_slot = self._shared.n_slots
        self._shared.unexpected = 0

    def counts(self) -> dict[int, BlockCount]:
        _check(self._shared.unexpected)
        return {
            self._shared.first_address + 2 * int(slot): BlockCount(
                int(self._block_bytes[slot]), int(self._count[slot]), int(self._left[slot])
            )
            for slot in np.flatnonzero(self._count)
        }


class _Counts(ctypes.Structure):
    """Laid out as struct counts in count_blocks.c."""

    _fields_ = [
        ("first_address", ctypes.c_uint64),
        ("n_slots", ctypes.c_uint64),
        ("count", ctypes.c_void_p),
        ("block_bytes", ctypes.c_void_p),
        ("left", ctypes.c_void_p),
        ("last_slot", ctypes.c_uint64),
        ("unexpected", ctypes.c_uint64),
    ]


@functools.cache
def _native_hook() -> tuple[Any, Any, Any]:
    """Return the compiled hook, Unicorn's C library and its type of a hook's handle."""
    from unicorn.unicorn_py3.arch.types import uc_hook_h
    from unicorn.unicorn_py3.unicorn import uclib

    library = build_library(Path(__file__).with_name("count_blocks.c").read_text(encoding="utf-8"))
    return library.mcuq_count_block, uclib, uc_hook_h


def _check(unexpected: int) -> None:
    # Neither happens to code that only runs from flash and never changes; a wrong count must not pass as exact.
    if unexpected:
        raise AssertionError(f"{unexpected} basic blocks changed their length or lay outside of the code")
