"""A bound on the stack of an inference, from what the C declares: what compilers add to it was measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mcuq.kernels.kernel import Constants
from mcuq.kernels.runtime import deepest_stack_bytes
from mcuq.kernels.source import declaration_of, needs_of

# Registers that calls save, and what compilers keep on the stack for want of registers.
FRAMES_BYTES = 640
# Tensors that are given to ID_run, whose pointers run and run_in hand on in memory, and what run_in keeps of them.
_IN_REGISTERS = 4
_POINTER_BYTES = 8
_ALIGNMENT = 8


def stack_bytes(kernels: Iterable[Constants], tensors: int, needs: Collection[str] = ()) -> int:
    """Bytes that an inference by these kernels takes at most, with so many inputs and outputs, and between the kernels
    by runtime items that it `needs`."""
    deepest = max((_depth_bytes(constants) for constants in kernels), default=0) + deepest_stack_bytes(needs)
    frames = FRAMES_BYTES + _POINTER_BYTES * max(0, tensors - _IN_REGISTERS)
    return -(-(frames + deepest) // _ALIGNMENT) * _ALIGNMENT


def _depth_bytes(constants: Constants) -> int:
    pasted = sum(fragment.stack_bytes for fragment in constants.fragments())
    return declaration_of(constants.template).stack_bytes + pasted + deepest_stack_bytes(needs_of(constants))
