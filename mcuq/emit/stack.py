"""A bound on the stack of an inference, from what the C declares: what compilers add to it was measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mcuq.kernels.kernel import Constants
from mcuq.kernels.runtime import deepest_stack_bytes
from mcuq.kernels.source import declaration_of, needs_of

# Registers that calls save, and what compilers keep on the stack for want of registers.
FRAMES_BYTES = 640
_ALIGNMENT = 8


def stack_bytes(kernels: Iterable[Constants], needs: Collection[str] = ()) -> int:
    """Bytes that an inference by these kernels takes at most, and between them by runtime items that it `needs`."""
    deepest = max((_depth_bytes(constants) for constants in kernels), default=0) + deepest_stack_bytes(needs)
    return -(-(FRAMES_BYTES + deepest) // _ALIGNMENT) * _ALIGNMENT


def _depth_bytes(constants: Constants) -> int:
    pasted = sum(fragment.stack_bytes for fragment in constants.fragments())
    return declaration_of(constants.template).stack_bytes + pasted + deepest_stack_bytes(needs_of(constants))
